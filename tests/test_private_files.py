"""Files with secrets: made for their owner alone, replaced whole, and noticed when they are open to others."""

import os
import stat
from pathlib import Path

import pytest

from bridge import private_files

only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_file_is_made_once_and_for_its_owner(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        os.close(private_files.create(tmp_path / "file"))
        assert mode(private_files.make_folder(tmp_path / "a" / "b")) == 0o700
    finally:
        os.umask(before)
    assert mode(tmp_path / "file") == 0o600
    with pytest.raises(FileExistsError):
        private_files.create(tmp_path / "file")


def test_a_file_is_replaced_when_the_block_ends(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("old", encoding="utf-8")
    with private_files.replacing(file, "new"):
        assert file.read_text(encoding="utf-8") == "old"
    assert (file.read_text(encoding="utf-8"), mode(file)) == ("new", 0o600)
    with pytest.raises(KeyError), private_files.replacing(file, "newest"):
        raise KeyError
    assert file.read_text(encoding="utf-8") == "new"
    assert list(tmp_path.iterdir()) == [file]


def test_a_disk_that_refuses_leaves_what_was_there(tmp_path: Path) -> None:
    with pytest.raises(UnicodeEncodeError), private_files.replacing(tmp_path / "file", "\ud800"):
        pytest.fail("nothing was written")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("given", [0o604, 0o640, 0o602, 0o644, 0o666])
def test_a_mode_that_lets_others_in(tmp_path: Path, given: int) -> None:
    file = tmp_path / "file"
    file.touch()
    if os.geteuid() == 0:
        os.chown(file, 1000, 1000)
    file.chmod(given)
    assert private_files.shared_mode(file) == f"{given:04o}"


def test_a_mode_that_does_not(tmp_path: Path) -> None:
    file = tmp_path / "file"
    assert private_files.shared_mode(file) == ""
    file.touch(0o600)
    assert private_files.shared_mode(file) == ""


@only_root
@pytest.mark.parametrize(("given", "shown"), [(0o640, ""), (0o660, "0660"), (0o644, "0644")])
def test_a_file_of_root_for_the_group_of_the_service(tmp_path: Path, given: int, shown: str) -> None:
    file = tmp_path / "file"
    file.touch()
    file.chmod(given)
    assert private_files.shared_mode(file) == shown


def test_what_is_in_the_way(tmp_path: Path) -> None:
    assert private_files.obstacle(tmp_path / "new") == ""
    assert private_files.obstacle(tmp_path) == f"{tmp_path} is a folder"
    assert private_files.obstacle(tmp_path / "a" / "b") == f"there is no folder {tmp_path / 'a'}"


def test_a_user_without_a_name() -> None:
    assert private_files.user_name(os.geteuid())
    assert private_files.user_name(4_000_000) == "4000000"
