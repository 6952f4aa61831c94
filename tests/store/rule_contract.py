"""What every store owes to rules. Derive a class from `RuleStoreContract` and give it the fixtures."""

import asyncio
import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from bridge.model.errors import BridgeError, TooManyActions, TooManyRules, UnknownAction, UnknownRule
from bridge.model.rule import (
    DEVICE_MESSAGE,
    DEVICE_STATUS,
    MESSAGE_STATUS,
    Action,
    ActionAmendment,
    ActionSearch,
    AppType,
    Page,
    Route,
    Rule,
    RuleAmendment,
    RuleDraft,
    RuleSearch,
)
from bridge.rules.base import RuleStore, RuleTable

DRAFT = RuleDraft(MESSAGE_STATUS)
FULL = RuleDraft(DEVICE_STATUS, "Namé 名字", "what \U0001f600 it's for", AppType.APP, "app-1", "*")
URL = "http://sink.example/hook"
SECRET = "whsec_" + "A" * 32
OTHER_SECRET = "whsec_" + "B" * 32
ALL = Page(50)


async def add_rule(store: RuleStore, rule_id: str, draft: RuleDraft = DRAFT, project: str = "home") -> Rule:
    return await store.manage(lambda table: table.add_rule(project, rule_id, draft, at_most=100))


async def add_action(store: RuleStore, rule_id: str, action_id: str, project: str = "home") -> Action:
    return await store.manage(lambda table: table.add_action(project, rule_id, action_id, URL, SECRET, at_most=100))


def rule_ids(store: RuleStore, project: str = "home", page: Page = ALL, **asked: Any) -> tuple[list[str], int]:
    found = store.find_rules(project, RuleSearch(page, **asked))
    return [rule.rule_id for rule in found.rules], found.count


def action_ids(store: RuleStore, project: str = "home", page: Page = ALL, **asked: Any) -> tuple[list[str], int]:
    found = store.find_actions(project, ActionSearch(page, **asked))
    return [action.action_id for action in found.actions], found.count


class RuleStoreContract:
    """Fixtures: `store`, empty; `changed`, the rule ids that it has told of so far."""

    @pytest.fixture
    def store(self) -> RuleStore:
        raise NotImplementedError

    @pytest.fixture
    def changed(self, store: RuleStore) -> list[str]:
        told: list[str] = []
        store.on_rule_change(told.append)
        return told

    async def test_nothing_is_there_before(self, store: RuleStore) -> None:
        assert store.rule("home", "r1") is None
        assert store.action("home", "a1") is None
        assert store.route("r1") is None
        assert store.routes() == []
        assert rule_ids(store) == ([], 0)
        assert action_ids(store) == ([], 0)

    @pytest.mark.parametrize("draft", [DRAFT, FULL])
    async def test_a_rule_is_read_back_whole(self, store: RuleStore, draft: RuleDraft) -> None:
        rule = await add_rule(store, "r1", draft)
        assert (rule.project, rule.rule_id, rule.draft, rule.active) == ("home", "r1", draft, False)
        assert store.rule("home", "r1") == rule
        assert store.route("r1") == Route(rule, ())
        assert store.routes() == [Route(rule, ())]

    async def test_an_action_is_read_back_whole(self, store: RuleStore) -> None:
        rule = await add_rule(store, "r1", FULL)
        action = await add_action(store, "r1", "a1")
        assert action == Action(action.key, "home", "a1", "r1", "app-1", URL, (SECRET,))
        assert store.action("home", "a1") == action
        assert store.route("r1") == Route(rule, (action,))

    @pytest.mark.parametrize(
        ("amendment", "changes"),
        [
            (RuleAmendment(), {}),
            (RuleAmendment(name="new"), {"name": "new"}),
            (RuleAmendment(description="new"), {"description": "new"}),
            (RuleAmendment(description=""), {"description": None}),
            (RuleAmendment(select=""), {"select": None}),
            (RuleAmendment("a", "b", "*"), {"name": "a", "description": "b"}),
        ],
    )
    async def test_a_rule_is_amended(self, store: RuleStore, amendment: RuleAmendment, changes: dict[str, Any]) -> None:
        rule = await add_rule(store, "r1", FULL)
        await add_rule(store, "r2", FULL)
        amended = await store.manage(lambda table: table.amend_rule("home", "r1", amendment))
        expected = dataclasses.replace(rule, draft=dataclasses.replace(FULL, **changes))
        assert amended == store.rule("home", "r1") == expected
        other = store.rule("home", "r2")
        assert other is not None
        assert other.draft == FULL

    async def test_a_rule_starts_and_stops(self, store: RuleStore) -> None:
        await add_rule(store, "r1")
        for active in (True, False):
            amendment = RuleAmendment(active=active)
            for _ in range(2):
                await store.manage(lambda table, amendment=amendment: table.amend_rule("home", "r1", amendment))  # type: ignore[misc]
                rule = store.rule("home", "r1")
                assert rule is not None
                assert rule.active is active

    async def test_an_action_is_amended(self, store: RuleStore) -> None:
        await add_rule(store, "r1")
        before = await add_action(store, "r1", "a1")
        other = await add_action(store, "r1", "a2")
        amendment = ActionAmendment("http://new.example", OTHER_SECRET)
        after = await store.manage(lambda table: table.amend_action("home", "a1", amendment))
        expected = dataclasses.replace(before, url="http://new.example", secrets=(OTHER_SECRET, SECRET))
        assert after == store.action("home", "a1") == expected
        assert store.action("home", "a2") == other
        retired = await store.manage(lambda table: table.amend_action("home", "a1", ActionAmendment(retire=True)))
        assert retired == dataclasses.replace(expected, secrets=(OTHER_SECRET,))

    async def test_a_rule_takes_its_actions_along(self, store: RuleStore) -> None:
        for rule_id in ("r1", "r2"):
            await add_rule(store, rule_id)
            await add_action(store, rule_id, f"{rule_id}-a")
        await store.manage(lambda table: table.remove_rule("home", "r1"))
        assert rule_ids(store) == (["r2"], 1)
        assert action_ids(store) == (["r2-a"], 1)
        assert store.route("r1") is None
        assert [route.rule.rule_id for route in store.routes()] == ["r2"]

    async def test_an_action_goes_alone(self, store: RuleStore) -> None:
        rule = await add_rule(store, "r1")
        await add_action(store, "r1", "a1")
        kept = await add_action(store, "r1", "a2")
        await store.manage(lambda table: table.remove_action("home", "a1"))
        assert store.action("home", "a1") is None
        assert store.route("r1") == Route(rule, (kept,))

    async def test_a_key_names_one_of_them_also_when_the_newest_is_gone(self, store: RuleStore) -> None:
        rule = await add_rule(store, "r1")
        action = await add_action(store, "r1", "a1")
        await store.manage(lambda table: table.remove_rule("home", "r1"))
        assert (await add_rule(store, "r1")).key > rule.key
        assert (await add_action(store, "r1", "a1")).key > action.key

    async def test_bounds(self, store: RuleStore) -> None:
        async def refused(kind: type[BridgeError], add: Callable[[RuleTable], object]) -> None:
            with pytest.raises(kind):
                await store.manage(add)

        for number in (1, 2):
            await add_rule(store, f"r{number}")
            await add_action(store, "r1", f"a{number}")
        await refused(TooManyRules, lambda table: table.add_rule("home", "r3", DRAFT, at_most=2))
        await refused(TooManyActions, lambda table: table.add_action("home", "r1", "a3", URL, SECRET, at_most=2))
        assert (rule_ids(store)[1], action_ids(store)[1]) == (2, 2)
        await store.manage(lambda table: table.add_rule("work", "r3", DRAFT, at_most=2))
        await store.manage(lambda table: table.add_action("home", "r2", "a3", URL, SECRET, at_most=2))

    @pytest.mark.parametrize("project", ["home", "work"])
    async def test_what_is_not_there_is_unknown(self, store: RuleStore, project: str, changed: list[str]) -> None:
        """Nor does anybody see what another project has."""
        await add_rule(store, "r1", project="other")
        await add_action(store, "r1", "a1", project="other")
        del changed[:]
        rule_changes: list[Callable[[RuleTable], object]] = [
            lambda table: table.amend_rule(project, "r1", RuleAmendment(active=True)),
            lambda table: table.remove_rule(project, "r1"),
            lambda table: table.add_action(project, "r1", "a2", URL, SECRET, at_most=9),
        ]
        action_changes: list[Callable[[RuleTable], object]] = [
            lambda table: table.amend_action(project, "a1", ActionAmendment(retire=True)),
            lambda table: table.remove_action(project, "a1"),
        ]
        for change in rule_changes:
            with pytest.raises(UnknownRule):
                await store.manage(change)
        for change in action_changes:
            with pytest.raises(UnknownAction):
                await store.manage(change)
        assert store.rule(project, "r1") is None
        assert store.action(project, "a1") is None
        assert rule_ids(store, project) == action_ids(store, project) == ([], 0)
        assert changed == []

    async def test_it_tells_what_changed(self, store: RuleStore, changed: list[str]) -> None:
        await add_rule(store, "r1")
        await add_action(store, "r1", "a1")
        changes: list[Callable[[RuleTable], object]] = [
            lambda table: table.amend_rule("home", "r1", RuleAmendment(active=True)),
            lambda table: table.amend_action("home", "a1", ActionAmendment(retire=True)),
            lambda table: table.remove_action("home", "a1"),
            lambda table: table.remove_rule("home", "r1"),
        ]
        for count, change in enumerate(changes, 3):
            await store.manage(change)
            assert changed == ["r1"] * count

    async def test_routes_come_oldest_first(self, store: RuleStore) -> None:
        for rule_id in ("r2", "r1"):
            await add_rule(store, rule_id, project=f"of-{rule_id}")
            for number in (2, 1):
                await add_action(store, rule_id, f"{rule_id}-{number}", project=f"of-{rule_id}")
        found = [(route.rule.rule_id, [action.action_id for action in route.actions]) for route in store.routes()]
        assert found == [("r2", ["r2-2", "r2-1"]), ("r1", ["r1-2", "r1-1"])]
        assert [store.route(route.rule.rule_id) for route in store.routes()] == store.routes()

    @pytest.mark.parametrize(
        ("asked", "found"),
        [
            ({}, ["r3", "r2", "r1"]),
            ({"resource": "device.status"}, ["r2"]),
            ({"event": "update"}, ["r2", "r1"]),
            ({"resource": "device.status", "event": "report"}, []),
            ({"app_type": "APP"}, ["r2"]),
            ({"app_id": "app-1"}, ["r2"]),
            ({"name": "one"}, ["r1"]),
            ({"name": "%"}, []),
            ({"name": "' OR 1 = 1 --"}, []),
            ({"active": True}, ["r3"]),
            ({"active": False}, ["r2", "r1"]),
            ({"active": False, "event": "update", "name": "one"}, ["r1"]),
        ],
    )
    async def test_rules_by_every_filter(self, store: RuleStore, asked: dict[str, Any], found: list[str]) -> None:
        await self.fill(store)
        assert rule_ids(store, **asked) == (found, len(found))

    @pytest.mark.parametrize(
        ("asked", "found"),
        [
            ({}, ["r3-a", "r2-a", "r1-a"]),
            ({"rule_id": "r1"}, ["r1-a"]),
            ({"rule_id": "nobody"}, []),
            ({"channel": "HTTP_FORWARDING"}, ["r3-a", "r2-a", "r1-a"]),
            ({"channel": "AMQP_FORWARDING"}, []),
            ({"app_type": "GLOBAL"}, ["r3-a", "r1-a"]),
            ({"app_id": "app-1"}, ["r2-a"]),
            ({"app_id": "app-1", "rule_id": "r1"}, []),
        ],
    )
    async def test_actions_by_every_filter(self, store: RuleStore, asked: dict[str, Any], found: list[str]) -> None:
        await self.fill(store)
        assert action_ids(store, **asked) == (found, len(found))

    async def test_pages(self, store: RuleStore) -> None:
        await self.fill(store)
        for find, listed in ((rule_ids, ["r3", "r2", "r1"]), (action_ids, ["r3-a", "r2-a", "r1-a"])):
            assert find(store, page=Page(2)) == (listed[:2], 3)
            assert find(store, page=Page(2, offset=1)) == (listed[1:], 3)
            assert find(store, page=Page(2, offset=3)) == ([], 3)
            for before in (2**63, 16**24 - 1):
                assert find(store, page=Page(5, before)) == (listed, 3)
            assert find(store, page=Page(5, 0)) == ([], 3)
        second = store.find_rules("home", RuleSearch(Page(2))).rules[1].key
        assert rule_ids(store, page=Page(2, second)) == (["r1"], 3)
        first = store.find_actions("home", ActionSearch(Page(2))).actions[0].key
        assert action_ids(store, page=Page(2, first, 1)) == (["r1-a"], 3)

    async def test_one_after_the_other(self, store: RuleStore) -> None:
        """Of many that ask at once, as many get a rule as there is room for."""
        asked = [
            store.manage(lambda table, number=number: table.add_rule("home", f"r{number}", DRAFT, at_most=3))  # type: ignore[misc]
            for number in range(9)
        ]
        answers = await asyncio.gather(*asked, return_exceptions=True)
        assert [type(answer) for answer in answers] == [Rule] * 3 + [TooManyRules] * 6

    async def fill(self, store: RuleStore) -> None:
        drafts = {"r1": RuleDraft(MESSAGE_STATUS, "one"), "r2": FULL, "r3": RuleDraft(DEVICE_MESSAGE)}
        for rule_id, draft in drafts.items():
            await add_rule(store, rule_id, draft)
            await add_action(store, rule_id, f"{rule_id}-a")
        await add_rule(store, "r4", FULL, project="work")
        await add_action(store, "r4", "r4-a", project="work")
        await store.manage(lambda table: table.amend_rule("home", "r3", RuleAmendment(active=True)))
