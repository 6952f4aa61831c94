"""Two clients and what they can do, told to the broker and to the model alike."""

import itertools
from collections.abc import Iterator, Sequence

from bridge.mqtt import (
    Connect,
    Disconnect,
    Packet,
    Properties,
    Puback,
    Pubcomp,
    Publish,
    Pubrec,
    Pubrel,
    ReasonCode,
    Subscribe,
    Subscription,
    Unsubscribe,
    Version,
    Will,
)
from tests.standard.machine.model import Choice, Flight, Line, Model, Wanted
from tests.standard.machine.wire import OUR_ALIASES, Wire

V5 = Version.V5
KEPT = 1000
"""Seconds; longer than any test."""
_worlds = itertools.count(1)


class Client:
    """One client identifier. `wire` is None while it is away."""

    def __init__(self, client_id: str) -> None:
        self.client_id = client_id
        self.wire: Wire | None = None
        self.packet_ids = itertools.cycle(range(1, 0x10000))
        self.unreleased: list[Publish] = []
        """At QoS 2, for which no PUBREL was sent."""
        self.sent: list[Publish] = []
        """At QoS 1 and 2, which can be sent again."""

    @property
    def line(self) -> Line | None:
        return self.wire.line if self.wire is not None else None


class World:
    """Topics and client identifiers of its own, on a broker that many share."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._address = address
        self.name = f"w{next(_worlds)}"
        self.model = Model()
        self.clients = [Client(f"{self.name}-{letter}") for letter in "ab"]
        self._payloads = itertools.count(1)
        self._ending: list[Wire] = []

    def topic(self, name: str) -> str:
        """Also for filters."""
        if name.startswith("$share/"):
            share, group, topics = name.split("/", 2)
            return f"{share}/{self.name}{group}/{self.name}/{topics}"
        return f"{self.name}/{name}"

    def payload(self) -> bytes:
        return b"%06d" % next(self._payloads)

    # Connections

    def connect(
        self, client: Client, version: Version, *, clean: bool, kept: bool, receive_maximum: int, will: Will | None
    ) -> None:
        wire = Wire(self._address, client.client_id, version)
        properties = Properties()
        if version is V5:
            properties["topic_alias_maximum"] = OUR_ALIASES
            if kept:
                properties["session_expiry_interval"] = KEPT
            if receive_maximum:
                properties["receive_maximum"] = receive_maximum
        else:
            kept, receive_maximum = not clean, 0
        wire.send(Connect(version, client.client_id, clean, will=will, properties=properties))
        wire.line = self.model.connect(
            client.client_id, version, clean=clean, kept=kept, receive_maximum=receive_maximum, will=will
        )
        if clean:
            client.unreleased = []
        if client.wire is not None:
            self._ending.append(client.wire)
        client.wire = wire
        self.settle()

    def disconnect(self, client: Client, reason: int, expiry: int | None) -> None:
        wire, line = _connected(client)
        properties = Properties()
        if line.version is not V5:
            reason, expiry = 0, None
        elif expiry is not None:
            properties["session_expiry_interval"] = expiry
        wire.send(Disconnect(reason, properties))
        self.model.disconnect(line, reason, expiry)
        self.settle()

    def cut(self, client: Client) -> None:
        wire, line = _connected(client)
        wire.leave()
        self.model.cut(line)
        self.settle()

    def break_off(self, client: Client, data: bytes, reason: ReasonCode) -> None:
        """`data` ends the connection."""
        wire, line = _connected(client)
        wire.send_bytes(data)
        self.model.end(line, reason)
        self.settle()

    # Messages

    def publish(
        self, client: Client, topic: str, payload: bytes, qos: int, *, retain: bool = False, alias: int = 0
    ) -> None:
        """`alias`: instead of the topic, if that is empty."""
        _, line = _connected(client)
        properties = Properties(topic_alias=alias) if alias else Properties()
        packet_id = self.free_identifier(client) if qos else 0
        publish = Publish(topic, payload, qos, retain, False, packet_id, properties)
        if qos and topic:
            client.sent = [*client.sent[-5:], Publish(topic, payload, qos, retain, True, packet_id)]
        if qos == 2 and topic:
            client.unreleased.append(publish)
        self._publish(client, line, publish)

    def send_again(self, client: Client, index: int) -> None:
        """With DUP: at QoS 2 nobody gets it again before its PUBREL, at QoS 1 everybody does."""
        _, line = _connected(client)
        again = client.sent[index % len(client.sent)]
        others = {each.packet_id for each in client.unreleased if each.qos != again.qos}
        if again.packet_id not in others:
            self._publish(client, line, again)

    def _publish(self, client: Client, line: Line, publish: Publish) -> None:
        assert client.wire is not None
        client.wire.send(publish)
        self.model.publish(line, publish)
        self.settle()

    def free_identifier(self, client: Client) -> int:
        session = self.model.sessions.get(client.client_id)
        used = session.incoming if session is not None else set()
        return next(each for each in client.packet_ids if each not in used)

    def release(self, client: Client, packet_id: int) -> None:
        wire, line = _connected(client)
        client.unreleased = [each for each in client.unreleased if each.packet_id != packet_id]
        client.sent = [each for each in client.sent if each.packet_id != packet_id]
        wire.send(Pubrel(packet_id))
        self.model.pubrel(line, packet_id)
        self.settle()

    # Acknowledgements

    def open_flights(self, client: Client) -> list[Flight]:
        """What came on this connection and is not complete."""
        _, line = _connected(client)
        return [flight for flight in line.session.flights if flight not in line.unsent]

    def acknowledge(self, client: Client, flight: Flight, reason: int = 0) -> None:
        """The next step of the exchange. `reason`: a refusal, in MQTT 5 and before anything was said about it."""
        _, line = _connected(client)
        if flight.message.qos == 1:
            kind: type[Puback | Pubrec | Pubcomp] = Puback
        else:
            kind = Pubcomp if flight.released else Pubrec
        refusal = reason if line.version is V5 and kind is not Pubcomp else 0
        self.answer(client, kind(flight.packet_id, refusal))

    def answer(self, client: Client, packet: Puback | Pubrec | Pubcomp) -> None:
        wire, line = _connected(client)
        wire.send(packet)
        self.model.acknowledge(line, packet)
        self.settle()

    def acknowledge_all(self, client: Client) -> None:
        while flights := self.open_flights(client):
            self.acknowledge(client, flights[0])

    # Subscriptions

    def subscribe(self, client: Client, wanted: Sequence[Wanted], identifier: int) -> None:
        wire, line = _connected(client)
        if line.version is not V5:
            identifier = 0
            wanted = [Wanted(each.filter, each.qos) for each in wanted]
        # A shared subscription is no Ordered Topic [MQTT5 4.6]: in a session that is kept it may overtake what waits.
        wanted = [_with(each, identifier) for each in wanted if not (each.share and line.session.kept)]
        if not wanted:
            return
        retained = sum(len(self.model.retained_for(line.session, each)) for each in wanted)
        if retained >= line.window:  # those that wait may be replaced meanwhile
            return
        if retained:
            self.acknowledge_all(client)
        properties = Properties(subscription_identifiers=[identifier]) if identifier else Properties()
        packet_id = self.free_identifier(client)
        wire.send(Subscribe(packet_id, [_asked(each) for each in wanted], properties))
        self.model.subscribe(line, packet_id, wanted)
        self.settle()

    def unsubscribe(self, client: Client, filters: list[str]) -> None:
        wire, line = _connected(client)
        packet_id = self.free_identifier(client)
        wire.send(Unsubscribe(packet_id, filters))
        self.model.unsubscribe(line, packet_id, filters)
        self.settle()

    def undecided(self, topic: str, qos: int) -> bool:
        """Whether nobody could see at once who of several gets a message that is shared."""
        return any(self._undecided(share, qos) for share in self.model.shares_of(topic))

    def _undecided(self, share: str, qos: int) -> bool:
        takers = self.model.takers(share, qos)
        members = [client.line.session for client in self.clients if client.line is not None]
        connected = [each for each in members if share in each.subscriptions]
        if len(connected) < 2:
            return len(takers) > 1
        ready = [each for each in connected if each.ready]  # and still after a copy that is not shared
        return not ready or any(each.room < 2 for each in ready)

    # What comes

    def settle(self) -> None:
        """Everything that has to come has come, to both; nothing else did."""
        wires = [*self._ending, *(client.wire for client in self.clients if client.wire is not None)]
        for wire in sorted(wires, key=lambda wire: not wire.line.over):  # what an end causes comes after it
            wire.gather()
        for choice in list(self.model.choices):
            self._choose(choice)
            for wire in wires:
                wire.gather()  # what was counted as something else that is expected
        for wire in wires:
            wire.compare()
            if wire.line.over:
                wire.close()
        self._ending = []
        for client in self.clients:
            if client.wire is not None and client.wire.line.over:
                client.wire = None

    def _choose(self, choice: Choice) -> None:
        for _ in range(50):
            takers = [wire for wire in self._takers(choice) if wire.has(choice)]
            if takers:
                break
            for wire in self._takers(choice):  # it may have to be durable first
                wire.gather()
        assert len(takers) == 1, f"{choice} was taken by {len(takers)}"
        self.model.chosen(choice, takers[0].line.session.client_id)

    def _takers(self, choice: Choice) -> Iterator[Wire]:
        for client in self.clients:
            if client.wire is not None and any(client.wire.line.session is session for session, _ in choice.copies):
                yield client.wire

    def close(self) -> None:
        """Nothing of it is left on the broker."""
        for client in self.clients:
            if client.wire is not None:
                client.wire.close()
            wire = Wire(self._address, client.client_id, V5)
            gone: list[Packet] = [Publish(topic, retain=True) for topic in self.model.retained]
            wire.send(Connect(V5, client.client_id, True), *gone, Disconnect())
            wire.leave()
            wire.close()


def _connected(client: Client) -> tuple[Wire, Line]:
    assert client.wire is not None
    return client.wire, client.wire.line


def _with(wanted: Wanted, identifier: int) -> Wanted:
    no_local = wanted.no_local and not wanted.share  # [MQTT-3.8.3-4]
    return Wanted(wanted.filter, wanted.qos, no_local, wanted.retain_as_published, wanted.retain_handling, identifier)


def _asked(wanted: Wanted) -> Subscription:
    return Subscription(wanted.filter, wanted.qos, wanted.no_local, wanted.retain_as_published, wanted.retain_handling)
