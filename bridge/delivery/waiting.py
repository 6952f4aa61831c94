"""One call that waits for the reply of a device."""

import asyncio
from collections.abc import Callable

from bridge.model.errors import BridgeError
from bridge.model.message import Message, Outcome, Status
from bridge.model.reply import Exchange, Reply
from bridge.mqtt import Publish

_GRACE = 0.05
"""Seconds. Most clients send the reply from within their message handler and acknowledge when it returns: a reply waits
so long for the acknowledgement behind it, and for its commit, so that the answer can say DELIVERED."""


class Waiting:
    """Ends with the reply, with the time, when the message ends without having been delivered, or with `leave`. Never
    before the message is committed."""

    __slots__ = (
        "_answer",
        "_began",
        "_closed",
        "_committed",
        "_left",
        "_loop",
        "_reply",
        "_timeout",
        "_timer",
        "message",
    )

    message: Message
    """As it is known to be."""

    def __init__(self, timeout: float, closed: Callable[["Waiting"], None]) -> None:
        """`timeout`: seconds. `closed(self)` is called when it has its answer, or nobody wants it; perhaps twice."""
        self._loop = asyncio.get_running_loop()
        self._answer: asyncio.Future[Exchange | BridgeError] = self._loop.create_future()
        self._began = self._loop.time()
        self._timeout = timeout
        self._timer: asyncio.TimerHandle | None = None
        self._closed = closed
        self._committed = False
        self._left = False
        self._reply: Reply | None = None

    def start(self) -> None:
        self._wait(self._timeout)

    async def exchange(self) -> Exchange:
        """The message and, if there is one, the reply.

        Raises DuplicateMessage, StoreUnavailable: then nothing was stored; UnknownMessage, UnknownDevice: it, or the
        device, was removed meanwhile.
        """
        try:
            answer = await self._answer
        finally:
            self._close()
        if isinstance(answer, BridgeError):
            raise answer
        return answer

    def leave(self) -> None:
        """Wait no longer: what is known now is the answer."""
        self._left = True
        self._look()

    def followed(self, answer: Outcome | BridgeError | None) -> None:
        """What became of the message (`bridge.delivery.answers.Followed`)."""
        if isinstance(answer, BridgeError):
            self._end(answer)
            return
        self._committed = True
        if answer is not None:
            self.message.outcome = answer
        self._look()

    def heard(self, publish: Publish) -> None:
        """This is the reply."""
        self._reply = Reply(
            topic=publish.topic,
            payload=publish.payload,
            latency=round(1000 * (self._loop.time() - self._began)),
            content_type=publish.properties.get("content_type"),
            user_properties=tuple(publish.properties.get("user_properties", ())),
        )
        self._wait(_GRACE)
        self._look()

    def _look(self) -> None:
        if self._committed and (self._left or self._is_complete()):
            self._end(Exchange(self.message, self._reply))

    def _is_complete(self) -> bool:
        """Nothing more can come. After DELIVERED, the reply can."""
        outcome = self.message.outcome
        return outcome is not None and (self._reply is not None or outcome.status is not Status.DELIVERED)

    def _wait(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(seconds, self.leave)

    def _end(self, answer: Exchange | BridgeError) -> None:
        self._close()
        if not self._answer.done():  # whoever waited may be gone
            self._answer.set_result(answer)

    def _close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._closed(self)
