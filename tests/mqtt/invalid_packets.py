"""Invalid packets, with the reason code and the clause that refuse them. Properties have a table of their own."""

from collections.abc import Iterator

from bridge.mqtt import ReasonCode, Side, Version
from tests.mqtt.raw import (
    ALL,
    ID,
    KEEP_ALIVE,
    MALFORMED,
    MQTT4,
    MQTT5,
    NEW,
    NONE,
    NOT_VALID,
    OLD,
    PROTOCOL,
    SHORT,
    STRICT,
    V5,
    V31,
    V311,
    Invalid,
    connect,
    pack,
    props,
    s,
)
from tests.mqtt.valid_packets import ACKNOWLEDGEMENTS


def malformed(
    name: str,
    versions: tuple[Version, ...],
    raw: bytes,
    clause: str = SHORT,
    side: Side = Side.SERVER,
    after: int | None = None,
) -> Invalid:
    return Invalid(name, versions, raw, MALFORMED, clause, side, after)


def violation(
    name: str,
    versions: tuple[Version, ...],
    raw: bytes,
    clause: str,
    side: Side = Side.SERVER,
    after: int | None = None,
) -> Invalid:
    return Invalid(name, versions, raw, PROTOCOL, clause, side, after)


BAD_UTF8: dict[str, tuple[bytes, str]] = {
    "surrogate": (b"\xed\xa0\x80", "MQTT-1.5.4-1"),
    "surrogate pair": (b"\xed\xa0\x80\xed\xb0\x80", "MQTT-1.5.4-1"),
    "overlong slash": (b"\xc0\xaf", "MQTT-1.5.4-1"),
    "overlong null": (b"\xc0\x80", "MQTT-1.5.4-1"),
    "above U+10FFFF": (b"\xf4\x90\x80\x80", "MQTT-1.5.4-1"),
    "cut off character": (b"a\xe2\x82", "MQTT-1.5.4-1"),
    "continuation alone": (b"\x80", "MQTT-1.5.4-1"),
    "never a byte of UTF-8": (b"\xff", "MQTT-1.5.4-1"),
    "null": (b"a\x00b", "MQTT-1.5.4-2"),
}

UNSEEMLY: dict[str, tuple[bytes, str]] = {
    label: (raw, "MQTT5 1.5.4")
    for label, raw in {
        "first control character": b"a\x01b",
        "tabulator": b"a\tb",
        "last control character of ASCII": b"a\x7fb",
        "first control character behind ASCII": b"\xc2\x80",
        "last control character": b"\xc2\x9f",
        "non-character in the middle": "\ufdd0".encode(),
        "non-character at the end of a plane": "\U0003ffff".encode(),
    }.items()
}
"""Strings that a receiver may call malformed, and need not."""

BAD_NAMES: dict[str, tuple[bytes, str]] = BAD_UTF8 | UNSEEMLY
"""What no topic, filter, client or user may be called."""

BAD_FILTERS: dict[str, str] = {
    "": "MQTT-4.7.3-1",
    "a#": "MQTT-4.7.1-1",
    "a/#/b": "MQTT-4.7.1-1",
    "#/": "MQTT-4.7.1-1",
    "##": "MQTT-4.7.1-1",
    "a/b#": "MQTT-4.7.1-1",
    "a/+#": "MQTT-4.7.1-1",
    "a+": "MQTT-4.7.1-2",
    "+a/b": "MQTT-4.7.1-2",
    "a/++": "MQTT-4.7.1-2",
    "a/+b/#": "MQTT-4.7.1-2",
    "$share/a+/b": "MQTT-4.7.1-2",
    "$share/#/b": "MQTT-4.7.1-1",
    "$share/name/a#": "MQTT-4.7.1-1",
    "$share/name/a+": "MQTT-4.7.1-2",
}

BAD_SHARES: dict[str, str] = {
    "$share/": "MQTT-4.8.2-1",
    "$share//a": "MQTT-4.8.2-1",
    "$share/+/b": "MQTT-4.8.2-2",
    "$share/+": "MQTT-4.8.2-2",
    "$share/#": "MQTT-4.8.2-2",
    "$share/name": "MQTT-4.8.2-2",
    "$share/name/": "MQTT-4.8.2-2",
}
"""Filters that can be read, and are no shared subscriptions."""


def _first_packets() -> Iterator[Invalid]:
    for first in range(256):
        if first >> 4 != 1:
            yield violation(f"first packet {first:#04x}", (), bytes([first, 0]), "MQTT-3.1.0-1", after=1)
    for flags in range(1, 16):
        raw = bytes([0x10 | flags]) + connect(V5, 2, s("dev"))[1:]
        at_once = flags & 0b0110 == 0b0110
        yield malformed(f"connect flags {flags:#x}", (), raw, "MQTT-2.1.3-1", after=1 if at_once else 0)


def _reserved_types() -> Iterator[Invalid]:
    for flags in range(16):
        yield violation(f"type 0 flags {flags:#x}", ALL, bytes([flags, 0]), "MQTT5 2.1.2", after=1)
        yield violation(f"auth before v5 flags {flags:#x}", OLD, bytes([0xF0 | flags, 0]), "MQTT5 2.1.2", after=1)


FLAGS = {1: 0, 4: 0, 5: 0, 6: 2, 7: 0, 8: 2, 10: 2, 12: 0, 14: 0}
"""Packet types a server may be sent, but PUBLISH → their flags."""


def _bad_flags() -> Iterator[Invalid]:
    flags_of = [(kind, FLAGS[kind], Side.SERVER) for kind in FLAGS] + [
        (kind, 0, Side.CLIENT) for kind in (2, 9, 11, 13)
    ]
    for kind, value, side in flags_of:
        for flags in set(range(16)) - {value}:
            raw = bytes([kind << 4 | flags, 2, 0, 10])
            yield malformed(f"type {kind} flags {flags:#x}", STRICT, raw, "MQTT-2.1.3-1", side, after=1)
    for flags in range(1, 16):
        yield malformed(f"auth flags {flags:#x}", NEW, bytes([0xF0 | flags, 0]), "MQTT-2.1.3-1", after=1)
    for kind in (6, 8, 10):
        for flags in (0, 4, 6):
            raw = bytes([kind << 4 | flags, 2, 0, 10])
            yield malformed(f"type {kind} v31 flags {flags:#x}", (V31,), raw, "MQTT-2.1.3-1", after=1)
    for flags, clause in ((6, "4"), (7, "4"), (8, "2"), (9, "2"), (14, "4"), (15, "4")):
        raw = pack(0x30 | flags, s("a"), ID, NONE)
        yield malformed(f"publish flags {flags:#x}", ALL, raw, f"MQTT-3.3.1-{clause}", after=1)


def _wrong_sides() -> Iterator[Invalid]:
    for first in (0x20, 0x90, 0xB0, 0xD0):
        yield violation(f"type {first >> 4} from a client", ALL, bytes([first, 0]), "MQTT5 2.1.2", after=1)
        yield malformed(
            f"flags of type {first >> 4} from a client", NEW, bytes([first | 8, 0]), "MQTT-2.1.3-1", after=1
        )
    for first in (0x10, 0x82, 0xA2, 0xC0):
        raw = bytes([first, 0])
        yield violation(f"type {first >> 4} from a server", ALL, raw, "MQTT5 2.1.2", Side.CLIENT, after=1)
    yield violation("disconnect from an old server", OLD, b"\xe0\x00", "MQTT3-3.14", Side.CLIENT, after=1)


def _bad_lengths() -> Iterator[Invalid]:
    for first in (0x30, 0x40, 0xC0):
        yield malformed(
            f"remaining length of five bytes {first:#x}",
            ALL,
            bytes([first]) + b"\x80\x80\x80\x80\x01",
            "MQTT5 1.5.5",
            after=5,
        )
    yield malformed("connect length of five bytes", (), b"\x10\xff\xff\xff\xff", "MQTT5 1.5.5", after=5)
    yield malformed("remaining length 0 in two bytes", NEW, b"\xc0\x80\x00", "MQTT-1.5.5-1")
    yield malformed("remaining length 2 in four bytes", NEW, b"\x40\x82\x80\x80\x00\x00\x0a", "MQTT-1.5.5-1", after=5)
    yield malformed(
        "connect v5 remaining length in two bytes",
        (),
        bytes.fromhex("10 9000 0004 4d515454 05 02 003c 00 0003 646576"),
        "MQTT-1.5.5-1",
    )
    yield malformed("property length 0 in two bytes", NEW, pack(0x30, s("a"), b"\x80\x00"), "MQTT-1.5.5-1")
    yield malformed("property length of five bytes", NEW, pack(0x30, s("a"), b"\x80\x80\x80\x80\x01"), "MQTT5 1.5.5")
    yield malformed("property length cut off", NEW, pack(0x30, s("a"), b"\x80"))
    yield malformed("property length over the packet", NEW, pack(0x30, s("a"), b"\x05\x01\x01"))
    yield malformed("property over its list", NEW, pack(0x30, s("a"), b"\x02\x02\x00\x00\x00\x01"))
    yield malformed("user property over its list", NEW, pack(0x30, s("a"), b"\x05\x26", s("k"), s("v")))


def _unknown_protocols() -> Iterator[Invalid]:
    for label, head, clause in (
        ("level 0", b"\x00\x04MQTT\x00", "MQTT-3.1.2-2"),
        ("level 3 as MQTT", b"\x00\x04MQTT\x03", "MQTT-3.1.2-2"),
        ("level 6", b"\x00\x04MQTT\x06", "MQTT-3.1.2-2"),
        ("bridge bit", b"\x00\x04MQTT\x84", "MQTT-3.1.2-2"),
        ("level 4 as MQIsdp", b"\x00\x06MQIsdp\x04", "MQTT-3.1.2-1"),
        ("lower case name", b"\x00\x04mqtt\x05", "MQTT-3.1.2-1"),
        ("other name", b"\x00\x04HTTP\x05", "MQTT-3.1.2-1"),
        ("empty name", b"\x00\x00\x05", "MQTT-3.1.2-1"),
        ("long name", s("x" * 300) + b"\x05", "MQTT-3.1.2-1"),
    ):
        raw = pack(0x10, head, b"\x02", KEEP_ALIVE, NONE, s("dev"))
        yield Invalid(f"connect {label}", (), raw, ReasonCode.UNSUPPORTED_PROTOCOL_VERSION, clause)


def _bad_connects() -> Iterator[Invalid]:
    for version in ALL:
        tag = version.name.lower()
        will = NONE if version is V5 else b""
        if version is not V31:
            for flags, clause in ((0x03, "3"), (0x0A, "11"), (0x12, "11"), (0x1A, "11"), (0x22, "13")):
                yield malformed(
                    f"connect {tag} flags {flags:#04x}", (), connect(version, flags, s("dev")), f"MQTT-3.1.2-{clause}"
                )
        yield malformed(
            f"connect {tag} will qos 3", (), connect(version, 0x1E, s("d"), will, s("w"), s("")), "MQTT-3.1.2-12"
        )
        for topic, clause in (("", "MQTT-4.7.3-1"), ("w/+", "MQTT-3.3.2-2"), ("#", "MQTT-3.3.2-2")):
            yield malformed(
                f"connect {tag} will topic {topic!r}", (), connect(version, 0x06, s("d"), will, s(topic), s("")), clause
            )
        yield malformed(f"connect {tag} bytes behind", (), connect(version, 0x02, s("d"), b"x"))
        yield malformed(f"connect {tag} user name not announced", (), connect(version, 0x02, s("d"), s("u")))
        yield malformed(f"connect {tag} will missing", (), connect(version, 0x06, s("d")))
        yield malformed(f"connect {tag} client id missing", (), connect(version, 0x02))
        yield malformed(f"connect {tag} client id cut off", (), connect(version, 0x02, b"\x00\x05dev"))
        yield malformed(f"connect {tag} user name cut off", (), connect(version, 0x82, s("d"), b"\x00\x05u"))
        yield malformed(f"connect {tag} password shorter", (), connect(version, 0xC2, s("d"), s("u"), b"\x00\x05p"))
        yield malformed(f"connect {tag} password cut off", (), connect(version, 0xC2, s("d"), s("u"), b"\x00"))
        for label, (raw, clause) in BAD_NAMES.items():
            bad = s(raw)
            reason = NOT_VALID if version is V5 and label in UNSEEMLY else MALFORMED
            yield Invalid(f"connect {tag} client id {label}", (), connect(version, 2, bad), reason, clause)
            yield malformed(f"connect {tag} user name {label}", (), connect(version, 0x82, s("d"), bad), clause)
            yield malformed(
                f"connect {tag} will topic {label}", (), connect(version, 6, s("d"), will, bad, s("")), clause
            )
    for version in OLD:
        yield malformed(
            f"connect {version.name} password only", (), connect(version, 0x42, s("d"), s("p")), "MQTT3-3.1.2-22"
        )
    for version in STRICT:
        yield malformed(f"connect {version.name} user name missing", (), connect(version, 0x82, s("d")))
        yield malformed(f"connect {version.name} password missing", (), connect(version, 0xC2, s("d"), s("u")))
    for label, body in (
        ("empty", b""),
        ("without level", b"\x00\x04MQTT"),
        ("without flags", MQTT4),
        ("without keep alive", MQTT4 + b"\x02\x00"),
        ("without properties", MQTT5 + b"\x02\x00\x3c"),
    ):
        yield malformed(f"connect {label}", (), pack(0x10, body))
    yield violation(
        "connect authentication data alone",
        (),
        connect(V5, 2, s("d"), properties=props(b"\x16" + s(b"x"))),
        "MQTT5 3.1.2.11.10",
    )
    yield malformed("connect will property cut off", (), connect(V5, 6, s("d"), b"\x03\x18\x00\x00", s("w"), s("")))


def _bad_connacks() -> Iterator[Invalid]:
    client = Side.CLIENT
    for flags in (0x02, 0x80, 0xFF):
        yield malformed(f"connack flags {flags:#x}", NEW, bytes([0x20, 3, flags, 0, 0]), "MQTT-3.2.2-1", client)
        yield malformed(f"connack v311 flags {flags:#x}", (V311,), bytes([0x20, 2, flags, 0]), "MQTT-3.2.2-1", client)
    yield violation("connack refused with a session", NEW, b"\x20\x03\x01\x87\x00", "MQTT-3.2.2-6", client)
    yield violation("connack v311 refused with a session", (V311,), b"\x20\x02\x01\x05", "MQTT3-3.2.2-4", client)
    for code in (6, 0x80, 0xFF):
        yield violation(f"connack return code {code}", OLD, bytes([0x20, 2, 0, code]), "MQTT3-3.2.2-6", client)
    for body in (b"", b"\x00"):
        yield malformed(f"connack of {len(body)} bytes", ALL, pack(0x20, body), SHORT, client)
    yield malformed("connack without properties", NEW, b"\x20\x02\x00\x00", SHORT, client)
    yield malformed("connack bytes behind", NEW, b"\x20\x04\x00\x00\x00\x00", SHORT, client)
    yield malformed("connack bytes behind (old)", OLD, b"\x20\x03\x00\x00\x00", SHORT, client)


def _bad_publishes() -> Iterator[Invalid]:
    for version in ALL:
        none = NONE if version is V5 else b""
        tag = version.name.lower()
        only = (version,)
        for topic in ("+", "#", "a/+/b", "a/#", "a+b"):
            yield malformed(f"publish {tag} to {topic}", only, pack(0x30, s(topic), none), "MQTT-3.3.2-2")
        for label, (raw, clause) in BAD_NAMES.items():
            yield malformed(f"publish {tag} topic {label}", only, pack(0x30, s(raw), none), clause)
        for qos in (1, 2):
            yield violation(
                f"publish {tag} qos={qos} id 0", only, pack(0x30 | qos << 1, s("a"), b"\0\0", none), "MQTT-2.2.1-3"
            )
            for rest in (b"", b"\x00"):
                yield malformed(
                    f"publish {tag} qos={qos} id of {len(rest)} bytes", only, pack(0x30 | qos << 1, s("a"), rest)
                )
        for body in (b"", b"\x00", b"\x00\x05a/b"):
            yield malformed(f"publish {tag} of {len(body)} bytes", only, pack(0x30, body))
    yield malformed("publish without a topic (old)", OLD, b"\x30\x02\x00\x00", "MQTT-4.7.3-1")
    yield violation("publish without a topic", NEW, b"\x30\x03\x00\x00\x00", "MQTT5 3.3.2.1")
    yield malformed("publish without properties", NEW, pack(0x30, s("a")))
    yield violation(
        "publish with a client's subscription identifier", NEW, pack(0x30, s("a"), props(b"\x0b\x01")), "MQTT-3.3.4-6"
    )


def _bad_acknowledgements() -> Iterator[Invalid]:
    for first, make in ACKNOWLEDGEMENTS.items():
        name = make.__name__.lower()
        yield violation(f"{name} id 0", ALL, bytes([first, 2, 0, 0]), "MQTT-2.2.1-3")
        for body in (b"", b"\x00"):
            yield malformed(f"{name} of {len(body)} bytes", ALL, pack(first, body))
        yield malformed(f"{name} bytes behind (old)", OLD, bytes([first, 3, 0, 10, 0]))
        yield malformed(f"{name} bytes behind", NEW, bytes([first, 5, 0, 10, 0, 0, 0]))
        yield malformed(f"{name} properties cut off", NEW, bytes([first, 5, 0, 10, 0, 2, 0x1F]))


def _bad_filters() -> Iterator[Invalid]:
    for version in ALL:
        none = NONE if version is V5 else b""
        only = (version,)
        for first, name, options in ((0x82, "subscribe", b"\x00"), (0xA2, "unsubscribe", b"")):
            tag = f"{name} {version.name.lower()}"
            yield malformed(f"{tag} id 0", only, pack(first, b"\0\0", none, s("a"), options), "MQTT-2.2.1-3")
            yield malformed(f"{tag} empty", only, pack(first))
            yield malformed(f"{tag} filter cut off", only, pack(first, ID, none, b"\x00\x05a"))
            yield malformed(f"{tag} length cut off", only, pack(first, ID, none, s("a"), options, b"\0"))
            for topic_filter, clause in BAD_FILTERS.items():
                raw = pack(first, ID, none, s("fine"), options, s(topic_filter), options)
                yield malformed(f"{tag} {topic_filter!r}", only, raw, clause)
            for topic_filter, clause in BAD_SHARES.items():
                yield violation(
                    f"{tag} {topic_filter!r}", only, pack(first, ID, none, s(topic_filter), options), clause
                )
            for label, (bad, clause) in BAD_NAMES.items():
                yield malformed(f"{tag} filter {label}", only, pack(first, ID, none, s(bad), options), clause)


def _bad_subscriptions() -> Iterator[Invalid]:
    for version in ALL:
        none = NONE if version is V5 else b""
        only = (version,)
        tag = version.name.lower()
        yield violation(f"subscribe {tag} nothing", only, pack(0x82, ID, none), "MQTT-3.8.3-2")
        yield violation(f"unsubscribe {tag} nothing", only, pack(0xA2, ID, none), "MQTT-3.10.3-2")
        yield malformed(f"subscribe {tag} options missing", only, pack(0x82, ID, none, s("a")))
    for options in (3, 4, 8, 0x10, 0x41, 0x80, 0xFF):
        raw = pack(0x82, ID, s("a"), bytes([options]))
        yield malformed(f"subscribe v311 options {options:#04x}", (V311,), raw, "MQTT3-3.8.3-4")
    yield malformed("subscribe v31 qos 3", (V31,), pack(0x82, ID, s("a"), b"\x03"), "MQTT3-3.8.3-4")
    for options, reason, clause in (
        (0x40, MALFORMED, "MQTT-3.8.3-5"),
        (0x80, MALFORMED, "MQTT-3.8.3-5"),
        (0x03, PROTOCOL, "MQTT5 3.8.3.1"),
        (0x30, PROTOCOL, "MQTT5 3.8.3.1"),
    ):
        raw = pack(0x82, ID, NONE, s("a"), bytes([options]))
        yield Invalid(f"subscribe v5 options {options:#04x}", NEW, raw, reason, clause)
    yield violation("subscribe v5 no local shared", NEW, pack(0x82, ID, NONE, s("$share/g/a"), b"\x04"), "MQTT-3.8.3-4")
    for first in (0x82, 0xA2):
        yield malformed(f"type {first >> 4} without properties", NEW, pack(first, ID))


def _bad_subscription_answers() -> Iterator[Invalid]:
    client = Side.CLIENT
    yield violation("suback without codes (old)", OLD, b"\x90\x02\x00\x0a", "MQTT-3.9.3-1", client)
    yield violation("suback without codes", NEW, b"\x90\x03\x00\x0a\x00", "MQTT-3.9.3-1", client)
    for code in (3, 0x7F, 0x81, 0xFF):
        raw = bytes([0x90, 4, 0, 10, 0, code])
        yield violation(f"suback code {code:#04x}", OLD, raw, "MQTT3-3.9.3-2", client)
    yield violation("unsuback without codes", NEW, b"\xb0\x03\x00\x0a\x00", "MQTT-3.11.3-1", client)
    yield malformed("unsuback bytes behind", OLD, b"\xb0\x03\x00\x0a\x00", SHORT, client)
    for first in (0x90, 0xB0):
        yield violation(f"type {first >> 4} id 0", ALL, bytes([first, 4, 0, 0, 0, 0]), "MQTT-2.2.1-3", client)
        yield malformed(f"type {first >> 4} empty", ALL, bytes([first, 0]), SHORT, client)


def _bad_short_packets() -> Iterator[Invalid]:
    yield malformed("pingreq bytes behind", ALL, b"\xc0\x01\x00")
    yield malformed("pingresp bytes behind", ALL, b"\xd0\x01\x00", SHORT, Side.CLIENT)
    yield malformed("disconnect bytes behind (old)", OLD, b"\xe0\x01\x00")
    yield malformed("disconnect bytes behind", NEW, b"\xe0\x03\x00\x00\x00")
    yield malformed("disconnect property cut off", NEW, b"\xe0\x03\x00\x01\x11")
    yield violation(
        "disconnect session expiry from a server",
        NEW,
        b"\xe0\x07\x00\x05\x11\x00\x00\x00\x3c",
        "MQTT-3.14.2-2",
        Side.CLIENT,
    )
    yield malformed("auth without property length", NEW, b"\xf0\x01\x18")
    yield violation("auth without a method", NEW, b"\xf0\x02\x18\x00", "MQTT5 3.15.2.2.2")
    yield violation("auth data without a method", NEW, pack(0xF0, b"\0", props(b"\x16" + s(b"x"))), "MQTT5 3.15.2.2.2")
    yield malformed("auth bytes behind", NEW, b"\xf0\x03\x00\x00\x00")


INVALID_PACKETS: tuple[Invalid, ...] = (
    *_first_packets(),
    *_reserved_types(),
    *_bad_flags(),
    *_wrong_sides(),
    *_bad_lengths(),
    *_unknown_protocols(),
    *_bad_connects(),
    *_bad_connacks(),
    *_bad_publishes(),
    *_bad_acknowledgements(),
    *_bad_filters(),
    *_bad_subscriptions(),
    *_bad_subscription_answers(),
    *_bad_short_packets(),
)
