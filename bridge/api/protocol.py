"""Limits on the way in: size and time of a request, and how much of an unwanted body is thrown away.

httptools has none of them. Kept cheap: a request that arrives in one piece costs a few comparisons and no timer.
"""

import asyncio
import http
import re
from collections.abc import Callable
from typing import Any, TypeAlias, cast

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from bridge.api.connection import KEY as CONNECTION
from bridge.api.cork import Cork, CorkedTransport
from bridge.api.direct import Direct, DirectCycle
from bridge.api.iotda.errors import error_body
from bridge.api.request_id import new_request_id
from bridge.api.resource import Call
from bridge.turn import Turn

MAX_HEAD = 65_536
"""Bytes of request line and header fields."""
HEAD_WAIT = 10.0
"""Seconds from the first byte of a head to its last; also what a new connection has to send its first byte."""
BODY_WAIT = 60.0
"""Seconds from the head to the last byte of the body: 1 MiB at 140 kbit/s."""
WRITE_WAIT = 60.0
"""Seconds in which a client has to read something of an answer that does not fit into the buffers."""


Reading: TypeAlias = Turn[tuple["HttpProtocol", bytes]]
"""What arrived on any connection, until the end of the loop's turn."""
_MOST_UNREAD = 1_048_576
"""Bytes in it from which on the end is not waited for."""


class HttpProtocol(HttpToolsProtocol):
    """uvicorn's protocol with bounds.

    `max_discard`: bytes of one body that are read after its answer before the connection is closed. What is refused
    here is answered once every request before it has been answered, and closes the connection.
    """

    def __init__(
        self,
        *args: Any,
        max_discard: int,
        max_body: int,
        cork: Cork,
        reading: Reading,
        direct: Direct,
        admits: Callable[[int], bool],
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self._cork = cork
        self._reading = reading
        self._direct = direct
        self._admits = admits
        self._max_body = max_body
        self._plain: re.Match[bytes] | None = None
        self._body = b""
        self._max_discard = max_discard
        self._discarded = 0
        self._held = 0  # bytes read since the last head, piece of a body or end of a message
        self._head_open = False
        self._body_open = False
        self._timer: asyncio.TimerHandle | None = None
        self._deaf = False
        self.is_gone = False
        self.on_gone: Callable[[], None] | None = None
        self._unread = 0
        self._write_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(cast("asyncio.Transport", CorkedTransport(transport, self._cork)))
        self.timeout_keep_alive_task = self.loop.call_later(HEAD_WAIT, self.timeout_keep_alive_handler)
        if not self._admits(transport.get_extra_info("socket").fileno()):
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._unset_keepalive_if_required()
        self._stop_timer()
        self._stop_write_timer()
        super().connection_lost(exc)
        self._gone()

    def eof_received(self) -> bool:  # type: ignore[override]
        """A client that has no more to say, but whose request is complete, still gets its answer."""
        self._reading.run()
        running = self.cycle is not None and not self.cycle.response_complete
        if not running or self._head_open or self._body_open:
            cast("CorkedTransport", self.transport).flush()
            return False
        (self.pipeline[0][0] if self.pipeline else self.cycle).keep_alive = False
        self._gone()
        return True

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch_writing()

    def resume_writing(self) -> None:
        self._stop_write_timer()
        super().resume_writing()

    def _gone(self) -> None:
        """(`bridge.api.connection.Connection`)"""
        on_gone, self.is_gone, self.on_gone = self.on_gone, True, None
        if on_gone is not None:
            on_gone()

    def data_received(self, data: bytes) -> None:
        self._reading.add((self, data), len(data))

    def feed(self, data: bytes) -> None:
        if self._deaf or self.transport.is_closing():
            return
        self._held += len(data)
        try:
            rest: bytes | memoryview = data
            while rest:
                rest = self._feed(rest)
        except httptools.HttpParserError:
            self._refuse(431 if self._head_open and self._held > MAX_HEAD else 400)
            return
        if self._plain is not None:
            self._take_the_long_way()
        if self._held > MAX_HEAD:
            self._refuse(431)
        elif (self._head_open or self._body_open) and self._timer is None:
            self._timer = self.loop.call_later(HEAD_WAIT if self._head_open else BODY_WAIT, self._refuse, 408)

    def on_message_begin(self) -> None:
        self._unset_keepalive_if_required()
        self._head_open = True
        self._discarded = 0
        self.url = b""
        self.expect_100_continue = False
        self.headers = []

    def on_headers_complete(self) -> None:
        if self._held > MAX_HEAD and self._head_size() > MAX_HEAD:
            raise ValueError("request head too large")
        if self.parser.should_upgrade():
            return  # begins again, see _feed
        self._head_open = False
        self._body_open = True
        self._held = 0
        self._stop_timer()
        self._plain = self._is_plain()
        if self._plain is None:
            self._begin_cycle()

    def on_body(self, body: bytes) -> None:
        self._held = 0
        if self._plain is not None:
            self._body += body
        elif self.cycle.response_complete:
            self._discard(len(body))
        else:
            super().on_body(body)

    def on_message_complete(self) -> None:
        if self._head_open:
            return  # of a request that begins again
        self._body_open = False
        self._held = 0
        self._stop_timer()
        if self._plain is None:
            super().on_message_complete()
        elif (call := self._direct.open(self._plain, self.headers)) is None:
            self._take_the_long_way()
            super().on_message_complete()
        else:
            self._begin(call)

    def _is_plain(self) -> re.Match[bytes] | None:
        """Whether the request may go the direct way: nothing runs before it, and its body is announced and not long."""
        if self.parser.get_method() != self._direct.method or self.expect_100_continue:
            return None
        if self.cycle is not None and not self.cycle.response_complete:
            return None
        lengths = [value for name, value in self.headers if name == b"content-length"]
        if len(lengths) != 1 or int(lengths[0]) > self._max_body:
            return None
        return self._direct.match(self.url)

    def _take_the_long_way(self) -> None:
        """The body is still on its way, and credentials are checked before anybody waits for it; or they are not a
        token."""
        body, self._body, self._plain = self._body, b"", None
        self._begin_cycle()
        if body:
            super().on_body(body)

    def _begin_cycle(self) -> None:
        """uvicorn's way. It makes a scope for every request as soon as it begins; here, when one is needed."""
        url, headers, expect = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expect
        self.scope["headers"] = headers
        self.scope[CONNECTION] = self  # type: ignore[literal-required]
        super().on_headers_complete()
        self.headers = []  # trailer fields of a chunked body end here, not in the scope of the running request

    def _begin(self, call: Call) -> None:
        keep_alive = self.parser.get_http_version() != "1.0" and self.parser.should_keep_alive()
        cycle = DirectCycle(self, keep_alive)
        self.cycle = cycle  # type: ignore[assignment]
        body = self._body
        self._plain, self._body, self.headers = None, b"", []
        self._direct.begin(call, body, cycle)

    def give_up(self) -> None:
        """Answer a request that runs without a task, and so was not cancelled, as if it had been; then close."""
        cycle = cast("object", self.cycle)
        if isinstance(cycle, DirectCycle):
            cycle.refuse(asyncio.CancelledError())
        if self.flow.write_paused:
            self.transport.abort()
        self.transport.close()

    def _watch_writing(self) -> None:
        """As long as there is more in the buffer than there should be, some of it has to be read now and then."""
        self._unread = self.transport.get_write_buffer_size()
        self._write_timer = self.loop.call_later(WRITE_WAIT, self._check_writing)

    def _check_writing(self) -> None:
        if self.transport.get_write_buffer_size() < self._unread:
            self._watch_writing()
        else:
            self.transport.abort()

    def _stop_write_timer(self) -> None:
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None

    def _feed(self, data: bytes | memoryview) -> bytes | memoryview:
        """Parse `data`; returns what is left of it when the parser stopped at a request for an upgrade.

        Upgrade may be ignored (RFC 9110, section 7.8), and clients that prefer HTTP/2 send it with a body (Java's
        does). But httptools takes that body for the other protocol, so the request begins again without the field.
        """
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            method, version = self.parser.get_method(), self.parser.get_http_version().encode()
            if method == b"CONNECT":
                raise httptools.HttpParserInvalidMethodError from None
            lines = [b"%b: %b\r\n" % field for field in self.headers if field[0] != b"upgrade"]
            self.parser = httptools.HttpRequestParser(self)
            self.parser.feed_data(b"%b %b HTTP/%b\r\n%b\r\n" % (method, self.url, version, b"".join(lines)))
            return memoryview(data)[upgrade.args[0] :]
        return b""

    def _discard(self, size: int) -> None:
        self._discarded += size
        if self._discarded > self._max_discard:
            self._deaf = True
            self.transport.close()

    def _head_size(self) -> int:
        """Only of interest when much was read at once: there may be a body, or other requests, around the head."""
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _refuse(self, status: int) -> None:
        """Give up on what arrives. The request before it, if it still runs, is the last that gets an answer."""
        self._deaf = True
        self._stop_timer()
        running = self.cycle is not None and not self.cycle.response_complete
        if running and not self._body_open:
            self.cycle.keep_alive = False
            return
        # Inside a body the answer is for the request the body belongs to, if that has none and is the next in line.
        if not self._body_open or (running and not self.cycle.response_started and not self.pipeline):
            self.transport.write(self._answer(status))
        self.transport.close()

    def _answer(self, status: int) -> bytes:
        body = error_body(status)
        fields = [
            *self.server_state.default_headers,
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            (b"connection", b"close"),
            (b"x-request-id", new_request_id().encode()),
        ]
        head = b"".join(b"%b: %b\r\n" % field for field in fields)
        return b"HTTP/1.1 %d %b\r\n%b\r\n%b" % (status, http.HTTPStatus(status).phrase.encode(), head, body)


def new_reading() -> Reading:
    return Turn(_read, at_most=_MOST_UNREAD)


def _read(arrived: tuple[HttpProtocol, bytes]) -> None:
    protocol, data = arrived
    try:
        protocol.feed(data)
    except Exception:  # a defect: raised again, and this connection cannot go on
        protocol.transport.abort()
        raise
