"""Clients that are thrown out while they send: they read why, over every transport, and nothing they send is heard."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from bridge.mqtt import Connack, Disconnect, Packet, Publish, Version
from tests.acceptance.account import Account
from tests.acceptance.daemon import FREE_PORT, Daemon
from tests.acceptance.device import Login
from tests.acceptance.pipe import Pipe, where
from tests.acceptance.waiting import PATIENCE
from tests.broker.certificates import Certificate, client_context

TIMES = 20
MUCH = 4_000_000
"""Bytes; more than the buffers of both sides hold."""


class Place:
    """A daemon with all its ways in."""

    def __init__(self, folder: Path) -> None:
        authority = Certificate.make(folder, "authority", authority=True)
        server = Certificate.make(folder, "server", authority)
        binds = {f"mqtt.{name}": FREE_PORT for name in ("tls_bind", "websocket_bind", "websocket_tls_bind")}
        files = {"mqtt.tls_certfile": server.path, "mqtt.tls_keyfile": server.key_path}
        self.daemon = Daemon(folder, {**binds, **files, "mqtt.max_failed_logins": 1000})
        self.context = client_context(authority)

    def open(self, name: str, version: Version = Version.V5) -> Pipe:
        context: ssl.SSLContext | None = self.context if name in {"mqtts", "wss"} else None
        connection = socket.create_connection(where(self.daemon, name), PATIENCE)
        return Pipe(connection, context, websocket=name in {"ws", "wss"}, version=version)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    made = Place(tmp_path_factory.mktemp("ways"))
    try:
        made.daemon.start()
        yield made
    finally:
        made.daemon.close()


WAYS = pytest.mark.parametrize("name", ["mqtt", "mqtts", "ws", "wss"])


@WAYS
def test_who_is_thrown_out_while_it_sends_reads_the_reason(place: Place, closing: ExitStack, name: str) -> None:
    """It takes an alias that was never set, and goes on sending without reading."""
    pump = Account(place.daemon, closing)
    watcher = Account(place.daemon, closing).connect_raw()
    watcher.subscribe(f"{name}/#", 0)
    for _ in range(TIMES):
        with place.open(name) as pipe:
            pipe.log_in(pump.login)
            pipe.send(Publish(f"{name}/before", b"!"))
            pipe.send(Publish("", b"", properties={"topic_alias": 5}))
            for _ in range(MUCH // 50_000):
                pipe.send(Publish(f"{name}/behind", bytes(50_000)))
            connack, disconnect = pipe.rest()
            assert isinstance(connack, Connack)
            assert isinstance(disconnect, Disconnect)
            assert disconnect.reason_code == 0x82
            assert pipe.close_code == (1000 if name in {"ws", "wss"} else None)
        assert watcher.next_message().topic == f"{name}/before"
    assert watcher.before_pong() == []


@WAYS
def test_who_is_not_let_in_reads_the_connack(place: Place, name: str) -> None:
    for _ in range(TIMES):
        with place.open(name) as pipe:
            pipe.log_in(Login("nobody", "wrong", f"late-{name}"))
            for _ in range(MUCH // 50_000):
                pipe.send(Publish("a", bytes(50_000)))
            (connack,) = pipe.rest()
            assert isinstance(connack, Connack)
            assert connack.reason_code == 0x86


@WAYS
def test_a_packet_that_is_too_large(place: Place, closing: ExitStack, name: str) -> None:
    """The daemon says so when it has read its first bytes."""
    pump = Account(place.daemon, closing)
    for _ in range(TIMES):
        with place.open(name) as pipe:
            pipe.log_in(pump.login)
            pipe.send_bytes(b"\x30\x80\x80\x80\x02")
            for _ in range(MUCH // 50_000):
                pipe.send_bytes(bytes(50_000))
            packets: list[Packet] = pipe.rest()
            assert isinstance(packets[-1], Disconnect)
            assert packets[-1].reason_code == 0x95
