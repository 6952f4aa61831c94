"""Access keys: in the store, from another process, and from memory."""

import asyncio
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bridge.model.access_key import AK, AccessKey
from bridge.model.errors import DuplicateAccessKey, UnknownAccessKey
from bridge.model.principal import Principal
from bridge.store import Admin, ListedKey, Store
from tests.store.clock import HandClock

SENDER = frozenset({"messages:send", "messages:read"})


def count_reads(store: Store) -> list[str]:
    statements: list[str] = []
    store._connection.set_trace_callback(statements.append)
    return statements


async def test_a_key_is_two_texts(store: Store) -> None:
    key = store.add_access_key("app", "home", SENDER)
    assert AK.fullmatch(key.ak)
    assert re.fullmatch("[A-Za-z0-9_-]{40}", key.sk)
    assert key.sk not in repr(key)
    assert (key.name, key.project, key.scopes) == ("app", "home", SENDER)
    assert key.principal == Principal("app", "home", SENDER)
    another = store.add_access_key("another", None, SENDER)
    assert key.ak != another.ak
    assert key.sk != another.sk


async def test_a_key_can_be_read_back(store: Store, path: Path, clock: HandClock) -> None:
    key = store.add_access_key("app", None, SENDER)
    assert store.access_key(key.ak) == key
    assert store.access_key(key.ak.lower()) is None
    assert store.access_key("") is None
    with Admin.open(path, clock) as admin:
        assert admin.access_key(key.ak) == key


async def test_a_list_has_no_secrets(store: Store, clock: HandClock) -> None:
    keys = [
        store.add_access_key(name, project, SENDER) for name, project in [("b", None), ("a", "work"), ("a", "home")]
    ]
    listed = store.access_keys()
    assert listed == [ListedKey(key.ak, key.name, key.project, SENDER, clock()) for key in reversed(keys)]
    assert not [key for key in keys if key.sk in repr(listed)]


async def test_a_name_is_taken_once_a_project(store: Store) -> None:
    for project in ("home", "work", None):
        store.add_access_key("app", project, SENDER)
        with pytest.raises(DuplicateAccessKey, match="there is an access key app"):
            store.add_access_key("app", project, SENDER)
    store.add_token("app", "home", SENDER)
    assert len(store.access_keys()) == 3


async def test_a_revoked_key_opens_nothing(store: Store) -> None:
    keys = [store.add_access_key("app", project, SENDER) for project in (None, "home")]
    kept = store.add_access_key("kept", None, SENDER)
    assert store.access_key(keys[0].ak)
    store.revoke_access_key("app")
    assert [store.access_key(key.ak) for key in keys] == [None, None]
    assert store.access_key(kept.ak) == kept
    with pytest.raises(UnknownAccessKey, match="there is no access key app"):
        store.revoke_access_key("app")


async def test_what_is_known_is_not_read_again(store: Store) -> None:
    key = store.add_access_key("app", "home", SENDER)
    assert store.access_key(key.ak) == key
    statements = count_reads(store)
    assert store.access_key(key.ak) == key
    assert statements == []
    store.add_token("app", None, SENDER)
    statements.clear()
    assert store.access_key(key.ak) == key
    assert statements == []


CHANGING = """
import sys
from bridge.store import Admin
with Admin.open(sys.argv[1], lambda: 1) as admin:
    admin.revoke_access_key("app")
    key = admin.add_access_key("new", None, frozenset(("admin",)))
    print(key.ak, key.sk)
"""


async def test_changes_of_another_process_are_noticed(store: Store, path: Path) -> None:
    key, token = store.add_access_key("app", None, SENDER), store.add_token("app", None, SENDER)
    assert store.access_key(key.ak)
    run = [sys.executable, "-c", CHANGING, str(path)]
    done = await asyncio.to_thread(subprocess.run, run, check=True, capture_output=True, text=True)
    ak, sk = done.stdout.split()
    store.look()
    assert store.access_key(key.ak) is None
    assert store.access_key(ak) == AccessKey(ak, sk, "new", None, frozenset({"admin"}))
    assert store.principal(token)
