"""Whoever sends a large body that is refused is told so: stock clients, and proxies in HTTP/1.0."""

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.acceptance.daemon import Daemon
from tests.acceptance.nginx import PROGRAM, nginx

LARGE = b'{"message": "' + b"x" * (4 * 1024 * 1024) + b'"}'
MESSAGES = "/v5/iot/default/devices/nobody/messages"
TIMES = 20
CASES = [
    pytest.param("POST", MESSAGES, True, 400, id="too large"),
    pytest.param("POST", MESSAGES, False, 401, id="no credentials"),
    pytest.param("POST", "/nowhere", False, 404, id="no such path"),
    pytest.param("POST", "/healthz", False, 405, id="wrong method"),
]
needs_nginx = pytest.mark.skipif(PROGRAM is None, reason="nginx is not installed: apt-get install nginx-light")

Address = tuple[str, int]


def _status(address: Address, request: tuple[str, str], token: str | None) -> int:
    method, path = request
    url = f"http://{address[0]}:{address[1]}{path}"
    fields = {"Content-Type": "application/json", **({"X-Auth-Token": token} if token else {})}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, LARGE, fields, method=method), timeout=60) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            error.read()
        return error.code


def _statuses(address: Address, request: tuple[str, str], token: str | None) -> list[int]:
    with ThreadPoolExecutor(4) as senders:
        return list(senders.map(lambda _: _status(address, request, token), range(TIMES)))


@pytest.fixture(scope="module")
def proxy(daemon: Daemon, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Address]:
    """nginx in front of the daemon, in HTTP/1.0, as it is unless told otherwise; /streamed/ sends while it receives."""
    target = f"proxy_http_version 1.0; proxy_pass http://{daemon.http[0]}:{daemon.http[1]}"
    streamed = f"location /streamed/ {{ proxy_request_buffering off; {target}/; }}"
    with nginx(tmp_path_factory.mktemp("nginx"), f"location / {{ {target}; }} {streamed}") as address:
        yield address


@pytest.mark.parametrize(("method", "path", "known", "status"), CASES)
def test_urllib_reads_every_refusal(daemon: Daemon, method: str, path: str, known: bool, status: int) -> None:
    token = daemon.token if known else None
    assert _statuses(daemon.http, (method, path), token) == [status] * TIMES


@needs_nginx
@pytest.mark.parametrize(("method", "path", "known", "status"), CASES)
@pytest.mark.parametrize("prefix", ["", "/streamed"], ids=["buffered", "streamed"])
def test_nginx_passes_every_refusal_on(
    daemon: Daemon, proxy: Address, method: str, path: str, known: bool, status: int, prefix: str
) -> None:
    token = daemon.token if known else None
    assert _statuses(proxy, (method, prefix + path), token) == [status] * TIMES


@needs_nginx
def test_nginx_passes_an_export_on_and_an_event_stream(daemon: Daemon, proxy: Address) -> None:
    with daemon.admin() as admin:
        admin.add_device("default", "proxied", "secret-of-proxied")
    with daemon.api() as api:
        sent = api.post("proxied", "x").body["message_id"]
        api.call("PUT", "/channel/proxied/subscription/polling/app")
        api.call("PUT", "/channel/proxied/message/m1", b'{"n": 1}')
    connection = http.client.HTTPConnection(*proxy, timeout=60)
    fields = {"X-Auth-Token": daemon.token}
    connection.request("GET", "/v5/iot/default/messages/export?device_id=proxied", headers=fields)
    lines = connection.getresponse().read().splitlines()
    assert [json.loads(line)["message_id"] for line in lines] == [sent]
    connection.request("GET", "/channel/proxied/subscription/polling/app/stream", headers=fields)
    with connection.getresponse() as stream:
        found = [stream.readline() for _ in range(4)]
    assert found[:2] == [b":\n", b"\n"]
    assert json.loads(found[3].removeprefix(b"data: ")) == {"messageID": "m1", "content": {"n": 1}}
    connection.close()
