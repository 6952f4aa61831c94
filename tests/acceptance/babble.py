"""What a client may say that was written by somebody else, or by chance: conversations from a seed."""

import random
from collections.abc import Callable, Iterator
from functools import partial

from bridge.mqtt import (
    Connect,
    Disconnect,
    Packet,
    Pingreq,
    Properties,
    ProtocolError,
    Puback,
    Pubcomp,
    Publish,
    Pubrec,
    Pubrel,
    Side,
    Subscribe,
    Subscription,
    Unsubscribe,
    Version,
    Will,
    encode,
)
from tests.acceptance.device import Login
from tests.mqtt.packets_table import INVALID, VALID, Invalid, Valid

TOPICS = ("a", "a/b", "a/b/c", "$SYS/x", "$oc/devices/babble-0/sys/messages/up", "long/" + "level/" * 40)
FILTERS = (*TOPICS, "#", "+", "a/#", "+/b", "a/+/c", "$share/g/a/#", "$share/g/a", "$share/h/+")
BIG = 2000
"""Bytes; larger packets of the tables are left out, because they take the time of many."""
IDS = 5
"""Few packet identifiers, so that they meet."""

_ROWS: tuple[Valid | Invalid, ...] = (*VALID, *INVALID)
_SMALL = {
    version: [row.raw for row in _ROWS if row.side is Side.SERVER and version in row.versions and len(row.raw) < BIG]
    for version in Version
}


class Babble:
    """One conversation."""

    def __init__(self, seed: int, logins: list[Login]) -> None:
        self._chance = random.Random(seed)  # noqa: S311  it has to be repeatable
        self.version = self._chance.choice(list(Version))
        self._login = self._chance.choice(logins)
        self.leaves_at_once = self._chance.random() < 0.1
        self.introduces_itself = self._chance.random() < 0.9
        """It begins with a CONNECT of its version."""

    def pieces(self) -> Iterator[bytes]:
        """In the sizes in which they are to be sent."""
        said = b"".join(self._said())
        while said:
            size = self._chance.choice((1, 2, 7, 50, 1000, len(said)))
            yield said[:size]
            said = said[size:]

    def _said(self) -> Iterator[bytes]:
        if self.introduces_itself:
            yield encode(self._connect(), self.version)
        for _ in range(self._chance.randrange(12)):
            yield self._something()

    def _something(self) -> bytes:
        kind = self._chance.random()
        if kind < 0.55:
            return self._encoded(self._sensible())
        if kind < 0.75:
            return self._chance.choice(_SMALL[self.version])
        if kind < 0.95:
            return self._mutated(self._chance.choice((*_SMALL[self.version], self._encoded(self._sensible()))))
        return self._chance.randbytes(self._chance.randrange(1, 60))

    def _encoded(self, packet: Packet) -> bytes:
        try:
            return encode(packet, self.version)
        except ProtocolError:  # not in this version
            return encode(Pingreq(), self.version)

    def _mutated(self, raw: bytes) -> bytes:
        data = bytearray(raw)
        for _ in range(self._chance.randrange(1, 4)):
            place = self._chance.randrange(len(data))
            data[place : place + self._chance.choice((0, 1, 1, 1, 4))] = self._chance.randbytes(
                self._chance.choice((0, 1, 1, 1, 3))
            )
            if not data:
                break
        return bytes(data)

    def _connect(self) -> Connect:
        is_new = self.version is Version.V5
        login = self._login
        will = None
        if self._chance.random() < 0.3:
            delay = Properties(will_delay_interval=self._chance.randrange(3)) if is_new else Properties()
            will = Will(self._topic(), b"gone", self._chance.randrange(3), self._chance.random() < 0.5, delay)
        properties = Properties()
        if is_new:
            properties = Properties(
                session_expiry_interval=self._chance.choice((0, 1, 60)),
                receive_maximum=self._chance.choice((1, 2, 100)),
                maximum_packet_size=self._chance.choice((40, 200, 100_000)),
                topic_alias_maximum=self._chance.choice((0, 1, 10)),
                request_problem_information=self._chance.randrange(2),
            )
        password = None if login.password is None else login.password.encode()
        keep_alive = self._chance.choice((0, 1, 60))
        clean = self._chance.random() < 0.5
        return Connect(self.version, login.client_id, clean, keep_alive, login.username, password, will, properties)

    def _sensible(self) -> Packet:
        packet_id = self._chance.randrange(1, IDS)
        refusal = 0x80 if self.version is Version.V5 else 0
        choices: list[tuple[int, Callable[[], Packet]]] = [
            (30, partial(self._publish, packet_id)),
            (20, partial(self._subscribe, packet_id)),
            (10, lambda: Unsubscribe(packet_id, self._chance.sample(FILTERS, 2))),
            (10, Pingreq),
            (20, partial(self._chance.choice((Puback, Pubrec, Pubrel, Pubcomp)), packet_id)),
            (8, partial(self._chance.choice((Puback, Pubrec)), packet_id, refusal)),
            (2, Disconnect),
        ]
        [make] = self._chance.choices([make for _, make in choices], [weight for weight, _ in choices])
        return make()

    def _publish(self, packet_id: int) -> Publish:
        qos = self._chance.randrange(3)
        properties = Properties()
        topic = self._topic()
        if self.version is Version.V5:
            if self._chance.random() < 0.3:
                properties["topic_alias"] = self._chance.randrange(1, 4)
                topic = self._chance.choice((topic, ""))
            if self._chance.random() < 0.3:
                properties["message_expiry_interval"] = self._chance.randrange(3)
            if self._chance.random() < 0.3:
                properties["user_properties"] = [("a", "1"), ("a", "2")]
        payload = self._chance.randbytes(self._chance.choice((0, 5, 300)))
        dup, retain = bool(qos) and self._chance.random() < 0.2, self._chance.random() < 0.3
        return Publish(topic, payload, qos, retain, dup, packet_id if qos else 0, properties)

    def _subscribe(self, packet_id: int) -> Subscribe:
        is_new = self.version is Version.V5
        subscriptions = [
            Subscription(
                topic_filter,
                self._chance.randrange(3),
                is_new and self._chance.random() < 0.2 and not topic_filter.startswith("$share"),
                is_new and self._chance.random() < 0.2,
                self._chance.randrange(3) if is_new else 0,
            )
            for topic_filter in self._chance.sample(FILTERS, self._chance.randrange(1, 4))
        ]
        numbered = is_new and self._chance.random() < 0.3
        identifier = Properties(subscription_identifiers=[self._chance.randrange(1, 300)]) if numbered else Properties()
        return Subscribe(packet_id, subscriptions, identifier)

    def _topic(self) -> str:
        return self._chance.choice(TOPICS)
