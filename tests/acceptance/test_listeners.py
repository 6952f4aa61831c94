"""The daemon with all its listeners: real clients through each, and certificates that are renewed while they talk."""

import json
import os
import queue
import shutil
import signal
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from tests.acceptance.account import SECRET, Account
from tests.acceptance.conftest import NewDaemon
from tests.acceptance.daemon import Daemon
from tests.acceptance.waiting import eventually
from tests.broker.certificates import HOST, Certificate

WITHIN = 60.0
VERSIONS = [MQTTProtocolVersion.MQTTv31, MQTTProtocolVersion.MQTTv311, MQTTProtocolVersion.MQTTv5]
CONFIG = """
[mqtt]
websocket_bind = "127.0.0.1:0"
websocket_tls_bind = "127.0.0.1:0"
tls_certfile = "{folder}/server.pem"
tls_keyfile = "{folder}/server.key"

[mqtt.listeners.field]
bind = "127.0.0.1:0"
tls_certfile = "{folder}/server.pem"
tls_keyfile = "{folder}/server.key"
tls_cafile = "{folder}/authority.pem"
client_certificates = "required"
"""


class Stock:
    """paho-mqtt as it comes, at one of the daemon's listeners."""

    def __init__(
        self,
        name: str,
        address: tuple[str, int],
        version: MQTTProtocolVersion = MQTTProtocolVersion.MQTTv5,
        transport: Literal["tcp", "websockets"] = "websockets",
        context: ssl.SSLContext | None = None,
    ) -> None:
        self.heard: queue.Queue[bytes] = queue.Queue()
        self.events: queue.Queue[str] = queue.Queue()
        self._client = paho.Client(CallbackAPIVersion.VERSION2, name, protocol=version, transport=transport)
        self._client.username_pw_set(name, SECRET)
        if context is not None:
            self._client.tls_set_context(context)
        self._client.on_connect = lambda *_: self.events.put("connected")
        self._client.on_subscribe = lambda *_: self.events.put("subscribed")
        self._client.on_disconnect = lambda *_: self.events.put("disconnected")
        self._client.on_message = lambda _client, _data, message: self.heard.put(bytes(message.payload))
        self._client.connect(*address)
        self._client.loop_start()
        assert self.events.get(timeout=WITHIN) == "connected"

    def subscribe(self, topic: str) -> None:
        self._client.subscribe(topic, 1)
        assert self.events.get(timeout=WITHIN) == "subscribed"

    def publish(self, topic: str, payload: bytes) -> None:
        self._client.publish(topic, payload, 1).wait_for_publish(WITHIN)

    def leave(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


Open = Callable[..., Stock]


@pytest.fixture
def open_stock() -> Iterator[Open]:
    with ExitStack() as leaving:

        def open_client(*args: Any, **options: Any) -> Stock:
            client = Stock(*args, **options)
            leaving.callback(client.leave)
            return client

        yield open_client


@pytest.fixture
def papers(tmp_path: Path) -> Certificate:
    authority = Certificate.make(tmp_path, "authority", authority=True)
    Certificate.make(tmp_path, "server", authority)
    return authority


def where(daemon: Daemon, name: str) -> tuple[str, int]:
    addresses = json.loads((daemon.data_dir / "addresses.json").read_text(encoding="utf-8"))
    host, _, port = addresses[name].rpartition(":")
    return ("localhost" if name == "wss" else host), int(port)


def trusting(authority: Certificate, shown: Certificate | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(authority.path))
    context.check_hostname = False
    if shown is not None:
        context.load_cert_chain(shown.path, shown.key_path)
    return context


def certificate_at(address: tuple[str, int], authority: Certificate, shown: Certificate | None = None) -> bytes:
    context = trusting(authority, shown)
    with socket.create_connection(address) as plain, context.wrap_socket(plain, server_hostname=HOST) as secured:
        return secured.getpeercert(binary_form=True) or b""


@pytest.mark.parametrize("version", VERSIONS)
def test_paho_over_websocket(
    new_daemon: NewDaemon, closing: Any, open_stock: Open, version: MQTTProtocolVersion
) -> None:
    """It hears what applications send and what others publish, in packets larger than a frame's short form."""
    pump = Account(new_daemon({"mqtt.websocket_bind": "127.0.0.1:0"}), closing)
    client = open_stock(pump.id, where(pump.daemon, "ws"), version)
    sent = pump.send("hello", payload_format="raw")
    assert client.heard.get(timeout=WITHIN) == b"hello"
    assert pump.final(sent)["status"] == "DELIVERED"
    client.subscribe("plant/#")
    client.publish("plant/1", b"x" * 200_000)
    assert client.heard.get(timeout=WITHIN) == b"x" * 200_000


def test_certificates_are_renewed(
    tmp_path: Path, new_daemon: NewDaemon, closing: Any, open_stock: Open, papers: Certificate
) -> None:
    """SIGHUP: new connections see the new certificate, and those that are there go on. A bad file changes nothing."""
    daemon = new_daemon(config=CONFIG.format(folder=tmp_path), expected=("certificate not reloaded",))
    pump = Account(daemon, closing)
    shown = Certificate.make(tmp_path, "shown", papers)
    address, field = where(daemon, "wss"), where(daemon, "field")
    eventually(lambda: f'listeners="field={field[0]}:{field[1]}"' in daemon.log)
    assert lets_in(address, papers)
    assert not lets_in(field, papers)
    before = certificate_at(address, papers)
    client = open_stock(pump.id, address, context=trusting(papers))
    client.subscribe("plant/#")

    renewed = Certificate.make(tmp_path, "renewed", papers)
    shutil.copy(renewed.path, tmp_path / "server.pem")
    shutil.copy(renewed.key_path, tmp_path / "server.key")
    reload(daemon, 'msg="certificate reloaded" listener=field')
    after = certificate_at(address, papers)
    assert after == certificate_at(field, papers, shown) != before

    (tmp_path / "server.pem").write_bytes(b"")
    reload(daemon, "certificate not reloaded")
    assert f"file={tmp_path}/server.pem" in daemon.log
    assert certificate_at(address, papers) == after
    client.publish("plant/1", b"still here")
    assert client.heard.get(timeout=WITHIN) == b"still here"
    assert client.events.empty()


def lets_in(address: tuple[str, int], authority: Certificate) -> bool:
    """Whether the handshake succeeds without a certificate; in TLS 1.3 the client learns it when it reads."""
    context = trusting(authority)
    try:
        with (
            socket.create_connection(address) as plain,
            context.wrap_socket(plain, server_hostname=HOST) as secured,
        ):
            secured.settimeout(1)
            return bool(secured.recv(1))
    except TimeoutError:  # the server waits for a CONNECT
        return True
    except (ssl.SSLError, ConnectionError):
        return False


def reload(daemon: Daemon, said: str) -> None:
    os.kill(daemon.pid, signal.SIGHUP)
    eventually(lambda: said in daemon.log)
