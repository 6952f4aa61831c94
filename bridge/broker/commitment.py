"""What has to be durable before a client's message is acknowledged: a retained message, an event, messages for sessions
whose clients are away."""

from collections.abc import Callable
from typing import TypeAlias

from bridge.mqtt import Publish, ReasonCode

Kept: TypeAlias = Callable[[Publish, ReasonCode], None]
"""Told, with the message, when it is durable (SUCCESS) or cannot be (0x80 and above)."""


class Commitment:
    """Of one message. Each who keeps something of it gets `settle` as its callback, and what it answers goes to `add`;
    then `close` says what to acknowledge, or that `kept` will be called for that later, once, with the worst reason."""

    __slots__ = ("_closed", "_kept", "_missing", "_publish", "_worst")

    def __init__(self, publish: Publish, kept: Kept) -> None:
        self._publish = publish
        self._kept = kept
        self._missing = 0
        self._worst = ReasonCode.SUCCESS
        self._closed = False

    @property
    def waiting(self) -> bool:
        """Something of the message was given to the store, and is not durable yet."""
        return self._missing > 0

    def add(self, answer: ReasonCode | None) -> ReasonCode | None:
        """None: `settle` will be called. Returns the answer."""
        if answer is None:
            self._missing += 1
        else:
            self._note(answer)
        return answer

    def settle(self, _: Publish, reason: ReasonCode) -> None:
        """One that was missing is durable now, or cannot be."""
        self._missing -= 1
        self._note(reason)
        if self._closed and not self._missing:
            self._kept(self._publish, self._worst)

    def close(self, reason: ReasonCode) -> ReasonCode | None:
        """Nothing more is added. `reason`: what to acknowledge if everything is kept. None: `kept` is called later."""
        self._note(reason)
        if self._missing:
            self._closed = True
            return None
        return self._worst

    def _note(self, reason: ReasonCode) -> None:
        self._worst = max(self._worst, reason)
