"""What somebody finds who asks the daemon itself: / and /docs."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from bridge import __version__
from bridge.api import manual
from bridge.api.manual import as_html
from tests.api.client import Answer, Client

README = Path(__file__).parents[2] / "README.md"
FORMS = ["text/plain", "application/json", "text/html"]
CHROMIUM = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"


class Page(HTMLParser):
    """The targets of the links, the ids, and whether every element was closed that has to be."""

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: list[str] = []
        self.names: set[str] = set()
        self.text = ""
        self.feed(answer.body.decode())
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.links += [value for name, value in attrs if name == "href" and value]
        self.ids += [value for name, value in attrs if name == "id" and value]

    def handle_data(self, data: str) -> None:
        self.text += data


def kind(answer: Answer) -> str:
    return answer.headers["content-type"].partition(";")[0]


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("*/*", "text/plain"),
        (CHROMIUM, "text/html"),
        ("application/json", "application/json"),
        ("application/json, text/plain, */*", "application/json"),
        ("text/*", "text/plain"),
        ("text/html;q=0.5, application/json;q=0.4", "text/html"),
        ("TEXT/HTML ; level=1", "text/html"),
        ("text/*;q=0.3, text/html;q=0.7, */*;q=0.5", "text/html"),
        ("text/plain;q=0, */*", "application/json"),
        ("image/png", "text/plain"),
        ("*/*;q=0", "text/plain"),
        ("", "text/plain"),
        (",;q=,q=1;/", "text/plain"),
        ("text/html;q=2", "text/html"),
    ],
)
async def test_the_form_that_is_asked_for(client: Client, accept: str, form: str) -> None:
    answer = await client.get("/", who=None, Accept=accept)
    assert (answer.status, kind(answer)) == (200, form)
    assert answer.headers["vary"] == "Accept"


async def test_text_for_who_says_nothing(client: Client) -> None:
    answer = await client.get("/", who=None)
    assert kind(answer) == "text/plain"
    assert __version__ in answer.body.decode()
    for path in ("/docs", "/openapi.json", "/healthz", "/readyz"):
        assert path in answer.body.decode()


async def test_every_form_leads_to_what_is_there(client: Client) -> None:
    described = (await client.get("/", who=None, Accept="application/json")).json()
    page = Page(await client.get("/", who=None, Accept=CHROMIUM))
    assert described["version"] == __version__
    assert {described[name] for name in ("docs", "openapi", "health", "ready")} == set(page.links)
    for path in page.links:
        assert (await client.get(path, who=None)).status == 200


@pytest.mark.parametrize("path", ["/", "/docs"])
@pytest.mark.parametrize("accept", [*FORMS, "text/markdown", "*/*"])
async def test_head_says_what_get_does(client: Client, path: str, accept: str) -> None:
    get = await client.get(path, who=None, Accept=accept)
    assert int(get.headers["content-length"]) == len(get.body)
    head = await client.request("HEAD", path, who=None, Accept=accept)
    for name in ("content-type", "content-length", "vary", "cache-control", "content-security-policy"):
        assert head.headers[name] == get.headers[name]
    assert (head.status, head.body) == (200, b"")


@pytest.mark.parametrize("path", ["/", "/docs"])
async def test_other_methods(client: Client, path: str) -> None:
    answer = await client.request("POST", path, "{}")
    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD")


async def test_the_manual_as_it_was_written(client: Client) -> None:
    for accept in ("*/*", "text/markdown", "text/plain", "image/png"):
        answer = await client.get("/docs", who=None, Accept=accept)
        assert kind(answer) == "text/markdown"
        assert answer.body == README.read_bytes()


async def test_the_manual_as_a_page(client: Client) -> None:
    page = Page(await client.get("/docs", who=None, Accept=CHROMIUM))
    text = README.read_text(encoding="utf-8")
    within = {link[1:] for link in page.links if link.startswith("#")}
    assert len(within) >= 5
    assert within <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))
    assert all(link.startswith(("#", "https://")) for link in page.links)
    assert {"h1", "h2", "table", "td", "pre", "code"} <= page.names
    for heading in re.findall(r"^## (.+)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.MULTILINE):
        assert heading.replace("`", "") in page.text


def test_the_manual_of_an_installed_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manual, "_CHECKOUT", tmp_path)
    assert manual.manual().startswith("# device-bridge\n")
    assert len(manual.manual()) > 1000
    monkeypatch.setattr(manual, "_DISTRIBUTION", "nothing-of-that-name")
    assert "/openapi.json" in manual.manual()


def test_html_in_a_manual_is_text() -> None:
    assert re.findall(r"<(?:script|a)", as_html("<script>x</script>\n\n[x](javascript:alert(1))")) == []


def test_a_comment_in_a_manual_is_not_shown() -> None:
    assert as_html("a\n\n<!-- settings -->\n\nb") == "<p>a</p>\n<p>b</p>\n"
