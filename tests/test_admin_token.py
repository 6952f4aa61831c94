"""The admin's token: made and registered once; after that the store decides, whatever the file holds."""

import logging
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlite_utils import Database

from bridge import admin_token
from bridge.model.errors import StoreUnavailable
from bridge.model.principal import Principal
from bridge.store import Admin
from bridge.store.schema import MIGRATIONS
from bridge.store.tokens import Token
from tests.store.clock import HandClock

ADMIN = frozenset(("admin",))
OPENS = Principal("admin", None, ADMIN)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "bridge.db"


@pytest.fixture
def store(path: Path) -> Iterator[Admin]:
    with Admin.open(path, HandClock()) as admin:
        yield admin


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "admin.token"


def test_the_first_start_makes_it(store: Admin, file: Path) -> None:
    assert admin_token.settle(file, store)
    token = admin_token.read(file)
    assert len(token) >= 43
    assert file.read_text(encoding="ascii") == token + "\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert store.principal(token) == OPENS
    assert not admin_token.settle(file, store)
    assert admin_token.read(file) == token


@pytest.mark.parametrize("text", ["", "\n", "  \n"])
def test_an_empty_file_is_none(store: Admin, file: Path, text: str) -> None:
    file.write_text(text, encoding="ascii")
    assert admin_token.settle(file, store)
    assert store.principal(admin_token.read(file)) == OPENS


def test_a_text_that_somebody_put_there_before_the_first_start(store: Admin, file: Path) -> None:
    """Also when the start before ended between the file and the store."""
    file.write_text("mine\n", encoding="ascii")
    assert admin_token.settle(file, store)
    assert store.principal("mine") == OPENS


def test_a_database_that_a_command_made_is_not_the_first_start(store: Admin, file: Path) -> None:
    store.add_device("default", "lamp", "lamp-secret-1")
    store.add_token("shop", "default", ADMIN)
    assert admin_token.settle(file, store)


@pytest.mark.parametrize("left", ["the same", "another", "nothing"])
def test_what_was_revoked_stays_revoked(store: Admin, file: Path, caplog: pytest.LogCaptureFixture, left: str) -> None:
    admin_token.settle(file, store)
    token = admin_token.read(file)
    store.revoke_token("admin")
    own = store.add_token("admin", "default", ADMIN)
    if left == "nothing":
        file.unlink()
    elif left == "another":
        file.write_text("another", encoding="ascii")
    caplog.set_level(logging.INFO)
    assert not admin_token.settle(file, store)
    assert store.principal(token) is None
    assert store.principal("another") is None
    assert store.principal(own) is not None
    assert file.exists() == (left != "nothing")
    (record,) = caplog.records
    assert record.message == (
        "there is no admin.token" if left == "nothing" else "admin.token holds no token of an admin"
    )
    assert vars(record)["remedy"] == "device-bridge token create admin --project '*' --scopes admin"


@pytest.mark.parametrize("text", [None, "", "another", "\xff\x00"])
def test_a_file_that_does_not_fit_is_a_line_in_the_log(
    store: Admin, file: Path, caplog: pytest.LogCaptureFixture, text: str | None
) -> None:
    admin_token.settle(file, store)
    token = admin_token.read(file)
    file.unlink()
    if text is not None:
        file.write_bytes(text.encode("latin-1"))
    caplog.set_level(logging.INFO)
    assert not admin_token.settle(file, store)
    (record,) = caplog.records
    assert vars(record)["remedy"] == "device-bridge token rotate admin"
    assert store.principal(token) == OPENS


def test_a_file_with_a_token_of_another_admin_is_fine(
    store: Admin, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    admin_token.settle(file, store)
    file.write_text(store.add_token("ops", "default", ADMIN), encoding="ascii")
    caplog.set_level(logging.INFO)
    assert not admin_token.settle(file, store)
    assert caplog.records == []


def test_a_file_that_cannot_be_read_is_a_line_in_the_log(
    store: Admin, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    admin_token.settle(file, store)
    file.unlink()
    file.mkdir()
    assert not admin_token.settle(file, store)
    assert [record.message for record in caplog.records] == ["admin.token cannot be read"]


@pytest.mark.parametrize("revoked", [False, True])
def test_a_database_of_before(path: Path, file: Path, revoked: bool) -> None:
    """Every start used to register the text of the file."""
    old = Database(path)
    MIGRATIONS.apply(old, stop_before="milestones")
    with Admin.open(path, HandClock()) as admin:
        pass
    old.execute("DROP TABLE milestone")
    old.execute("DELETE FROM _sqlite_migrations WHERE name = 'milestones'")
    old.execute("INSERT INTO change (at, kind, name) VALUES (1, 'token', 'admin')")
    old.execute("DELETE FROM change")  # long ago
    old.close()
    file.write_text("kept", encoding="ascii")
    with Admin.open(path, HandClock()) as admin:
        if not revoked:
            admin.put_token("admin", "kept", None, ADMIN)
        assert not admin_token.settle(file, admin)
        assert admin.principal("kept") == (None if revoked else OPENS)


@pytest.mark.parametrize(
    ("token", "kept"),
    [
        (Token("admin", None, ADMIN, 0), "new\n"),
        (Token("admin", "default", ADMIN, 0), "old\n"),
        (Token("admin", None, frozenset(("events:read",)), 0), "old\n"),
        (Token("ops", None, ADMIN, 0), "old\n"),
    ],
)
def test_the_file_follows_the_token_of_the_admin_only(file: Path, token: Token, kept: str) -> None:
    file.write_text("old\n", encoding="ascii")
    with admin_token.following(file, token, "new"):
        assert file.read_text(encoding="ascii") == "old\n"
    assert file.read_text(encoding="ascii") == kept


def test_a_store_that_refuses_leaves_the_file(file: Path) -> None:
    file.write_text("old\n", encoding="ascii")
    with pytest.raises(StoreUnavailable), admin_token.following(file, Token("admin", None, ADMIN, 0), "new"):
        raise StoreUnavailable
    assert [each.read_text(encoding="ascii") for each in file.parent.iterdir()] == ["old\n"]
