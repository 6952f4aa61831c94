from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bridge.model.rule import RuleAmendment
from bridge.rules.base import RuleStore
from bridge.store import Admin, Store
from tests.store.clock import HandClock
from tests.store.rule_contract import DRAFT, SECRET, URL, RuleStoreContract, action_ids, add_action, add_rule, rule_ids


class TestSqlite(RuleStoreContract):
    @pytest.fixture(params=["file", pytest.param(":memory:", marks=pytest.mark.slow)])
    async def opened(self, request: pytest.FixtureRequest, path: Path, clock: HandClock) -> AsyncIterator[Store]:
        store = Store.open(path if request.param == "file" else ":memory:", clock=clock)
        yield store
        await store.close()

    @pytest.fixture
    def store(self, opened: Store) -> RuleStore:
        return opened


async def test_they_are_there_after_a_restart(path: Path, clock: HandClock) -> None:
    store = Store.open(path, clock=clock)
    await add_rule(store, "r1")
    await add_action(store, "r1", "a1")
    before = store.routes()
    await store.close()
    again = Store.open(path, clock=clock)
    assert again.routes() == before
    await again.close()


async def test_another_process_may_change_them(store: Store, path: Path, clock: HandClock) -> None:
    told: list[str] = []
    store.on_rule_change(told.append)
    with Admin.open(path, clock) as admin:
        admin.add_rule("home", "r1", DRAFT, at_most=1)
        admin.add_action("home", "r1", "a1", URL, SECRET, at_most=1)
        admin.amend_rule("home", "r1", RuleAmendment(active=True))
    store.look()
    assert told == ["r1"]
    route = store.route("r1")
    assert route is not None
    assert (route.rule.active, len(route.actions)) == (True, 1)


async def test_a_rule_is_no_device(store: Store) -> None:
    """They share the feed of changes."""
    told: list[int] = []
    store.on_device_change(told.append)
    store.add_device("home", "r1", "secret-of-r1")
    key = store.device("home", "r1")
    await add_rule(store, "r1")
    assert store.device("home", "r1") is key
    assert len(told) == 1


async def test_a_project_does_not_look_at_others(store: Store) -> None:
    await add_rule(store, "r1")
    await add_action(store, "r1", "a1")
    statements: list[str] = []
    store._connection.set_trace_callback(statements.append)
    store.rule("home", "r1")
    store.action("home", "a1")
    store.route("r1")
    rule_ids(store, resource="a", event="b", app_type="c", app_id="d", name="e", active=True)
    action_ids(store, rule_id="a", channel="b", app_type="c", app_id="d")
    store._connection.set_trace_callback(None)
    assert len(statements) >= 8
    for statement in statements:
        plan = store._connection.execute(f"EXPLAIN QUERY PLAN {statement}").fetchall()
        assert not any("SCAN" in row[3] for row in plan), (statement, plan)
