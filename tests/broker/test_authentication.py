"""Enhanced authentication: a method that a plug-in implements, before the CONNACK and again later [MQTT-4.12]."""

import asyncio
from pathlib import Path
from typing import Any, ClassVar

import pytest
from amqtt.broker import BrokerContext
from amqtt.plugins.base import BasePlugin
from amqtt.session import Session

from bridge.broker.authentication import Continue, Failure, Outcome, Success
from bridge.model.errors import BadSettings
from bridge.model.record import Amendment
from bridge.mqtt import (
    Auth,
    Connack,
    Connect,
    Disconnect,
    Packet,
    Properties,
    Publish,
    ReasonCode,
    Suback,
    Subscribe,
    Subscription,
    Version,
    Will,
)
from tests.broker.certificates import Certificate
from tests.broker.client import RawClient
from tests.broker.conftest import NewSite
from tests.broker.scram import METHOD, PATH, proof
from tests.broker.site import Site, mqtt
from tests.broker.times import comes, turn

HERE = __name__


class Scripted(BasePlugin[BrokerContext]):
    """Answers what a test has laid out, and keeps what it was given."""

    authentication_method = "SCRIPT"
    script: ClassVar[list[Any]] = []
    given: ClassVar[list[bytes | None]] = []
    sessions: ClassVar[list[Session]] = []
    asked: ClassVar[asyncio.Event]
    go_on: ClassVar[asyncio.Event]

    def start(self, session: Session) -> "Scripted":
        self.sessions.append(session)
        return self

    async def step(self, data: bytes | None) -> Outcome:
        self.given.append(data)
        answer = self.script.pop(0)
        if answer is WAIT:
            self.asked.set()
            await self.go_on.wait()
            answer = self.script.pop(0)
        if isinstance(answer, Exception):
            raise answer
        outcome: Outcome = answer
        return outcome


class Doubled(Scripted):
    pass


class Nameless(Scripted):
    authentication_method = ""


class Unstartable(BasePlugin[BrokerContext]):
    authentication_method = "SCRIPT"


WAIT = object()


@pytest.fixture
async def scripted(new_site: NewSite) -> Site:
    Scripted.script, Scripted.given, Scripted.sessions = [], [], []
    Scripted.asked, Scripted.go_on = asyncio.Event(), asyncio.Event()
    return await new_site(mqtt(plugins={f"{HERE}.Scripted": {}}, connect_timeout=5))


def lay_out(*answers: Any) -> None:
    Scripted.script[:] = answers


def connect(data: bytes | None = b"first", client_id: str = "c-1", method: str = "SCRIPT", **fields: Any) -> Connect:
    return Connect(Version.V5, client_id, properties=proof(data, method), **fields)


def auth(data: bytes | None = None, reason: int = ReasonCode.CONTINUE_AUTHENTICATION, method: str = "SCRIPT") -> Auth:
    return Auth(reason, proof(data, method))


async def taken_in(site: Site, *answers: Any) -> RawClient:
    """A client that the scripted plug-in has let in."""
    lay_out(Success("anna", b"welcome"), *answers)
    client = await site.client()
    client.send(connect())
    connack = await client.receive(Connack)
    assert (connack.reason_code, connack.properties["authentication_data"]) == (0, b"welcome")
    return client


# The exchange


@pytest.mark.parametrize("plugins", [{}, {PATH: {"users": {"anna": "pencil"}}}])
async def test_mqtt_4_12_0_1_an_unknown_method(new_site: NewSite, plugins: dict[str, Any]) -> None:
    """[MQTT-4.12.0-1]"""
    site = await new_site(mqtt(plugins=plugins, allow_anonymous=True))
    client = await site.client()
    client.send(connect(method="KERBEROS"))
    assert (await client.receive(Connack)).reason_code == 0x8C
    assert await client.ended() is None


async def test_mqtt_4_12_0_2_many_steps(scripted: Site) -> None:
    """[MQTT-4.12.0-2] [MQTT-4.12.0-3] [MQTT-4.12.0-5]"""
    lay_out(*(Continue(b"%d" % n) for n in range(10)), Continue(), Success())
    client = await scripted.client()
    client.send(connect(None, username="anna", password=b"secret"))
    for n in range(10):
        assert await client.receive(Auth) == auth(b"%d" % n)
        client.send(auth(b"answer"))
    assert await client.receive(Auth) == auth()
    client.send(auth())
    connack = await client.receive(Connack)
    assert connack.properties["authentication_method"] == "SCRIPT"
    assert "authentication_data" not in connack.properties
    assert Scripted.given == [None, *[b"answer"] * 10, None]
    (session,) = Scripted.sessions
    assert (session.client_id, session.username, session.password) == ("c-1", "anna", "secret")
    await client.quiet()


async def test_mqtt_4_12_0_6_no_method_no_auth(scripted: Site) -> None:
    """[MQTT-4.12.0-6] [MQTT-4.12.0-7]"""
    client = await scripted.client()
    connack = await client.log_in(scripted.add_device())
    assert "authentication_method" not in connack.properties
    client.send(auth(reason=ReasonCode.REAUTHENTICATE))
    assert await client.ended() == 0x82


@pytest.mark.parametrize(
    "packet",
    [
        auth(reason=ReasonCode.REAUTHENTICATE),
        auth(reason=ReasonCode.SUCCESS),
        auth(method="ANOTHER"),
        Publish("a"),
        Subscribe(1, [Subscription("a")]),
        connect(),
    ],
)
async def test_mqtt_3_1_2_30_what_may_not_be_sent_before_connack(scripted: Site, packet: Packet) -> None:
    """[MQTT-3.1.2-30] [MQTT-4.12.0-3] [MQTT-4.12.0-5]"""
    lay_out(Continue())
    client = await scripted.client()
    client.send(connect())
    await client.receive(Auth)
    client.send(packet)
    assert (await client.receive(Connack)).reason_code == 0x82
    assert await client.ended() is None


async def test_a_client_that_gives_up(scripted: Site) -> None:
    lay_out(Continue())
    client = await scripted.client()
    client.send(connect())
    await client.receive(Auth)
    client.send(Disconnect())
    assert await client.ended() is None


async def test_what_a_client_sends_too_early_breaks_its_exchange(scripted: Site) -> None:
    """The plug-in has not answered yet: the packet is looked at when it has."""
    lay_out(WAIT, Continue())
    client = await scripted.client()
    client.send(connect(), Publish("a"))
    await comes(Scripted.asked)
    Scripted.go_on.set()
    await client.receive(Auth)
    assert (await client.receive(Connack)).reason_code == 0x82


async def test_what_comes_behind_the_last_step_is_kept(scripted: Site) -> None:
    lay_out(WAIT, Success())
    client = await scripted.client()
    client.send(connect(), Subscribe(1, [Subscription("a")]), Publish("a", b"x"))
    await comes(Scripted.asked)
    Scripted.go_on.set()
    await client.receive(Connack)
    await client.receive(Suback)
    assert (await client.take()).payload == b"x"


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (Failure(), 0x86),
        (Failure("banned", ReasonCode.BANNED), 0x8A),
        (Failure("no such reason", ReasonCode.SUCCESS), 0x87),
        (Failure("not in a CONNACK", ReasonCode.SESSION_TAKEN_OVER), 0x87),
        (RuntimeError("no directory server"), 0x88),
        (None, 0x88),
        (Continue(bytes(65_536)), 0x88),
        (Success(project="not a project"), 0x88),
    ],
)
async def test_refused(scripted: Site, answer: Any, code: int) -> None:
    lay_out(answer)
    client = await scripted.client()
    client.send(connect())
    assert (await client.receive(Connack)).reason_code == code
    assert await client.ended() is None


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (Failure(), 0x87),
        (Failure("another", ReasonCode.QUOTA_EXCEEDED), 0x97),
        (RuntimeError("no directory server"), 0x89),
        (Success("bert"), 0x87),
        (Success("anna", project="another"), 0x87),
    ],
)
async def test_refused_again(scripted: Site, answer: Any, code: int) -> None:
    """[MQTT-4.12.1-2]"""
    client = await taken_in(scripted, answer)
    client.send(auth(reason=ReasonCode.REAUTHENTICATE))
    assert await client.ended() == code


async def test_endless(scripted: Site) -> None:
    lay_out(*[Continue()] * 100)
    client = await scripted.client()
    client.send(connect())
    for _ in range(16):
        await client.receive(Auth)
        client.send(auth())
    assert (await client.receive(Connack)).reason_code == 0x86
    assert len(Scripted.given) == 16


async def test_a_client_that_takes_its_time(scripted: Site) -> None:
    lay_out(Continue())
    client = await scripted.client()
    client.send(connect())
    await client.receive(Auth)
    await scripted.let_pass(6)
    assert await client.ended() is None


async def test_a_plug_in_that_takes_its_time(scripted: Site, caplog: pytest.LogCaptureFixture) -> None:
    lay_out(WAIT)
    client = await scripted.client()
    client.send(connect())
    await comes(Scripted.asked)
    await scripted.let_pass(6)
    assert (await client.receive(Connack)).reason_code == ReasonCode.SERVER_UNAVAILABLE
    assert await client.ended() is None
    await turn()
    assert not scripted.hub.handshake._waiting


async def test_a_client_that_is_gone(scripted: Site) -> None:
    lay_out(WAIT, Success())
    client = await scripted.client()
    client.send(connect())
    await comes(Scripted.asked)
    await scripted.broker.stop()
    assert await client.ended() is None
    Scripted.go_on.set()
    await turn()
    assert not list(scripted.hub.sessions)
    await scripted.broker.start()


async def test_other_packets_go_on_while_it_authenticates_again(scripted: Site) -> None:
    client = await taken_in(scripted, WAIT, Continue(), Success("anna"))
    client.send(auth(b"again", ReasonCode.REAUTHENTICATE))
    await comes(Scripted.asked)
    assert await client.subscribe("a") == 1
    client.publish("a", b"x")
    assert (await client.take()).payload == b"x"
    Scripted.go_on.set()
    assert await client.receive(Auth) == auth()
    await client.quiet()
    client.send(auth())
    assert await client.receive(Auth) == auth(reason=ReasonCode.SUCCESS)
    assert Scripted.given[1:] == [b"again", None]
    await scripted.let_pass(6)
    await client.quiet()


async def test_authenticating_again_takes_too_long(scripted: Site) -> None:
    client = await taken_in(scripted, Continue())
    client.send(auth(reason=ReasonCode.REAUTHENTICATE))
    await client.receive(Auth)
    await scripted.let_pass(6)
    assert await client.ended() == 0x87


async def test_a_client_that_goes_while_it_authenticates_again(
    scripted: Site, caplog: pytest.LogCaptureFixture
) -> None:
    client = await taken_in(scripted, Continue())
    client.send(auth(reason=ReasonCode.REAUTHENTICATE))
    await client.receive(Auth)
    await client.disconnect()
    await scripted.let_pass(6)
    assert "too long" not in str([vars(record) for record in caplog.records])


@pytest.mark.parametrize(
    "packet",
    [auth(), auth(reason=ReasonCode.SUCCESS), auth(method="ANOTHER", reason=ReasonCode.REAUTHENTICATE)],
)
async def test_what_does_not_start_another_exchange(scripted: Site, packet: Packet) -> None:
    """[MQTT-4.12.1-1]"""
    client = await taken_in(scripted)
    client.send(packet)
    assert await client.ended() == 0x82


async def test_two_exchanges_at_once(scripted: Site) -> None:
    client = await taken_in(scripted, WAIT, Continue())
    client.send(auth(reason=ReasonCode.REAUTHENTICATE), auth(reason=ReasonCode.REAUTHENTICATE))
    assert await client.ended() == 0x82
    Scripted.go_on.set()
    await turn()


async def test_a_store_that_cannot_be_read(scripted: Site) -> None:
    client = await taken_in(scripted, Success("anna"))
    async with scripted.unreadable("device"):
        client.send(auth(reason=ReasonCode.REAUTHENTICATE))
        assert await client.ended() == 0x89
        lay_out(Success("anna"))
        client = await scripted.client()
        client.send(connect())
        assert (await client.receive(Connack)).reason_code == 0x88


async def test_a_device_that_has_to_use_tls_from_now_on(new_site: NewSite, tmp_path: Path) -> None:
    """[MQTT-4.12.1-2]"""
    server = Certificate.make(tmp_path, "server")
    files = {"tls_certfile": str(server.path), "tls_keyfile": str(server.key_path)}
    site = await new_site(mqtt(plugins={f"{HERE}.Scripted": {}}, tls_bind="127.0.0.1:0", **files))
    site.add_device()
    lay_out(Success("pump-1"), Success("pump-1"))
    client = await site.client()
    client.send(connect(client_id="pump-1"))
    await client.receive(Connack)
    site.store.amend("default", "pump-1", Amendment(secure_access=True))
    client.send(auth(reason=ReasonCode.REAUTHENTICATE))
    assert await client.ended() == 0x87


async def test_a_device_of_another_project(scripted: Site) -> None:
    device = scripted.add_device(project="other")
    lay_out(Success("pump-1", project="other"))
    client = await scripted.client()
    client.send(connect(client_id="pump-1"))
    assert (await client.receive(Connack)).reason_code == 0
    assert scripted.hub.connected(device.key)


async def test_a_client_that_takes_small_packets_only(scripted: Site) -> None:
    """[MQTT-3.1.2-24]"""
    lay_out(Continue(bytes(100)))
    client = await scripted.client()
    properties = proof(None, "SCRIPT")
    properties["maximum_packet_size"] = 50
    client.send(Connect(Version.V5, "c-1", properties=properties))
    assert (await client.receive(Connack)).reason_code == 0x95


async def test_a_will_is_checked_too(scripted: Site) -> None:
    lay_out(Success())
    client = await scripted.client()
    client.send(connect(will=Will("$oc/devices/pump-1/sys/messages/down", b"")))
    assert (await client.receive(Connack)).reason_code == 0x87


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        (["Scripted", "Doubled"], "Doubled: Scripted implements SCRIPT already"),
        (["Nameless"], "Nameless: authentication_method has to be a name, and start a method"),
        (["Unstartable"], "Unstartable: authentication_method has to be a name"),
    ],
)
async def test_plug_ins_that_are_refused(new_site: NewSite, names: list[str], sentence: str) -> None:
    with pytest.raises(BadSettings, match=sentence):
        await new_site(mqtt(plugins={f"{HERE}.{name}": {} for name in names}))


def test_properties_of_a_proof() -> None:
    assert proof(None) == Properties(authentication_method=METHOD)
