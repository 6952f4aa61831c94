"""How a connection ends: behind an answer that the client can read, in order when the daemon stops, or cut."""

import asyncio
import socket
import struct
from collections.abc import Callable
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from bridge.api.cork import Cork, CorkedTransport
from bridge.api.cycle import Cycle
from bridge.api.direct import DirectCycle
from bridge.api.lingering import Lingering

WRITE_WAIT = 60.0
"""Seconds in which a client has to read something of an answer that does not fit into the buffers."""

_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER on, for no time: the connection ends with a reset."""


class ClosingProtocol(HttpToolsProtocol):
    """uvicorn's protocol, whose `transport.close()` takes no answer away from a client that is still sending.

    `max_discard`: bytes that are read after the answer to a request, of its body and behind it.
    """

    transport: CorkedTransport  # type: ignore[assignment]

    def __init__(self, *args: Any, max_discard: int, cork: Cork, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._cork = cork
        self._max_discard = max_discard
        self._discarded = 0
        self._lingering: Lingering | None = None
        self._stopping = False
        self.is_gone = False
        self.on_gone: Callable[[], None] | None = None
        self._unread = 0
        self._write_timer: asyncio.TimerHandle | None = None

    @property
    def _is_receiving(self) -> bool:
        """A request has arrived in part."""
        raise NotImplementedError

    @property
    def _is_running(self) -> bool:
        """A request waits for its answer, or for the end of it."""
        return self.cycle is not None and not self.cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(cast("asyncio.Transport", CorkedTransport(transport, self._cork, self._hang_up)))

    def connection_lost(self, exc: Exception | None) -> None:
        self._unset_keepalive_if_required()
        self._stop_write_timer()
        if self._lingering is not None:
            self._lingering.cancel()
            self._lingering = None
        self.transport.release()
        super().connection_lost(exc)
        self._gone()

    def _gone(self) -> None:
        """(`bridge.api.connection.Connection`)"""
        on_gone, self.is_gone, self.on_gone = self.on_gone, True, None
        if on_gone is not None:
            on_gone()

    def shutdown(self) -> None:
        """The server stops: what runs is answered, what is idle is closed, and nobody lingers for long."""
        self._stopping = True
        if self._lingering is not None:
            self._lingering.hurry()
        elif self._is_running or self._is_receiving:
            super().shutdown()
        else:
            self.transport.close_at_once()

    def give_up(self) -> None:
        """Answer a request that runs without a task, and so was not cancelled, as if it had been; then close."""
        cycle = cast("object", self.cycle)
        if isinstance(cycle, DirectCycle):
            cycle.refuse(asyncio.CancelledError())
        if self.flow.write_paused:
            self._cut()
        self.transport.close_at_once()

    def timeout_keep_alive_handler(self) -> None:
        self.transport.close_at_once()  # nothing was sent that the client has not had the time to read

    def _hang_up(self) -> None:
        """What `transport.close` does. Our side ends; the client may go on for a while."""
        if self._is_cut:
            self._cut()
        elif self.is_gone:  # its side has ended already
            self.transport.close_at_once()
        else:
            self.transport.write_eof()
            self.flow.resume_reading()
            self._lingering = Lingering(self.loop, self._stop_lingering, at_most=self._max_discard - self._discarded)
            if self._stopping:
                self._lingering.hurry()

    def _stop_lingering(self) -> None:
        if self.transport.get_write_buffer_size() and self._write_timer is None:
            self._watch_writing()
        self.transport.close_at_once()

    def _discard(self, size: int) -> None:
        """Of a body that nobody wants, on a connection that goes on."""
        self._discarded += size
        if self._discarded > self._max_discard:
            self.transport.close_at_once()

    @property
    def _is_cut(self) -> bool:
        """Whether an answer breaks off here that would look complete if the connection ended in order."""
        cycle = cast("object", self.cycle)
        return isinstance(cycle, Cycle) and cycle.is_cut

    def _cut(self) -> None:
        """End the connection now, with a reset if its end would pass for the end of an answer."""
        if self._is_cut:
            self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.transport.abort()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch_writing()

    def resume_writing(self) -> None:
        self._stop_write_timer()
        super().resume_writing()

    def _watch_writing(self) -> None:
        """As long as there is more in the buffer than there should be, some of it has to be read now and then."""
        self._unread = self.transport.get_write_buffer_size()
        self._write_timer = self.loop.call_later(WRITE_WAIT, self._check_writing)

    def _check_writing(self) -> None:
        if self.transport.get_write_buffer_size() < self._unread:
            self._watch_writing()
        else:
            self._cut()

    def _stop_write_timer(self) -> None:
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None
