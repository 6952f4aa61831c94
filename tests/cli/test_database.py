"""Which folder a command works in, and what it leaves there."""

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bridge.cli import installed
from bridge.cli.database import opened
from tests.cli.conftest import Call

NOBODY = 65534
only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
COMMANDS = [
    ("device", "list"),
    ("device", "show", "x"),
    ("device", "add", "x"),
    ("device", "remove", "x"),
    ("device", "freeze", "x"),
    ("device", "unfreeze", "x"),
    ("token", "list"),
    ("token", "create", "x"),
    ("token", "revoke", "x"),
    ("token", "rotate", "x"),
    ("key", "list"),
    ("key", "create", "x"),
    ("key", "revoke", "x"),
]
CREATING = [("device", "add", "x"), ("token", "create", "x"), ("key", "create", "x")]


@contextmanager
def as_user(number: int) -> Iterator[None]:
    os.setegid(number)
    os.seteuid(number)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """That every user can reach."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_folder_without_a_database_is_refused_and_stays_as_it_is(
    call: Call, data_dir: Path, words: tuple[str, ...]
) -> None:
    data_dir.mkdir()
    result = call(*words)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"Error: {data_dir} has no bridge.db, so no daemon has run with this data folder: ")
    assert ("--create" in result.stderr) == (words in CREATING)
    assert list(data_dir.iterdir()) == []
    data_dir.rmdir()
    assert call(*words).exit_code == 1
    assert not data_dir.exists()


@pytest.mark.parametrize("words", CREATING, ids=" ".join)
def test_create_makes_folder_and_database_for_their_owner_alone(
    call: Call, data_dir: Path, words: tuple[str, ...]
) -> None:
    assert call(*words, "--create").exit_code == 0
    assert stat.S_IMODE(data_dir.stat().st_mode) == 0o700
    assert stat.S_IMODE((data_dir / "bridge.db").stat().st_mode) == 0o600
    assert call("device", "list").exit_code == 0


def test_a_folder_that_exists_keeps_its_mode(call: Call, data_dir: Path) -> None:
    data_dir.mkdir(mode=0o750)
    assert call("device", "add", "pump-1", "--create").exit_code == 0
    assert stat.S_IMODE(data_dir.stat().st_mode) == 0o750


@only_root
def test_what_root_makes_belongs_to_the_owner_of_the_folder(call: Call, data_dir: Path) -> None:
    data_dir.mkdir(mode=0o700)
    os.chown(data_dir, NOBODY, NOBODY)
    assert call("device", "add", "pump-1", "--create").exit_code == 0
    with opened(data_dir) as admin:  # the files of the WAL are there as long as somebody has the database open
        admin.add_device("default", "pump-2", "12345678")
        owners = {file.name: (file.stat().st_uid, file.stat().st_gid) for file in data_dir.iterdir()}
    assert {"bridge.db", "bridge.db-wal", "bridge.db-shm"} <= owners.keys()
    assert set(owners.values()) == {(NOBODY, NOBODY)}


@only_root
@pytest.mark.parametrize("words", [*COMMANDS, ("send", "x", "hello"), ("messages", "list")], ids=" ".join)
def test_another_user_is_told_whose_folder_it_is(call: Call, open_folder: Path, words: tuple[str, ...]) -> None:
    folder = open_folder / "data"
    with opened(folder, create=True):
        pass
    with as_user(NOBODY):
        result = call(*words, "--data-dir", str(folder))
    assert result.exit_code == 1
    assert f"{folder} belongs to the user root, and this is nobody: run it as root (sudo -u root …)" in result.stderr
    assert len(result.stderr.splitlines()) == 1


@only_root
def test_the_service_is_told_which_file_is_not_its_own(call: Call, open_folder: Path) -> None:
    """Somebody copied the database as root, or an older version left it."""
    folder = open_folder / "data"
    with opened(folder, create=True):
        pass
    os.chown(folder, NOBODY, NOBODY)
    with as_user(NOBODY):
        result = call("device", "list", "--data-dir", str(folder))
    database = folder / "bridge.db"
    assert result.stderr == (
        f"Error: cannot open {database}: {database} belongs to the user root and its folder to nobody: "
        f"chown nobody {database}\n"
    )


@only_root
def test_a_mode_that_shuts_the_owner_out(call: Call, open_folder: Path) -> None:
    folder = open_folder / "data"
    with as_user(0), opened(folder, create=True):
        pass
    for path in (folder, folder / "bridge.db"):
        os.chown(path, NOBODY, NOBODY)
    (folder / "bridge.db").chmod(0o400)
    with as_user(NOBODY):
        result = call("device", "add", "x", "--data-dir", str(folder))
    assert f"{folder / 'bridge.db'} has mode 0400: chmod u+rw {folder / 'bridge.db'}" in result.stderr


@only_root
def test_a_configuration_that_may_not_be_read(call: Call, open_folder: Path) -> None:
    file = open_folder / "device-bridge.toml"
    file.touch(0o600)
    with as_user(NOBODY):
        result = call("run", "--config", str(file))
    sentence = f"{file} belongs to the user root, and this is nobody: run it as root (sudo -u root …)"
    assert result.stderr.splitlines()[1] == f"  The configuration file {file} cannot be read: {sentence}."


def test_a_database_that_is_a_folder(call: Call, data_dir: Path) -> None:
    (data_dir / "bridge.db").mkdir(parents=True)
    assert call("device", "list").stderr.endswith(f"{data_dir / 'bridge.db'} is a folder\n")


def test_an_installed_service_is_found(call: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("DEVICE_BRIDGE_DATA_DIR")
    monkeypatch.setattr(installed, "CONFIG_FILE", tmp_path / "etc" / "device-bridge.toml")
    monkeypatch.setattr(installed, "DATA_DIR", tmp_path / "lib")
    monkeypatch.chdir(tmp_path)
    assert f"{tmp_path / 'var'} has no bridge.db" in call("device", "list").stderr
    assert installed.data_dir_help() == f"var, as there is no {installed.CONFIG_FILE}"
    (tmp_path / "etc").mkdir()
    installed.CONFIG_FILE.touch()
    assert f"{tmp_path / 'lib'} has no bridge.db" in call("device", "list").stderr
    assert installed.data_dir_help() == f"{tmp_path / 'lib'}, as there is a {installed.CONFIG_FILE}"
    assert installed.config_file_help() == str(installed.CONFIG_FILE)


@only_root
def test_a_configuration_behind_a_closed_door_is_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(installed, "CONFIG_FILE", tmp_path / "device-bridge.toml")
    tmp_path.chmod(0o700)
    with as_user(NOBODY):
        assert installed.is_there()
    assert not installed.is_there()
