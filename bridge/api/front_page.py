"""What somebody finds who asks the daemon itself: `/` says what this is and where to go on, `/docs` is the manual."""

import asyncio
import html
from collections.abc import Mapping
from functools import cache, partial

import msgspec
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from bridge import __version__
from bridge.api.accept import preferred
from bridge.api.iotda.describe import operation
from bridge.api.iotda.errors import answer_error
from bridge.api.manual import as_html, manual
from bridge.api.operation import Operation
from bridge.api.resource import Call, Resource

ROOT = "/"
DOCS = "/docs"
TEXT, JSON, HTML, MARKDOWN = "text/plain", "application/json", "text/html", "text/markdown"
ABOUT = "Messages for devices: kept durably, delivered over MQTT, and each with a state that is true."
_LINKS = {
    "docs": (DOCS, "how to use it"),
    "openapi": ("/openapi.json", "every route, field, limit and error of the HTTP API"),
    "health": ("/healthz", "whether the process answers"),
    "ready": ("/readyz", "whether messages are accepted and devices can connect"),
}
_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>device-bridge</title>
<style>
:root {{ color-scheme: light dark }}
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }}
pre {{ overflow: auto; padding: .5rem 1rem; border: 1px solid #8886 }}
code {{ font-size: .9em }}
table {{ border-collapse: collapse; display: block; overflow: auto }}
th, td {{ border: 1px solid #8886; padding: .2rem .5rem; text-align: left; vertical-align: top }}
</style>
{content}
</html>
"""
_FIELDS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    "Vary": "Accept",
    "X-Content-Type-Options": "nosniff",
}


class FrontPage(msgspec.Struct):
    name: str
    version: str
    description: str
    docs: str
    openapi: str
    health: str
    ready: str


class Welcome:
    """Without credentials, like /openapi.json: nothing of the inside, and the version that it says as well."""

    def routes(self) -> list[BaseRoute]:
        return [
            Route(ROOT, Resource(answer_error, {"GET": self.root})),
            Route(DOCS, Resource(answer_error, {"GET": self.docs})),
        ]

    def operations(self) -> list[Operation]:
        root, docs = "What this is, and where to go on; in the form that Accept asks for.", "The manual."
        public = partial(operation, tag="Operations", scope=None, answers={200: str})
        return [
            public("GET", ROOT, "ShowFrontPage", root, media_type=TEXT, also={JSON: FrontPage, HTML: str}),
            public("GET", DOCS, "ShowDocs", docs, media_type=MARKDOWN, also={HTML: str}),
        ]

    async def root(self, call: Call) -> Response:
        return _answer(call, _front_pages())

    async def docs(self, call: Call) -> Response:
        return _answer(call, await asyncio.to_thread(_manual_pages))  # made once, in a tenth of a second


def _answer(call: Call, pages: Mapping[str, bytes]) -> Response:
    accept = ",".join(value.decode("latin-1") for name, value in call.scope["headers"] if name == b"accept")
    media_type = preferred(accept, list(pages))
    return Response(pages[media_type], headers=_FIELDS, media_type=media_type)


@cache
def _front_pages() -> Mapping[str, bytes]:
    """Media type → what `/` says."""
    title = f"device-bridge {__version__}"
    rows = "".join(f"  {path:<15}{about}\n" for path, about in _LINKS.values())
    items = "".join(f'<li><a href="{path}">{path}</a>: {html.escape(about)}\n' for path, about in _LINKS.values())
    paths = {name: path for name, (path, _) in _LINKS.items()}
    described = FrontPage(name="device-bridge", version=__version__, description=ABOUT, **paths)
    return {
        TEXT: f"{title}\n{ABOUT}\n\n{rows}".encode(),
        JSON: msgspec.json.encode(described),
        HTML: _PAGE.format(content=f"<h1>{title}</h1>\n<p>{html.escape(ABOUT)}</p>\n<ul>\n{items}</ul>").encode(),
    }


@cache
def _manual_pages() -> Mapping[str, bytes]:
    """Media type → what `/docs` says."""
    text = manual()
    return {MARKDOWN: text.encode(), HTML: _PAGE.format(content=as_html(text)).encode()}
