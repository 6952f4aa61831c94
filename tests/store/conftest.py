from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bridge.store import Store
from tests.store.clock import HandClock
from tests.store.template import prepared

pytest.register_assert_rewrite("tests.store.contract", "tests.store.rule_contract", "tests.store.special_contract")


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def missing(tmp_path: Path) -> Path:
    """No file is there: for tests of how the store makes one."""
    return tmp_path / "missing.db"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database without any rows."""
    return prepared(tmp_path / "bridge.db")


@pytest.fixture
async def store(path: Path, clock: HandClock) -> AsyncIterator[Store]:
    store = Store.open(path, clock=clock)
    yield store
    await store.close()


@pytest.fixture
def device(store: Store) -> int:
    return store.add_device("home", "lamp", "secret-of-lamp").key


@pytest.fixture
def other(store: Store) -> int:
    return store.add_device("home", "fan", "secret-of-fan").key
