"""Limits on the way in: size and time of a request, and how much of an unwanted body is thrown away.

httptools has none of them. Kept cheap: a request that arrives in one piece costs a few comparisons and no timer.
"""

import asyncio
import http
import re
import urllib.parse
from collections.abc import Callable
from typing import Any, TypeAlias, cast

import httptools

from bridge.api.closing import ClosingProtocol
from bridge.api.connection import KEY as CONNECTION
from bridge.api.cors import Cors
from bridge.api.cycle import Cycle
from bridge.api.direct import Direct, DirectCycle, Fields
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

Reading: TypeAlias = Turn[tuple["HttpProtocol", bytes]]
"""What arrived on any connection, until the end of the loop's turn."""
_MOST_UNREAD = 1_048_576
"""Bytes in it from which on the end is not waited for."""


class HttpProtocol(ClosingProtocol):
    """uvicorn's protocol with bounds.

    What is refused here is answered once every request before it has been answered, and closes the connection.
    """

    def __init__(
        self,
        *args: Any,
        max_body: int,
        reading: Reading,
        direct: Direct,
        admits: Callable[[int], bool],
        cors: Cors | None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self._cors = cors
        self._reading = reading
        self._direct = direct
        self._admits = admits
        self._max_body = max_body
        self._plain: re.Match[bytes] | None = None
        self._body = b""
        self._held = 0  # bytes read since the last head, piece of a body or end of a message
        self._head_open = False
        self._body_open = False
        self._timer: asyncio.TimerHandle | None = None
        self._deaf = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.timeout_keep_alive_task = self.loop.call_later(HEAD_WAIT, self.timeout_keep_alive_handler)
        if not self._admits(transport.get_extra_info("socket").fileno()):
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    @property
    def _is_receiving(self) -> bool:
        return self._head_open or self._body_open

    def eof_received(self) -> bool:  # type: ignore[override]
        """A client that has no more to say, but whose request is complete, still gets its answer."""
        self._reading.run()
        if not self._is_running or self._is_receiving:
            self.transport.flush()
            return False
        (self.pipeline[0][0] if self.pipeline else self.cycle).keep_alive = False
        self._gone()
        return True

    def data_received(self, data: bytes) -> None:
        self._reading.add((self, data), len(data))

    def feed(self, data: bytes) -> None:
        if self._lingering is not None:
            self._lingering.received(len(data))
            return
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
        if self._is_http_1_0() and any(name == b"transfer-encoding" for name, _ in self.headers):
            raise ValueError("HTTP/1.0 has no transfer codings")  # RFC 9112, section 6.1: the framing is faulty
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
        """What uvicorn does, but only when a scope is needed, and with our cycle."""
        self.scope = self._new_scope()
        first = self.cycle is None or self.cycle.response_complete
        self.cycle = Cycle(
            scope=self.scope,
            transport=cast("asyncio.Transport", self.transport),
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=self.access_log,
            default_headers=self.own_fields(self.headers),
            message_event=asyncio.Event(),
            expect_100_continue=self.expect_100_continue and not self._is_http_1_0(),
            keep_alive=self._keeps_alive(),
            on_response=self.on_response_complete,
        )
        self.headers = []  # trailer fields of a chunked body end here, not in the scope of the running request
        if first:
            self._start_asgi_task(self.cycle, self.app)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, self.app))

    def _new_scope(self) -> Any:
        target = httptools.parse_url(self.url)
        path = target.path.decode("ascii")
        return {
            "type": "http",
            "asgi": {"version": self.asgi_version, "spec_version": "2.3"},
            "http_version": self.parser.get_http_version(),
            "server": self.server,
            "client": self.client,
            "scheme": self.scheme,
            "method": self.parser.get_method().decode("ascii"),
            "root_path": self.root_path,
            "path": urllib.parse.unquote(path) if "%" in path else path,
            "raw_path": target.path,
            "query_string": target.query or b"",
            "headers": self.headers,
            "state": {},
            CONNECTION: self,
        }

    def own_fields(self, request: Fields) -> Fields:
        """(`bridge.api.direct.Answering`)"""
        fields = self.server_state.default_headers
        return fields if self._cors is None else [*fields, *self._cors.fields(request)]

    def _is_http_1_0(self) -> bool:
        version: str = self.parser.get_http_version()
        return version == "1.0"

    def _keeps_alive(self) -> bool:
        return not self._is_http_1_0() and bool(self.parser.should_keep_alive())

    def _begin(self, call: Call) -> None:
        cycle = DirectCycle(self, self._keeps_alive())
        self.cycle = cycle  # type: ignore[assignment]
        body = self._body
        self._plain, self._body, self.headers = None, b"", []
        self._direct.begin(call, body, cycle)

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
        body, request = error_body(status), self.headers or []
        if self._body_open and self._plain is None:
            request = list(self.scope["headers"])
        fields = [
            *self.own_fields(request),
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
