import pytest

from bridge.inbox import InboxSettings
from bridge.inbox.rules import MOST_SHOWN, Rules, readable, sentence
from bridge.model.message import Status
from bridge.model.notification import Importance, Kind, Notice, Occurrence

CASES = [
    (
        Occurrence(Kind.FAILED, "home", "lamp", "m-1", detail="the device is not online"),
        "Message m-1 for device lamp failed: the device is not online.",
    ),
    (Occurrence(Kind.FAILED, "home", "lamp", "m-1"), "Message m-1 for device lamp failed."),
    (
        Occurrence(Kind.TIMEOUT, "home", "lamp", "m-1"),
        "Message m-1 for device lamp timed out: its ttl passed before the device took it.",
    ),
    (Occurrence(Kind.DELIVERED, "home", "lamp", "m-1"), "Message m-1 was delivered to device lamp."),
    (Occurrence(Kind.ONLINE, "home", "lamp"), "Device lamp is online."),
    (Occurrence(Kind.OFFLINE, "home", "lamp"), "Device lamp is offline."),
    (
        Occurrence(Kind.REPORT, "home", "lamp", topic="sys/messages/up", detail='{"t": 21}'),
        'Device lamp reported on sys/messages/up: {"t": 21}',
    ),
]


@pytest.mark.parametrize(("occurrence", "words"), CASES)
def test_each_is_one_plain_sentence(occurrence: Occurrence, words: str) -> None:
    assert sentence(occurrence) == words
    assert occurrence.kind is Kind.REPORT or words.endswith(".")


def test_every_kind_has_its_sentence() -> None:
    assert {occurrence.kind for occurrence, _ in CASES} == set(Kind)


def test_a_long_report_is_cut() -> None:
    words = sentence(Occurrence(Kind.REPORT, "home", "lamp", topic="user/x", detail="x" * 5000))
    assert words.endswith("x…")
    assert len(words) < MOST_SHOWN + 100


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        (b"", ""),
        ("warm, 21 °C".encode(), "warm, 21 °C"),
        (b"\x00\x01", "2 bytes"),
        (b"a\xffb", "3 bytes"),
        ("é".encode() * 100_000, "é" * (2 * MOST_SHOWN)),
        (b"x" + "é".encode() * 100_000, "x" + "é" * (2 * MOST_SHOWN - 1)),
    ],
)
def test_what_a_device_said(payload: bytes, words: str) -> None:
    assert readable(payload) == words


def test_the_defaults() -> None:
    rules = Rules(InboxSettings())
    assert rules.statuses == {Status.FAILED, Status.TIMEOUT}
    notices = {occurrence.kind: rules.notice_of(occurrence) for occurrence, _ in CASES}
    important = {kind for kind, notice in notices.items() if notice and notice.importance is Importance.IMPORTANT}
    information = {kind for kind, notice in notices.items() if notice and notice.importance is Importance.INFORMATION}
    assert important == {Kind.FAILED, Kind.TIMEOUT}
    assert information == {Kind.ONLINE, Kind.OFFLINE, Kind.REPORT}
    assert notices[Kind.TIMEOUT] == Notice("home", "lamp", Importance.IMPORTANT, CASES[2][1], "m-1")


@pytest.mark.parametrize("kind", Kind)
def test_each_is_switched_by_its_name(kind: Kind) -> None:
    everything = dict.fromkeys((each.value for each in Kind), True)
    rules = Rules(InboxSettings(**{**everything, kind.value: False}))
    for occurrence, _ in CASES:
        assert (rules.notice_of(occurrence) is None) is (occurrence.kind is kind)
        assert rules.wants(occurrence.kind) is (occurrence.kind is not kind)
