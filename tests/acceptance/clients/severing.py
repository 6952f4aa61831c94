"""A network that breaks at a moment of the test's choice."""

import socket
import threading
from contextlib import ExitStack, suppress

from bridge.mqtt import Decoder, Packet, Side, Version


class Severing:
    """Passes everything on between clients and a server, until the server sends the first packet of a kind: that packet
    is lost, and the connection with it. Later connections stay."""

    def __init__(self, server: tuple[str, int], kind: type[Packet], version: Version) -> None:
        self._server = server
        self._kind = kind
        self._version = version
        self.severed = threading.Event()
        self._closing = ExitStack()
        self._listener = self._closing.enter_context(socket.create_server(("127.0.0.1", 0)))
        self.address: tuple[str, int] = self._listener.getsockname()
        self._threads: list[threading.Thread] = []
        self._start(self._accept)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._closing.close()
        for thread in self._threads:
            thread.join()

    def _start(self, run: object, *arguments: object) -> None:
        thread = threading.Thread(target=run, args=arguments)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._server)
                for end in (client, server):
                    self._closing.callback(end.close)
                    self._closing.callback(_shut, end)
                self._start(self._upwards, client, server)
                self._start(self._downwards, server, client)

    def _upwards(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while data := client.recv(65_536):
                server.sendall(data)
        _shut(server)

    def _downwards(self, server: socket.socket, client: socket.socket) -> None:
        decoder = Decoder(version=self._version, side=Side.CLIENT)
        with suppress(OSError):
            while data := server.recv(65_536):
                if not self.severed.is_set() and any(isinstance(packet, self._kind) for packet in decoder.feed(data)):
                    self.severed.set()
                    break
                client.sendall(data)
        _shut(client)
        _shut(server)


def _shut(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
