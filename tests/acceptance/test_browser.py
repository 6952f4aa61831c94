"""Pages of other origins, in a real browser, with the code that README.md shows for them."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.browser import PROGRAM, Site, site
from tests.acceptance.daemon import Daemon

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="Chromium is not installed: apt-get install chromium")

README = Path(__file__).parents[2] / "README.md"
STREAM = "/channel/news/subscription/polling/page/stream"
PUBLISHED: list[dict[str, Any]] = [{"messageID": "m1", "content": {"price": 1.5}}, {"messageID": "m2", "content": "ü"}]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site(tmp_path_factory.mktemp("browser")) as own:
        yield own


@pytest.fixture(scope="module", params=["the origin", "any origin"])
def target(request: pytest.FixtureRequest, page: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon that allows the page."""
    origins = page.origin if request.param == "the origin" else "*"
    yield from _running(tmp_path_factory.mktemp("target"), origins)


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon that allows another page."""
    yield from _running(tmp_path_factory.mktemp("closed"), "https://app.example.com")


def _running(folder: Path, origins: str) -> Iterator[Daemon]:
    daemon = Daemon(folder, {"http.cors_origins": origins, "delivery.ack_wait": 0.05})
    try:
        daemon.start()
        with daemon.admin() as admin:
            admin.add_device("default", "lamp", "secret-of-lamp")
        with daemon.api() as api:
            assert api.call("PUT", "/channel/news/subscription/polling/page").status == 200
            for each in PUBLISHED:
                body = json.dumps(each["content"]).encode()
                assert api.call("PUT", f"/channel/news/message/{each['messageID']}", body).status == 200
        yield daemon
    finally:
        daemon.close()


def _of_readme() -> str:
    """The code for pages."""
    (code,) = re.findall(r"```js\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    return str(code)


def _script(daemon: Daemon, code: str) -> str:
    address = "http://{}:{}".format(*daemon.http)
    return f"const api = {json.dumps(address)}, token = {json.dumps(daemon.token)};\n{code}"


def test_a_page_sends_and_hears(page: Site, target: Daemon) -> None:
    code = f"""
{_of_readme()}
const heard = [];
for await (const event of events(api + "{STREAM}", token)) if (heard.push(event) == {len(PUBLISHED)}) break;
const answer = await send(api, token, "lamp", "from a page");
const request = answer.headers.get("X-Request-Id");
return {{heard, status: answer.status, created: await answer.json(), request}};
"""
    said = page.run(_script(target, code))
    assert [{"messageID": each["messageID"], "content": each["content"]} for each in said["heard"]] == PUBLISHED
    assert all(each["id"] for each in said["heard"])
    assert (said["status"], said["created"]["result"]["status"]) == (201, "PENDING")
    assert said["request"]
    with target.api() as api:
        assert api.show("lamp", said["created"]["message_id"]).body["message"] == "from a page"


def test_a_page_reads_why_it_was_refused(page: Site, target: Daemon) -> None:
    code = f"""
{_of_readme()}
const said = [];
for (const [key, device] of [["wrong", "lamp"], [token, "nobody"]]) {{
  const answer = await send(api, key, device, "x");
  said.push([answer.status, (await answer.json()).error_code]);
}}
const lost = await fetch(api + "/nowhere", {{headers: {{Authorization: "Bearer " + token}}}});
said.push([lost.status, (await lost.json()).error_code]);
return said;
"""
    said = page.run(_script(target, code))
    assert said == [[401, "IOTDA.000002"], [404, "IOTDA.014000"], [404, "IOTDA.000404"]]


def test_an_event_source_hears(page: Site, target: Daemon) -> None:
    """It can send no header fields, so the token stands in the address."""
    code = f"""
const source = new EventSource(api + "{STREAM}?access_token=" + token);
const event = await new Promise((resolve, reject) => {{ source.onmessage = resolve; source.onerror = reject; }});
source.close();
return [event.lastEventId != "", JSON.parse(event.data)];
"""
    assert page.run(_script(target, code)) == [True, PUBLISHED[0]]


def test_a_page_of_another_origin_is_refused(page: Site, closed: Daemon) -> None:
    code = f"""
{_of_readme()}
const said = [];
const attempt = async what => said.push(await what().then(() => "read", error => error.name));
await attempt(() => send(api, token, "lamp", "from another page"));
await attempt(() => events(api + "{STREAM}", token).next());
await attempt(() => fetch(api + "/healthz"));
return said;
"""
    said: Any = page.run(_script(closed, code))
    assert said == ["TypeError"] * 3
    with closed.api() as api:
        assert api.index("lamp").body["messages"] == []
