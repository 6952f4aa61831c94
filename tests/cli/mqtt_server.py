"""An MQTT server of a few bytes: it plays prepared packets, connection after connection, and remembers what it got."""

import contextlib
import socket
import threading
from types import TracebackType
from typing import NamedTuple, Self

CONNACK_V5 = bytes.fromhex("20 03 00 00 00")
CONNACK_V3 = bytes.fromhex("20 02 00 00")


class Packet(NamedTuple):
    kind: int
    """Control packet type, 1 to 14."""
    body: bytes


class MqttServer:
    """`plays` has one script a connection: the packets to send after the CONNECT, and after the SUBSCRIBE.

    A script that is a single item ends the connection after it.
    """

    def __init__(self) -> None:
        self.plays: list[tuple[bytes, ...]] = []
        self.packets: list[Packet] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve)

    @property
    def port(self) -> int:
        port: int = self._socket.getsockname()[1]
        return port

    def got(self, kind: int) -> list[bytes]:
        """The bodies of all packets of one type."""
        return [packet.body for packet in self.packets if packet.kind == kind]

    def finish(self) -> None:
        """Wait until every script is played and its connection closed."""
        self._thread.join(10)
        assert not self._thread.is_alive()

    def _serve(self) -> None:
        for script in self.plays:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection, contextlib.suppress(OSError, EOFError):
                connection.settimeout(5)
                self._play(connection, list(script))

    def _play(self, connection: socket.socket, script: list[bytes]) -> None:
        while True:
            packet = _read(connection)
            self.packets.append(packet)
            if packet.kind == 1:
                connection.sendall(script.pop(0))
            elif packet.kind == 8:
                version_5 = packet.body[2:3] == b"\0"
                suback = b"\x90" + (b"\4" + packet.body[:2] + b"\0\1" if version_5 else b"\3" + packet.body[:2] + b"\1")
                connection.sendall(suback + script.pop(0))
            if not script and packet.kind in {1, 14}:
                return

    def __enter__(self) -> Self:
        return self

    def start(self) -> None:
        self._thread.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        if self._thread.ident:
            self._thread.join()


def _read(connection: socket.socket) -> Packet:
    first = _exactly(connection, 1)[0]
    length = shift = 0
    while True:
        byte = _exactly(connection, 1)[0]
        length |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return Packet(first >> 4, _exactly(connection, length))


def _exactly(connection: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        part = connection.recv(count - len(data))
        if not part:
            raise EOFError
        data += part
    return data


def publish_v5(topic: str, payload: bytes, properties: bytes = b"", *, packet_id: int = 1, dup: bool = False) -> bytes:
    """A PUBLISH at QoS 1."""
    name = topic.encode()
    body = len(name).to_bytes(2, "big") + name + packet_id.to_bytes(2, "big")
    body += bytes([len(properties)]) + properties + payload
    assert len(body) < 16_384
    length = bytes([len(body)]) if len(body) < 128 else bytes([len(body) & 0x7F | 0x80, len(body) >> 7])
    return bytes([0x3A if dup else 0x32]) + length + body
