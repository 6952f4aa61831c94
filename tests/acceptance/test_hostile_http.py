"""What a broken or hostile client says on the HTTP port harms nobody but itself."""

import itertools
import json
import random
import socket
import time
from collections.abc import Iterator

import pytest

from bridge.mqtt import Connect, Version, encode
from tests.acceptance.account import SECRET
from tests.acceptance.daemon import Daemon
from tests.acceptance.device import Device, Login
from tests.acceptance.hasty_daemon import BODY_WAIT, HEAD_WAIT
from tests.acceptance.storm import answers
from tests.acceptance.waiting import PATIENCE

MEBIBYTE = 1_048_576
PATH = "/v5/iot/default/devices/honest/messages"
LATE = 2.0
LEAK = 512 * 1024
"""Bytes: half a kilobyte for each request of a round. What leaks does so in every round, an allocator now and then."""


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    program = ("-m", "tests.acceptance.hasty_daemon")
    own = Daemon(tmp_path_factory.mktemp("target"), {"delivery.ack_wait": 0.1}, program=program)
    try:
        own.start()
        with own.admin() as admin:
            admin.add_device("default", "honest", SECRET)
        yield own
    finally:
        own.close()


@pytest.fixture(autouse=True)
def _well_afterwards(target: Daemon) -> Iterator[None]:
    """Whatever a test does: the next message to a device arrives, and it is the only one."""
    yield
    device = Device(target.mqtt, Login("honest", SECRET, "honest")).connect()
    try:
        with target.api() as api:
            assert api.post("honest", "still there", payload_format="raw").status == 201
        assert device.next().payload == b"still there"
    finally:
        device.close()


def _request(target: Daemon, body: bytes = b'{"message": "x"}', *fields: str, length: int | None = None) -> bytes:
    head = [
        f"POST {PATH} HTTP/1.1",
        "Host: x",
        f"X-Auth-Token: {target.token}",
        "Content-Type: application/json",
        f"Content-Length: {len(body) if length is None else length}",
        *fields,
    ]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


def _said(target: Daemon, data: bytes, *, leave: bool = False) -> bytes:
    """What the server answers until it ends the connection."""
    (answer,) = answers(target.http, [data], leave=leave)
    return answer


def _status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def _error(answer: bytes) -> str:
    return str(json.loads(answer.partition(b"\r\n\r\n")[2])["error_code"])


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\nX: " + b"x" * 70_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"X: x\r\n" * 20_000 + b"\r\n",
        b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: " + b"x" * 300_000,
        b"G" * 300_000,
    ],
    ids=["a-long-field", "many-fields", "a-long-path", "a-field-without-end", "a-method-without-end"],
)
def test_a_head_that_is_too_large_is_refused(target: Daemon, head: bytes) -> None:
    assert _status(_said(target, head)) in (400, 431)


def test_heads_that_never_end_are_not_waited_for(target: Daemon) -> None:
    start = time.monotonic()
    nothing, line, fields = answers(target.http, [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: x\r\n"], leave=False)
    assert HEAD_WAIT * 0.9 <= time.monotonic() - start <= HEAD_WAIT + LATE
    assert (nothing, _status(line), _status(fields)) == (b"", 408, 408)


def test_a_head_that_comes_byte_by_byte_is_not_waited_for_either(target: Daemon) -> None:
    start = time.monotonic()
    with socket.create_connection(target.http, PATIENCE) as connection:
        connection.settimeout(0.1)
        answer = _dripping(connection, b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 1000)
    assert _status(answer) == 408
    assert time.monotonic() - start <= HEAD_WAIT + LATE


def _dripping(connection: socket.socket, data: bytes) -> bytes:
    """One byte at each look for an answer, until there is one."""
    for byte in data:
        try:
            connection.sendall(bytes([byte]))
            return connection.recv(65_536)
        except TimeoutError:
            continue
    raise AssertionError("no answer")


def test_a_body_that_never_ends_is_not_waited_for(target: Daemon) -> None:
    start = time.monotonic()
    answer = _said(target, _request(target, b'{"message": ', length=1000))
    assert BODY_WAIT * 0.9 <= time.monotonic() - start <= BODY_WAIT + LATE
    assert _status(answer) == 408


@pytest.mark.parametrize("chunked", [False, True], ids=["with-length", "chunked"])
def test_a_body_of_a_byte_more_than_a_mebibyte_is_refused(target: Daemon, chunked: bool) -> None:
    body = b'{"message": "' + b"x" * (MEBIBYTE - 14) + b'"}'
    assert len(body) == MEBIBYTE + 1
    if chunked:
        request = _request(target, b"").replace(
            b"Content-Length: 0", b"Transfer-Encoding: chunked\r\nConnection: close"
        )
        request += b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    else:
        request = _request(target, body, "Connection: close")
    answer = _said(target, request)
    assert (_status(answer), _error(answer)) == (400, "IOTDA.000006")


def test_a_body_that_says_it_is_huge_is_refused_at_once(target: Daemon) -> None:
    answer = _said(target, _request(target, b"{", length=10**15))
    assert (_status(answer), _error(answer)) == (400, "IOTDA.000006")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b'{"message": "x"',
        b'{"message": "\xff"}',
        b'\xef\xbb\xbf{"message": "x"}',
        b'{"message": NaN}',
        b'{"message": "x"} x',
        b'{"message": ' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"}",
        b"[" * 500_000,
    ],
    ids=["empty", "open", "null", "cut", "utf8", "bom", "nan", "behind", "deep", "brackets"],
)
def test_a_body_that_is_no_json_object_is_refused(target: Daemon, body: bytes) -> None:
    answer = _said(target, _request(target, body, "Connection: close"))
    assert (_status(answer), _error(answer)) == (400, "IOTDA.000008")


def test_an_offer_to_speak_another_protocol_is_ignored(target: Daemon) -> None:
    """Some stock clients send it with every request."""
    offer = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAEAAEAAAAIAAAAB")
    said = _request(target, b'{"message": "upgrade", "ttl": 0}', *offer) + b"GET /healthz HTTP/1.0\r\n\r\n"
    answer = _said(target, said)
    assert _status(answer) == 201


def test_a_client_that_leaves_inside_its_body_stores_nothing(target: Daemon) -> None:
    answers(target.http, [_request(target, b'{"message": "x"}', length=17)] * 50, leave=True)


@pytest.mark.parametrize(
    "said",
    [
        b"\r\n\r\n",
        b"GET\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 200,
        encode(Connect(Version.V5, "lost"), Version.V5) + b"\xc0\x00" * 20,
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET / HTTP/1.1\r\nX\x00: y\r\n\r\n",
    ],
    ids=["lines", "method", "tls", "mqtt", "version", "negative", "two-lengths", "chunk", "nul"],
)
def test_what_is_not_http_is_refused(target: Daemon, said: bytes) -> None:
    answer = _said(target, said, leave=True)
    assert answer == b"" or _status(answer) in (400, 404, 505)


def test_requests_on_the_mqtt_port_get_no_answer(target: Daemon) -> None:
    (answer,) = answers(target.mqtt, [b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"], leave=False)
    assert answer == b""


def test_requests_one_behind_the_other_are_answered_in_order(target: Daemon) -> None:
    said = b"".join(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Request-Id: r%d\r\n\r\n" % number for number in range(100))
    answer = _said(target, said + b"GET /healthz HTTP/1.0\r\n\r\n")
    assert [f"r{number}" for number in range(100)] == [
        line.partition(": ")[2] for line in answer.decode().splitlines() if line.lower().startswith("x-request-id: r")
    ]


def _noise(seed: int, count: int, token: str) -> list[bytes]:
    source = random.Random(seed)  # noqa: S311 - to be the same every time
    good = f"GET {PATH} HTTP/1.1\r\nHost: x\r\nX-Auth-Token: {token}\r\nConnection: close\r\n\r\n".encode()
    noise = [source.randbytes(source.randrange(1, 300)) for _ in range(count // 2)]
    for _ in range(count - len(noise)):
        changed = bytearray(good)
        for _ in range(source.randrange(1, 4)):
            changed[source.randrange(len(changed))] = source.randrange(256)
        noise.append(bytes(changed[: source.randrange(1, len(changed) + 1)]))
    return noise


def test_memory_stays_flat_over_thousands_of_bad_requests(target: Daemon) -> None:
    noise = _noise(3, 1000, target.token)
    large = [_request(target, b"[" * MEBIBYTE, "Connection: close")] * 10

    def round_of_trouble() -> int:
        for answer in answers(target.http, noise, leave=True):
            assert answer == b"" or answer.startswith(b"HTTP/1.1 ")
        for answer in answers(target.http, large, leave=True):
            assert _status(answer) == 400
        return target.memory

    sizes = [round_of_trouble() for _ in range(5)]
    steps = [after - before for before, after in itertools.pairwise(sizes)]
    assert min(steps) < LEAK, steps
