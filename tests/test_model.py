"""The words everything else speaks."""

import time

import pytest

from bridge.model import errors
from bridge.model.clock import system_clock
from bridge.model.device import DEVICE_ID, PROJECT, SECRET, Device
from bridge.model.message import Draft, Message, Outcome, Status
from bridge.model.principal import SCOPES, TOKEN_NAME, Principal
from bridge.model.topics import default_downlink, device_of, device_tree, is_system_downlink, user_topic


def test_the_clock_counts_milliseconds() -> None:
    assert abs(system_clock() - time.time() * 1000) < 5000


@pytest.mark.parametrize(
    ("text", "fits"),
    [("a", True), ("Pump_1-x", True), ("a" * 128, True), ("a" * 129, False), ("", False), ("a\n", False), ("é", False)],
)
def test_device_ids(text: str, fits: bool) -> None:
    assert bool(DEVICE_ID.fullmatch(text)) is fits


@pytest.mark.parametrize(("text", "fits"), [("default", True), ("a" * 65, False), ("a/b", False), ("", False)])
def test_projects(text: str, fits: bool) -> None:
    assert bool(PROJECT.fullmatch(text)) is fits


@pytest.mark.parametrize(
    ("text", "fits"),
    [("_-aB3xyz", True), ("a" * 32, True), ("!~aB3xyz", False), ("a" * 7, False), ("a" * 33, False), ("", False)],
)
def test_secrets(text: str, fits: bool) -> None:
    assert bool(SECRET.fullmatch(text)) is fits


def test_token_names() -> None:
    assert TOKEN_NAME.fullmatch("ops@example.org")
    assert not TOKEN_NAME.fullmatch("two words")


def test_a_secret_is_not_shown() -> None:
    assert "s3cret" not in repr(Device(1, "default", "pump-1", "s3cret", False, 0))


def test_a_message_is_pending_until_it_has_an_outcome() -> None:
    draft = Draft("m", '""', 0)
    assert Message(1, draft, 0, 0).status is Status.PENDING
    assert Message(1, draft, 0, 0, outcome=Outcome(Status.TIMEOUT, 1)).status is Status.TIMEOUT


@pytest.mark.parametrize(
    ("project", "scopes", "enters", "may"),
    [
        (None, set(), True, []),
        ("default", {"messages:send"}, True, ["messages:send"]),
        ("other", {"messages:send"}, False, ["messages:send"]),
        ("default", {"admin"}, True, list(SCOPES)),
    ],
)
def test_what_a_principal_may(project: str | None, scopes: set[str], enters: bool, may: list[str]) -> None:
    principal = Principal("app", project, frozenset(scopes))
    assert principal.may_enter("default") is enters
    assert [scope for scope in SCOPES if principal.may(scope)] == may


def test_topics() -> None:
    assert device_tree("d") == "$oc/devices/d/"
    assert default_downlink("d") == "$oc/devices/d/sys/messages/down"
    assert user_topic("d", "a/b") == "$oc/devices/d/user/a/b"


@pytest.mark.parametrize(
    ("topic", "device_id"),
    [("$oc/devices/d/user/a", "d"), ("$oc/devices/d", "d"), ("$oc/devices/", ""), ("$oc/broadcast/d", ""), ("a", "")],
)
def test_the_device_of_a_topic(topic: str, device_id: str) -> None:
    assert device_of(topic) == device_id


@pytest.mark.parametrize(
    ("topic", "is_one"),
    [
        ("sys/messages/down", True),
        ("sys/commands/request_id=1", True),
        ("sys/properties/set/request_id=1", True),
        ("sys/properties/get/request_id=1", True),
        ("sys/shadow/get/response/request_id=1", True),
        ("sys/events/down", True),
        ("sys/messages/up", False),
        ("sys/messages/down/more", False),
        ("user/messages/down", False),
    ],
)
def test_system_downlinks(topic: str, is_one: bool) -> None:
    assert is_system_downlink("d", f"$oc/devices/d/{topic}") is is_one
    assert not is_system_downlink("e", f"$oc/devices/d/{topic}")


def test_the_tree_of_errors_is_the_one_that_is_drawn() -> None:
    drawn = {line.split()[1] for line in (errors.__doc__ or "").splitlines() if line.startswith(("├", "└"))}
    assert drawn == {error.__name__ for error in errors.BridgeError.__subclasses__()}
