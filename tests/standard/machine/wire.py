"""A connection of a client that compares what comes with what the model expects."""

import socket
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TypeAlias

from bridge.mqtt import Connack, Disconnect, Packet, Pingreq, Pingresp, Publish, Version
from tests.acceptance.device import Login
from tests.acceptance.raw_device import RawDevice
from tests.standard.machine.model import Choice, Line, Message

PATIENCE = 5.0
"""Seconds; what is missing by then does not come."""
OUR_ALIASES = 1
"""What an MQTT 5 client here allows the server."""


@dataclass(frozen=True)
class Seen:
    """A message as the client sees it, but for its packet identifier."""

    topic: str
    payload: bytes
    qos: int
    retain: bool
    dup: bool
    identifiers: tuple[int, ...]


Said: TypeAlias = tuple[str, int, int | tuple[int, ...]]
"""Any other packet: its kind, its packet identifier, what it says."""


class Wire:
    def __init__(self, address: tuple[str, int], client_id: str, version: Version) -> None:
        self._device = RawDevice(address, Login(None, None, client_id), version)
        self._device._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # a PINGREQ follows each packet
        self._version = version
        self._aliases: dict[int, str] = {}
        self._came: list[Packet] = []
        self._ended = False
        self.line: Line
        """As the model has it."""

    def send(self, *packets: Packet) -> None:
        self._device.send(*packets)

    def send_bytes(self, data: bytes) -> None:
        self._device.send_bytes(data)

    def close(self) -> None:
        self._device.close()

    def leave(self) -> None:
        """Without a word. What the server sent meanwhile is still there to be compared."""
        self._came += [packet for packet in self._device.until_ended() if not isinstance(packet, Pingresp)]
        self._ended = True

    # What comes

    def gather(self) -> None:
        """As many packets as are expected, and whatever comes before the answer to a PINGREQ, or the end."""
        while not self._ended and (self.line.over or len(self._came) < self._count):
            if not self._device._packets and not self._device.hears_within(PATIENCE):
                return  # `compare` will say what is missing
            self._take(self._device.receive())
        if self._ended:
            return
        self.send(Pingreq())
        while not self._ended and not isinstance(packet := self._device.receive(), Pingresp):
            self._take(packet)

    @property
    def _count(self) -> int:
        return len(self.line.expected) + len(self.line.started)

    def _take(self, packet: Packet | None) -> None:
        if packet is None:
            self._ended = True
        elif not isinstance(packet, Pingresp):
            self._came.append(packet)

    def has(self, choice: Choice) -> bool:
        """Whether the message came here, and not for another reason."""
        copy = next(message for session, message in choice.copies if session is self.line.session)
        expected = [each.payload for each in self.line.expected if isinstance(each, Publish)]
        expected += [flight.message.payload for flight in self.line.started]
        came = [each.payload for each in self._came if isinstance(each, Publish)]
        return came.count(copy.payload) > expected.count(copy.payload)

    # Whether it is right

    def compare(self) -> None:
        """Everything expected came, in an order that is allowed, and nothing else."""
        line, came = self.line, self._came
        assert self._ended == line.over, f"{'over' if self._ended else 'alive'} after {came}, expected {line.expected}"
        expected = list(line.expected) + [flight.message.packet() for flight in line.started]
        got = [self._described(packet) for packet in came]
        wanted = [self._described(packet, ours=True) for packet in expected]
        assert Counter(got) == Counter(wanted), f"\nmissing {_over(wanted, got)}\nunexpected {_over(got, wanted)}"
        assert _orders(came) == _orders(expected), f"\nexpected {_orders(expected)}\ncame in {_orders(came)}"
        self._first_and_last()
        self._identify()
        self._came, line.expected, line.started = [], [], []

    def _first_and_last(self) -> None:
        """CONNACK comes before anything [MQTT-3.2.0-1], and nothing after DISCONNECT [MQTT-3.14.4-1]."""
        kinds = [type(packet) for packet in self._came]
        assert Connack not in kinds[1:]
        assert Disconnect not in kinds[:-1]

    def _identify(self) -> None:
        """New messages have packet identifiers that were free [MQTT-2.2.1-4], others the one they had."""
        came = [packet for packet in self._came if isinstance(packet, Publish) and packet.qos]
        again = {each.packet_id: each for each in self.line.expected if isinstance(each, Publish) and each.qos}
        assert {each.packet_id for each in came if each.dup} == set(again)
        for packet in came:
            if packet.dup:
                assert packet.payload == again[packet.packet_id].payload
            else:
                self._start(packet)

    def _start(self, packet: Publish) -> None:
        line = self.line
        assert packet.packet_id not in {flight.packet_id for flight in line.session.flights}, f"in use: {packet}"
        described = self._described(packet)
        flight = next(each for each in line.started if self._means(each.message, described))
        line.started.remove(flight)
        flight.packet_id = packet.packet_id

    def _means(self, message: Message, described: Seen | Said) -> bool:
        return self._described(message.packet(), ours=True) == described

    def _described(self, packet: Packet, *, ours: bool = False) -> Seen | Said:
        """`ours`: from the model, so there are no aliases in it."""
        if not isinstance(packet, Publish):
            said = getattr(packet, "reason_codes", getattr(packet, "reason_code", 0))
            present = getattr(packet, "session_present", False)
            said = tuple(said) if isinstance(said, list) else said + 1000 * present
            return type(packet).__name__, getattr(packet, "packet_id", 0), said
        identifiers = packet.properties.get("subscription_identifiers", []) if self._version is Version.V5 else []
        if not ours:
            self._resolve(packet)
        return Seen(packet.topic, packet.payload, packet.qos, packet.retain, packet.dup, tuple(sorted(identifiers)))

    def _resolve(self, publish: Publish) -> None:
        """[MQTT-3.3.2-10] [MQTT-3.3.2-12]"""
        alias = publish.properties.pop("topic_alias", None)
        if alias is None:
            return
        assert 0 < alias <= OUR_ALIASES
        if publish.topic:
            self._aliases[alias] = publish.topic
        publish.topic = self._aliases[alias]


def _orders(packets: list[Packet]) -> dict[tuple[str, int], list[bytes | int]]:
    """What has to keep its order: messages of one topic at one QoS [MQTT-4.6.0-5], and answers of one kind
    [MQTT-4.6.0-2] [MQTT-4.6.0-3] [MQTT-4.6.0-4]."""
    orders: dict[tuple[str, int], list[bytes | int]] = defaultdict(list)
    for packet in packets:
        if isinstance(packet, Publish):
            orders[packet.topic, packet.qos].append(packet.payload)
        else:
            orders[type(packet).__name__, 0].append(getattr(packet, "packet_id", 0))
    return dict(orders)


def _over(packets: list[Seen | Said], others: list[Seen | Said]) -> list[Seen | Said]:
    return list((Counter(packets) - Counter(others)).elements())
