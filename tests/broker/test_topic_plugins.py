"""Plug-ins that decide about topics: they can forbid, and the packets of a client stay in order."""

import asyncio
from typing import Any, ClassVar

import pytest
from amqtt.contexts import Action, BaseContext
from amqtt.plugins.base import BasePlugin, BaseTopicPlugin
from amqtt.session import Session

from bridge.broker import MqttSettings
from bridge.mqtt import Auth, Connack, Connect, Puback, Publish, Pubrec, Suback, Subscribe, Subscription, Version, Will
from tests.broker import scram
from tests.broker.client import RawClient
from tests.broker.conftest import NewSite
from tests.broker.site import Site, mqtt
from tests.broker.times import comes, turn

HERE = __name__


class Recording(BaseTopicPlugin):
    """Forbids topics that begin with `no/`, receiving those with `unheard/`, and raises for `broken`."""

    asked: ClassVar[list[tuple[str | None, str, str]]] = []

    async def topic_filtering(
        self, *, session: Session | None = None, topic: str | None = None, action: Action | None = None
    ) -> bool | None:
        assert session is not None
        assert topic is not None
        assert action is not None
        self.asked.append((session.username, topic, action.value))
        if topic == "broken":
            raise RuntimeError("no directory server")
        return not topic.startswith("unheard/" if action is Action.RECEIVE else "no/")


class Undecided(BaseTopicPlugin):
    async def topic_filtering(self, **asked: Any) -> bool | None:
        return None


class Slow(BaseTopicPlugin):
    """Answers when a test lets it."""

    asked: ClassVar[asyncio.Event]
    go_on: ClassVar[asyncio.Event]
    slow_action: ClassVar[Action]

    async def topic_filtering(
        self, *, session: Session | None = None, topic: str | None = None, action: Action | None = None
    ) -> bool | None:
        if action is self.slow_action and topic != "quick":
            self.asked.set()
            await self.go_on.wait()
            for _ in range(3):  # and even then not at once
                await asyncio.sleep(0)
        return topic != "no"


class Hearing(BasePlugin[BaseContext]):
    async def on_broker_message_received(self, **what: Any) -> None:
        raise AssertionError("never told")


def with_plugins(*names: str, **settings: Any) -> MqttSettings:
    plugins: dict[str, Any] = {f"{HERE}.{name}": {} for name in names}
    return mqtt(plugins=plugins, allow_anonymous=True, **settings)


@pytest.fixture
async def site(new_site: NewSite) -> Site:
    Recording.asked = []
    return await new_site(with_plugins("Recording"))


@pytest.fixture(params=[Action.PUBLISH, Action.SUBSCRIBE, Action.RECEIVE])
def slow_action(request: pytest.FixtureRequest) -> Action:
    action: Action = request.param
    return action


async def slow_site(new_site: NewSite, action: Action, **settings: Any) -> Site:
    Slow.asked, Slow.go_on, Slow.slow_action = asyncio.Event(), asyncio.Event(), action
    return await new_site(with_plugins("Slow", **settings))


async def anonymous(site: Site, version: Version = Version.V5, client_id: str = "", **fields: Any) -> RawClient:
    client = await site.client(version)
    assert (await client.connect(client_id, **fields)).reason_code == 0
    return client


async def decided(site: Site) -> None:
    """The slow plug-in goes on, and everything it was asked is answered."""
    Slow.go_on.set()
    assert site.hub.plugins.topics is not None
    await asyncio.gather(*site.hub.plugins.topics._tasks, *site.hub.handshake._waiting)
    await turn()


@pytest.mark.parametrize("qos", [1, 2])
async def test_publishing(site: Site, qos: int) -> None:
    client = await anonymous(site)
    await client.subscribe("#", 0)
    acknowledgement = Puback if qos == 1 else Pubrec
    for topic, code in (("no/way", 0x87), ("yes", 0), ("broken", 0x87)):
        packet_id = client.publish(topic, b"x", qos)
        answer: Puback | Pubrec = await client.receive(acknowledgement)
        assert (answer.packet_id, answer.reason_code) == (packet_id, code)
        if not code:
            assert (await client.take()).topic == topic
    await client.quiet()
    assert Recording.asked == [
        (None, "#", "subscribe"),
        (None, "no/way", "publish"),
        (None, "yes", "publish"),
        (None, "yes", "receive"),
        (None, "broken", "publish"),
    ]


async def test_subscribing(site: Site) -> None:
    client = await anonymous(site)
    filters = ["no/#", "yes/#", "$oc/devices/#", "broken"]
    client.send(Subscribe(1, [Subscription(each) for each in filters]))
    assert (await client.receive(Suback)).reason_codes == [0x87, 0, 0x87, 0x87]
    old = await anonymous(site, Version.V311)
    assert await old.subscribe("no/#") == 0x80


async def test_the_filter_of_a_shared_subscription(site: Site) -> None:
    client = await anonymous(site)
    assert await client.subscribe("$share/group/no/#") >= 0x80
    assert Recording.asked == [(None, "no/#", "subscribe")]


async def test_receiving(site: Site) -> None:
    client = await anonymous(site)
    await client.subscribe("#", 0)
    for topic in ("unheard/of", "heard"):
        client.publish(topic)
    assert (await client.take()).topic == "heard"
    await client.quiet()


async def test_a_will(site: Site) -> None:
    for topic, code in (("no/more", 0x87), ("yes", 0)):
        client = await site.client()
        assert (await client.connect("", will=Will(topic, b""))).reason_code == code


async def test_what_none_decides_is_forbidden(new_site: NewSite) -> None:
    site = await new_site(with_plugins("Undecided"))
    client = await anonymous(site)
    assert await client.subscribe("a") == 0x87


async def test_all_have_to_agree(new_site: NewSite) -> None:
    site = await new_site(with_plugins("Recording", "Undecided"))
    client = await anonymous(site)
    assert await client.subscribe("yes") == 0x87


async def test_devices_are_asked_about_outside_their_trees(site: Site) -> None:
    pump = await site.log_in(site.add_device())
    pump.publish("$oc/devices/pump-1/sys/messages/up", b"x", 1)
    assert (await pump.receive(Puback)).reason_code == 0
    assert await pump.subscribe("$oc/devices/pump-1/#") == 1
    assert Recording.asked == []
    pump.publish("no/way", b"x", 1)
    assert (await pump.receive(Puback)).reason_code == 0x87
    assert Recording.asked == [("pump-1", "no/way", "publish")]


async def test_downlinks_are_not_their_business(new_site: NewSite) -> None:
    site = await new_site(with_plugins("Undecided"))
    device = site.add_device()
    pump = await site.log_in(device)
    await site.submit(device)
    await pump.take()


async def test_admins_are_not_their_business(new_site: NewSite) -> None:
    site = await new_site(with_plugins("Undecided"))
    admin = await site.client()
    token = site.store.add_token("ops", None, frozenset(("admin",)))
    will = Will("bye", b"")
    assert (await admin.connect("console", "default", token, will=will)).reason_code == 0
    assert await admin.subscribe("#") == 1
    admin.publish("a", b"x")
    assert (await admin.take()).payload == b"x"


async def test_packets_stay_in_order(new_site: NewSite, slow_action: Action) -> None:
    """Also those about which the plug-in decides at once, behind those about which it thinks."""
    site = await slow_site(new_site, slow_action)
    client = await anonymous(site)
    topics = ("a", "no", "quick")
    client.send(
        Subscribe(1, [Subscription(topic, 0) for topic in topics]),
        *(Publish(topics[n % 3], b"%d" % n) for n in range(9)),
    )
    await comes(Slow.asked)
    Slow.go_on.set()
    assert (await client.receive(Suback)).reason_codes == [0, 0x87, 0]
    assert [(await client.take()).payload for _ in range(6)] == [b"0", b"2", b"3", b"5", b"6", b"8"]
    await client.quiet()


async def test_thousands_at_once(site: Site) -> None:
    """What is held is worked off once, not once for each packet."""
    client = await anonymous(site)
    await client.subscribe("last", 0)
    client.send(*(Publish("a") for _ in range(5000)), Publish("last", b"x"))
    assert (await client.take()).payload == b"x"


async def test_others_are_served_meanwhile(new_site: NewSite) -> None:
    site = await slow_site(new_site, Action.PUBLISH)
    client = await anonymous(site)
    client.publish("a")
    await comes(Slow.asked)
    await (await anonymous(site)).quiet()
    Slow.go_on.set()
    await client.quiet()


async def test_no_decision_in_time(new_site: NewSite, caplog: pytest.LogCaptureFixture) -> None:
    site = await slow_site(new_site, Action.PUBLISH, connect_timeout=3)
    client = await anonymous(site)
    client.publish("a", b"x", 1)
    await comes(Slow.asked)
    await site.let_pass(4)
    assert (await client.receive(Puback)).reason_code == 0x87
    assert "topic plug-in failed" in caplog.text


@pytest.mark.parametrize("qos", [0, 1, 2])
async def test_a_client_that_goes_while_its_message_is_judged(new_site: NewSite, qos: int) -> None:
    """It has no acknowledgement, sends the message again, and the message is heard once."""
    site = await slow_site(new_site, Action.PUBLISH)
    listener = await anonymous(site)
    await listener.subscribe("a", 0)
    properties: Any = {"session_expiry_interval": 60}
    client = await anonymous(site, client_id="c-1", properties=properties)
    client.send(Publish("a", b"x", qos, packet_id=1 if qos else 0))
    await comes(Slow.asked)
    (session,) = [session for session in site.hub.sessions if session.client_id == "c-1"]
    assert session.line is not None
    session.line.end(0x8B)  # type: ignore[arg-type]
    assert await client.ended() == 0x8B
    await decided(site)
    assert not session.incoming
    assert not session.storing
    again = await anonymous(site, client_id="c-1", clean=False, properties=properties)
    again.send(Publish("a", b"x", qos, dup=qos > 0, packet_id=1 if qos else 0))
    assert (await listener.take()).payload == b"x"
    await listener.quiet()


async def test_the_same_message_while_it_is_judged(new_site: NewSite) -> None:
    """QoS 2: it comes again on a new connection before the plug-ins have decided for the old one."""
    site = await slow_site(new_site, Action.PUBLISH)
    properties: Any = {"session_expiry_interval": 60}
    client = await anonymous(site, client_id="c-1", properties=properties)
    client.send(Publish("a", b"x", 2, packet_id=1))
    await comes(Slow.asked)
    again = await anonymous(site, client_id="c-1", clean=False, properties=properties)
    assert await client.ended() == 0x8E
    again.send(Publish("a", b"x", 2, dup=True, packet_id=1))
    assert await again.ended() == 0x89
    await decided(site)


async def test_a_client_that_goes_while_its_filters_are_judged(new_site: NewSite) -> None:
    site = await slow_site(new_site, Action.SUBSCRIBE)
    client = await anonymous(site, client_id="c-1")
    client.send(Subscribe(1, [Subscription("a")]))
    await comes(Slow.asked)
    (session,) = site.hub.sessions
    assert session.line is not None
    session.line.end(0x8B)  # type: ignore[arg-type]
    await decided(site)
    assert not session.subscriptions


async def test_a_client_that_goes_while_its_will_is_judged(new_site: NewSite) -> None:
    site = await slow_site(new_site, Action.PUBLISH)
    client = await site.client()
    client.send(Connect(Version.V5, "c-1", will=Will("a", b"")))
    await comes(Slow.asked)
    for line in list(site.hub._lines):
        line.end(0x8B)  # type: ignore[arg-type]
    await decided(site)
    assert not list(site.hub.sessions)


async def test_bounds_of_what_waits_for_a_receiver(new_site: NewSite) -> None:
    site = await slow_site(new_site, Action.RECEIVE, max_client_queued_messages=3)
    client = await anonymous(site)
    await client.subscribe("a", 0)
    for n in range(10):
        client.publish("a", b"%d" % n)
    await client.quiet()
    Slow.go_on.set()
    received = [await client.take() for _ in range(4)]
    assert [publish.payload for publish in received] == [b"0", b"1", b"2", b"3"]
    await client.quiet()
    (session,) = site.hub.sessions
    assert session.dropped == 6
    assert site.hub.plugins.topics is not None
    assert not site.hub.plugins.topics._receivers


async def test_a_message_that_is_larger_than_the_bounds_waits_alone(new_site: NewSite) -> None:
    site = await slow_site(new_site, Action.RECEIVE, max_client_queued_bytes=10)
    client = await anonymous(site)
    await client.subscribe("a", 0)
    client.publish("a", bytes(20))
    client.publish("a", bytes(20))
    await comes(Slow.asked)
    await client.quiet()
    Slow.go_on.set()
    assert len((await client.take()).payload) == 20


async def test_a_will_after_enhanced_authentication(new_site: NewSite) -> None:
    plugins: dict[str, Any] = {scram.PATH: {"users": {"anna": "pencil"}}, f"{HERE}.Recording": {}}
    site = await new_site(mqtt(plugins=plugins))
    Recording.asked = []
    for topic, code in (("no/more", 0x87), ("bye", 0)):
        client = await site.client()
        user = scram.ScramUser("anna", "pencil")
        client.send(Connect(Version.V5, "c-1", will=Will(topic, b""), properties=user.first()))
        client.send(user.answer(await client.receive(Auth)))
        assert (await client.receive(Connack)).reason_code == code
    assert Recording.asked == [("anna", "no/more", "publish"), ("anna", "bye", "publish")]


async def test_events_that_do_not_happen_here(new_site: NewSite, caplog: pytest.LogCaptureFixture) -> None:
    site = await new_site(with_plugins("Hearing"))
    assert "plug-ins wait for events that do not happen here" in caplog.text
    client = await anonymous(site)
    client.publish("a")
    await client.quiet()


async def test_after_a_vote(new_site: NewSite) -> None:
    """The plug-in that decides about topics sees the session that the other one has judged."""
    Recording.asked = []
    plugins: dict[str, Any] = {"tests.broker.test_plugins.Accepting": {}, f"{HERE}.Recording": {}}
    site = await new_site(mqtt(plugins=plugins))
    for topic, code in (("no/more", 0x87), ("bye", 0)):
        client = await site.client()
        client.send(Connect(Version.V5, "c-1", username="anna", password=b"secret", will=Will(topic, b"")))
        assert (await client.receive(Connack)).reason_code == code
    client.publish("a")
    await client.quiet()
    assert Recording.asked == [("anna", topic, "publish") for topic in ("no/more", "bye", "a")]
