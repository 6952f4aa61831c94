"""Many connections at once: each says something, and everything it is told is collected."""

import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress

AT_ONCE = 200
WITHIN = 20.0


def answers(address: tuple[str, int], said: Sequence[bytes], *, leave: bool, at_once: int = AT_ONCE) -> list[bytes]:
    """What the server sends to each of them until it ends the connection. `leave`: the client ends its side first."""
    return [
        answer
        for start in range(0, len(said), at_once)
        for answer in _batch(address, said[start : start + at_once], leave)
    ]


def _batch(address: tuple[str, int], said: Sequence[bytes], leave: bool) -> Iterator[bytes]:
    with ExitStack() as closing:
        connections = [closing.enter_context(socket.create_connection(address, WITHIN)) for _ in said]
        for connection, data in zip(connections, said, strict=True):
            with suppress(BrokenPipeError, ConnectionResetError):  # it was refused after its first bytes
                connection.sendall(data)
                if leave:
                    connection.shutdown(socket.SHUT_WR)
        yield from [_until_ended(connection) for connection in connections]


def _until_ended(connection: socket.socket) -> bytes:
    received = bytearray()
    with suppress(ConnectionResetError):
        while data := connection.recv(65_536):
            received += data
    return bytes(received)
