"""`device …` works on the database file, whether a daemon runs or not."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from bridge.cli import database
from bridge.cli.database import opened
from bridge.data_dir import DataDir
from bridge.model.device import AuthType, Slot
from bridge.model.record import Amendment, Enrolment, Profile
from bridge.store.statements import SIGHT
from tests.cli.conftest import Call

Ok = Callable[..., str]
pytestmark = pytest.mark.usefixtures("database")


def test_add_prints_only_the_secret(ok: Ok, data_dir: Path) -> None:
    secret = ok("device", "add", "pump-1").removesuffix("\n")
    assert len(secret) == 32
    with opened(data_dir) as admin:
        device = admin.device("default", "pump-1")
    assert device is not None
    assert device.secret == secret


def test_add_takes_the_given_secret_and_project(ok: Ok, data_dir: Path) -> None:
    assert ok("device", "add", "pump-1", "--secret", "s3cret-s3cret", "--project", "plant") == "s3cret-s3cret\n"
    with opened(data_dir) as admin:
        assert admin.device("default", "pump-1") is None
        assert admin.device("plant", "pump-1") is not None


def test_the_data_dir_option_wins_over_the_environment(ok: Ok, tmp_path: Path) -> None:
    ok("device", "add", "pump-1", "--create", "--data-dir", str(tmp_path / "a" / "b"))
    assert (tmp_path / "a" / "b" / "bridge.db").exists()
    assert ok("device", "list", "--json") == "[]\n"


def test_list_freeze_unfreeze_show_remove(ok: Ok) -> None:
    for device_id in ("pump-1", "a-longer-name"):
        ok("device", "add", device_id)
    ok("device", "freeze", "pump-1")
    head, *rows = ok("device", "list").splitlines()
    assert head.split() == ["ID", "STATE", "CONNECTION", "CREATED"]
    assert [row.split()[:2] for row in rows] == [["pump-1", "frozen"], ["a-longer-name", "active"]]
    assert rows[0].index("frozen") == rows[1].index("active") == head.index("STATE")
    ok("device", "unfreeze", "pump-1")
    assert ["state", "active"] in [line.split() for line in ok("device", "show", "pump-1").splitlines()]
    ok("device", "remove", "pump-1")
    assert [device["device_id"] for device in json.loads(ok("device", "list", "--json"))] == ["a-longer-name"]


def test_show_as_json_has_no_secret(ok: Ok) -> None:
    ok("device", "add", "pump-1")
    shown = json.loads(ok("device", "show", "pump-1", "--json"))
    assert shown.pop("created_at").endswith("Z")
    missing = ("device_name", "description", "app_id", "gateway_id", "fingerprint", "secondary_fingerprint")
    assert shown == {
        "project": "default",
        "device_id": "pump-1",
        "frozen": False,
        "node_id": "pump-1",
        "product_id": "default",
        "auth_type": "SECRET",
        "secure_access": False,
        "timeout": 0,
        "tags": {},
        "online": False,
        **dict.fromkeys((*missing, "fw_version", "sw_version", "extension_info", "online_changed_at", "active_at")),
    }


@pytest.fixture
def full(data_dir: Path) -> None:
    """A device of which everything is known, and one behind it."""
    profile = Profile(
        "aa:bb", "pumps", "Pump", "in the cellar", "app-1", '{"n": 1}', (("room", "cellar"),), "1.2", "3.4", 60
    )
    with opened(data_dir, create=True) as admin:
        made = admin.enrol("default", Enrolment("pump-1", profile, AuthType.CERTIFICATES, fingerprint="ab" * 32))
        admin.set_fingerprint("default", "pump-1", "cd" * 32, Slot.SECONDARY)
        admin.amend("default", "pump-1", Amendment(secure_access=True))
        admin._connection.execute(SIGHT[1], (made.device.key, True, 1000, 1000)).close()
        admin.enrol("default", Enrolment("valve-1", Profile("v"), secret="12345678", gateway_id="pump-1"))


@pytest.mark.usefixtures("full")
def test_show_everything(ok: Ok) -> None:
    lines = dict(re.split("  +", line, maxsplit=1) for line in ok("device", "show", "pump-1").splitlines())
    assert lines.pop("created").endswith("Z")
    assert lines == {
        "device": "pump-1",
        "project": "default",
        "state": "active",
        "connection": "online since 1970-01-01T00:00:01Z",
        "node": "aa:bb",
        "product": "pumps",
        "name": "Pump",
        "description": "in the cellar",
        "app": "app-1",
        "logs in with": "a certificate",
        "fingerprint": "ab" * 32,
        "2nd fingerprint": "cd" * 32,
        "access": "TLS only",
        "firmware": "1.2",
        "software": "3.4",
        "tags": "room=cellar",
        "extension": '{"n": 1}',
        "activated": "1970-01-01T00:00:01Z",
    }
    shown = json.loads(ok("device", "show", "pump-1", "--json"))
    assert (shown["tags"], shown["extension_info"], shown["online"]) == ({"room": "cellar"}, {"n": 1}, True)
    assert shown["active_at"] == shown["online_changed_at"] == "1970-01-01T00:00:01Z"


@pytest.mark.usefixtures("full")
def test_list_says_who_is_connected_and_since_when(call: Call, ok: Ok, data_dir: Path) -> None:
    ok("device", "add", "never")
    with opened(data_dir) as admin:
        gone = admin.add_device("default", "gone", "12345678")
        admin._connection.execute(SIGHT[1], (gone.key, False, 2000, 1000)).close()
    result = call("device", "list")
    rows = [re.split("  +", line)[:3] for line in result.stdout.splitlines()[1:]]
    assert rows[0] == ["pump-1", "active", "online since 1970-01-01T00:00:01Z"]
    assert rows[1][2].startswith("online since 20")  # behind it, and added later
    assert [row[2] for row in rows[2:]] == ["never", "offline since 1970-01-01T00:00:02Z"]
    told = f"No daemon runs on {data_dir}: who was online is not any more.\n"
    assert result.stderr == told
    assert call("device", "show", "pump-1").stderr == told
    shown = {device["device_id"]: device for device in json.loads(ok("device", "list", "--json"))}
    assert shown["gone"].pop("created_at").endswith("Z")
    assert shown["gone"] == {
        "project": "default",
        "device_id": "gone",
        "frozen": False,
        "online": False,
        "online_changed_at": "1970-01-01T00:00:02Z",
    }
    holder = DataDir(data_dir)
    holder.lock()
    assert call("device", "list").stderr == call("device", "show", "pump-1").stderr == ""
    holder.release()


@pytest.mark.usefixtures("full")
def test_a_device_behind_a_gateway(ok: Ok, call: Call) -> None:
    text = ok("device", "show", "valve-1")
    assert "12345678" not in text
    assert ["gateway", "pump-1"] in [line.split() for line in text.splitlines()]
    assert ["connection", "online", "since"] in [line.split()[:3] for line in text.splitlines()]
    for command, words in (("freeze", "no connection of its own"), ("remove", "")):
        result = call("device", command, "valve-1" if words else "pump-1")
        assert result.exit_code == 1
        assert (words or "there are devices behind pump-1") in result.stderr
    ok("device", "remove", "valve-1")
    ok("device", "remove", "pump-1")


def test_a_device_that_never_connected(ok: Ok) -> None:
    ok("device", "add", "pump-1")
    assert ["connection", "never"] in [line.split() for line in ok("device", "show", "pump-1").splitlines()]


def test_list_reads_every_page(ok: Ok, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "PAGE", 2)
    names = [f"d-{number}" for number in range(5)]
    with opened(data_dir) as admin:
        for name in names:
            admin.add_device("default", name, "12345678")
    assert [device["device_id"] for device in json.loads(ok("device", "list", "--json"))] == names


@pytest.mark.parametrize("command", ["show", "remove", "freeze", "unfreeze"])
def test_an_unknown_device_is_one_line_and_exit_code_1(call: Call, command: str) -> None:
    result = call("device", command, "ghost")
    assert (result.exit_code, result.stderr) == (1, "Error: project default has no device ghost\n")


def test_a_device_is_added_once(call: Call) -> None:
    call("device", "add", "pump-1")
    result = call("device", "add", "pump-1")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "Error: project default has a device pump-1\n"


@pytest.mark.parametrize(
    "args",
    [
        ("pump 1",),
        ("pump-1\n",),
        ("",),
        ("x" * 129,),
        ("pump-1", "--secret", ""),
        ("pump-1", "--secret", "7-chars"),
        ("pump-1", "--secret", "x" * 33),
        ("pump-1", "--secret", "not.a.letter"),
        ("pump-1", "--secret", "with space"),
        ("pump-1", "--secret", "newline\n"),
        ("pump-1", "--project", "a/b"),
        ("pump-1", "--project", "*"),
    ],
)
def test_what_is_not_well_formed_is_a_usage_error(call: Call, data_dir: Path, args: tuple[str, ...]) -> None:
    result = call("device", "add", *args)
    assert result.exit_code == 2
    assert " is not " in result.stderr
    with opened(data_dir) as admin:
        assert admin.devices(None) == []


def test_a_data_dir_that_cannot_be_made(call: Call, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = call("device", "add", "pump-1", "--create", "--data-dir", str(tmp_path / "file" / "x"))
    assert result.exit_code == 1
    assert result.stderr == f"Error: {tmp_path / 'file'}: File exists\n"


def test_a_database_that_is_none(call: Call, data_dir: Path) -> None:
    (data_dir / "bridge.db").write_bytes(b"not a database" * 100)
    result = call("device", "list")
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: cannot use ")
