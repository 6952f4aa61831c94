"""The daemon's folder."""

import json
import stat
from pathlib import Path

import pytest

from bridge.data_dir import ADDRESSES, RESERVE, RESERVE_SIZE, DataDir, is_running


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "var" / "lib" / "bridge"


def test_made_for_its_owner_alone(folder: Path) -> None:
    data_dir = DataDir(folder)
    data_dir.lock()
    assert mode(folder) == 0o700
    assert data_dir.database == folder / "bridge.db"
    data_dir.release()


def test_one_daemon_a_folder(folder: Path) -> None:
    assert not is_running(folder)
    first = DataDir(folder)
    first.lock()
    assert is_running(folder)
    first.publish("127.0.0.1:80", "127.0.0.1:1883")
    for _ in range(2):
        with pytest.raises(OSError, match=f"another daemon is running on {folder}"):
            DataDir(folder).lock()
    assert (folder / ADDRESSES).exists()  # the one that runs is still found
    first.release()
    assert not is_running(folder)
    second = DataDir(folder)
    second.lock()
    second.release()


def test_a_folder_that_cannot_be_used(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(OSError, match="file"):
        DataDir(file).lock()
    with pytest.raises(OSError, match="file"):
        DataDir(file / "below").lock()


def test_room_is_kept_until_the_disk_is_full(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data_dir = DataDir(folder)
    data_dir.lock()
    monkeypatch.setattr(data_dir, "_free", lambda: 10 * RESERVE_SIZE)
    data_dir.keep_reserve()
    assert not (folder / RESERVE).exists()
    monkeypatch.setattr(data_dir, "_free", lambda: 20 * RESERVE_SIZE)
    data_dir.keep_reserve()
    data_dir.free_reserve()
    assert (folder / RESERVE).stat().st_size == RESERVE_SIZE
    assert mode(folder / RESERVE) == 0o600
    monkeypatch.setattr(data_dir, "_free", lambda: RESERVE_SIZE - 1)
    data_dir.free_reserve()
    assert not (folder / RESERVE).exists()
    data_dir.release()


def test_a_reserve_that_cannot_be_kept_is_done_without(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    data_dir = DataDir(folder)
    data_dir.lock()
    (folder / RESERVE).mkdir()
    data_dir.keep_reserve()
    assert "no room can be reserved" in caplog.text
    data_dir.release()


def test_addresses_are_written_over_when_there_is_no_room(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    data_dir = DataDir(folder)
    data_dir.lock()
    (folder / "addresses.new").mkdir()  # no draft can be made
    data_dir.publish("127.0.0.1:1", "127.0.0.1:2")
    assert "cannot find this daemon" in caplog.text
    (folder / ADDRESSES).write_text("x" * 100, encoding="utf-8")
    data_dir.publish("127.0.0.1:1", "127.0.0.1:2")
    assert json.loads((folder / ADDRESSES).read_text(encoding="utf-8"))["mqtt"] == "127.0.0.1:2"
    data_dir.release()


def test_addresses_while_a_daemon_runs(folder: Path) -> None:
    data_dir = DataDir(folder)
    data_dir.lock()
    assert not (folder / ADDRESSES).exists()
    for port in (1, 2):
        data_dir.publish(f"127.0.0.1:{port}", "127.0.0.1:1883")
        found = json.loads((folder / ADDRESSES).read_text(encoding="utf-8"))
        assert found == {"http": f"127.0.0.1:{port}", "mqtt": "127.0.0.1:1883"}
    assert mode(folder / ADDRESSES) == 0o600
    data_dir.release()
    assert not (folder / ADDRESSES).exists()


def test_what_a_crash_left_is_no_obstacle(folder: Path) -> None:
    data_dir = DataDir(folder)
    data_dir.lock()
    (folder / "addresses.new").write_text("half", encoding="utf-8")
    data_dir.publish("a:1", "b:2")
    data_dir.release()
    assert sorted(path.name for path in folder.iterdir()) == ["daemon.lock"]
