import subprocess
import sys
from pathlib import Path

import pytest
from sqlite_utils import Database

from bridge.model.errors import StoreUnavailable
from bridge.store import Admin, Store
from bridge.store.schema import MIGRATIONS
from tests.store.asking import added
from tests.store.clock import HandClock
from tests.store.template import prepared


@pytest.fixture
def path(missing: Path) -> Path:
    """The schema is made by the migrations here, not copied."""
    return missing


def test_the_template_of_the_tests_is_what_the_migrations_make(tmp_path: Path, path: Path) -> None:
    Admin.open(path, lambda: 0).close()
    made, copied = Database(path), Database(prepared(tmp_path / "copied.db"))
    assert made.schema == copied.schema
    assert {table: made[table].count for table in made.table_names()} == {
        table: copied[table].count for table in copied.table_names()
    }
    assert MIGRATIONS.applied(made)
    assert [each.name for each in MIGRATIONS.applied(made)] == [each.name for each in MIGRATIONS.applied(copied)]
    pragmas = ("journal_mode", "page_size", "auto_vacuum", "encoding", "user_version", "application_id")
    for pragma in pragmas:
        assert made.execute(f"PRAGMA {pragma}").fetchone() == copied.execute(f"PRAGMA {pragma}").fetchone()
    for database in (made, copied):
        database.close()
    assert path.stat().st_mode == (tmp_path / "copied.db").stat().st_mode


async def test_a_file_that_is_up_to_date_is_left_alone(store: Store, path: Path, device: int, clock: HandClock) -> None:
    await added(store, device, "m1")
    before = Database(path)
    schema, applied = before.schema, MIGRATIONS.applied(before)
    with Admin.open(path, clock):
        assert before.schema == schema
        assert MIGRATIONS.applied(before) == applied
        assert MIGRATIONS.pending(before) == []
    before.close()


async def test_an_older_file_is_brought_up_to_date(path: Path, clock: HandClock) -> None:
    old = Database(path)
    MIGRATIONS.apply(old, stop_before="messages")
    old.execute("INSERT INTO device (project, device_id, secret, created_at) VALUES ('home', 'lamp', 's', 1)")
    old.close()
    store = Store.open(path, clock=clock)
    [lamp] = store.devices("home")
    await added(store, lamp.key, "m1")
    await store.close()


def test_what_is_no_database_is_refused(path: Path, clock: HandClock) -> None:
    path.write_bytes(b"certainly not a database" * 100)
    with pytest.raises(StoreUnavailable, match=str(path)):
        Admin.open(path, clock)


def test_a_missing_directory_is_refused(tmp_path: Path, clock: HandClock) -> None:
    with pytest.raises(StoreUnavailable, match="nowhere"):
        Admin.open(tmp_path / "nowhere" / "bridge.db", clock)


@pytest.mark.slow
def test_many_may_open_a_new_file_at_once(path: Path) -> None:
    program = (
        "import sys; from bridge.store import Admin; input()\n"
        "with Admin.open(sys.argv[1], lambda: 1) as admin: admin.add_device('home', sys.argv[2], 'secret')"
    )
    children = [
        subprocess.Popen([sys.executable, "-c", program, str(path), f"lamp{number}"], stdin=subprocess.PIPE)
        for number in range(4)
    ]
    for child in children:
        assert child.stdin is not None
        child.stdin.write(b"\n")
        child.stdin.flush()
    for child in children:
        child.communicate()
    assert [child.returncode for child in children] == [0] * 4
    with Admin.open(path, lambda: 1) as admin:
        assert len(admin.devices("home")) == 4


def test_a_file_of_a_newer_version_is_refused(path: Path, clock: HandClock) -> None:
    Admin.open(path, clock).close()
    newer = Database(path)
    newer.table("_sqlite_migrations").insert({"migration_set": "bridge", "name": "teleport", "applied_at": "2099"})
    newer.close()
    with pytest.raises(StoreUnavailable, match="newer version"):
        Admin.open(path, clock)
