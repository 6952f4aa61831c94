"""An MQTT client that does what a test says, packet by packet, and nothing by itself."""

import asyncio
from collections import deque
from typing import Self, TypeVar, cast

from bridge.model.device import Device
from bridge.mqtt import (
    Connack,
    Connect,
    Decoder,
    Disconnect,
    Packet,
    Pingreq,
    Pingresp,
    Properties,
    Puback,
    Pubcomp,
    Publish,
    Pubrec,
    Pubrel,
    Side,
    Suback,
    Subscribe,
    Subscription,
    Unsuback,
    Unsubscribe,
    Version,
    Will,
    encode,
)
from tests.broker.times import comes

P = TypeVar("P", bound=Packet)


class RawClient(asyncio.Protocol):
    """One connection. Every packet that comes has to be received by the test, in order."""

    def __init__(self, version: Version = Version.V5) -> None:
        self.version = version
        self._decoder = Decoder(version=version, side=Side.CLIENT)
        self._packets: deque[Packet | None] = deque()
        self._more = asyncio.Event()
        self._packet_id = 0
        self.transport: asyncio.Transport

    @classmethod
    async def open(cls, address: tuple[str, int], version: Version = Version.V5) -> Self:
        _, client = await asyncio.get_running_loop().create_connection(lambda: cls(version), *address)
        return client

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        for packet in self._decoder.feed(data):
            self._packets.append(packet)
        self._more.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self._packets.append(None)
        self._more.set()

    # what comes

    async def receive(self, kind: type[P]) -> P:
        """The next packet, which has to be of this kind."""
        packet = await self._next()
        assert isinstance(packet, kind), f"expected {kind.__name__}, got {packet}"
        return packet

    async def take(self) -> Publish:
        """The next packet, which has to be a message; acknowledged as its QoS asks for."""
        publish = await self.receive(Publish)
        await self.acknowledge(publish)
        return publish

    async def quiet(self) -> None:
        """The connection is there, and nothing comes before the answer to a PINGREQ."""
        self.send(Pingreq())
        await self.receive(Pingresp)

    async def before_pong(self) -> list[Packet]:
        """What comes before the answer to a PINGREQ, or together with it."""
        self.send(Pingreq())
        before: list[Packet] = []
        while not isinstance(packet := await self._next(), Pingresp):
            assert packet is not None, "the connection ended"
            before.append(packet)
        while self._packets:
            packet = self._packets.popleft()
            assert packet is not None, "the connection ended"
            before.append(packet)
        return before

    async def ended(self) -> int | None:
        """The server ends the connection and sends nothing but, perhaps, a DISCONNECT: its reason code."""
        packet = await self._next()
        if packet is None:
            return None
        assert isinstance(packet, Disconnect), f"expected the end, got {packet}"
        assert await self._next() is None
        return packet.reason_code

    async def _next(self) -> Packet | None:
        while not self._packets:
            self._more.clear()
            await comes(self._more)
        return self._packets.popleft()

    # what goes

    def send(self, *packets: Packet) -> None:
        self.send_bytes(b"".join(encode(packet, self.version) for packet in packets))

    def send_bytes(self, data: bytes) -> None:
        self.transport.write(data)

    def packet_id(self) -> int:
        self._packet_id += 1
        return self._packet_id

    async def connect(
        self,
        client_id: str = "",
        username: str | None = None,
        password: str | bytes | None = None,
        *,
        clean: bool = True,
        keep_alive: int = 0,
        will: Will | None = None,
        properties: Properties | None = None,
    ) -> Connack:
        if isinstance(password, str):
            password = password.encode()
        self.send(
            Connect(self.version, client_id, clean, keep_alive, username, password, will, properties or Properties())
        )
        return await self.receive(Connack)

    async def log_in(
        self,
        device: Device,
        client_id: str | None = None,
        *,
        clean: bool = True,
        keep_alive: int = 0,
        will: Will | None = None,
        properties: Properties | None = None,
    ) -> Connack:
        """Connect as the device, which has to be accepted."""
        connack = await self.connect(
            device.device_id if client_id is None else client_id,
            device.device_id,
            device.secret,
            clean=clean,
            keep_alive=keep_alive,
            will=will,
            properties=properties,
        )
        assert connack.reason_code == 0, f"refused with 0x{connack.reason_code:02x}"
        return connack

    async def subscribe(self, topic_filter: str, qos: int = 1, *, no_local: bool = False) -> int:
        """The code in the SUBACK."""
        packet_id = self.packet_id()
        self.send(Subscribe(packet_id, [Subscription(topic_filter, qos, no_local)]))
        suback = await self.receive(Suback)
        assert suback.packet_id == packet_id
        return suback.reason_codes[0]

    async def unsubscribe(self, *filters: str) -> list[int]:
        packet_id = self.packet_id()
        self.send(Unsubscribe(packet_id, list(filters)))
        unsuback = await self.receive(Unsuback)
        assert unsuback.packet_id == packet_id
        return unsuback.reason_codes

    def publish(
        self,
        topic: str,
        payload: bytes = b"",
        qos: int = 0,
        properties: Properties | None = None,
        *,
        retain: bool = False,
    ) -> int:
        """Returns the packet identifier."""
        packet_id = self.packet_id() if qos else 0
        self.send(Publish(topic, payload, qos, retain, packet_id=packet_id, properties=properties or Properties()))
        return packet_id

    async def acknowledge(self, publish: Publish) -> None:
        if publish.qos == 1:
            self.send(Puback(publish.packet_id))
        elif publish.qos == 2:
            self.send(Pubrec(publish.packet_id))
            await self._released(publish.packet_id)
            self.send(Pubcomp(publish.packet_id))

    async def _released(self, packet_id: int) -> None:
        """The PUBREL comes, perhaps behind other packets, which stay to be received."""
        before: list[Packet] = []
        while (packet := await self._next()) != Pubrel(packet_id):
            assert isinstance(packet, Publish | Pubrel), f"expected Pubrel, got {packet}"
            before.append(packet)
        self._packets.extendleft(reversed(before))

    async def disconnect(self, reason_code: int = 0, properties: Properties | None = None) -> None:
        """Say good-bye and wait until the server has closed the connection."""
        self.send(Disconnect(reason_code, properties or Properties()))
        assert await self.ended() is None

    def abort(self) -> None:
        """Gone without a word."""
        self.transport.abort()
