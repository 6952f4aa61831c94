"""Many connections at once: each says something, and everything it is told is collected."""

import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress

AT_ONCE = 200
WITHIN = 60.0


def answers(address: tuple[str, int], said: Sequence[bytes], *, leave: bool, at_once: int = AT_ONCE) -> list[bytes]:
    """What the server sends to each of them until it ends the connection. `leave`: the client ends its side first."""
    batches = (said[start : start + at_once] for start in range(0, len(said), at_once))
    return [answer for batch in batches for answer in _answers(address, batch, leave)]


def _answers(address: tuple[str, int], said: Sequence[bytes], leave: bool) -> Iterator[bytes]:
    with ExitStack() as closing:
        connections = [closing.enter_context(_said(address, data, leave)) for data in said]
        yield from [_until_ended(connection) for connection in connections]


def _said(address: tuple[str, int], data: bytes, leave: bool) -> socket.socket:
    connection = socket.create_connection(address, WITHIN)
    with suppress(BrokenPipeError, ConnectionResetError):  # it was refused after its first bytes
        connection.sendall(data)
        if leave:
            connection.shutdown(socket.SHUT_WR)
    return connection


def _until_ended(connection: socket.socket) -> bytes:
    received = bytearray()
    with suppress(ConnectionResetError):
        while data := connection.recv(65_536):
            received += data
    return bytes(received)
