"""Forms and bounds of settings that no setting of today uses, and addresses."""

from typing import Any, Optional

import pytest

from bridge import values
from bridge.values import Refused, Spec


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        (Spec(int, 1, "", minimum=1), "at least 1"),
        (Spec(int, 1, "", maximum=9), "at most 9"),
        (Spec(int, 1, "", 1, 9), "1 to 9"),
        (Spec(str, "a", "", choices=("a", "b", "c")), "a, b or c"),
        (Spec(str, "a", ""), ""),
    ],
)
def test_limits_in_words(spec: Spec, text: str) -> None:
    assert values.limits(spec) == text


@pytest.mark.parametrize("kind", [str | None, Optional[str]])  # noqa: UP045 - both spellings are to work
def test_an_optional_setting_takes_what_it_is_optional_of(kind: Any) -> None:
    spec = Spec(kind, None, "")
    assert values.checked(spec, "x") == "x"
    with pytest.raises(Refused):
        values.checked(spec, 3)


@pytest.mark.parametrize(("value", "ok"), [(1, True), (9, True), (0, False), (10, False)])
def test_bounds_are_inclusive(value: int, ok: bool) -> None:
    spec = Spec(int, 1, "", 1, 9)
    if ok:
        assert values.checked(spec, value) == value
    else:
        with pytest.raises(Refused, match="out of bounds"):
            values.checked(spec, value)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:80", ("127.0.0.1", 80)),
        ("localhost:0", ("localhost", 0)),
        ("[::1]:65535", ("::1", 65535)),
        ("[0:0::1]:1", ("::1", 1)),
    ],
)
def test_addresses(text: str, address: tuple[str, int]) -> None:
    assert values.split_address(text) == address


@pytest.mark.parametrize(
    "text", ["", ":", "a", "a:", ":1", "a:b", "a:-1", "a:65536", "a:1\n", "::1:80", "a b:1", "[]:1"]
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        values.split_address(text)
    with pytest.raises(Refused):
        values.check_address(text)
    assert not values.collide(text, text)


@pytest.mark.parametrize("topic_filter", ["#", "a", "a/#", "+/a", "a/+/b", "/", "$oc/broadcast/#", "a//b"])
def test_topic_filters(topic_filter: str) -> None:
    values.check_topic_filters((topic_filter,))


@pytest.mark.parametrize("topic_filter", ["", "a#", "#/a", "a+", "a/b+/c", "a\0", "##"])
def test_what_is_no_topic_filter(topic_filter: str) -> None:
    with pytest.raises(Refused, match="no topic filter"):
        values.check_topic_filters(("a", topic_filter))
