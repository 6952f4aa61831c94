from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bridge.delivery.base import MessageStore
from bridge.store import Store
from tests.store.clock import HandClock
from tests.store.contract import MessageStoreContract
from tests.store.special_contract import SpecialMessageContract


class TestSqlite(MessageStoreContract, SpecialMessageContract):
    @pytest.fixture(params=["file", pytest.param(":memory:", marks=pytest.mark.slow)])
    async def opened(self, request: pytest.FixtureRequest, path: Path, clock: HandClock) -> AsyncIterator[Store]:
        store = Store.open(path if request.param == "file" else ":memory:", clock=clock)
        yield store
        await store.close()

    @pytest.fixture
    def store(self, opened: Store) -> MessageStore:
        return opened

    @pytest.fixture
    def device(self, opened: Store) -> int:
        return opened.add_device("home", "lamp", "secret-of-lamp").key

    @pytest.fixture
    def other(self, opened: Store) -> int:
        return opened.add_device("home", "fan", "secret-of-fan").key
