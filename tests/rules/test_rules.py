"""Rules on a real store: what is in memory is what is stored."""

import asyncio
import logging
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bridge.model.errors import StoreUnavailable, TooManyActions, TooManyRules, UnknownAction, UnknownRule
from bridge.model.rule import (
    DEVICE_MESSAGE,
    DEVICE_STATUS,
    MESSAGE_STATUS,
    ActionAmendment,
    ActionSearch,
    Page,
    Route,
    Rule,
    RuleAmendment,
    RuleDraft,
    RuleSearch,
    Subject,
    signing_key,
)
from bridge.rules import MOST_ACTIONS, MOST_RULES, Rules
from bridge.store import Admin, Store
from tests.store.clock import HandClock
from tests.store.template import prepared

URL = "http://sink.example/hook"
SECRET = "whsec_" + "A" * 32
ACTIVE = RuleAmendment(active=True)


class Ear:
    """Takes down what it hears, as (what was there, what is there): the number of actions, None without a rule."""

    def __init__(self) -> None:
        self.heard: list[tuple[int | None, int | None]] = []
        self._something = asyncio.Event()

    def rule_changed(self, before: Route | None, after: Route | None) -> None:
        self.heard.append((_actions(before), _actions(after)))
        self._something.set()

    async def enough(self, count: int) -> None:
        while len(self.heard) < count:
            self._something.clear()
            await self._something.wait()


def _actions(route: Route | None) -> int | None:
    return None if route is None else len(route.actions)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return prepared(tmp_path / "bridge.db")


@pytest.fixture
async def store(path: Path) -> AsyncIterator[Store]:
    store = Store.open(path, clock=HandClock())
    yield store
    await store.close()


@pytest.fixture
async def rules(store: Store) -> AsyncIterator[Rules]:
    rules = Rules(store)
    rules.start()
    yield rules
    rules.stop()


async def active(rules: Rules, project: str = "home", subject: Subject = MESSAGE_STATUS) -> Rule:
    """An active rule with one action."""
    rule = await rules.add(project, RuleDraft(subject))
    await rules.add_action(project, rule.rule_id, URL, SECRET)
    return await rules.amend(project, rule.rule_id, ACTIVE)


def matching(rules: Rules, project: str = "home", subject: Subject = MESSAGE_STATUS) -> list[str]:
    return [route.rule.rule_id for route in rules.matching(project, *subject)]


async def test_a_rule_matches_while_it_is_active_and_leads_somewhere(rules: Rules) -> None:
    rule = await rules.add("home", RuleDraft(MESSAGE_STATUS))
    assert matching(rules) == []
    await rules.amend("home", rule.rule_id, ACTIVE)
    assert matching(rules) == []
    action = await rules.add_action("home", rule.rule_id, URL, SECRET)
    [route] = rules.matching("home", "device.message.status", "update")
    assert route == Route(rules.show("home", rule.rule_id), (action,))
    await rules.amend("home", rule.rule_id, RuleAmendment(active=False))
    assert matching(rules) == []
    await rules.amend("home", rule.rule_id, ACTIVE)
    assert matching(rules) == [rule.rule_id]
    await rules.remove_action("home", action.action_id)
    assert matching(rules) == []


async def test_only_its_project_and_its_subject_match(rules: Rules) -> None:
    found = {}
    for project in ("home", "work"):
        for subject in (MESSAGE_STATUS, DEVICE_STATUS):
            found[project, subject] = (await active(rules, project, subject)).rule_id
    for (project, subject), rule_id in found.items():
        assert matching(rules, project, subject) == [rule_id]
    assert matching(rules, "nowhere") == matching(rules, "home", DEVICE_MESSAGE) == []


async def test_several_match_oldest_first(rules: Rules) -> None:
    made = [(await active(rules)).rule_id for _ in range(4)]
    await rules.amend("home", made[0], RuleAmendment(name="changed last"))
    assert matching(rules) == made
    await rules.remove("home", made[1])
    assert matching(rules) == [made[0], *made[2:]]


async def test_what_is_handed_out_is_the_action_as_it_is(rules: Rules) -> None:
    rule = await active(rules)
    action_id = rules.matching("home", *MESSAGE_STATUS)[0].actions[0].action_id
    changed = await rules.amend_action("home", action_id, ActionAmendment(url="http://new.example"), rotate=True)
    [route] = rules.matching("home", *MESSAGE_STATUS)
    assert route.actions == (changed,)
    assert (changed.url, changed.secrets[1], changed.rule_id) == ("http://new.example", SECRET, rule.rule_id)


async def test_secrets_are_made_up(rules: Rules) -> None:
    rule = await rules.add("home", RuleDraft(MESSAGE_STATUS))
    secrets = [(await rules.add_action("home", rule.rule_id, URL, None)).secrets for _ in range(2)]
    assert secrets[0] != secrets[1]
    assert [len(signing_key(secret)) for (secret,) in secrets] == [32, 32]


async def test_ids_are_those_of_nobody_else(rules: Rules) -> None:
    one, two = [await rules.add("home", RuleDraft(MESSAGE_STATUS)) for _ in range(2)]
    action = await rules.add_action("home", one.rule_id, URL, None)
    assert len({uuid.UUID(text) for text in (one.rule_id, two.rule_id, action.action_id)}) == 3


async def test_errors_of_the_store_come_through(rules: Rules) -> None:
    with pytest.raises(UnknownRule):
        rules.show("home", "nobody")
    with pytest.raises(UnknownAction):
        rules.show_action("home", "nobody")
    for asked in (
        rules.amend("home", "nobody", ACTIVE),
        rules.remove("home", "nobody"),
        rules.add_action("home", "nobody", URL, None),
    ):
        with pytest.raises(UnknownRule):
            await asked
    for action in (rules.amend_action("home", "nobody", ActionAmendment()), rules.remove_action("home", "nobody")):
        with pytest.raises(UnknownAction):
            await action


async def test_there_is_room_for_so_many(rules: Rules) -> None:
    first = await rules.add("home", RuleDraft(MESSAGE_STATUS))
    for _ in range(MOST_RULES - 1):
        await rules.add("home", RuleDraft(MESSAGE_STATUS))
    with pytest.raises(TooManyRules):
        await rules.add("home", RuleDraft(MESSAGE_STATUS))
    for _ in range(MOST_ACTIONS):
        await rules.add_action("home", first.rule_id, URL, SECRET)
    with pytest.raises(TooManyActions):
        await rules.add_action("home", first.rule_id, URL, SECRET)
    await rules.add("work", RuleDraft(MESSAGE_STATUS))
    assert rules.find("home", RuleSearch(Page(1))).count == MOST_RULES
    assert rules.find_actions("home", ActionSearch(Page(1))).count == MOST_ACTIONS


async def test_listeners_hear_what_was_and_what_is(rules: Rules) -> None:
    ear = Ear()
    rules.listen(ear)
    rule = await active(rules)
    assert ear.heard == [(None, 0), (0, 1), (1, 1)]
    del ear.heard[:]
    await rules.amend("home", rule.rule_id, ACTIVE)
    assert ear.heard == []
    await rules.remove("home", rule.rule_id)
    assert ear.heard == [(1, None)]
    assert list(rules) == []


async def test_a_listener_finds_the_change_made(rules: Rules) -> None:
    class Asking(Ear):
        def rule_changed(self, before: Route | None, after: Route | None) -> None:
            self.heard.append((None, len(matching(rules))))

    asking = Asking()
    rules.listen(asking)
    await active(rules)
    assert [count for _, count in asking.heard] == [0, 0, 1]


async def test_a_failing_listener_stops_nobody(rules: Rules, caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Ear):
        def rule_changed(self, before: Route | None, after: Route | None) -> None:
            raise RuntimeError("not my day")

    ear = Ear()
    rules.listen(Broken())
    rules.listen(ear)
    await rules.add("home", RuleDraft(MESSAGE_STATUS))
    assert ear.heard == [(None, 0)]
    assert "not my day" in caplog.text


async def test_what_was_stored_before_is_known(rules: Rules, store: Store) -> None:
    rule = await active(rules)
    idle = await rules.add("home", RuleDraft(MESSAGE_STATUS))
    again = Rules(store)
    again.start()
    assert again.matching("home", *MESSAGE_STATUS) == rules.matching("home", *MESSAGE_STATUS) != ()
    assert {route.rule.rule_id for route in again} == {rule.rule_id, idle.rule_id}
    again.stop()


async def test_what_another_process_does_is_known(rules: Rules, store: Store, path: Path) -> None:
    rule = await active(rules)
    with Admin.open(path, HandClock()) as admin:
        admin.remove_rule("home", rule.rule_id)
    store.look()
    assert matching(rules) == []


async def test_a_change_that_cannot_be_read_is_read_later(
    rules: Rules, store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The change is made, and whoever asked for it is told so; it takes effect once the disk lets it be read."""
    one, two = await active(rules), await active(rules)

    def refuse(rule_id: str) -> Route | None:
        raise StoreUnavailable("the disk is tired")

    ear = Ear()
    rules.listen(ear)
    monkeypatch.setattr("bridge.rules.rules._RETRY", 0.01)
    with monkeypatch.context() as patched, caplog.at_level(logging.DEBUG):
        patched.setattr(store, "route", refuse)
        await rules.remove("home", one.rule_id)
        await rules.remove("home", two.rule_id)
        assert matching(rules) == [one.rule_id, two.rule_id]
        assert "not read yet" in caplog.text
    async with asyncio.timeout(10):
        await ear.enough(2)
    assert matching(rules) == []
    assert ear.heard == [(1, None), (1, None)]
    await active(rules)
    assert len(matching(rules)) == 1


async def test_looking_costs_the_same_for_many_rules(rules: Rules) -> None:
    """What is handed out is not put together when it is asked for."""
    await active(rules)
    for number in range(50):
        await active(rules, f"project-{number}")
    assert rules.matching("home", *MESSAGE_STATUS) is rules.matching("home", *MESSAGE_STATUS)


async def test_a_change_costs_one_rule(rules: Rules, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is read again that has not changed."""
    made = [await active(rules) for _ in range(3)]
    read: list[str] = []
    route = store.route

    def counted(rule_id: str) -> Route | None:
        read.append(rule_id)
        return route(rule_id)

    monkeypatch.setattr(store, "route", counted)
    await rules.amend("home", made[1].rule_id, RuleAmendment(name="new"))
    assert read == [made[1].rule_id]


async def test_nothing_is_read_after_the_stop(rules: Rules, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    rule = await active(rules)
    asked: list[str] = []

    def refuse(rule_id: str) -> Route | None:
        asked.append(rule_id)
        raise StoreUnavailable("the disk is tired")

    monkeypatch.setattr("bridge.rules.rules._RETRY", 0)
    monkeypatch.setattr(store, "route", refuse)
    await rules.remove("home", rule.rule_id)
    rules.stop()
    seen = len(asked)
    for _ in range(5):  # turns of the loop, in which the retry would come
        await asyncio.sleep(0)
    assert len(asked) == seen > 0
