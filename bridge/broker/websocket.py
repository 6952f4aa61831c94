"""MQTT over WebSocket [MQTT-6]: an `asyncio.Protocol` towards the socket, an `asyncio.Transport` towards the link."""

import asyncio
import contextlib
import re
from http import HTTPStatus
from typing import Any, cast

from websockets.exceptions import PayloadTooBig
from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import SEND_EOF, State
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from bridge.broker.layer import Layer
from bridge.broker.link import Link
from bridge.broker.listeners import Listener
from bridge.broker.recognition import Port, misplaced
from bridge.mqtt import ReasonCode

_SUBPROTOCOLS = [Subprotocol("mqtt"), Subprotocol("mqttv3.1")]
"""[MQTT-6.0.0-4]; the other is what clients of 3.1, which has no chapter on WebSockets, offer instead."""
_MOST_HEAD = 16_384
"""Bytes of a request."""
_MORE = 65_536
"""What a message may have beyond the largest packet: one may hold several [MQTT-6.0.0-2]."""
_DATA = frozenset((Opcode.BINARY, Opcode.CONT))
_NEGOTIATED = frozenset(
    ("connection", "upgrade", "sec-websocket-key", "sec-websocket-protocol", "sec-websocket-version")
)
"""Headers that the library repeats in its answer when they are wrong, and cannot when they are not ASCII."""
_HTTP = re.compile(rb"[A-Z]{1,20} [^\r\n]* HTTP/[0-9.]+\r?\n")


class WebSocket(Layer):
    """Both sides' limits hold: what the socket does not take pauses the link, and the link pauses the socket. The time
    for the handshake is that of the link for its CONNECT."""

    __slots__ = ("_close_code", "_head", "_link", "_listener", "_over", "_protocol")

    def __init__(self, link: Link, listener: Listener) -> None:
        super().__init__()
        self._link = link
        self._listener = listener
        self._protocol = ServerProtocol(
            subprotocols=_SUBPROTOCOLS,  # no extensions, so nothing is compressed; any origin
            max_size=listener.max_packet_size + _MORE,
        )
        self._head: bytearray | None = bytearray()
        """What has come of the request; None when it is answered."""
        self._close_code = CloseCode.NORMAL_CLOSURE
        self._over = False
        """There is nothing left to say, and nothing that comes is looked at."""

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but its base class
        self._link.connection_made(self)

    def data_received(self, data: bytes) -> None:
        if self._closing:
            self._await_close(data)
            return
        if self._head is not None:
            self._head += data
            if not self._head[:1].isalpha():
                self._refuse(misplaced(bytes(self._head), Port.WEBSOCKET) or "no HTTP")
                return
            if len(self._head) > _MOST_HEAD and b"\r\n\r\n" not in self._head[:_MOST_HEAD]:
                self._refuse("a request too large", HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
                return
        self._protocol.receive_data(data)
        self._handle(self._protocol.events_received())
        if self._put_out():
            self._finish()

    def _await_close(self, data: bytes) -> None:
        """Nothing is answered any more, so that nothing piles up at a client that does not read. When the client has
        said Close, too, the server is the first to close [RFC 6455 7.1.1]."""
        self._link.discard(len(data))
        if self._over:
            return
        self._protocol.receive_data(data)
        self._protocol.events_received()
        if SEND_EOF in self._protocol.data_to_send():
            self._finish()

    def eof_received(self) -> bool:
        if not self._closing:
            self._link.eof_received()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._closing = True
        self._link.connection_lost(exc)

    def pause_writing(self) -> None:
        self._link.pause_writing()

    def resume_writing(self) -> None:
        self._link.resume_writing()

    # asyncio.Transport, as far as the link uses it

    def write(self, data: bytes) -> None:
        """[MQTT-6.0.0-1] each write is a binary frame; nothing follows a Close."""
        if not self._closing:
            self._transport.write(Frame(Opcode.BINARY, data).serialize(mask=False))

    def write_eof(self) -> None:
        """Say Close, and close our side of the connection when the client has said so, too; `Wire` cuts off who does
        not."""
        if self._closing:
            return
        self._closing = True
        if self._protocol.state is State.OPEN:
            self._protocol.send_close(self._close_code)
        over = self._put_out()
        if over or self._head is not None:
            self._finish()

    def close(self) -> None:
        """The same, without waiting for the client."""
        self.write_eof()
        self._transport.close()

    # what comes

    def _handle(self, events: list[Any]) -> None:
        """[MQTT-6.0.0-2] what the frames hold is one stream of bytes."""
        opcodes = set()
        payload = []
        for event in events:
            if isinstance(event, Request):
                self._answer(event)
                continue
            opcodes.add(event.opcode)
            if event.opcode is Opcode.TEXT:
                break
            if event.opcode in _DATA and event.data:
                payload.append(event.data)
        if payload and self._head is None:
            self._link.data_received(b"".join(payload))
        self._conclude(opcodes)

    def _conclude(self, opcodes: set[Opcode]) -> None:
        """End the connection, if this was the end."""
        protocol = self._protocol
        if self._closing:
            return
        if self._head is not None:
            if protocol.handshake_exc is not None:
                http = _HTTP.match(self._head)
                self._refuse("no request for a WebSocket", HTTPStatus.BAD_REQUEST if http else None)
        elif Opcode.TEXT in opcodes:
            self._fail(CloseCode.UNSUPPORTED_DATA, ReasonCode.PROTOCOL_ERROR, "a text frame", "MQTT-6.0.0-1")
        elif Opcode.CLOSE in opcodes:
            self._link.eof_received()  # what was asked before it is answered before our Close
            code = f" ({protocol.close_rcvd.code})" if protocol.close_rcvd is not None else ""
            self._link.left(f"WebSocket closed by the client{code}")
        elif protocol.parser_exc is not None:
            large = isinstance(protocol.parser_exc, PayloadTooBig)
            reason = ReasonCode.PACKET_TOO_LARGE if large else ReasonCode.PROTOCOL_ERROR
            self._fail(self._close_code, reason, f"WebSocket: {protocol.parser_exc}")

    def _fail(self, code: CloseCode, reason: ReasonCode, message: str, clause: str = "") -> None:
        """`clause`: of MQTT, unless the WebSocket itself is broken."""
        self._close_code = code
        self._link.eof_received()
        self._link.refuse(reason, message, clause=clause)

    # the handshake

    def _answer(self, request: Request) -> None:
        why = ""
        if request.path.partition("?")[0] not in self._listener.paths:
            text = f"MQTT over WebSocket is at {' and '.join(self._listener.paths)}.\n"
            response = self._protocol.reject(HTTPStatus.NOT_FOUND, text)
            why = f"no MQTT at {request.path}"
        elif not all(value.isascii() for name, value in request.headers.raw_items() if name.lower() in _NEGOTIATED):
            response = self._protocol.reject(HTTPStatus.BAD_REQUEST, "The headers of a WebSocket are ASCII.\n")
        else:
            response = self._protocol.accept(request)  # [MQTT-6.0.0-3]
        self._protocol.send_response(response)
        if response.status_code == HTTPStatus.SWITCHING_PROTOCOLS:
            self._head = None
        else:
            why = why or str(self._protocol.handshake_exc or response.body.decode().strip())
            self._refuse(f"{response.status_code}: {why}")

    def _refuse(self, reason: str, status: HTTPStatus | None = None) -> None:
        """Before there is a WebSocket. `status`: answered with this."""
        if status is not None:
            response = self._protocol.reject(status, "This port speaks MQTT over WebSocket: GET with Upgrade.\n")
            self._transport.write(response.serialize())
        self._link.refuse_transport("WebSocket refused", reason)

    # what goes

    def _put_out(self) -> bool:
        """Whether the library wants the connection to be over with this."""
        chunks = self._protocol.data_to_send()
        data = b"".join(chunks)
        if data:
            self._transport.write(data)
        return SEND_EOF in chunks

    def _finish(self) -> None:
        """Nothing more is said."""
        self._over = True
        if not self._transport.is_closing():
            with contextlib.suppress(OSError):  # the client has reset the connection
                self._transport.write_eof()
