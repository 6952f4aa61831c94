"""What a rule is about, and how the secrets of an action change."""

import base64

import pytest

from bridge.model.rule import (
    DEVICE_STATUS,
    ActionAmendment,
    AppType,
    Rule,
    RuleDraft,
    rotated,
    signing_key,
)


@pytest.mark.parametrize(
    ("app_type", "of_rule", "of_device", "covers"),
    [
        (AppType.GLOBAL, None, None, True),
        (AppType.GLOBAL, None, "a", True),
        (AppType.GLOBAL, "a", "b", True),
        (AppType.APP, "a", "a", True),
        (AppType.APP, "a", "b", False),
        (AppType.APP, "a", None, False),
        (AppType.APP, None, None, True),
        (AppType.APP, None, "a", False),
    ],
)
def test_devices_of_a_rule(app_type: AppType, of_rule: str | None, of_device: str | None, covers: bool) -> None:
    draft = RuleDraft(DEVICE_STATUS, app_type=app_type, app_id=of_rule)
    assert Rule(1, "plant", "r", draft, active=True).covers(of_device) is covers


@pytest.mark.parametrize(
    ("before", "amendment", "after"),
    [
        ("a", ActionAmendment(), "a"),
        ("a", ActionAmendment(secret="b"), "ba"),
        ("ba", ActionAmendment(secret="c"), "cb"),
        ("ba", ActionAmendment(secret="b"), "ba"),
        ("ba", ActionAmendment(secret="a"), "ab"),
        ("a", ActionAmendment(secret="a"), "a"),
        ("ba", ActionAmendment(retire=True), "b"),
        ("a", ActionAmendment(retire=True), "a"),
        ("ba", ActionAmendment(secret="c", retire=True), "c"),
        ("ba", ActionAmendment(url="http://x"), "ba"),
    ],
)
def test_rotation(before: str, amendment: ActionAmendment, after: str) -> None:
    assert rotated(tuple(before), amendment) == tuple(after)
    assert rotated(rotated(tuple(before), amendment), amendment) == tuple(after)


def test_secrets_are_not_shown_by_chance() -> None:
    assert "whsec_x" not in repr(ActionAmendment(secret="whsec_x"))


@pytest.mark.parametrize("length", [24, 32, 64])
def test_signing_keys(length: int) -> None:
    key = bytes(range(length))
    assert signing_key("whsec_" + base64.b64encode(key).decode()) == key


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "begins"),
        ("secret", "begins"),
        ("WHSEC_" + "A" * 32, "begins"),
        ("whsec_", "24 to 64"),
        ("whsec_" + base64.b64encode(bytes(23)).decode(), "24 to 64"),
        ("whsec_" + base64.b64encode(bytes(65)).decode(), "24 to 64"),
        ("whsec_" + "A" * 31, "Base64"),
        ("whsec_" + "A" * 31 + "ä", "Base64"),
        ("whsec_" + "A" * 30 + "-_", "Base64"),
        ("whsec_" + "A" * 32 + "\n", "Base64"),
        ("whsec_ " + "A" * 32, "Base64"),
    ],
)
def test_what_is_no_signing_secret(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        signing_key(text)
