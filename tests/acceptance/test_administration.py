"""What an admin changes while the daemon runs."""

import pytest

from bridge.mqtt import Version
from tests.acceptance.account import SECRET, Account
from tests.acceptance.conftest import NewDaemon
from tests.acceptance.daemon import Daemon
from tests.acceptance.device import Login
from tests.acceptance.waiting import eventually

AT_ONCE = 1.5
"""Seconds: "within a second", on a machine that does other things too."""
ADMINISTRATIVE_ACTION = 0x98
UNKNOWN_DEVICE = "IOTDA.014000"


def test_a_device_added_by_the_command_can_connect(daemon: Daemon, pump: Account) -> None:
    name = f"{pump.id}-added"
    assert daemon.command("device", "add", name, "--secret", SECRET) == SECRET
    device = pump.raw(login=Login(name, SECRET, name)).connect()
    pump.api.post(name, "hello", payload_format="raw")
    assert device.next_message().payload == b"hello"


def test_a_secret_made_by_the_command_opens_mqtt(daemon: Daemon, pump: Account) -> None:
    name = f"{pump.id}-added"
    secret = daemon.command("device", "add", name)
    pump.raw(login=Login(name, secret, name)).connect()


def test_a_removed_device_is_disconnected_and_unknown(daemon: Daemon, pump: Account, version: Version) -> None:
    device = pump.connect_raw(version)
    pump.send("first")
    device.next_message()
    daemon.command("device", "remove", pump.id)
    assert device.ended_with(AT_ONCE) == (ADMINISTRATIVE_ACTION if version is Version.V5 else None)
    assert pump.raw(version).try_connect().reason_code == (0x86 if version is Version.V5 else 4)
    answer = pump.post()
    assert (answer.status, answer.error) == (404, UNKNOWN_DEVICE)


def test_a_device_that_comes_back_under_its_old_name_starts_anew(daemon: Daemon, pump: Account) -> None:
    pump.send("old", message_id="old")
    pump.connect_kept().close()
    with daemon.admin() as admin:
        admin.remove_device("default", pump.id)
    eventually(lambda: pump.post("refused").status == 404)
    with daemon.admin() as admin:
        admin.add_device("default", pump.id, SECRET)
    eventually(lambda: pump.post("new", payload_format="raw").status == 201)
    device = pump.connect_kept()
    assert not device.session_present
    assert device.next().payload == b"new"
    assert pump.api.show(pump.id, "old").status == 404


def test_a_frozen_device_is_disconnected_and_its_messages_wait(daemon: Daemon, pump: Account, version: Version) -> None:
    device = pump.connect_raw(version)
    daemon.command("device", "freeze", pump.id)
    assert device.ended_with(AT_ONCE) == (ADMINISTRATIVE_ACTION if version is Version.V5 else None)
    assert pump.raw(version).try_connect().reason_code == (0x8A if version is Version.V5 else 5)
    message_id = pump.send("waits", payload_format="raw")
    assert pump.status(message_id) == "PENDING"
    daemon.command("device", "unfreeze", pump.id)
    eventually(lambda: pump.raw(version).try_connect().reason_code == 0, within=AT_ONCE)
    assert pump.connect(version).next().payload == b"waits"


def test_other_devices_do_not_notice(daemon: Daemon, pump: Account, other: Account) -> None:
    device = pump.connect_raw()
    watched = other.connect_raw()
    with daemon.admin() as admin:
        admin.remove_device("default", other.id)
    watched.ended_with()
    assert device.before_pong() == []


def test_a_token_opens_the_api_until_it_is_revoked(daemon: Daemon, pump: Account) -> None:
    name = f"app-{pump.id}"
    token = daemon.command("token", "create", name)
    with daemon.api(token) as api:
        assert api.post(pump.id, "hello").status == 201
        daemon.command("token", "revoke", name)
        eventually(lambda: api.index(pump.id).status == 401, AT_ONCE)
        assert api.post(pump.id, "hello").error == "IOTDA.000002"


def test_the_admins_token_is_rotated_and_revoked_for_good(new_daemon: NewDaemon) -> None:
    daemon = new_daemon()
    old = daemon.token

    def status(token: str) -> int:
        with daemon.api(token) as api:
            return api.call("GET", "/v5/iot/default/devices").status

    assert status(old) == 200
    new = daemon.command("token", "rotate", "admin")
    assert daemon.token == new
    assert status(new) == 200
    eventually(lambda: status(old) == 401, AT_ONCE)
    daemon.restart()
    assert (daemon.token, status(new), status(old)) == (new, 200, 401)
    daemon.command("token", "revoke", "admin")
    eventually(lambda: status(new) == 401, AT_ONCE)
    own = daemon.command("token", "create", "admin", "--scopes", "admin")
    (daemon.data_dir / "admin.token").write_text(new, encoding="ascii")  # from a backup
    daemon.restart()
    assert (status(own), status(new), status(old)) == (200, 401, 401)
    assert 'msg="admin.token holds no token of an admin"' in daemon.log


@pytest.mark.parametrize(
    ("scopes", "statuses"), [("messages:read", (403, 200)), ("messages:send", (201, 403)), ("devices:read", (403, 403))]
)
def test_a_token_does_what_its_scopes_say(pump: Account, scopes: str, statuses: tuple[int, int]) -> None:
    with pump.daemon.admin() as admin:
        token = admin.add_token(f"{scopes.replace(':', '-')}-{pump.id}", "default", frozenset((scopes,)))
    with pump.daemon.api(token) as api:
        assert (api.post(pump.id, "hello").status, api.index(pump.id).status) == statuses


def test_no_token_and_a_wrong_one_are_refused_alike(daemon: Daemon, pump: Account) -> None:
    for token in ("", "wrong"):
        with daemon.api(token) as api:
            answer = api.post(pump.id, "hello")
            assert (answer.status, answer.error) == (401, "IOTDA.000002")
    assert pump.api.index(pump.id).body["messages"] == []


def test_the_command_sends_and_shows_a_message(daemon: Daemon, pump: Account) -> None:
    device = pump.connect()
    sent = daemon.command("send", pump.id, "hello", "--wait", "--timeout", "1")
    assert sent.endswith("DELIVERED")
    assert device.next().payload
    assert sent.split()[0] in daemon.command("messages", "list", pump.id)
