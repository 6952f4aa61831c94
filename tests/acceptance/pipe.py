"""Bytes to one of the daemon's listeners and back, through TLS and WebSocket where that is its way, and no more than a
test says."""

import base64
import json
import socket
import ssl
import struct
from collections.abc import Iterator
from typing import Self

from websockets.frames import Frame, Opcode

from bridge.mqtt import Connect, Decoder, Packet, Side, Version, encode
from tests.acceptance.daemon import Daemon
from tests.acceptance.device import Login
from tests.broker.certificates import HOST

KEY = base64.b64encode(b"0123456789abcdef").decode()
UPGRADE = (
    "GET /mqtt HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    f"Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n"
).encode()


def where(daemon: Daemon, name: str) -> tuple[str, int]:
    """The address of a listener of the daemon by its name."""
    addresses = json.loads((daemon.data_dir / "addresses.json").read_text(encoding="utf-8"))
    host, _, port = addresses[name].rpartition(":")
    return host, int(port)


class Pipe:
    """Around one connection; closes it. It blocks while it sends, and reads only when it is told to."""

    def __init__(
        self,
        connection: socket.socket,
        context: ssl.SSLContext | None = None,
        *,
        websocket: bool = False,
        version: Version = Version.V5,
    ) -> None:
        self.version = version
        self._decoder = Decoder(version=version, side=Side.CLIENT)
        self._socket = connection
        self._websocket = websocket
        self._frames = b""
        self.close_code: int | None = None
        """That of the WebSocket, when the daemon has closed it."""
        if context is not None:
            self._socket = context.wrap_socket(self._socket, server_hostname=HOST)
        if websocket:
            self._socket.sendall(UPGRADE)
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                byte = self._socket.recv(1)
                assert byte, head
                head += byte
            assert head.startswith(b"HTTP/1.1 101"), head

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def log_in(self, login: Login, keep_alive: int = 0) -> None:
        """The CONNECT; its answer is read with the rest."""
        password = (login.password or "").encode()
        self.send(Connect(self.version, login.client_id, True, keep_alive, login.username, password))

    def send(self, *packets: Packet) -> None:
        self.send_bytes(b"".join(encode(packet, self.version) for packet in packets))

    def send_bytes(self, data: bytes) -> None:
        self._socket.sendall(Frame(Opcode.BINARY, data).serialize(mask=True) if self._websocket else data)

    def close(self, code: int) -> None:
        """Say Close on the WebSocket."""
        self._socket.sendall(Frame(Opcode.CLOSE, code.to_bytes(2)).serialize(mask=True))

    def reset(self) -> None:
        """End the connection with RST."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()

    def next(self) -> Packet | None:
        """The next packet that comes; None when the daemon has closed its side."""
        for data in self._arriving():
            for packet in self._decoder.feed(data):
                return packet
        return None

    def rest(self) -> list[Packet]:
        """All that comes until the daemon closes its side."""
        packets: list[Packet] = []
        for data in self._arriving():
            packets += self._decoder.feed(data)
        return packets

    def _arriving(self) -> Iterator[bytes]:
        yield b""
        while data := self._socket.recv(65_536):
            yield self._unframed(data) if self._websocket else data

    def _unframed(self, data: bytes) -> bytes:
        """What is in the binary frames that are complete. The daemon sends frames of less than 64 KB here."""
        self._frames += data
        payload = b""
        while len(self._frames) >= 4:
            start, size = 2, self._frames[1]
            if size == 126:
                start, size = 4, int.from_bytes(self._frames[2:4])
            if len(self._frames) < start + size:
                break
            inside = self._frames[start : start + size]
            if self._frames[0] & 0x0F == Opcode.CLOSE:
                self.close_code = int.from_bytes(inside[:2])
                self._socket.sendall(Frame(Opcode.CLOSE, inside).serialize(mask=True))  # [RFC 6455 5.5.1]
            else:
                payload += inside
            self._frames = self._frames[start + size :]
        return payload
