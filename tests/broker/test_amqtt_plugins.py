"""The plug-ins that come with amqtt, each as it is, in our broker."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from amqtt.contrib.cert import UserAuthCertPlugin
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from bridge.config import load
from bridge.mqtt import Publish, Version
from tests.broker.certificates import HOST, Certificate, client_context
from tests.broker.client import RawClient
from tests.broker.conftest import NewSite
from tests.broker.site import SECRET, Site, mqtt

EXAMPLE = Path(__file__).parents[2] / "broker_config" / "plugins.toml"
KEY = "a-secret-key-of-thirty-two-bytes!"
HTTP_HOST = "127.0.0.1"


class Authority:
    """An HTTP server that is asked about users and topics."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, dict[str, Any]]] = []
        self.status = 200

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                method, path, _ = head.decode().split(" ", 2)
                fields = dict(line.lower().split(": ", 1) for line in head.decode().split("\r\n")[1:-2])
                body = json.loads(await reader.readexactly(int(fields.get("content-length", 0))))
                self.asked.append((method, path, body))
                answer = json.dumps({"ok": self.decide(path, body)}).encode()
                writer.write(
                    b"HTTP/1.1 %d OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
                    % (self.status, len(answer), answer)
                )
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()

    def decide(self, path: str, body: dict[str, Any]) -> bool:
        if path == "/user":
            return bool(body["password"] == "secret")
        return not str(body["topic"]).startswith("no/")


@pytest.fixture
async def authority() -> AsyncIterator[tuple[Authority, int]]:
    authority = Authority()
    server = await asyncio.start_server(authority.serve, HTTP_HOST, 0)
    yield authority, server.sockets[0].getsockname()[1]
    server.close()


async def log_in(site: Site, username: str | None, password: str | None, client_id: str = "") -> int:
    client = await site.client()
    return (await client.connect(client_id, username, password)).reason_code


async def logged_in(site: Site, username: str | None = None, password: str | None = None) -> RawClient:
    client = await site.client()
    assert (await client.connect("", username, password)).reason_code == 0
    return client


async def publish(client: RawClient, topic: str) -> int:
    """The reason code of its acknowledgement."""
    client.publish(topic, b"x", 1)
    return int((await client.before_pong())[0].reason_code)  # type: ignore[union-attr]


@pytest.mark.slow
async def test_users_of_a_file(new_site: NewSite, tmp_path: Path) -> None:
    users = tmp_path / "users"
    users.write_text(f"anna:{PasswordHash((Argon2Hasher(),)).hash('secret')}\n", encoding="utf-8")
    site = await new_site(mqtt(plugins={"amqtt.plugins.authentication.FileAuthPlugin": {"password_file": str(users)}}))
    for username, password, code in (("anna", "secret", 0), ("anna", "wrong", 0x86), ("bert", "secret", 0x86)):
        client = await site.client()
        assert (await client.connect("", username, password)).reason_code == code
    client = await site.client()
    assert (await client.connect("")).reason_code == 0x87
    client = await site.client()
    site.add_device()
    assert (await client.connect("pump-1", "pump-1", SECRET)).reason_code == 0


@pytest.mark.parametrize(("allowed", "code"), [(True, 0), (False, 0x87)])
async def test_anonymous_clients(new_site: NewSite, allowed: bool, code: int) -> None:
    path = "amqtt.plugins.authentication.AnonymousAuthPlugin"
    site = await new_site(mqtt(plugins={path: {"allow_anonymous": allowed}}))
    client = await site.client()
    assert (await client.connect("")).reason_code == code


async def test_taboo_topics(new_site: NewSite) -> None:
    site = await new_site(mqtt(plugins={"amqtt.plugins.topic_checking.TopicTabooPlugin": {}}, allow_anonymous=True))
    client = await logged_in(site)
    for topic, code in (("top-secret", 0x87), ("data/classified", 0x87), ("data/open", 0x10)):
        assert await publish(client, topic) == code
        assert await client.subscribe(topic) == (0x87 if code == 0x87 else 1)
    old = await site.client(Version.V311)
    await old.connect("")
    assert await old.subscribe("prohibited") == 0x80


@pytest.mark.filterwarnings("ignore:The 'acl' option is deprecated:DeprecationWarning")
async def test_topics_of_a_list(new_site: NewSite) -> None:
    """`acl` is for subscribing: the plug-in's own Config has no `subscribe_acl`, whatever the warning says."""
    path = "amqtt.plugins.topic_checking.TopicAccessControlListPlugin"
    options = {
        "publish_acl": {"anonymous": ["a/#"], "pump-1": ["b/+"]},
        "acl": {"anonymous": ["c/+/d"], "pump-1": ["#"]},
    }
    site = await new_site(mqtt(plugins={path: options}, allow_anonymous=True))
    client = await logged_in(site)
    assert [await publish(client, topic) for topic in ("a/1/2", "b/1")] == [0x10, 0x87]
    assert [await client.subscribe(each) for each in ("c/x/d", "c/#", "a/#")] == [1, 0x87, 0x87]
    pump = await site.log_in(site.add_device())
    assert [await publish(pump, topic) for topic in ("a/1", "b/1")] == [0x87, 0x10]
    assert await pump.subscribe("anything/else") == 1
    assert await pump.subscribe("$oc/devices/pump-2/#") == 0x87


def token(user: str, **claims: Any) -> str:
    return jwt.encode({"user": user, **claims}, KEY, algorithm="HS256")


async def test_users_with_a_json_web_token(new_site: NewSite) -> None:
    path = "amqtt.contrib.jwt.UserAuthJwtPlugin"
    site = await new_site(mqtt(plugins={path: {"secret_key": KEY, "user_claim": "user"}}))
    assert await log_in(site, "anna", token("anna")) == 0
    for password in (token("bert"), token("anna", exp=1), "no token", None):
        assert await log_in(site, "anna", password) == 0x86
    assert await log_in(site, None, None) == 0x87


async def test_topics_of_a_json_web_token(new_site: NewSite) -> None:
    claims = {"publish_claim": "may_publish", "subscribe_claim": "may_subscribe", "receive_claim": "may_receive"}
    site = await new_site(
        mqtt(
            plugins={
                "amqtt.contrib.jwt.UserAuthJwtPlugin": {"secret_key": KEY, "user_claim": "user"},
                "amqtt.contrib.jwt.TopicAuthJwtPlugin": {"secret_key": KEY, **claims},
            }
        )
    )
    password = token("anna", may_publish=["a/+"], may_subscribe=["a/#", "b"], may_receive=["a/1"])
    client = await logged_in(site, "anna", password)
    assert [await client.subscribe(each) for each in ("a/+", "b", "c", "$oc/devices/#")] == [1, 1, 0x87, 0x87]
    assert await publish(client, "c") == 0x87
    client.publish("a/2", b"unheard")
    client.publish("a/1", b"heard")
    assert (await client.take()).payload == b"heard"


async def test_users_and_topics_that_a_server_decides_about(
    new_site: NewSite, authority: tuple[Authority, int]
) -> None:
    server, port = authority
    options = {"host": HTTP_HOST, "port": port}
    site = await new_site(
        mqtt(
            plugins={
                "amqtt.contrib.http.UserAuthHttpPlugin": options,
                "amqtt.contrib.http.TopicAuthHttpPlugin": {**options, "request_method": "post"},
            }
        )
    )
    assert await log_in(site, "anna", "wrong") == 0x86
    client = await logged_in(site, "anna", "secret")
    assert await client.subscribe("yes/#", 0) == 0
    assert await client.subscribe("no/#", 0) == 0x87
    client.send(*(Publish("no/1" if n % 2 else "yes/1", b"%d" % n) for n in range(6)))
    assert [(await client.take()).payload for _ in range(3)] == [b"0", b"2", b"4"]
    await client.quiet()
    assert ("GET", "/user", {"username": "anna", "password": "secret", "client_id": ""}) in server.asked
    asked = [(method, body["topic"], body["acc"]) for method, path, body in server.asked if path == "/acl"]
    assert asked[:2] == [("POST", "yes/#", 4), ("POST", "no/#", 4)]
    assert ("POST", "yes/1", 1) in asked


@pytest.mark.parametrize(("status", "code"), [(201, 0), (403, 0x86), (503, 0x86)])
async def test_a_server_that_answers_with_its_status(
    new_site: NewSite, authority: tuple[Authority, int], status: int, code: int
) -> None:
    server, port = authority
    server.status = status
    options = {"host": HTTP_HOST, "port": port, "response_mode": "status", "user_uri": "/who"}
    server.decide = lambda path, body: False  # type: ignore[method-assign]
    site = await new_site(mqtt(plugins={"amqtt.contrib.http.UserAuthHttpPlugin": options}))
    assert await log_in(site, "anna", "secret", "c-1") == code
    assert server.asked == [("GET", "/who", {"username": "anna", "password": "secret", "client_id": "c-1"})]


async def test_a_server_that_is_not_there(new_site: NewSite) -> None:
    options = {"host": HTTP_HOST, "port": 1}
    site = await new_site(mqtt(plugins={"amqtt.contrib.http.UserAuthHttpPlugin": options}))
    assert await log_in(site, "anna", "secret") == 0x88


async def test_certificates_with_an_identity(new_site: NewSite, tmp_path: Path) -> None:
    """A client that shows a certificate of spiffe://{domain}/device/{client identifier}."""
    root = Certificate.make(tmp_path, "authority", authority=True)
    server = Certificate.make(tmp_path, "server", root)
    shown = Certificate.make(tmp_path, "shown", root, uri="spiffe://bridge.test/device/c-1")
    path = f"{UserAuthCertPlugin.__module__}.UserAuthCertPlugin"
    site = await new_site(
        mqtt(
            plugins={path: {"uri_domain": "bridge.test"}},
            tls_bind="127.0.0.1:0",
            tls_certfile=str(server.path),
            tls_keyfile=str(server.key_path),
            tls_cafile=str(root.path),
        )
    )
    for certificate, client_id, code in ((shown, "c-1", 0), (shown, "c-2", 0x87), (None, "c-1", 0x87)):
        context: ssl.SSLContext = client_context(root, certificate)
        _, client = await asyncio.get_running_loop().create_connection(
            RawClient, *site.broker.tls_address, ssl=context, server_hostname=HOST
        )
        assert (await client.connect(client_id)).reason_code == code
        client.abort()
    assert await log_in(site, None, None, "c-1") == 0x87


@pytest.mark.filterwarnings("ignore:The 'acl' option is deprecated:DeprecationWarning")
async def test_the_example(new_site: NewSite, tmp_path: Path) -> None:
    plugins = dict(load(tmp_path, EXAMPLE, {}, {}).mqtt.plugins)
    passwords = tmp_path / "passwords"
    passwords.write_text(f"dashboard:{PasswordHash((Argon2Hasher(),)).hash('secret')}\n", encoding="utf-8")
    plugins["amqtt.plugins.authentication.FileAuthPlugin"] = {"password_file": str(passwords)}
    site = await new_site(mqtt(plugins=plugins))
    dashboard = await logged_in(site, "dashboard", "secret")
    filters = ("alarms/#", "$SYS/broker/clients/#", "other", "$oc/devices/pump-1/#")
    assert [await dashboard.subscribe(each) for each in filters] == [1, 1, 0x87, 0x87]
    pump = await site.log_in(site.add_device())
    pump.publish("alarms/1", b"hot")
    assert (await dashboard.take()).payload == b"hot"
    assert await publish(pump, "other") == 0x87
