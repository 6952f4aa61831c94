"""What a connection owes its client for messages that are not durable yet."""

from collections import deque
from collections.abc import Iterator

from bridge.broker.session import Session
from bridge.mqtt import Publish, ReasonCode

OVERHEAD = 1024
"""Bytes of memory that a message takes besides its payload, roughly."""


class Owed:
    __slots__ = ("publish", "reason", "session")

    def __init__(self, session: Session, publish: Publish, reason: ReasonCode | None) -> None:
        self.session = session
        self.publish = publish
        self.reason = reason
        """None: not known yet."""


class Receipts:
    """Acknowledgements leave in the order in which the messages came, those of QoS 1 [MQTT-4.6.0-2] and of QoS 2
    [MQTT-4.6.0-3]. `held`: bytes of messages that wait for their commit; `owed`: how many of them are to be
    acknowledged."""

    __slots__ = ("_owed", "held", "owed")

    def __init__(self) -> None:
        self._owed: deque[Owed] = deque()
        self.held = self.owed = 0

    def __bool__(self) -> bool:
        return bool(self._owed)

    def owe(self, session: Session, publish: Publish, reason: ReasonCode | None) -> None:
        """A message came; its acknowledgement is for later."""
        self._owed.append(Owed(session, publish, reason))
        if reason is None:
            self.held += _size(publish)
            self.owed += publish.qos > 0

    def settle(self, publish: Publish, reason: ReasonCode) -> Iterator[tuple[Session, Publish, ReasonCode]]:
        """The reason is known now. What may be acknowledged because of that, in order."""
        # What is written is told in the order of the writing, so the first one without a reason is nearly always it.
        owed = next(each for each in self._owed if each.publish is publish)
        owed.reason = reason
        self.held -= _size(publish)
        self.owed -= publish.qos > 0
        while self._owed and (known := self._owed[0].reason) is not None:
            first = self._owed.popleft()
            yield first.session, first.publish, known


def _size(publish: Publish) -> int:
    return len(publish.payload) + OVERHEAD
