"""README.md of the checkout, or as it was installed with the package, and the same as a web page."""

import itertools
import re
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markdown_it.token import Token

_NONE = "# device-bridge\n\nThe manual is not installed with this package. `/openapi.json` describes the HTTP API.\n"
_CHECKOUT = Path(__file__).parents[2]
_COMMENT = re.compile(r"^<!--[^>]*-->$", re.MULTILINE)
_DISTRIBUTION = "device-bridge"
_PUNCTUATION = re.compile(r"[^\w\- ]")


def manual() -> str:
    """Markdown. An installed package has it as its description."""
    if (_CHECKOUT / "pyproject.toml").is_file():
        return (_CHECKOUT / "README.md").read_text(encoding="utf-8")
    try:
        description = metadata.metadata(_DISTRIBUTION).json.get("description")
    except metadata.PackageNotFoundError:
        return _NONE
    return str(description) if description else _NONE


def as_html(markdown: str) -> str:
    """The inside of a web page. Headings have the ids that links within the text go to; HTML in it is shown as text."""
    from markdown_it import MarkdownIt  # when somebody reads it: it would make each start longer

    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = parser.parse(_COMMENT.sub("", markdown))
    for heading, text in itertools.pairwise(tokens):
        if heading.type == "heading_open":
            heading.attrSet("id", _slug(text))
    rendered: str = parser.renderer.render(tokens, parser.options, {})
    return rendered


def _slug(text: "Token") -> str:
    """The id of a heading, made as GitHub does."""
    words = "".join(each.content for each in text.children or ())
    return _PUNCTUATION.sub("", words.lower()).replace(" ", "-")
