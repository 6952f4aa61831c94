"""Valid packets and what they mean, per version."""

from collections.abc import Iterator

from bridge.mqtt import (
    Auth,
    Connack,
    Connect,
    Disconnect,
    Pingreq,
    Pingresp,
    Properties,
    Puback,
    Pubcomp,
    Publish,
    Pubrec,
    Pubrel,
    Side,
    Suback,
    Subscribe,
    Subscription,
    Unsuback,
    Unsubscribe,
    Will,
)
from tests.mqtt.raw import ALL, ID, NEW, NONE, OLD, STRICT, V5, V31, V311, Valid, connect, pack, props, s


def _connects() -> Iterator[Valid]:
    for version in ALL:
        will_properties = NONE if version is V5 else b""
        tag = version.name.lower()
        for clean in (False, True):
            yield Valid(
                f"connect {tag} clean={clean}",
                (version,),
                connect(version, clean << 1, s("dev")),
                Connect(version, "dev", clean, 60),
            )
        for qos in (0, 1, 2):
            for retain in (False, True):
                yield Valid(
                    f"connect {tag} will qos={qos} retain={retain}",
                    (version,),
                    connect(version, 0x04 | qos << 3 | retain << 5, s("dev"), will_properties, s("w/t"), s(b"\xffbye")),
                    Connect(version, "dev", False, 60, will=Will("w/t", b"\xffbye", qos, retain)),
                )
        yield Valid(
            f"connect {tag} everything",
            (version,),
            connect(version, 0xEE, s("dev"), will_properties, s("w"), s(b""), s("us€r"), s(b"p\x00\xffw")),
            Connect(version, "dev", True, 60, "us€r", b"p\x00\xffw", Will("w", b"", 1, True)),
        )
        yield Valid(
            f"connect {tag} user name only",
            (version,),
            connect(version, 0x82, s("dev"), s("")),
            Connect(version, "dev", True, 60, ""),
        )
        yield Valid(
            f"connect {tag} empty client id",
            (version,),
            connect(version, 0x02, s("")),
            Connect(version, "", True, 60),
        )
        long_id = "d" * 200
        yield Valid(
            f"connect {tag} long client id",
            (version,),
            connect(version, 0x02, s(long_id)),
            Connect(version, long_id, True, 60),
        )
    yield Valid(
        "connect v5 password only",
        NEW,
        connect(V5, 0x42, s("dev"), s(b"token")),
        Connect(V5, "dev", True, 60, password=b"token"),
    )
    yield Valid(
        "connect v5 byte for byte",
        NEW,
        bytes.fromhex("10 12 0004 4d515454 05 00 000a 05 11 0000000a 0000"),
        Connect(V5, "", False, 10, properties={"session_expiry_interval": 10}),
    )
    yield Valid(
        "connect v5 all properties",
        NEW,
        connect(
            V5,
            0x06,
            s("dev"),
            props(b"\x18\x00\x00\x00\x05", b"\x01\x01", b"\x02\x00\x00\x00\x3c", b"\x26" + s("k") + s("v")),
            s("w"),
            s(b"x"),
            properties=props(
                b"\x11\xff\xff\xff\xff",
                b"\x21\x00\x14",
                b"\x27\x00\x01\x00\x00",
                b"\x22\x00\x0a",
                b"\x19\x01",
                b"\x17\x00",
                b"\x26" + s("a") + s("1"),
                b"\x26" + s("a") + s("2"),
                b"\x15" + s("SCRAM-SHA-1"),
                b"\x16" + s(b"\x00\x01"),
            ),
        ),
        Connect(
            V5,
            "dev",
            True,
            60,
            will=Will(
                "w",
                b"x",
                properties={
                    "will_delay_interval": 5,
                    "payload_format_indicator": 1,
                    "message_expiry_interval": 60,
                    "user_properties": [("k", "v")],
                },
            ),
            properties={
                "session_expiry_interval": 0xFFFFFFFF,
                "receive_maximum": 20,
                "maximum_packet_size": 65_536,
                "topic_alias_maximum": 10,
                "request_response_information": 1,
                "request_problem_information": 0,
                "user_properties": [("a", "1"), ("a", "2")],
                "authentication_method": "SCRAM-SHA-1",
                "authentication_data": b"\x00\x01",
            },
        ),
    )
    for flags, username, password in ((0x82, None, None), (0xC2, None, None), (0xC2, "user", None)):
        yield Valid(
            f"connect v31 announced credentials missing {flags:#x} {username}",
            (V31,),
            connect(V31, flags, s("dev"), s(username) if username else b""),
            Connect(V31, "dev", True, 60, username, password),
            canonical=False,
        )
    yield Valid(
        "connect v31 unused flags",
        (V31,),
        connect(V31, 0x3B, s("dev")),
        Connect(V31, "dev", True, 60),
        canonical=False,
    )
    yield Valid(
        "connect v311 length in four bytes",
        (V311,),
        bytes.fromhex("10 8f808000 0004 4d515454 04 02 003c 0003 646576"),
        Connect(V311, "dev", True, 60),
        canonical=False,
    )


def _connacks() -> Iterator[Valid]:
    client = Side.CLIENT
    for version in ALL:
        tail = NONE if version is V5 else b""
        yield Valid(
            f"connack {version.name}",
            (version,),
            pack(0x20, b"\x00\x00", tail),
            Connack(False, 0),
            client,
        )
    for version in STRICT:
        tail = NONE if version is V5 else b""
        yield Valid(
            f"connack {version.name} session present",
            (version,),
            pack(0x20, b"\x01\x00", tail),
            Connack(True, 0),
            client,
        )
    for code in range(1, 6):
        yield Valid(f"connack old code {code}", OLD, pack(0x20, b"\x00", bytes([code])), Connack(False, code), client)
    yield Valid("connack v31 unused byte", (V31,), b"\x20\x02\xff\x00", Connack(False, 0), client, canonical=False)
    yield Valid(
        "connack v5 all properties",
        NEW,
        pack(
            0x20,
            b"\x00\x00",
            props(
                b"\x11\x00\x00\x00\x1e",
                b"\x21\x00\x14",
                b"\x24\x01",
                b"\x25\x00",
                b"\x27\x00\x00\x10\x00",
                b"\x12" + s("assigned"),
                b"\x22\x00\x05",
                b"\x1f" + s("fine"),
                b"\x26" + s("k") + s(""),
                b"\x28\x01",
                b"\x29\x00",
                b"\x2a\x01",
                b"\x13\x00\x1e",
                b"\x1a" + s("resp/"),
                b"\x1c" + s("other:1883"),
                b"\x15" + s("m"),
                b"\x16" + s(b""),
            ),
        ),
        Connack(
            False,
            0,
            {
                "session_expiry_interval": 30,
                "receive_maximum": 20,
                "maximum_qos": 1,
                "retain_available": 0,
                "maximum_packet_size": 4096,
                "assigned_client_identifier": "assigned",
                "topic_alias_maximum": 5,
                "reason_string": "fine",
                "user_properties": [("k", "")],
                "wildcard_subscription_available": 1,
                "subscription_identifier_available": 0,
                "shared_subscription_available": 1,
                "server_keep_alive": 30,
                "response_information": "resp/",
                "server_reference": "other:1883",
                "authentication_method": "m",
                "authentication_data": b"",
            },
        ),
        client,
    )


def _publishes() -> Iterator[Valid]:
    for version in ALL:
        none = NONE if version is V5 else b""
        for qos in (0, 1, 2):
            for retain in (False, True):
                for dup in (False, True) if qos else (False,):
                    yield Valid(
                        f"publish {version.name} qos={qos} retain={retain} dup={dup}",
                        (version,),
                        pack(0x30 | dup << 3 | qos << 1 | retain, s("a/b"), ID if qos else b"", none, b"hello"),
                        Publish("a/b", b"hello", qos, retain, dup, 10 if qos else 0),
                    )
        yield Valid(
            f"publish {version.name} empty payload",
            (version,),
            pack(0x31, s("a/b"), none),
            Publish("a/b", b"", 0, True),
        )
        yield Valid(
            f"publish {version.name} highest packet id",
            (version,),
            pack(0x32, s("/"), b"\xff\xff", none),
            Publish("/", b"", 1, packet_id=65_535),
        )
        for label, topic in (
            ("vendor topic", "$oc/devices/dev/sys/messages/up"),
            ("byte order mark kept", "\ufeffa"),
            ("separators that are no control characters", "a/\xa0\u2028\U000e0001"),
            ("four byte character", "a/𪛔"),
            ("space and empty levels", " // "),
        ):
            yield Valid(
                f"publish {version.name} {label}",
                (version,),
                pack(0x30, s(topic), none, b"x"),
                Publish(topic, b"x"),
            )
        for size in (117, 118, 120, 121, 122, 123, 16_378, 16_379, 16_380):  # around the steps of the remaining length
            yield Valid(
                f"publish {version.name} payload of {size}",
                (version,),
                pack(0x30, s("a/b"), none, bytes(size)),
                Publish("a/b", bytes(size)),
            )
    yield Valid(
        "publish v311 length in four bytes",
        OLD,
        bytes.fromhex("30 85808000 0003 612f62"),
        Publish("a/b"),
        canonical=False,
    )
    yield Valid(
        "publish v5 alias instead of a topic",
        NEW,
        pack(0x30, s(""), props(b"\x23\x00\x07"), b"x"),
        Publish("", b"x", properties={"topic_alias": 7}),
    )
    yield Valid(
        "publish v5 all properties",
        NEW,
        pack(
            0x32,
            s("a/b"),
            ID,
            props(
                b"\x01\x01",
                b"\x02\x00\x00\x00\x0a",
                b"\x23\xff\xff",
                b"\x08" + s("re/ply"),
                b"\x09" + s(b"\x00\xff"),
                b"\x26" + s("k") + s("v"),
                b"\x26" + s("") + s(""),
                b"\x26" + s("k") + s("v"),
                b"\x03" + s("application/json"),
            ),
            b"{}",
        ),
        Publish(
            "a/b",
            b"{}",
            1,
            packet_id=10,
            properties={
                "payload_format_indicator": 1,
                "message_expiry_interval": 10,
                "topic_alias": 65_535,
                "response_topic": "re/ply",
                "correlation_data": b"\x00\xff",
                "user_properties": [("k", "v"), ("", ""), ("k", "v")],
                "content_type": "application/json",
            },
        ),
    )
    yield Valid(
        "publish v5 user properties apart",
        NEW,
        pack(0x30, s("a"), props(b"\x26" + s("1") + s("x"), b"\x01\x00", b"\x26" + s("2") + s("y"))),
        Publish("a", properties={"user_properties": [("1", "x"), ("2", "y")], "payload_format_indicator": 0}),
        canonical=False,
    )
    yield Valid(
        "publish v5 property list of more than 127 bytes",
        NEW,
        pack(0x30, s("a"), props(b"\x03" + s("c" * 200)), b"x"),
        Publish("a", b"x", properties={"content_type": "c" * 200}),
    )
    yield Valid(
        "publish v5 subscription identifiers",
        NEW,
        pack(0x30, s("a"), props(b"\x0b\x01", b"\x0b\xff\xff\xff\x7f", b"\x0b\x80\x01")),
        Publish("a", properties={"subscription_identifiers": [1, 268_435_455, 128]}),
        Side.CLIENT,
    )


ACKNOWLEDGEMENTS: dict[int, type[Puback] | type[Pubrec] | type[Pubrel] | type[Pubcomp]] = {
    0x40: Puback,
    0x50: Pubrec,
    0x62: Pubrel,
    0x70: Pubcomp,
}


def _acknowledgements() -> Iterator[Valid]:
    why: Properties = {"reason_string": "why", "user_properties": [("k", "v")]}
    for side in Side:
        for first, make in ACKNOWLEDGEMENTS.items():
            name = f"{make.__name__.lower()} {side.value}"
            code = 0x92 if make in (Pubrel, Pubcomp) else 0x87
            yield Valid(name, ALL, bytes([first, 2, 0, 10]), make(10), side)
            yield Valid(f"{name} highest", ALL, bytes([first, 2, 255, 255]), make(65_535), side)
            yield Valid(f"{name} reason", NEW, bytes([first, 3, 0, 10, code]), make(10, code), side)
            yield Valid(f"{name} success", NEW, bytes([first, 3, 0, 10, 0]), make(10), side, canonical=False)
            yield Valid(f"{name} long", NEW, bytes([first, 4, 0, 10, code, 0]), make(10, code), side, canonical=False)
            tail = props(b"\x1f" + s("why"), b"\x26" + s("k") + s("v"))
            yield Valid(f"{name} properties", NEW, pack(first, ID, bytes([code]), tail), make(10, code, why), side)
            yield Valid(f"{name} success with properties", NEW, pack(first, ID, b"\0", tail), make(10, 0, why), side)
    yield Valid("pubrel v31 repeated", (V31,), b"\x6a\x02\x00\x0a", Pubrel(10), canonical=False)
    yield Valid("puback v31 unused flags", (V31,), b"\x4f\x02\x00\x0a", Puback(10), canonical=False)


def _subscriptions() -> Iterator[Valid]:
    for version in ALL:
        none = NONE if version is V5 else b""
        yield Valid(
            f"subscribe {version.name}",
            (version,),
            pack(0x82, ID, none, s("a/b"), b"\x01", s("c/d"), b"\x02", s("#"), b"\x00"),
            Subscribe(10, [Subscription("a/b", 1), Subscription("c/d", 2), Subscription("#", 0)]),
        )
        for topic_filter in ("+", "+/#", "a/+/b/#", "/", "$share/group/a/#", "$share/g//", "$share", "$SYS/#", "a//+"):
            yield Valid(
                f"subscribe {version.name} {topic_filter}",
                (version,),
                pack(0x82, ID, none, s(topic_filter), b"\x00"),
                Subscribe(10, [Subscription(topic_filter)]),
            )
            yield Valid(
                f"unsubscribe {version.name} {topic_filter}",
                (version,),
                pack(0xA2, ID, none, s(topic_filter)),
                Unsubscribe(10, [topic_filter]),
            )
        yield Valid(
            f"unsubscribe {version.name} several",
            (version,),
            pack(0xA2, ID, none, s("a/b"), s("a/b"), s("c/#")),
            Unsubscribe(10, ["a/b", "a/b", "c/#"]),
        )
    for options in range(0x30):
        if options & 3 == 3:
            continue
        yield Valid(
            f"subscribe v5 options {options:#04x}",
            NEW,
            pack(0x82, ID, NONE, s("a"), bytes([options])),
            Subscribe(10, [Subscription("a", options & 3, bool(options & 4), bool(options & 8), options >> 4)]),
        )
    yield Valid(
        "subscribe v5 properties",
        NEW,
        pack(0x82, ID, props(b"\x0b\x80\x80\x01", b"\x26" + s("k") + s("v")), s("a"), b"\x00"),
        Subscribe(10, [Subscription("a")], {"subscription_identifiers": [16_384], "user_properties": [("k", "v")]}),
    )
    yield Valid(
        "unsubscribe v5 properties",
        NEW,
        pack(0xA2, ID, props(b"\x26" + s("k") + s("v")), s("a")),
        Unsubscribe(10, ["a"], {"user_properties": [("k", "v")]}),
    )
    yield Valid(
        "subscribe v31 repeated",
        (V31,),
        pack(0x8B, ID, s("a"), b"\xfd"),
        Subscribe(10, [Subscription("a", 1)]),
        canonical=False,
    )
    yield Valid("unsubscribe v31 repeated", (V31,), pack(0xAA, ID, s("a")), Unsubscribe(10, ["a"]), canonical=False)


def _subscription_answers() -> Iterator[Valid]:
    client = Side.CLIENT
    yield Valid("suback old", OLD, b"\x90\x06\x00\x0a\x00\x01\x02\x80", Suback(10, [0, 1, 2, 0x80]), client)
    yield Valid("suback v5", NEW, b"\x90\x07\x00\x0a\x00\x00\x01\x02\x8f", Suback(10, [0, 1, 2, 0x8F]), client)
    yield Valid(
        "suback v5 properties",
        NEW,
        pack(0x90, ID, props(b"\x1f" + s("no")), b"\x97"),
        Suback(10, [0x97], {"reason_string": "no"}),
        client,
    )
    yield Valid("unsuback old", OLD, b"\xb0\x02\x00\x0a", Unsuback(10, []), client)
    yield Valid("unsuback v5", NEW, b"\xb0\x05\x00\x0a\x00\x00\x11", Unsuback(10, [0, 0x11]), client)
    yield Valid(
        "unsuback v5 properties",
        NEW,
        pack(0xB0, ID, props(b"\x26" + s("k") + s("v")), b"\x87"),
        Unsuback(10, [0x87], {"user_properties": [("k", "v")]}),
        client,
    )


def _short_packets() -> Iterator[Valid]:
    yield Valid("pingreq", ALL, b"\xc0\x00", Pingreq())
    yield Valid("pingresp", ALL, b"\xd0\x00", Pingresp(), Side.CLIENT)
    yield Valid("disconnect", ALL, b"\xe0\x00", Disconnect())
    yield Valid("disconnect v5 from server", NEW, b"\xe0\x01\x8b", Disconnect(0x8B), Side.CLIENT)
    yield Valid("disconnect v5 with will", NEW, b"\xe0\x01\x04", Disconnect(4))
    yield Valid("disconnect v5 normal in full", NEW, b"\xe0\x02\x00\x00", Disconnect(), canonical=False)
    yield Valid("disconnect v5 reason in full", NEW, b"\xe0\x02\x04\x00", Disconnect(4), canonical=False)
    yield Valid(
        "disconnect v5 session expiry",
        NEW,
        b"\xe0\x07\x00\x05\x11\x00\x00\x00\x3c",
        Disconnect(0, {"session_expiry_interval": 60}),
    )
    yield Valid(
        "disconnect v5 server reference",
        NEW,
        pack(0xE0, b"\x9d", props(b"\x1c" + s("b:1883"), b"\x1f" + s("moved"))),
        Disconnect(0x9D, {"server_reference": "b:1883", "reason_string": "moved"}),
        Side.CLIENT,
    )
    for side in Side:
        yield Valid(f"auth success {side.value}", NEW, b"\xf0\x00", Auth(), side)
        yield Valid(f"auth success in full {side.value}", NEW, b"\xf0\x02\x00\x00", Auth(), side, canonical=False)
        for code in (0x00, 0x18, 0x19):
            yield Valid(
                f"auth {code:#04x} {side.value}",
                NEW,
                pack(0xF0, bytes([code]), props(b"\x15" + s("m"), b"\x16" + s(b"\x01"), b"\x1f" + s("r"))),
                Auth(code, {"authentication_method": "m", "authentication_data": b"\x01", "reason_string": "r"}),
                side,
            )


VALID_PACKETS: tuple[Valid, ...] = (
    *_connects(),
    *_connacks(),
    *_publishes(),
    *_acknowledgements(),
    *_subscriptions(),
    *_subscription_answers(),
    *_short_packets(),
)
