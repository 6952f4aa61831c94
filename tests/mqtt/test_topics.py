from itertools import product

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bridge.mqtt import (
    ProtocolError,
    ReasonCode,
    check_topic_filter,
    check_topic_name,
    covers,
    matches,
    split_shared,
)
from tests.mqtt.invalid_packets import BAD_FILTERS, BAD_SHARES

LEVELS = ["a", "b", "", "$x", "$oc"]
NAMES = ["/".join(levels) for depth in (1, 2, 3, 4) for levels in product(LEVELS, repeat=depth)]
NAMES.remove("")


@st.composite
def filters(draw: st.DrawFn) -> str:
    levels = draw(st.lists(st.sampled_from([*LEVELS, "+", "+"]), max_size=3))
    if draw(st.booleans()) or not levels:
        levels.append("#")
    return "/".join(levels) or "a"


@pytest.mark.parametrize("name", ["a", "/", "//", " ", "a/b c/ü", "$SYS/x", "$share/a", "\ufeff", "x" * 65_535])
def test_topic_names(name: str) -> None:
    check_topic_name(name)


BAD_TEXT = [
    ("", "MQTT-4.7.3-1"),
    ("a\0", "MQTT-1.5.4-2"),
    ("\ud800", "MQTT-1.5.4-1"),
    ("x" * 65_536, "MQTT5 1.5.4"),
    ("€" * 21_846, "MQTT5 1.5.4"),
]


@pytest.mark.parametrize(("name", "clause"), [*BAD_TEXT, *((n, "MQTT-3.3.2-2") for n in ("+", "#", "a/+", "a#b"))])
def test_bad_topic_names(name: str, clause: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        check_topic_name(name)
    assert (caught.value.reason_code, caught.value.clause) == (ReasonCode.MALFORMED_PACKET, clause)


@pytest.mark.parametrize(
    "topic_filter",
    [
        "a",
        "#",
        "+",
        "/",
        "+/+",
        "/+",
        "+/#",
        "a/+/b/#",
        "$share/g/#",
        "$share/g/+/a",
        "$share/g//",
        "$share",
        "$shared/+",
    ],
)
def test_topic_filters(topic_filter: str) -> None:
    check_topic_filter(topic_filter)


@pytest.mark.parametrize(("topic_filter", "clause"), [*BAD_TEXT, *BAD_FILTERS.items()])
def test_bad_topic_filters(topic_filter: str, clause: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        check_topic_filter(topic_filter)
    assert (caught.value.reason_code, caught.value.clause) == (ReasonCode.MALFORMED_PACKET, clause)


@pytest.mark.parametrize(("topic_filter", "clause"), BAD_SHARES.items())
def test_bad_shared_subscriptions(topic_filter: str, clause: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        check_topic_filter(topic_filter)
    assert (caught.value.reason_code, caught.value.clause) == (ReasonCode.PROTOCOL_ERROR, clause)


@pytest.mark.parametrize(
    ("topic_filter", "split"),
    [
        ("a/b", (None, "a/b")),
        ("$share", (None, "$share")),
        ("$SHARE/g/a", (None, "$SHARE/g/a")),
        ("$share/g/a/#", ("g", "a/#")),
        ("$share/consumer1//finance", ("consumer1", "/finance")),
        ("$share/g/$share/h/a", ("g", "$share/h/a")),
    ],
)
def test_shared_filters_are_split(topic_filter: str, split: tuple[str | None, str]) -> None:
    assert split_shared(topic_filter) == split


@pytest.mark.parametrize(
    ("topic_filter", "names", "others"),
    [  # the examples of sections 4.7.1 and 4.7.2
        (
            "sport/tennis/player1/#",
            ["sport/tennis/player1", "sport/tennis/player1/ranking", "sport/tennis/player1/score/wimbledon"],
            ["sport/tennis", "sport/tennis/player10"],
        ),
        ("sport/#", ["sport", "sport/", "sport/a/b"], ["sports", "Sport", "/sport"]),
        ("#", ["a", "/", "a/b/c", "/a"], ["$SYS", "$SYS/a", "$"]),
        ("+/#", ["a", "/", "a/b"], ["$SYS/a"]),
        ("sport/tennis/+", ["sport/tennis/player1", "sport/tennis/"], ["sport/tennis", "sport/tennis/player1/ranking"]),
        ("sport/+", ["sport/"], ["sport"]),
        ("+", ["finance"], ["/finance", "$SYS"]),
        ("+/+", ["/finance", "/"], ["finance", "$SYS/finance"]),
        ("/+", ["/finance", "/"], ["finance"]),
        ("+/monitor/Clients", ["x/monitor/Clients"], ["$SYS/monitor/Clients"]),
        ("$SYS/#", ["$SYS", "$SYS/", "$SYS/monitor/Clients"], ["a", "$SYSTEM"]),
        ("$SYS/monitor/+", ["$SYS/monitor/Clients"], ["$SYS/monitor"]),
        ("a/+/#", ["a/b", "a/", "a/b/c"], ["a"]),
        ("a/b", ["a/b"], ["a", "a/b/", "a/B", "a/b/c"]),
    ],
)
def test_matches(topic_filter: str, names: list[str], others: list[str]) -> None:
    assert [name for name in (*names, *others) if matches(topic_filter, name)] == names


@pytest.mark.parametrize(
    ("rule", "topic_filter", "covered"),
    [
        ("#", "$oc/#", False),
        ("#", "$oc", False),
        ("+", "$oc", False),
        ("+/#", "$oc/#", False),
        ("+", "+", True),
        ("+", "a", True),
        ("+", "#", False),
        ("+/#", "#", True),
        ("+/+/#", "#", False),
        ("a/#", "a", True),
        ("a/#", "a/+/b", True),
        ("a/#", "a/#", True),
        ("a/#", "#", False),
        ("a/#", "+/b", False),
        ("a/+", "a/#", False),
        ("a/+/#", "a/#", False),
        ("a/+/#", "a/+", True),
        ("a/+/#", "a", False),
        ("a/b", "a/+", False),
        ("$oc/devices/d1/#", "$oc/devices/d1/user/#", True),
        ("$oc/devices/d1/#", "$oc/devices/d10/user/#", False),
        ("$oc/devices/d1/#", "$oc/devices/+/user/#", False),
        ("$oc/#", "$oc/#", True),
    ],
)
def test_covers(rule: str, topic_filter: str, covered: bool) -> None:
    assert covers(rule, topic_filter) is covered


@settings(deadline=None)
@given(filters(), filters())
@example("#", "+/#")
@example("a/+", "a/#")
def test_covers_means_that_every_match_matches(rule: str, topic_filter: str) -> None:
    # NAMES is deep enough to hold a witness for every pair of filters that `filters` can draw.
    missed = [name for name in NAMES if matches(topic_filter, name) and not matches(rule, name)]
    assert covers(rule, topic_filter) is (not missed), missed[:3]


@settings(deadline=None)
@given(st.text(max_size=20))
def test_checks_raise_nothing_else(text: str) -> None:
    for check in (check_topic_name, check_topic_filter):
        try:
            check(text)
        except ProtocolError as error:
            assert error.clause  # noqa: PT017
