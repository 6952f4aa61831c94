"""Whatever the broker refuses, and however a connection ends: one line in the log that says who, what and why."""

import itertools
import shlex
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from bridge.mqtt import (
    Connect,
    Disconnect,
    Packet,
    Publish,
    Pubrel,
    Subscribe,
    Subscription,
    Unsubscribe,
    Version,
    Will,
    encode,
)
from tests.acceptance.daemon import Daemon
from tests.acceptance.device import Login
from tests.acceptance.pipe import UPGRADE, Pipe, where
from tests.acceptance.waiting import PATIENCE, eventually
from tests.broker.certificates import HOST, Certificate, client_context

SECRET = "a-good-secret"
NAME = "pump-1"
LOGIN = Login(NAME, SECRET, NAME)
CONFIG = """
[mqtt]
websocket_bind = "127.0.0.1:0"
max_subscriptions = 3
deny_subscribe = ["denied/#"]
max_packet_size = 2048

[mqtt.listeners.field]
bind = "127.0.0.1:0"
tls_certfile = "{folder}/server.pem"
tls_keyfile = "{folder}/server.key"
tls_cafile = "{folder}/authority.pem"
client_certificates = "required"
"""
Line = dict[str, str]
_NUMBER = itertools.count(1)


class Place:
    """A daemon with a device, and what its log says."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.authority = Certificate.make(folder, "authority", authority=True)
        self.stranger = Certificate.make(folder, "stranger", authority=True)
        self.pump = Certificate.make(folder, "pump", self.authority)
        Certificate.make(folder, "server", self.authority)
        self.source = ("127.0.0.1", 0)
        """Where clients come from: one address has a bound of its own on lines a minute."""
        self.daemon = Daemon(folder, config=CONFIG.format(folder=folder))

    def start(self) -> None:
        self.daemon.start()
        with self.daemon.admin() as admin:
            admin.add_device("default", NAME, SECRET)

    def open(self, listener: str = "mqtt", version: Version = Version.V5) -> Pipe:
        return Pipe(self.dial(listener), websocket=listener == "ws", version=version)

    def dial(self, listener: str) -> socket.socket:
        return socket.create_connection(where(self.daemon, listener), PATIENCE, self.source)

    def says(self, listener: str, data: bytes) -> None:
        """Bytes that are no packets, and the end of them."""
        with self.dial(listener) as plain:
            plain.sendall(data)
            plain.shutdown(socket.SHUT_WR)
            with suppress(ConnectionResetError):
                while plain.recv(4096):
                    pass

    def leaves_a_mark(self) -> None:
        """A refusal behind everything that was done."""
        with self.dial("mqtt") as plain:
            plain.sendall(encode(hello(client_id="mark"), Version.V5))
            while plain.recv(4096):
                pass

    def shakes_hands(self, context: ssl.SSLContext) -> None:
        """With the listener that wants certificates."""
        with (
            suppress(ssl.SSLError, ConnectionResetError),
            self.dial("field") as plain,
            context.wrap_socket(plain, server_hostname=HOST) as secured,
        ):
            secured.recv(1)  # in TLS 1.3 a client learns later that it was refused

    def connects(self, connect: Connect) -> None:
        with self.open(version=connect.version) as pipe:
            pipe.send(connect)
            pipe.rest()

    def asks(self, *packets: Packet, version: Version = Version.V5) -> None:
        """As the device, which is answered and says good-bye."""
        with self.open(version=version) as pipe:
            pipe.log_in(LOGIN)
            pipe.send(*packets, Disconnect())
            pipe.rest()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    made = Place(tmp_path_factory.mktemp("lines"))
    try:
        made.start()
        yield made
    finally:
        made.daemon.close()


def lines(text: str) -> list[Line]:
    """The keys of each line about a refusal or the end of a connection."""
    found = [dict(part.split("=", 1) for part in shlex.split(line)) for line in text.splitlines()]
    ours = [line for line in found if line["logger"].startswith("bridge.broker")]
    return [line for line in ours if line["level"] != "info" or line["msg"] == "client disconnected"]


GOOD_BYE = {"msg": "client disconnected", "code": "0x00"}


def said(place: Place, do: Callable[[Place], None]) -> Line:
    """The one line that the log has more, besides good-byes. What comes behind it would be seen by the next case."""
    before = len(place.daemon.log)
    place.source = (f"127.0.1.{next(_NUMBER)}", 0)

    def told() -> list[Line]:
        new = lines(place.daemon.log[before:])
        return [line for line in new if {"msg": line["msg"], "code": line.get("code")} != GOOD_BYE]

    do(place)
    eventually(told)
    place.leaves_a_mark()
    eventually(lambda: len(told()) > 1)
    (line, mark) = told()
    assert mark["client"] == "mark"
    assert line["peer"].startswith(f"{place.source[0]}:")
    return line


def hello(version: Version = Version.V5, client_id: str = NAME, **fields: object) -> Connect:
    return Connect(version, client_id, **fields)  # type: ignore[arg-type]


def wrong(version: Version) -> Connect:
    return hello(version, username=NAME, password=b"wrong")


def many(count: int) -> Subscribe:
    return Subscribe(1, [Subscription(f"$oc/devices/other-{number}/#") for number in range(count)])


def publish(qos: int = 0, topic: str = "$oc/devices/other/up", payload: bytes = b"", **properties: int) -> Publish:
    return Publish(topic, payload, qos, packet_id=7 if qos else 0, properties=properties)  # type: ignore[arg-type]


REFUSED = {"msg": "connection refused", "listener": "mqtt", "client": NAME}

CONNECTS: dict[str, tuple[Connect, Line]] = {
    "wrong password": (wrong(Version.V5), {"user": NAME, "reason": "wrong password", "code": "0x86"}),
    "wrong password, 3.1.1": (wrong(Version.V311), {"user": NAME, "reason": "wrong password", "code": "0x86"}),
    "wrong password, 3.1": (wrong(Version.V31), {"user": NAME, "reason": "wrong password", "code": "0x86"}),
    "unknown user": (
        hello(username='no "body"', password=b"x"),
        {"user": 'no "body"', "reason": "unknown user", "code": "0x86"},
    ),
    "no credentials": (hello(), {"user": "-", "reason": "no credentials", "code": "0x87"}),
    "a method": (
        hello(properties={"authentication_method": "SCRAM"}),
        {"reason": "unknown authentication method 'SCRAM'", "code": "0x8c"},
    ),
    "a will": (
        hello(username=NAME, password=SECRET.encode(), will=Will("$oc/devices/other/up", b"")),
        {"user": NAME, "reason": "the will's topic is not open to this client", "code": "0x87"},
    ),
    "no identifier": (hello(Version.V311, "", clean_start=False), {"client": "", "code": "0x85"}),
    "a CONNACK that does not fit": (
        hello(username=NAME, password=SECRET.encode(), properties={"maximum_packet_size": 10}),
        {"msg": "client disconnected", "reason": "CONNACK of 19 bytes is larger than the client takes", "code": "0x95"},
    ),
}


@pytest.mark.parametrize("case", CONNECTS)
def test_connack(place: Place, case: str) -> None:
    connect, expected = CONNECTS[case]
    line = said(place, lambda place: place.connects(connect))
    assert {**line, **REFUSED, **expected} == line


ANSWERS: dict[str, tuple[Packet, Line]] = {
    "not open": (
        Subscribe(1, [Subscription("$oc/devices/other/#"), Subscription("open")]),
        {"msg": "subscribe refused", "code": "0x87", "reason": "$oc/devices/other/#: not authorized", "count": "1"},
    ),
    "denied": (
        Subscribe(1, [Subscription("denied/x")]),
        {"msg": "subscribe refused", "code": "0x87", "reason": "denied/x: not authorized", "count": "1"},
    ),
    "too many": (
        Subscribe(1, [Subscription(name) for name in "abcde"]),
        {
            "msg": "subscribe refused",
            "code": "0x97",
            "reason": "d: quota exceeded, as many topic filters as this client may have, "
            "e: quota exceeded, as many topic filters as this client may have",
            "count": "2",
        },
    ),
    "too deep": (
        Subscribe(1, [Subscription("/" * 201)]),
        {
            "msg": "subscribe refused",
            "code": "0x8f",
            "reason": "/" * 100 + "…: topic filter invalid, more than 200 slashes",
        },
    ),
    "very many": (
        many(60),
        {
            "msg": "subscribe refused",
            "reason": ", ".join(f"$oc/devices/other-{number}/#: not authorized" for number in range(3))
            + ", and 57 more",
            "count": "60",
        },
    ),
    "publish at QoS 0": (
        publish(),
        {"msg": "publish refused", "code": "0x87", "topic": "$oc/devices/other/up", "qos": "0"},
    ),
    "publish at QoS 1": (publish(1), {"msg": "publish refused", "code": "0x87", "qos": "1"}),
    "publish at QoS 2": (publish(2), {"msg": "publish refused", "code": "0x87", "qos": "2"}),
}


@pytest.mark.parametrize("version", [Version.V311, Version.V5])
@pytest.mark.parametrize("case", ANSWERS)
def test_acknowledgements(place: Place, case: str, version: Version) -> None:
    packet, expected = ANSWERS[case]
    line = said(place, lambda place: place.asks(packet, version=version))
    assert {**line, **expected, "client": NAME, "user": NAME, "listener": "mqtt"} == line


ONLY_5: dict[str, tuple[tuple[Packet, ...], Line]] = {
    "payload format": (
        (publish(1, "a", b"\xff", payload_format_indicator=1),),
        {"msg": "publish refused", "code": "0x99", "topic": "a"},
    ),
    "identifier in use, PUBLISH": (
        (publish(2, "a"), publish(1, "b")),
        {"msg": "publish refused", "code": "0x91", "topic": "b"},
    ),
    "identifier in use, SUBSCRIBE": (
        (publish(2, "a"), Subscribe(7, [Subscription("a")])),
        {"msg": "subscribe refused", "code": "0x91", "reason": "a: packet identifier in use"},
    ),
    "identifier in use, UNSUBSCRIBE": (
        (publish(2, "a"), Unsubscribe(7, ["a", "b"])),
        {"msg": "unsubscribe refused", "code": "0x91", "count": "2"},
    ),
    "nothing to release": ((Pubrel(9),), {"msg": "release refused", "code": "0x92"}),
}


@pytest.mark.parametrize("case", ONLY_5)
def test_acknowledgements_of_mqtt_5(place: Place, case: str) -> None:
    packets, expected = ONLY_5[case]
    line = said(place, lambda place: place.asks(*packets))
    assert {**line, **expected, "client": NAME} == line


# Ends


def leaves(*packets: Packet) -> Callable[[Place], None]:
    """Says this, and closes when it is told to."""

    def do(place: Place) -> None:
        with place.open() as pipe:
            pipe.log_in(LOGIN, keep_alive=1)
            pipe.next()
            pipe.send(*packets)
            pipe.rest()

    return do


def closes(place: Place) -> None:
    with place.open() as pipe:
        pipe.log_in(LOGIN)
        pipe.next()


def resets(place: Place) -> None:
    pipe = place.open()
    pipe.log_in(LOGIN)
    pipe.next()
    pipe.reset()


def closes_its_websocket(place: Place) -> None:
    with place.open("ws") as pipe:
        pipe.log_in(LOGIN)
        pipe.next()
        pipe.close(1001)
        pipe.rest()


def is_followed(place: Place) -> None:
    with place.open() as pipe, place.open() as other:
        pipe.log_in(LOGIN)
        pipe.next()
        other.log_in(LOGIN)
        other.next()
        pipe.rest()
        other.send(Disconnect())
        other.rest()


def breaks_its_tls(place: Place) -> None:
    """A record that nobody has encrypted."""
    with place.dial("field") as plain:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = client_context(place.authority, place.pump).wrap_bio(incoming, outgoing, server_hostname=HOST)
        connect = hello(username=NAME, password=SECRET.encode())
        for step in (tls.do_handshake, lambda: tls.write(encode(connect, Version.V5)), lambda: tls.read(4)):
            while True:
                try:
                    step()
                except ssl.SSLWantReadError:
                    plain.sendall(outgoing.read())
                    incoming.write(plain.recv(65_536))
                else:
                    break
            plain.sendall(outgoing.read())
        plain.sendall(b"\x17\x03\x03\x00\x20" + bytes(32))
        with suppress(ConnectionResetError):
            while plain.recv(4096):
                pass


ENDS: dict[str, tuple[Callable[[Place], None], Line]] = {
    "with its will": (leaves(Disconnect(0x04)), {"reason": "DISCONNECT of the client", "code": "0x04"}),
    "with an error": (leaves(Disconnect(0x83)), {"reason": "DISCONNECT of the client", "code": "0x83"}),
    "silence": (leaves(), {"reason": "keep-alive expired", "code": "0x8d", "level": "info"}),
    "a second CONNECT": (
        leaves(hello()),
        {"reason": "CONNECT not allowed now", "code": "0x82", "clause": "MQTT-3.1.0-2", "level": "warning"},
    ),
    "a large packet": (leaves(publish(0, "a", bytes(5000))), {"code": "0x95", "level": "warning", "user": NAME}),
    "closed": (closes, {"reason": "closed by the client without DISCONNECT"}),
    "reset": (resets, {"reason": "connection reset by the client"}),
    "taken over": (is_followed, {"reason": "taken over by a new connection", "code": "0x8e", "level": "info"}),
    "WebSocket closed": (closes_its_websocket, {"reason": "WebSocket closed by the client (1001)"}),
    "TLS broken": (breaks_its_tls, {"reason": "TLS error: decryption failed or bad record mac"}),
}


@pytest.mark.parametrize("case", ENDS)
def test_client_disconnected(place: Place, case: str) -> None:
    do, expected = ENDS[case]
    line = said(place, do)
    assert (line["msg"], line["client"]) == ("client disconnected", NAME)
    assert {**line, **expected} == line


# Ways that lead nowhere

CONNECT = encode(hello(), Version.V5)
CLIENT_HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
OLD_HELLO = b"\x16\x03\x01\x00\x2d\x01\x00\x00\x29\x03\x01" + bytes(32) + b"\x00\x00\x02\x00\x2f\x01\x00"
"""Of TLS 1.0, with one cipher."""
GET = b"GET /mqtt HTTP/1.1\r\nHost: x\r\n\r\n"


def without_trust(place: Place) -> None:
    place.shakes_hands(client_context(place.stranger, place.pump))


FAILED = {"msg": "TLS handshake failed", "listener": "field"}
PLAIN = {"msg": "connection refused", "listener": "mqtt"}
WEB = {"msg": "WebSocket refused", "listener": "ws"}
WAYS: dict[str, tuple[Callable[[Place], None], Line]] = {
    "no certificate": (
        lambda place: place.shakes_hands(client_context(place.authority)),
        {**FAILED, "reason": "the client showed no certificate"},
    ),
    "of another authority": (
        lambda place: place.shakes_hands(client_context(place.authority, place.stranger)),
        {**FAILED, "reason": "the client's certificate is not accepted: self-signed certificate"},
    ),
    "a client that trusts another authority": (
        without_trust,
        {**FAILED, "reason": "the client does not trust the authority of this server's certificate"},
    ),
    "an old version": (
        lambda place: place.says("field", OLD_HELLO),
        {**FAILED, "reason": "the client offers no version of TLS that is accepted here"},
    ),
    "MQTT on a TLS port": (
        lambda place: place.says("field", CONNECT),
        {**FAILED, "reason": "MQTT without TLS on a port for TLS"},
    ),
    "HTTP on a TLS port": (
        lambda place: place.says("field", GET),
        {**FAILED, "reason": "HTTP without TLS on a port for TLS"},
    ),
    "half a handshake": (
        lambda place: place.says("field", CLIENT_HELLO),
        {**FAILED, "reason": "closed by the client in the middle of it"},
    ),
    "TLS on a plain port": (
        lambda place: place.says("mqtt", CLIENT_HELLO),
        {**PLAIN, "reason": "TLS on a port without it"},
    ),
    "HTTP on a plain port": (
        lambda place: place.says("mqtt", GET),
        {**PLAIN, "reason": "HTTP on a port for MQTT; WebSocket has ports of its own"},
    ),
    "TLS on a WebSocket port": (
        lambda place: place.says("ws", CLIENT_HELLO),
        {**WEB, "reason": "TLS on a port without it"},
    ),
    "MQTT on a WebSocket port": (
        lambda place: place.says("ws", CONNECT),
        {**WEB, "reason": "MQTT without WebSocket on a port for WebSocket"},
    ),
    "no upgrade": (
        lambda place: place.says("ws", GET),
        {**WEB, "reason": "426: missing Connection header"},
    ),
    "another path": (
        lambda place: place.says("ws", UPGRADE.replace(b"/mqtt", b"/chat")),
        {**WEB, "reason": "404: no MQTT at /chat"},
    ),
    "another subprotocol": (
        lambda place: place.says("ws", UPGRADE.replace(b"Protocol: mqtt", b"Protocol: chat")),
        {**WEB, "reason": "400: invalid subprotocol; expected one of mqtt, mqttv3.1"},
    ),
}


@pytest.mark.parametrize("case", WAYS)
def test_ways_that_lead_nowhere(place: Place, case: str) -> None:
    do, expected = WAYS[case]
    line = said(place, do)
    assert {**line, "client": "-", **expected} == line


def test_the_daemon_stops(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.start()
    try:
        with place.open() as pipe:
            pipe.log_in(LOGIN)
            pipe.next()
            place.daemon.stop()
        (line,) = lines(place.daemon.log)
        assert (line["msg"], line["client"]) == ("client disconnected", NAME)
        assert (line["reason"], line["code"]) == ("the daemon stops", "0x8b")
    finally:
        place.daemon.close()
