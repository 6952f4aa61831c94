"""amqtt's plug-ins: authentication, events, and what they can do to the broker."""

import asyncio
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
from amqtt.contexts import BaseContext
from amqtt.plugins.base import BaseAuthPlugin, BasePlugin
from amqtt.session import Session

from bridge.broker import MqttSettings
from bridge.broker.plugin_session import PluginSession
from bridge.broker.plugins import Plugins
from bridge.model.errors import BadSettings
from bridge.mqtt import Connack, Connect, Publish, ReasonCode, Suback, Subscribe, Subscription, Version
from tests.broker.client import RawClient
from tests.broker.conftest import NewSite
from tests.broker.site import Site, mqtt
from tests.broker.times import comes, turn

HERE = __name__


class Accepting(BaseAuthPlugin):
    seen: ClassVar[list[Session]] = []

    async def authenticate(self, *, session: Session) -> bool | None:
        self.seen.append(session)
        return True


class Refusing(BaseAuthPlugin):
    async def authenticate(self, *, session: Session) -> bool | None:
        return False


class Abstaining(BaseAuthPlugin):
    async def authenticate(self, *, session: Session) -> bool | None:
        return None


class Raising(BaseAuthPlugin):
    async def authenticate(self, *, session: Session) -> bool | None:
        raise RuntimeError("no directory server")


class Slow(BaseAuthPlugin):
    """Answers when a test lets it."""

    asked: ClassVar[asyncio.Event]
    answer: ClassVar[asyncio.Future[bool]]

    async def authenticate(self, *, session: Session) -> bool | None:
        self.asked.set()
        return await self.answer


class Telling(BasePlugin[BaseContext]):
    """Hears of clients and publishes what it heard."""

    closed: ClassVar[bool] = False

    @dataclass
    class Config:
        topic: str = "heard"
        qos: int = 0

    async def on_broker_client_connected(self, *, client_id: str, client_session: Session) -> None:
        await self._tell(f"+{client_id} {client_session.username}")

    async def on_broker_client_disconnected(self, *, client_id: str, client_session: Session) -> None:
        await self._tell(f"-{client_id} {client_session.username}")

    async def _tell(self, text: str) -> None:
        context: Any = self.context
        await context.broadcast_message(self.config.topic, text.encode(), self.config.qos)
        await context.retain_message(f"last/{self.config.topic}", b"seen later")

    async def close(self) -> None:
        type(self).closed = True


class Stumbling(BasePlugin[BaseContext]):
    async def on_broker_client_connected(self, *, client_id: str, client_session: Session) -> None:
        raise RuntimeError("stumbled")


def with_plugins(*names: str, **settings: Any) -> MqttSettings:
    return mqtt(plugins={f"{HERE}.{name}": {} for name in names}, **settings)


@pytest.fixture
async def slow() -> type[Slow]:
    Slow.asked = asyncio.Event()
    Slow.answer = asyncio.get_running_loop().create_future()
    return Slow


async def asked(site: Site, client: RawClient) -> None:
    """The client has sent a CONNECT that only the slow plug-in can judge, and the plug-in knows."""
    client.send(Connect(client.version, "anna", username="anna", password=b"secret"))
    await comes(Slow.asked)


@pytest.mark.parametrize(
    ("plugins", "code"),
    [
        (["Accepting"], 0),
        (["Refusing"], 0x86),
        (["Abstaining"], 0x86),
        (["Abstaining", "Accepting"], 0),
        (["Accepting", "Refusing"], 0x86),
        (["Refusing", "Accepting"], 0x86),
        (["Raising"], 0x88),
        (["Accepting", "Raising"], 0x88),
        (["Stumbling"], 0x86),
    ],
)
async def test_votes(new_site: NewSite, plugins: list[str], code: int) -> None:
    """One has to vouch for the client, and none may refuse it."""
    site = await new_site(with_plugins(*plugins))
    client = await site.client()
    connack = await client.connect("anna", "anna", "secret")
    assert connack.reason_code == code
    if code:
        assert await client.ended() is None
    else:
        await client.quiet()


async def test_what_a_plug_in_is_told(new_site: NewSite) -> None:
    site = await new_site(with_plugins("Accepting"))
    Accepting.seen.clear()
    client = await site.client(Version.V311)
    await client.connect("c-1", "anna", "secret")
    (session,) = Accepting.seen
    assert (session.client_id, session.username, session.password) == ("c-1", "anna", "secret")
    assert session.remote_address == "127.0.0.1"
    assert repr(session) == "PluginSession(client_id='c-1')"


@pytest.mark.parametrize(("username", "password"), [(None, None), ("anna", None), ("anna", b"\xff")])
async def test_incomplete_credentials_reach_a_plug_in(
    new_site: NewSite, username: str | None, password: bytes | None
) -> None:
    site = await new_site(with_plugins("Accepting"))
    Accepting.seen.clear()
    client = await site.client()
    assert (await client.connect("c-1", username, password)).reason_code == 0
    assert [session.username for session in Accepting.seen] == [username]


async def test_devices_and_admins_are_not_the_business_of_plug_ins(new_site: NewSite) -> None:
    site = await new_site(with_plugins("Refusing"))
    await (await site.log_in(site.add_device())).quiet()
    token = site.store.add_token("ops", None, frozenset(("admin",)))
    client = await site.client()
    assert (await client.connect("console", "default", token)).reason_code == 0


async def test_the_wrong_secret_of_a_device_is_wrong(new_site: NewSite) -> None:
    """No plug-in can let somebody in under the name of a device."""
    site = await new_site(with_plugins("Accepting"))
    site.add_device()
    client = await site.client()
    assert (await client.connect("pump-1", "pump-1", "wrong")).reason_code == 0x86
    client = await site.client()
    assert (await client.connect("pump-1", "anna", "secret")).reason_code == 0x85


async def test_what_a_client_of_a_plug_in_may(new_site: NewSite) -> None:
    site = await new_site(with_plugins("Accepting"))
    client = await site.client()
    await client.connect("anna", "anna", "secret")
    assert await client.subscribe("a/#") == 1
    assert await client.subscribe("$oc/devices/pump-1/#") == 0x87


async def test_a_plug_in_that_takes_its_time(new_site: NewSite, slow: type[Slow]) -> None:
    """What the client sends meanwhile is kept, and others are served."""
    site = await new_site(with_plugins("Slow"))
    client = await site.client()
    client.send(
        Connect(Version.V5, "anna", username="anna", password=b"secret"),
        Subscribe(1, [Subscription("a", 0)]),
        Publish("a", b"x"),
    )
    await comes(Slow.asked)
    await (await site.log_in(site.add_device())).quiet()
    client.publish("a", b"y")
    slow.answer.set_result(True)
    await client.receive(Connack)
    await client.receive(Suback)
    assert [(await client.receive(Publish)).payload for _ in range(2)] == [b"x", b"y"]


async def test_a_client_that_says_too_much_while_it_is_judged(new_site: NewSite, slow: type[Slow]) -> None:
    """What was kept is handled up to the packet that ends the connection."""
    site = await new_site(with_plugins("Slow"))
    client = await site.client()
    connect = Connect(Version.V5, "anna", username="anna", password=b"secret")
    client.send(connect, connect, Publish("a", b"x"))
    await comes(Slow.asked)
    slow.answer.set_result(True)
    await client.receive(Connack)
    assert await client.ended() == 0x82


async def test_a_client_that_breaks_the_protocol_while_it_is_judged(new_site: NewSite, slow: type[Slow]) -> None:
    site = await new_site(with_plugins("Slow"))
    client = await site.client(Version.V311)
    client.send_bytes(
        b"\x10\x1d\x00\x04MQTT\x04\xc2\x00\x00\x00\x01c\x00\x04anna\x00\x06secret\xff\xff\xff\xff\xff\xff"
    )
    assert await client.ended() is None
    slow.answer.set_result(True)
    await turn()


async def test_a_client_that_is_refused_late(new_site: NewSite, slow: type[Slow]) -> None:
    site = await new_site(with_plugins("Slow"))
    client = await site.client()
    await asked(site, client)
    slow.answer.set_result(False)
    assert (await client.receive(Connack)).reason_code == 0x86
    assert await client.ended() is None


async def test_a_store_that_cannot_be_read_any_more(new_site: NewSite, slow: type[Slow]) -> None:
    site = await new_site(with_plugins("Slow"))
    client = await site.client()
    await asked(site, client)
    async with site.unreadable("device"):
        slow.answer.set_result(True)
        assert (await client.receive(Connack)).reason_code == 0x88
    assert await client.ended() is None


async def test_a_plug_in_that_takes_too_long(new_site: NewSite, slow: type[Slow]) -> None:
    site = await new_site(with_plugins("Slow", connect_timeout=2))
    client = await site.client()
    await asked(site, client)
    await site.let_pass(3)
    assert (await client.receive(Connack)).reason_code == ReasonCode.SERVER_UNAVAILABLE
    assert await client.ended() is None
    slow.answer.set_result(True)
    await turn()
    assert not site.hub.sessions._sessions


async def test_a_client_that_is_taken_in_after_the_end(new_site: NewSite, slow: type[Slow]) -> None:
    """The broker stops while a plug-in still thinks."""
    site = await new_site(with_plugins("Slow"))
    client = await site.client()
    await asked(site, client)
    await site.broker.stop()
    assert await client.ended() is None
    slow.answer.set_result(True)
    await turn()
    assert not site.hub.sessions._sessions
    await site.broker.start()


async def test_a_failing_plug_in_does_not_disturb_others(new_site: NewSite, caplog: pytest.LogCaptureFixture) -> None:
    site = await new_site(with_plugins("Raising"))
    device = await site.log_in(site.add_device())
    client = await site.client(Version.V311)
    assert (await client.connect("anna", "anna", "secret")).reason_code == 3
    assert "authentication plug-in failed" in caplog.text
    assert "no directory server" in caplog.text
    await device.quiet()


@pytest.mark.parametrize("qos", [0, 1])
async def test_events(new_site: NewSite, qos: int) -> None:
    path = f"{HERE}.Telling"
    site = await new_site(mqtt(plugins={path: {"topic": "heard/it", "qos": qos}}))
    watcher = await site.log_in(site.add_device("watcher"))
    await watcher.subscribe("heard/#")
    pump = await site.log_in(site.add_device())
    publish = await watcher.take()
    assert (publish.topic, publish.payload, publish.qos) == ("heard/it", b"+pump-1 pump-1", qos)
    await pump.disconnect()
    assert (await watcher.take()).payload == b"-pump-1 pump-1"
    await watcher.subscribe("last/#")
    retained = await watcher.take()
    assert (retained.topic, retained.payload, retained.retain) == ("last/heard/it", b"seen later", True)
    await watcher.quiet()
    Telling.closed = False
    await site.stop()
    assert Telling.closed
    await site.__aenter__()


async def test_a_plug_in_that_fails_at_an_event(new_site: NewSite) -> None:
    site = await new_site(with_plugins("Stumbling"))
    await (await site.log_in(site.add_device())).quiet()


# Plug-ins that are refused at the start


@pytest.mark.parametrize(
    ("plugins", "sentence"),
    [
        ({f"{HERE}.Telling": 3}, "the options of a plug-in are a table"),
        ({"no.such.Plugin": {}}, "no.such.Plugin"),
        ({f"{HERE}.NewSite": {}}, "is not a subclass"),
        ({f"{HERE}.Telling": {"no_such_option": 1}}, "no_such_option"),
        ({f"{HERE}.Telling": {"qos": "high"}}, "qos"),
        ({"amqtt.plugins.authentication.FileAuthPlugin": {"password_file": "/no/such/file"}}, "/no/such/file"),
    ],
)
async def test_refused_at_the_start(new_site: NewSite, plugins: dict[str, Any], sentence: str) -> None:
    with pytest.raises(BadSettings, match=r"^mqtt\.plugins: .*" + sentence.replace(".", r"\.")):
        await new_site(mqtt(plugins=plugins))


async def test_options_may_be_left_out(new_site: NewSite) -> None:
    await new_site(mqtt(plugins={f"{HERE}.Telling": None}))


async def test_nobody_is_asked_without_plug_ins() -> None:
    plugins = Plugins()
    assert not plugins.judge
    assert not await plugins.vote(PluginSession("c", None, None))
    assert PluginSession(None, None, None).attributes == {}
