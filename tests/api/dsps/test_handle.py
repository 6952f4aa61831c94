"""Handles: each means one position of one subscriber, and whatever is no whole handle of that subscriber is noticed."""

import re

import pytest

from bridge.api.dsps.errors import Refusal
from bridge.api.dsps.handle import Handles

HANDLES = Handles("plant", "news", "app")
LAST = (1 << 63) - 1


@pytest.mark.parametrize("position", [0, 1, 255, 256, 1_776_675_755_123, LAST])
def test_a_handle_is_url_safe_and_comes_back(position: int) -> None:
    handle = HANDLES.encode(position)
    assert re.fullmatch(r"[A-Za-z0-9_-]+", handle)
    assert HANDLES.decode(handle) == position
    assert Handles("plant", "news", "app").decode(handle) == position


def test_the_form_is_kept_because_clients_hold_handles_across_upgrades() -> None:
    assert HANDLES.encode(7) == "AAAAAAAAAAeH_YzvTk0PftfO"


@pytest.mark.parametrize(
    "other",
    [
        Handles("plant", "news", "app2"),
        Handles("plant", "new", "app"),
        Handles("plan", "news", "app"),
        Handles("plant", "app", "news"),
    ],
)
def test_the_handle_of_another_is_malformed(other: Handles) -> None:
    malformed(other.encode(7))


def test_what_is_left_of_a_handle_is_malformed() -> None:
    handle = HANDLES.encode(7)
    for cut in range(len(handle)):
        malformed(handle[:cut])
        malformed(handle[cut + 1 :])
    for place in range(len(handle)):
        for digit in "A9-_=+/.\n é":
            changed = handle[:place] + digit + handle[place + 1 :]
            if changed != handle:
                malformed(changed)


@pytest.mark.parametrize(
    "text", ["A" * 24, "_" * 24, "7", "A" * 23 + "=", "A" * 25, "A" * 100_000, "\ud800" * 24, "\uff21" * 24]
)
def test_no_handle(text: str) -> None:
    malformed(text)
    malformed(HANDLES.encode(7) + text)


def malformed(handle: str) -> None:
    with pytest.raises(Refusal) as caught:
        HANDLES.decode(handle)
    assert (caught.value.status, caught.value.code) == (400, "dsps.storage.ack-handle-malformed")
