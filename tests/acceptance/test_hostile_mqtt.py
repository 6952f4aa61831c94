"""What a broken or hostile client says on the MQTT port harms nobody but itself.

The packets come from the tables of `tests/mqtt`; the bytes that are not packets come from a seed.
"""

import itertools
import random
import resource
from collections.abc import Iterator

import pytest

from bridge.mqtt import (
    Connack,
    Connect,
    Decoder,
    Disconnect,
    Packet,
    ReasonCode,
    ReturnCode,
    Side,
    Suback,
    Subscribe,
    Subscription,
    Version,
    encode,
)
from tests.acceptance.account import SECRET
from tests.acceptance.daemon import Daemon
from tests.acceptance.device import Device, Login
from tests.acceptance.storm import answers
from tests.mqtt.packets_table import INVALID, VALID

CONNECT_TIMEOUT = 1.0
FILES = 6000
"""Descriptors: one for each of the clients that are silent at the same time, here and in the daemon."""
BIG = 400
"""Bytes; a larger packet is cut at its start and its end only."""
SCARCE = 64
ENOUGH = 2000
"""Connections for most purposes."""
GROWTH = 4 * 1024 * 1024
"""Bytes the daemon may grow by while it refuses thousands; a leak of a kilobyte for each would be more."""
MALFORMED = (ReasonCode.MALFORMED_PACKET, ReasonCode.PROTOCOL_ERROR)

_NUMBER = itertools.count()


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(FILES, hard), hard))
    own = Daemon(tmp_path_factory.mktemp("target"), {"mqtt.connect_timeout": CONNECT_TIMEOUT})
    try:
        own.start()
        with own.admin() as admin:
            admin.add_device("default", "honest", SECRET)
        yield own
    finally:
        own.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture(autouse=True)
def _well_afterwards(target: Daemon) -> Iterator[None]:
    """Whatever a test does: an honest device that is connected all the time notices nothing."""
    device = Device(target.mqtt, Login("honest", SECRET, "honest")).connect()
    try:
        yield
        with target.api() as api:
            answer = api.post("honest", "still there", payload_format="raw")
            assert answer.status == 201
        assert device.next().payload == b"still there"
        assert not device.is_lost
    finally:
        device.close()


def _hello(target: Daemon, version: Version, keep_alive: int = 0) -> bytes:
    """The CONNECT of an admin, who may do everything."""
    client_id = f"storm{next(_NUMBER)}"
    return encode(Connect(version, client_id, True, keep_alive, "default", target.token.encode()), version)


def _read(version: Version, answer: bytes) -> list[Packet]:
    """An answer is well formed, too."""
    return list(Decoder(version=version, side=Side.CLIENT).feed(answer))


def _explanation(packet: Packet) -> str:
    """What the packet says besides its code; it is taken out of it."""
    assert isinstance(packet, Connack | Disconnect | Suback)
    return packet.properties.pop("reason_string", "")


def _cut(raw: bytes) -> list[bytes]:
    ends = range(len(raw)) if len(raw) < BIG else [*range(40), len(raw) - 1]
    return [raw[:end] for end in ends]


def _ours() -> Iterator[tuple[Version | None, bytes]]:
    """Every packet that a server reads, with the versions that have it; a CONNECT comes before all versions."""
    for valid in VALID:
        if valid.side is Side.SERVER:
            first = isinstance(valid.packet, Connect)
            yield from ((None if first else version, valid.raw) for version in valid.versions)
    for invalid in INVALID:
        if invalid.side is Side.SERVER:
            yield from ((version, invalid.raw) for version in invalid.versions or (None,))


def _after_connect(version: Version) -> list[bytes]:
    return [raw for at, raw in _ours() if at is version]


def test_an_invalid_first_packet_ends_the_connection(target: Daemon) -> None:
    rows = [row for row in INVALID if row.side is Side.SERVER and not row.versions]
    for row, answer in zip(rows, answers(target.mqtt, [row.raw for row in rows], leave=False), strict=True):
        readable = row.raw[0] >> 4 == 1 and row.raw[0] & 0b0110 != 0b0110
        if readable and b"\x00\x04MQTT\x05" in row.raw[:12]:
            (refusal,) = _read(Version.V5, answer)
            assert row.clause in _explanation(refusal), row.name
            assert refusal == Connack(False, row.reason), row.name
        elif row.reason is ReasonCode.UNSUPPORTED_PROTOCOL_VERSION:
            assert _is_refusal_of_version(answer), row.name
        else:
            assert answer == b"", row.name


def _is_refusal_of_version(answer: bytes) -> bool:
    older = encode(Connack(False, ReturnCode.UNACCEPTABLE_PROTOCOL_VERSION), Version.V311)
    if answer in (b"", older):
        return True
    (newer,) = _read(Version.V5, answer)
    explained = "is unknown" in _explanation(newer)
    return explained and newer == Connack(False, ReasonCode.UNSUPPORTED_PROTOCOL_VERSION)


def test_an_invalid_packet_ends_the_connection_with_its_reason(target: Daemon, version: Version) -> None:
    rows = [row for row in INVALID if row.side is Side.SERVER and version in row.versions]
    said = [_hello(target, version) + row.raw for row in rows]
    for row, answer in zip(rows, answers(target.mqtt, said, leave=False), strict=True):
        connack, *rest = _read(version, answer)
        assert isinstance(connack, Connack), row.name
        assert all(row.clause in _explanation(packet) for packet in rest), row.name
        assert rest == ([Disconnect(row.reason)] if version is Version.V5 else []), row.name


def test_valid_packets_in_the_wrong_place_do_no_harm(target: Daemon, version: Version) -> None:
    raws = [row.raw for row in VALID if row.side is Side.SERVER and not isinstance(row.packet, Connect)]
    assert set(answers(target.mqtt, raws, leave=True)) == {b""}
    for answer in answers(target.mqtt, [_hello(target, version) + raw for raw in raws], leave=True):
        assert isinstance(_read(version, answer)[0], Connack)


def test_packets_cut_short_before_connect(target: Daemon) -> None:
    cut = {part for _, raw in _ours() for part in _cut(raw)}
    for answer in answers(target.mqtt, sorted(cut), leave=True):
        assert answer == b"" or answer[0] == 0x20


def test_packets_cut_short_after_connect(target: Daemon, version: Version) -> None:
    cut = {part for raw in _after_connect(version) for part in _cut(raw)}
    for answer in answers(target.mqtt, [_hello(target, version) + part for part in sorted(cut)], leave=True):
        assert isinstance(_read(version, answer)[0], Connack)


def test_silence_in_the_middle_of_a_connect(target: Daemon) -> None:
    cut = {part for row in VALID if isinstance(row.packet, Connect) for part in _cut(row.raw)}
    assert set(answers(target.mqtt, sorted(cut), leave=False, at_once=_most())) == {b""}


def test_silence_in_the_middle_of_a_packet(target: Daemon) -> None:
    """All versions at once, because each waits for the same time."""
    cut = {
        (version, part)
        for row in VALID
        if row.side is Side.SERVER and not isinstance(row.packet, Connect)
        for version in row.versions
        for part in _cut(row.raw)
    }
    cases = sorted(cut)
    said = [_hello(target, version, keep_alive=1) + part for version, part in cases]
    for (version, _), answer in zip(cases, answers(target.mqtt, said, leave=False, at_once=_most()), strict=True):
        connack, *rest = _read(version, answer)
        assert isinstance(connack, Connack)
        if version is Version.V5:
            assert isinstance(rest[-1], Disconnect)
            assert rest[-1].reason_code in (ReasonCode.KEEP_ALIVE_TIMEOUT, *MALFORMED)


def _most() -> int:
    """Connections that are silent at the same time, because each batch waits anew."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 200


def _noise(seed: int, count: int) -> list[bytes]:
    """Bytes without any sense, and packets with a few bytes changed."""
    source = random.Random(seed)  # noqa: S311 - to be the same every time
    raws = [raw for _, raw in _ours() if len(raw) < BIG]
    noise = [source.randbytes(source.randrange(1, 200)) for _ in range(count // 2)]
    for raw in source.choices(raws, k=count - len(noise)):
        changed = bytearray(raw)
        for _ in range(source.randrange(1, 4)):
            changed[source.randrange(len(changed))] = source.randrange(256)
        noise.append(bytes(changed))
    return noise


def test_noise_before_connect(target: Daemon) -> None:
    for answer in answers(target.mqtt, _noise(1, ENOUGH), leave=True):
        assert answer == b"" or answer[0] == 0x20


def test_noise_after_connect(target: Daemon, version: Version) -> None:
    noise = _noise(version, ENOUGH // 2)
    for answer in answers(target.mqtt, [_hello(target, version) + part for part in noise], leave=True):
        assert isinstance(_read(version, answer)[0], Connack)


def test_a_packet_too_large_is_refused_by_its_length(target: Daemon, version: Version) -> None:
    huge = b"\x30\xff\xff\xff\x7f" + b"x" * 1000
    (answer,) = answers(target.mqtt, [_hello(target, version) + huge], leave=False)
    refused = [Disconnect(ReasonCode.PACKET_TOO_LARGE)] if version is Version.V5 else []
    rest = _read(version, answer)[1:]
    assert all("too large" in _explanation(packet) for packet in rest)
    assert rest == refused


def test_a_filter_of_very_many_levels_is_refused(target: Daemon, version: Version) -> None:
    deep = encode(Subscribe(1, [Subscription("+/" * 30_000 + "#", 1)]), version)
    (answer,) = answers(target.mqtt, [_hello(target, version) + deep], leave=True)
    refused = ReasonCode.TOPIC_FILTER_INVALID if version is Version.V5 else ReasonCode.UNSPECIFIED_ERROR
    (suback,) = _read(version, answer)[1:]
    assert len(_explanation(suback)) < 200
    assert suback == Suback(1, [refused])


def test_the_daemon_survives_without_file_descriptors(target: Daemon) -> None:
    limits = resource.prlimit(target.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(target.pid, resource.RLIMIT_NOFILE, (SCARCE, limits[1]))
    try:
        assert answers(target.mqtt, [b""] * 3 * SCARCE, leave=False, at_once=3 * SCARCE) == [b""] * 3 * SCARCE
    finally:
        resource.prlimit(target.pid, resource.RLIMIT_NOFILE, limits)


def test_memory_stays_flat_over_thousands_of_bad_connections(target: Daemon) -> None:
    bad = [raw for _, raw in _ours()]
    worse = [_hello(target, version) + part for version in Version for part in _noise(7, ENOUGH // 3)]

    def round_of_trouble() -> int:
        answers(target.mqtt, bad + worse, leave=True)
        return target.memory

    before = round_of_trouble()
    assert max(round_of_trouble(), round_of_trouble()) - before <= GROWTH
