"""The `$SYS` topics through amqtt's plug-in: what they say is true, and who may read and write them."""

from typing import Any

import pytest
from amqtt.broker import BrokerContext
from amqtt.plugins.base import BasePlugin

from bridge import __version__
from bridge.broker.link import Link
from bridge.broker.plugin_session import PluginSession
from bridge.mqtt import (
    Connect,
    Disconnect,
    Packet,
    Pingreq,
    Puback,
    Publish,
    Pubrec,
    Subscribe,
    Subscription,
    Version,
    Will,
    encode,
)
from tests.broker.client import RawClient
from tests.broker.conftest import NewSite
from tests.broker.site import SECRET, Site, mqtt
from tests.broker.times import turn

PATH = "amqtt.plugins.sys.broker.BrokerSysPlugin"
INTERVAL = 20


class Looking(BasePlugin[BrokerContext]):
    """A plug-in that reads the broker's state, as a test tells it."""

    seen: "Looking"

    def __init__(self, context: BrokerContext) -> None:
        super().__init__(context)
        type(self).seen = self


@pytest.fixture
async def site(new_site: NewSite) -> Site:
    return await new_site(mqtt(plugins={PATH: {"sys_interval": INTERVAL}}, max_keep_alive=3600))


async def admin(site: Site, client_id: str = "console", project: str = "default") -> RawClient:
    client = await site.client()
    token = site.store.add_token(client_id, None, frozenset(("admin",)))
    assert (await client.connect(client_id, project, token)).reason_code == 0
    return client


async def figures(site: Site, client: RawClient) -> dict[str, str]:
    """What is published at the next interval."""
    await site.let_pass(INTERVAL + 1)
    for _ in range(3):  # a task for each topic
        await turn()
    published = await client.before_pong()
    return {
        publish.topic.removeprefix("$SYS/broker/"): publish.payload.decode()
        for publish in published
        if isinstance(publish, Publish)
    }


async def test_all_of_them(new_site: NewSite, caplog: pytest.LogCaptureFixture) -> None:
    site = await new_site(mqtt(plugins={PATH: {"sys_interval": INTERVAL}}))
    assert "do not happen here" not in caplog.text
    client = await admin(site)
    await client.subscribe("$SYS/#", 0)
    told = await figures(site, client)
    assert told.keys() == {
        "version",
        "time",
        "uptime",
        "uptime/formatted",
        *(f"load/bytes/{way}" for way in ("received", "sent")),
        *(f"messages/{way}" for way in ("received", "sent", "inflight")),
        *(f"messages/publish/{way}" for way in ("received", "sent")),
        *(f"messages/inflight/{which}" for which in ("in", "out", "stored")),
        *(f"messages/{what}/count" for what in ("retained", "subscriptions")),
        *(f"clients/{which}" for which in ("connected", "disconnected", "maximum", "total")),
        *(f"heap/{which}" for which in ("size", "maximum")),
        *(f"cpu/{which}" for which in ("percent", "maximum")),
    }
    assert told["version"] == f"device-bridge {__version__}"
    assert float(told["heap/size"]) > 1
    assert int(told["uptime"]) >= 0


async def test_clients(site: Site) -> None:
    console = await admin(site)
    await console.subscribe("$SYS/broker/clients/#", 0)
    kept: Any = {"session_expiry_interval": 3600}
    pump = await site.log_in(site.add_device(), properties=kept)
    others = [await site.log_in(site.add_device(f"d-{n}")) for n in range(3)]
    expected = {"connected": "5", "disconnected": "0", "maximum": "5", "total": "5"}
    assert await figures(site, console) == {f"clients/{name}": value for name, value in expected.items()}
    for other in others:
        await other.disconnect()
    await pump.disconnect()
    expected = {"connected": "1", "disconnected": "1", "maximum": "5", "total": "2"}
    assert await figures(site, console) == {f"clients/{name}": value for name, value in expected.items()}


async def test_traffic(site: Site) -> None:
    """Every packet and byte since the start, exactly."""
    site.add_device()
    console = await admin(site)
    await console.subscribe("$SYS/broker/load/#", 0)
    await console.subscribe("$SYS/broker/messages/+", 0)
    await console.subscribe("$SYS/broker/messages/publish/+", 0)
    before = await figures(site, console)
    connect = Connect(Version.V5, "pump-1", True, 0, "pump-1", SECRET.encode())
    sent: list[Packet] = [connect, Subscribe(1, [Subscription("a", 1)]), Publish("a", b"hello", 1, packet_id=7)]
    pump = await site.client()
    pump.send(*sent)
    answers = [await pump._next() for _ in range(4)]  # CONNACK, SUBACK, PUBLISH, PUBACK
    sizes = sum(len(encode(packet, Version.V5)) for packet in answers if packet is not None)
    (message,) = [packet for packet in answers if isinstance(packet, Publish)]
    await pump.acknowledge(message)
    await pump.disconnect()
    sent += [Puback(message.packet_id), Disconnect()]
    # What the console heard of the figures before, and asked by its PINGREQ, counts too.
    heard = [Publish(f"$SYS/broker/{topic}", value.encode()) for topic, value in before.items()]
    ping = len(encode(Pingreq(), Version.V5))
    after = await figures(site, console)
    grown = {topic: int(value) - int(before[topic]) for topic, value in after.items()}
    assert grown["messages/received"] == len(sent) + 1
    assert grown["messages/publish/received"] == 1
    assert grown["load/bytes/received"] == sum(len(encode(each, Version.V5)) for each in sent) + ping
    assert grown["messages/sent"] == len(answers) + len(heard) + 1
    assert grown["messages/publish/sent"] == 1 + len(heard)
    assert grown["load/bytes/sent"] == sizes + sum(len(encode(each, Version.V5)) for each in heard) + ping


async def test_messages_on_their_way(site: Site) -> None:
    console = await admin(site)
    await console.subscribe("$SYS/broker/messages/inflight/#", 0)
    await console.subscribe("$SYS/broker/messages/subscriptions/count", 0)
    await console.subscribe("$SYS/broker/messages/retained/count", 0)
    kept: Any = {"session_expiry_interval": 3600}
    away = await site.log_in(site.add_device("away"), properties=kept)
    await away.subscribe("a/#")
    await away.disconnect()
    pump = await site.log_in(site.add_device())
    site.hub.retained.keep("default", Publish("kept", b"x", retain=True), "")
    await pump.subscribe("a/+", 1)
    for n in range(2):
        pump.send(Publish("a/1", b"x", 2, packet_id=100 + n))
        assert isinstance(await pump._next(), Publish)
        await pump.receive(Pubrec)
    told = await figures(site, console)
    assert told == {
        "messages/inflight": "4",
        "messages/inflight/in": "2",
        "messages/inflight/out": "2",
        "messages/inflight/stored": "2",
        "messages/subscriptions/count": "5",
        "messages/retained/count": "1",
    }


async def test_who_reads_them(new_site: NewSite) -> None:
    """Admins of the default project, clients that are no devices there, and devices if the settings say so."""
    site = await new_site(mqtt(plugins={PATH: {"sys_interval": INTERVAL}}, allow_anonymous=True))
    readers = [await admin(site), await site.client()]
    await readers[1].connect("")
    for reader in readers:
        assert await reader.subscribe("$SYS/broker/version", 0) == 0
    stranger = await admin(site, "another", "other")
    await stranger.subscribe("$SYS/#", 0)
    pump = await site.log_in(site.add_device())
    assert await pump.subscribe("$SYS/#") == 0x87
    for reader in readers:
        assert (await figures(site, reader)).keys() == {"version"}
    await stranger.quiet()


async def test_devices_that_may_read_them(new_site: NewSite) -> None:
    site = await new_site(mqtt(plugins={PATH: {"sys_interval": INTERVAL}}, device_subscribe=("$SYS/broker/clients/#",)))
    pump = await site.log_in(site.add_device())
    assert await pump.subscribe("$SYS/#") == 0x87
    assert await pump.subscribe("$SYS/broker/clients/connected", 0) == 0
    assert await figures(site, pump) == {"clients/connected": "1"}


@pytest.mark.parametrize("topic", ["$SYS/broker/version", "$SYS", "$SYS/"])
async def test_nobody_publishes_there(new_site: NewSite, topic: str) -> None:
    site = await new_site(mqtt(device_publish=("#", "$SYS", "$SYS/#", "$SYSTEM"), allow_anonymous=True))
    anonymous = await site.client()
    await anonymous.connect("")
    clients = [anonymous, await admin(site), await site.log_in(site.add_device())]
    for client in clients:
        client.publish(topic, b"lies", 1)
        assert (await client.receive(Puback)).reason_code == 0x87
    late = await site.client()
    assert (await late.connect("", will=Will(topic, b"lies"))).reason_code == 0x87
    for client in clients[1:]:
        client.publish("$SYSTEM", b"", 1)
        assert (await client.receive(Puback)).reason_code != 0x87


async def test_an_interval_of_nothing(new_site: NewSite, caplog: pytest.LogCaptureFixture) -> None:
    site = await new_site(mqtt(plugins={PATH: {"sys_interval": 0}}))
    console = await admin(site)
    await console.subscribe("$SYS/#", 0)
    assert await figures(site, console) == {}


async def test_nothing_is_counted_without_the_plug_in(new_site: NewSite) -> None:
    site = await new_site(mqtt())
    await admin(site)
    assert {type(line) for line in site.hub._lines} == {Link}
    assert all(session.plugin_session is None for session in site.hub.sessions)


async def test_what_other_plug_ins_see_of_the_broker(new_site: NewSite) -> None:
    site = await new_site(mqtt(plugins={f"{__name__}.Looking": {}}))
    pump = await site.log_in(site.add_device())
    await pump.subscribe("a/#", 1)
    await site.log_in(site.add_device("elsewhere", "other"))
    pump.publish("a/1", b"x", 1)
    await pump.receive(Publish)
    context = Looking.seen.context
    (known,) = context.sessions
    assert (known.client_id, known.username, known.remote_address) == ("pump-1", "pump-1", "127.0.0.1")
    assert (known.inflight_in_count, known.inflight_out_count, known.retained_messages_count) == (0, 1, 0)
    assert context.get_session("pump-1") is known
    assert context.get_session("nobody") is None
    assert context.subscriptions == {"a/#": [(known, 1)]}
    assert context.retained_messages == {}
    (session,) = [session for session in site.hub.sessions if session.client_id == "pump-1"]
    session.plugin_session = None
    (again,) = context.sessions  # as after a restart, when nobody has seen its CONNECT
    assert (again.client_id, again.username, again.password) == ("pump-1", "pump-1", None)
    assert context.get_session("pump-1") is again
    stranger = PluginSession("c", None, None)
    assert stranger != known
    assert {stranger, known} == {known, stranger}
    assert (stranger.inflight_in_count, stranger.inflight_out_count, stranger.retained_messages_count) == (0, 0, 0)
