"""TLS of one connection: an `asyncio.Protocol` towards the socket, an `asyncio.Transport` towards what is above it.

The loop's own TLS keeps a failed handshake to itself, counts no connection before its handshake, and cannot close one
side of a connection. Both loops' `create_server(ssl=…)` and `start_tls` are like that.
"""

import asyncio
import contextlib
import ssl
from typing import Any, cast

from bridge.broker.layer import Layer
from bridge.broker.link import Link
from bridge.broker.recognition import Port, misplaced
from bridge.broker.tls import words

_PIECE = 16_384
"""Bytes that are decrypted at once: a record."""
_FIRST = 16
"""Bytes that are kept until the handshake is over, to tell what it is that is no TLS."""


class TlsTransport(Layer):
    """Above it is `upper`: the link itself, or the WebSocket around it. The time for the handshake is that of the link
    for its CONNECT, which has as much again afterwards."""

    __slots__ = (
        "_error",
        "_first",
        "_incoming",
        "_link",
        "_outgoing",
        "_shaken",
        "_tls",
        "_upper",
    )

    def __init__(self, context: ssl.SSLContext, link: Link, upper: asyncio.Protocol) -> None:
        super().__init__()
        self._link = link
        self._upper = upper
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._first = b""
        self._shaken = False
        self._error: ssl.SSLError | None = None

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but its base class
        self._upper.connection_made(cast("asyncio.Transport", self))

    def data_received(self, data: bytes) -> None:
        if self._closing:
            self._link.discard(len(data))
            return
        self._incoming.write(data)
        if self._shaken or self._shake(data):
            self._read()

    def eof_received(self) -> bool:
        if self._closing:
            return False
        if self._shaken:
            self._upper.eof_received()
            self._say_over()
        elif self._first:  # who says nothing at all only looks whether the port is open
            self._link.refuse_transport("TLS handshake failed", "closed by the client in the middle of it")
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._closing = True
        upper, self._upper = self._upper, self._link  # a WebSocket refers to this, and nothing else frees both
        upper.connection_lost(self._error or exc)

    def pause_writing(self) -> None:
        self._upper.pause_writing()

    def resume_writing(self) -> None:
        self._upper.resume_writing()

    # asyncio.Transport, as far as what is above uses it

    def write(self, data: bytes) -> None:
        if self._closing or not self._shaken:
            return
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[self._tls.write(rest) :]
        except ssl.SSLError as error:
            self._break(error)
        else:
            self._put_out()

    def write_eof(self) -> None:
        """Say close_notify, and close our side of the connection [RFC 8446 6.1]."""
        self._say_over()
        self._transport.write_eof()

    def close(self) -> None:
        """The same, and close the connection."""
        self._say_over()
        self._transport.close()

    def is_reading(self) -> bool:
        return self._transport.is_reading()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        if name == "ssl_object":
            return self._tls if self._shaken else default
        return super().get_extra_info(name, default)

    # TLS

    def _shake(self, data: bytes) -> bool:
        """Go on with the handshake. True when it is over."""
        if not self._first:
            self._first = data[:_FIRST]
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self._put_out()
            return False
        except ssl.SSLError as error:
            self._put_out()  # the alert
            self._link.refuse_transport("TLS handshake failed", self._why(error))
            return False
        self._shaken = True
        self._put_out()
        self._link.secured()
        return True

    def _why(self, error: ssl.SSLError) -> str:
        return misplaced(self._first, Port.TLS) or words(error)

    def _read(self) -> None:
        """Hand on what can be decrypted. An empty read is the peer's close_notify: nothing follows it."""
        pieces: list[bytes] = []
        over = False
        try:
            while not over and (self._incoming.pending or self._tls.pending()):
                piece = self._tls.read(_PIECE)
                pieces.append(piece)
                over = not piece
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            over = True
        except ssl.SSLError as error:
            self._error = error
        self._put_out()  # the answer to a key update, or an alert
        if pieces and pieces[0]:
            self._upper.data_received(b"".join(pieces))
        if self._closing:
            return
        if self._error is not None:
            self._break(self._error)
        elif over:
            self._upper.eof_received()
            self.close()

    def _break(self, error: ssl.SSLError) -> None:
        """The connection is no good any more."""
        self._error = error
        self._transport.abort()

    def _say_over(self) -> None:
        """close_notify, once; that of the peer is not waited for."""
        if self._closing:
            return
        self._closing = True
        if self._shaken:
            with contextlib.suppress(ssl.SSLError):
                self._tls.unwrap()
            self._put_out()

    def _put_out(self) -> None:
        data = self._outgoing.read()
        if data:
            self._transport.write(data)
