"""An MQTT client over WebSocket that does what a test says, frame by frame."""

import asyncio
import ssl
from typing import Self, cast

from websockets.client import ClientProtocol
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import State
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from bridge.mqtt import Version
from tests.broker.certificates import HOST
from tests.broker.client import RawClient
from tests.broker.times import comes


class WebSocketClient(RawClient):
    """`frames`: what came besides binary frames."""

    def __init__(
        self, version: Version = Version.V5, path: str = "/mqtt", subprotocols: tuple[str, ...] = ("mqtt",)
    ) -> None:
        super().__init__(version)
        self.protocol = ClientProtocol(
            parse_uri(f"ws://localhost{path}"),
            subprotocols=[cast("Subprotocol", name) for name in subprotocols] or None,
            extensions=[ClientPerMessageDeflateFactory()],
        )
        self.frames: list[Frame] = []
        self.response: Response | None = None
        self.obliging = True
        """Answers Close."""
        self.behind_close = b""
        """What came when there was nothing left to say."""
        self._shaken = asyncio.Event()

    @classmethod
    async def dial(
        cls,
        address: tuple[str, int],
        version: Version = Version.V5,
        *,
        path: str = "/mqtt",
        subprotocols: tuple[str, ...] = ("mqtt",),
        context: ssl.SSLContext | None = None,
    ) -> Self:
        """The handshake is over, and `response` is what the server said."""
        _, client = await asyncio.get_running_loop().create_connection(
            lambda: cls(version, path, subprotocols), *address, ssl=context, server_hostname=HOST if context else None
        )
        await comes(client._shaken)
        return client

    @property
    def accepted(self) -> bool:
        return self.protocol.handshake_exc is None and self.protocol.state is not State.CONNECTING

    @property
    def close_code(self) -> int | None:
        """What the server closed with."""
        return next((int.from_bytes(bytes(f.data[:2])) for f in self.frames if f.opcode is Opcode.CLOSE), None)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.protocol.send_request(self.protocol.connect())
        self._put_out()

    def data_received(self, data: bytes) -> None:
        if self.close_code is not None:
            self.behind_close += data
        self.protocol.receive_data(data)
        for event in self.protocol.events_received():
            if isinstance(event, Response):
                self.response = event
                self._shaken.set()
            elif isinstance(event, Frame) and event.opcode is Opcode.BINARY:
                super().data_received(bytes(event.data))
            elif isinstance(event, Frame):
                self.frames.append(event)
                self._more.set()
        if self.obliging or self.protocol.state is not State.CLOSING:
            self._put_out()

    def connection_lost(self, exc: Exception | None) -> None:
        self._shaken.set()
        super().connection_lost(exc)

    def send_bytes(self, data: bytes) -> None:
        self.send_frame(Opcode.BINARY, data)

    def send_frame(self, opcode: Opcode, data: bytes, *, fin: bool = True) -> None:
        self.transport.write(Frame(opcode, data, fin=fin).serialize(mask=True))

    def send_close(self) -> None:
        self.protocol.send_close(1000)
        self._put_out()

    def _put_out(self) -> None:
        self.transport.write(b"".join(self.protocol.data_to_send()))


async def ask(address: tuple[str, int], request: bytes) -> bytes:
    """Bytes that are sent as they are, and all that comes until the server closes."""
    reader, writer = await asyncio.open_connection(*address)
    try:
        writer.write(request)
        async with asyncio.timeout(10):
            return await reader.read()
    except ConnectionResetError:
        return b""
    finally:
        writer.close()
