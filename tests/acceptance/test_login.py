"""Who may connect, and what the others are told in the words of their version."""

import pytest

from bridge.mqtt import Connack, Connect, Properties, Version, Will
from tests.acceptance.account import SECRET, Account
from tests.acceptance.device import Login

V31, V311, V5 = Version.V31, Version.V311, Version.V5


def _code(pump: Account, version: Version, login: Login, **fields: object) -> int:
    """The code of the CONNACK; a refusal ends the connection."""
    device = pump.raw(version, login)
    code = device.try_connect(**fields).reason_code
    if code:
        device.ended()
    return code


def _expected(version: Version, v5: int, older: int) -> int:
    return v5 if version is V5 else older


def test_a_device_logs_in_with_its_id_and_secret(pump: Account, version: Version) -> None:
    assert _code(pump, version, pump.login) == 0


def test_another_client_id_is_allowed(pump: Account, version: Version) -> None:
    assert _code(pump, version, Login(pump.id, SECRET, f"{pump.id}.modem")) == 0


def test_a_wrong_password_is_refused(pump: Account, version: Version) -> None:
    assert _code(pump, version, Login(pump.id, "wrong-secret", pump.id)) == _expected(version, 0x86, 4)


def test_a_missing_password_is_refused(pump: Account, version: Version) -> None:
    assert _code(pump, version, Login(pump.id, None, pump.id)) == _expected(version, 0x86, 4)


def test_an_unknown_device_is_refused_in_the_same_words(pump: Account, version: Version) -> None:
    assert _code(pump, version, Login("unknown", SECRET, "unknown")) == _expected(version, 0x86, 4)


def test_a_client_without_credentials_is_refused(pump: Account, version: Version) -> None:
    assert _code(pump, version, Login(None, None, "anybody")) == _expected(version, 0x87, 5)


def test_a_frozen_device_is_refused(pump: Account, version: Version) -> None:
    pump.freeze()
    assert _code(pump, version, pump.login) == _expected(version, 0x8A, 5)


def test_a_frozen_device_with_a_wrong_password_learns_nothing(pump: Account, version: Version) -> None:
    pump.freeze()
    assert _code(pump, version, Login(pump.id, "wrong-secret", pump.id)) == _expected(version, 0x86, 4)


def test_the_id_of_another_device_is_refused_as_client_id(pump: Account, other: Account, version: Version) -> None:
    victim = other.connect_raw(version)
    assert _code(pump, version, Login(pump.id, SECRET, other.id)) == _expected(version, 0x85, 2)
    assert victim.before_pong() == []


@pytest.mark.parametrize(
    ("version", "clean", "code"), [(V31, True, 2), (V31, False, 2), (V311, True, 0), (V311, False, 2), (V5, False, 0)]
)
def test_an_empty_client_id_is_for_the_versions_that_allow_it(
    pump: Account, version: Version, clean: bool, code: int
) -> None:
    assert _code(pump, version, Login(pump.id, SECRET, ""), clean_start=clean) == code


def test_the_admins_token_opens_mqtt_for_its_project_as_user_name(pump: Account, version: Version) -> None:
    assert _code(pump, version, Login("default", pump.daemon.token, "admin")) == 0
    assert _code(pump, version, Login("default", "no-token", "admin")) == _expected(version, 0x86, 4)


def test_the_token_of_an_application_does_not_open_mqtt(pump: Account, version: Version) -> None:
    with pump.daemon.admin() as admin:
        token = admin.add_token(f"app-{pump.id}", "default", frozenset({"messages:send", "messages:read"}))
    assert _code(pump, version, Login("default", token, "app")) == _expected(version, 0x87, 5)


def test_a_will_in_the_tree_of_another_device_is_refused(pump: Account, other: Account, version: Version) -> None:
    will = Will(f"{other.tree}/sys/messages/down", b"forged")
    assert _code(pump, version, pump.login, will=will) == _expected(version, 0x87, 5)


def test_enhanced_authentication_is_refused(pump: Account) -> None:
    properties = Properties(authentication_method="SCRAM-SHA-1")
    assert _code(pump, V5, pump.login, properties=properties) == 0x8C


@pytest.mark.parametrize(("level", "expected", "code"), [(2, V311, 1), (6, V5, 0x84)])
def test_an_unknown_protocol_level_is_refused(pump: Account, level: int, expected: Version, code: int) -> None:
    device = pump.raw(expected)
    device.send_bytes(bytes.fromhex(f"10 0d 0004 4d515454 {level:02x} 02 003c 0001 61"))
    assert device.expect(Connack).reason_code == code
    device.ended()


def test_a_second_connect_is_a_protocol_error(pump: Account, version: Version) -> None:
    device = pump.connect_raw(version)
    device.send(Connect(version, pump.id))
    assert device.ended_with() == (0x82 if version is V5 else None)


def test_an_mqtt_5_client_is_told_what_this_server_can_do(pump: Account) -> None:
    connack = pump.raw().try_connect(keep_alive=0)
    told = connack.properties
    unavailable = {"retain_available", "shared_subscription_available", "subscription_identifier_available"}
    assert not unavailable & told.keys()
    assert told["maximum_packet_size"] >= 1_048_576
    assert told["receive_maximum"] > 0
    assert told["server_keep_alive"] == 3600
