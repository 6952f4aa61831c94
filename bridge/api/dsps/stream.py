"""A subscriber's events as Server-Sent Events (HTML Living Standard, section 9.2)."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from bridge.api.base import Channels
from bridge.api.connection import Gone, while_connected
from bridge.api.dsps.errors import Refusal
from bridge.api.dsps.handle import Handles
from bridge.api.dsps.render import render_event
from bridge.api.faults import Fault
from bridge.api.resource import Call
from bridge.model.errors import StoreUnavailable, UnknownSubscriber
from bridge.model.event import Event

AT_ONCE = 64
"""Events read from the store in one go."""
PIECE = 32_768
"""Bytes of events from which on they are written: what one client holds in memory, besides one event."""
COMMENT = b":\n\n"


class EventStream(Response):
    """Sends until the client leaves, the subscriber is removed, its token is revoked or expires, or the daemon stops.

    `enter`: raises when the credentials of the request open the channel no longer; called once a heartbeat. None: they
    are not looked at again.

    What was sent is not acknowledged by that: the client does, by a call, or by Last-Event-ID when it comes back.
    """

    media_type = "text/event-stream"

    def __init__(
        self,
        channels: Channels,
        locator: tuple[str, str, str],
        call: Call,
        *,
        heartbeat: float,
        ready: Callable[[], bool],
        enter: Callable[[], Awaitable[object]] | None,
    ) -> None:
        super().__init__(headers={"X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._channels = channels
        self._locator = locator
        self._handles = Handles(*locator)
        self._call = call
        self._heartbeat = heartbeat
        self._ready = ready
        self._enter = enter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        if scope["method"] != "HEAD":
            # The answer has begun, so there is no other way left to say any of these than to end it. The client comes
            # back, and is told then. Cancelled: the daemon stops, and the client does not read.
            with suppress(Gone, Fault, Refusal, UnknownSubscriber, StoreUnavailable, asyncio.CancelledError):
                await while_connected(self._call, self._send_events(send))
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send_events(self, send: Send) -> None:
        await _write(send, COMMENT)
        after, loop = 0, asyncio.get_running_loop()
        checked = loop.time()
        while True:
            if self._enter is not None and loop.time() - checked >= self._heartbeat:
                await self._enter()
                checked = loop.time()
            polled = await self._channels.poll(*self._locator, at_most=AT_ONCE, wait=self._heartbeat, after=after)
            if polled.events:
                after = polled.events[-1].position
            waiting = deque(polled.events)
            while waiting:
                await _write(send, b"")  # what is acknowledged while the client does not read is not sent afterwards
                await _write(send, self._piece(waiting))
            if not polled.events:
                if not self._ready():
                    return
                await _write(send, COMMENT)

    def _piece(self, waiting: deque[Event]) -> bytes:
        """The next events, without those that were acknowledged meanwhile."""
        acknowledged = self._channels.acknowledged(*self._locator)
        piece = bytearray()
        while waiting and len(piece) < PIECE:
            event = waiting.popleft()
            if event.position > acknowledged:
                piece += render_event(event, self._handles)
        return bytes(piece)


async def _write(send: Send, piece: bytes) -> None:
    """Waits while the client has not read enough of what was written before."""
    await send({"type": "http.response.body", "body": piece, "more_body": True})
    await asyncio.sleep(0)  # at the end of this turn the piece is given to the transport, which says if it is too much
