"""A client that does what a test says, packet by packet, and nothing by itself."""

import select
import socket
from collections import deque
from contextlib import suppress
from typing import Any, Self, TypeVar

from bridge.mqtt import (
    Connack,
    Connect,
    Decoder,
    Disconnect,
    Packet,
    Pingreq,
    Pingresp,
    Publish,
    Side,
    Suback,
    Subscribe,
    Subscription,
    Version,
    encode,
)
from tests.acceptance.device import Login
from tests.acceptance.waiting import PATIENCE, parts

P = TypeVar("P", bound=Packet)


class RawDevice:
    """One connection. Acknowledges nothing and answers nothing."""

    def __init__(self, address: tuple[str, int], login: Login, version: Version = Version.V5) -> None:
        self._login = login
        self.version = version
        self._socket = socket.create_connection(address, PATIENCE)
        self._decoder = Decoder(version=version, side=Side.CLIENT)
        self._packets: deque[Packet] = deque()
        self._ended = False

    def connect(self, **fields: Any) -> Self:
        """With `fields` of the CONNECT."""
        connack = self.try_connect(**fields)
        assert connack.reason_code == 0, f"refused with {connack.reason_code:#x}"
        return self

    def try_connect(self, **fields: Any) -> Connack:
        login = self._login
        password = None if login.password is None else login.password.encode()
        self.send(Connect(self.version, login.client_id, username=login.username, password=password, **fields))
        return self.expect(Connack)

    def subscribe(self, topic_filter: str, qos: int = 1) -> int:
        self.ask_to_subscribe(topic_filter, qos)
        return self.expect(Suback).reason_codes[0]

    def ask_to_subscribe(self, topic_filter: str, qos: int) -> None:
        self.send(Subscribe(1, [Subscription(topic_filter, qos)]))

    def send(self, *packets: Packet) -> None:
        self.send_bytes(b"".join(encode(packet, self.version) for packet in packets))

    def send_bytes(self, data: bytes) -> None:
        self._socket.sendall(data)

    def receive(self, within: float = PATIENCE) -> Packet | None:
        """The next packet; None when the server has ended the connection."""
        remaining = parts(within)
        while not self._packets and not self._ended:
            assert any(self.hears_within(part) for part in remaining), f"nothing received within {within:g} s"
            self._read()
        return self._packets.popleft() if self._packets else None

    def expect(self, kind: type[P], within: float = PATIENCE) -> P:
        """The next packet, which has to be of this kind."""
        packet = self.receive(within)
        assert isinstance(packet, kind), f"expected {kind.__name__}, got {packet}"
        return packet

    def next_message(self) -> Publish:
        return self.expect(Publish)

    def ended(self, within: float = PATIENCE) -> None:
        """The server ends the connection, and says nothing more."""
        packet = self.receive(within)
        assert packet is None, f"expected the end, got {packet}"

    def ended_with(self, within: float = PATIENCE) -> int | None:
        """The reason code with which the server ends the connection; None where the version has none."""
        reason = self.expect(Disconnect, within).reason_code if self.version is Version.V5 else None
        self.ended(within)
        return reason

    def until_ended(self) -> list[Packet]:
        """Leave, and take what the server has sent before it noticed, or before it ended the connection itself."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)
        packets: list[Packet] = []
        while (packet := self.receive()) is not None:
            packets.append(packet)
        return packets

    def before_pong(self) -> list[Packet]:
        """What the server had already sent, or sends, before it answers a PINGREQ."""
        self.send(Pingreq())
        before: list[Packet] = []
        while not isinstance(packet := self.receive(), Pingresp):
            assert packet is not None, "the connection ended"
            before.append(packet)
        return before

    def quiet_for(self, seconds: float) -> None:
        """Nothing comes in this time, and the connection stays."""
        assert not self._packets, f"unexpected {self._packets}"
        assert not self.hears_within(seconds), f"unexpected {self.receive()}"

    @property
    def waiting(self) -> bool:
        """Whether `receive` returns at once."""
        return bool(self._packets) or self._ended

    def close(self) -> None:
        """Gone without a DISCONNECT."""
        self._socket.close()

    def hears_within(self, seconds: float) -> bool:
        """Whether something comes, the end included."""
        return bool(select.select([self._socket], [], [], seconds)[0])

    def _read(self) -> None:
        try:
            data = self._socket.recv(65_536)
        except ConnectionResetError:
            data = b""
        self._ended = not data
        self._packets.extend(self._decoder.feed(data))
