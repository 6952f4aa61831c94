"""Client identifiers that say how the password was made."""

import hashlib
import hmac

import pytest

from bridge.broker.signature import SignedId, looks_signed, signed_id

HOUR = 3_600_000
APRIL_14TH = 1_744_592_400_000
"""2025-04-14 01:00 UTC."""


def test_the_published_vector() -> None:
    signed = signed_id("lamp_0_0_2025041401")
    assert signed is not None
    password = b"c75150e6cb841417396819e4d2ee4358a416344a03a083e3a8567074ddec820a"
    assert signed.opens("12345678", password)
    assert not signed.opens("12345679", password)
    assert not signed.opens("12345678", password.upper())
    assert not signed.opens("12345678", password[:-1])
    assert not signed.opens("12345678", b"")


def test_any_secret() -> None:
    signed = SignedId("lamp", False, "2025041401")
    for secret in ("", "x", "a b", "é\u0000"):
        made = hmac.new(b"2025041401", secret.encode(), hashlib.sha256).hexdigest().encode()
        assert signed.opens(secret, made)


@pytest.mark.parametrize(
    ("client_id", "expected"),
    [
        ("lamp_0_0_2025041401", SignedId("lamp", False, "2025041401")),
        ("lamp_0_1_2025041401", SignedId("lamp", True, "2025041401")),
        ("a_0_1_0000000000_0_0_2025041401", SignedId("a_0_1_0000000000", False, "2025041401")),
        ("___0_0_2025041401", SignedId("__", False, "2025041401")),
        ("x" * 128 + "_0_0_2025041401", SignedId("x" * 128, False, "2025041401")),
        ("x" * 129 + "_0_0_2025041401", None),
        ("_0_0_2025041401", None),
        ("lamp_1_0_2025041401", None),
        ("lamp_0_2_2025041401", None),
        ("lamp_0_0_202504140", None),
        ("lamp_0_0_20250414012", None),
        ("lamp_0_0_2025041401\n", None),
        ("lamp_0_0_202504140\u0661", None),
        ("la mp_0_0_2025041401", None),
        ("lamp", None),
        ("", None),
    ],
)
def test_forms(client_id: str, expected: SignedId | None) -> None:
    assert signed_id(client_id) == expected


@pytest.mark.parametrize(
    ("now", "hours"),
    [
        (APRIL_14TH, 0),
        (APRIL_14TH + HOUR - 1, 0),
        (APRIL_14TH - 1, 1),
        (APRIL_14TH + HOUR, 1),
        (APRIL_14TH + 2 * HOUR - 1, 1),
        (APRIL_14TH + 2 * HOUR, 2),
        (APRIL_14TH - HOUR - 1, 2),
    ],
)
def test_how_far_off(now: int, hours: int) -> None:
    assert SignedId("lamp", True, "2025041401").hours_off(now) == hours


@pytest.mark.parametrize("timestamp", ["2025023001", "2025130101", "2025041424", "0000010100", "2025000001"])
def test_what_is_no_time(timestamp: str) -> None:
    with pytest.raises(ValueError, match=r"year|month|day|hour"):
        SignedId("lamp", True, timestamp).hours_off(APRIL_14TH)


def test_what_looks_like_it() -> None:
    assert looks_signed("lamp_0_", "lamp")
    assert looks_signed("lamp_0_9_x", "lamp")
    assert not looks_signed("lamp_0", "lamp")
    assert not looks_signed("lamp_backup", "lamp")
    assert not looks_signed("other_0_0_2025041401", "lamp")
