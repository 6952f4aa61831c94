"""What goes through all connections, counted for the `$SYS` topics."""

from dataclasses import dataclass

from bridge.broker.hub import Hub
from bridge.broker.link import Link
from bridge.broker.listeners import Listener
from bridge.mqtt import Packet, Publish

_PUBLISH = 0x30


@dataclass(slots=True)
class Traffic:
    bytes_received: int = 0
    bytes_sent: int = 0
    packets_received: int = 0
    packets_sent: int = 0
    publishes_received: int = 0
    publishes_sent: int = 0


class CountedLink(Link):
    """A class of its own, so that nothing is paid where nobody asks for the figures. What is written in one piece is
    one packet."""

    __slots__ = ("_traffic",)

    def __init__(self, hub: Hub, listener: Listener, traffic: Traffic) -> None:
        super().__init__(hub, listener)
        self._traffic = traffic

    def feed(self, data: bytes) -> None:
        self._traffic.bytes_received += len(data)
        super().feed(data)

    def received(self, packet: Packet) -> None:
        self._traffic.packets_received += 1
        if isinstance(packet, Publish):
            self._traffic.publishes_received += 1
        super().received(packet)

    def write(self, data: bytes) -> None:
        if not self.closing:
            self._traffic.bytes_sent += len(data)
            self._traffic.packets_sent += 1
            if data[0] & 0xF0 == _PUBLISH:
                self._traffic.publishes_sent += 1
        super().write(data)
