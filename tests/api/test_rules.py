"""Rules and actions over a real connection, with the real rules and store behind it."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from bridge.api.base import Rules
from bridge.model.rule import signing_key
from bridge.rules import MOST_ACTIONS, MOST_RULES
from tests.api.client import Answer, Client
from tests.api.managed_rules import ManagedRules
from tests.api.memory import PROJECT
from tests.store.clock import HandClock

RULES = f"/v5/iot/{PROJECT}/routing-rule/rules"
ACTIONS = f"/v5/iot/{PROJECT}/routing-rule/actions"
STATUS = {"resource": "device.message.status", "event": "update"}
URL = "http://sink.example/hook"
SECRET = "whsec_" + "A" * 32
OTHER_SECRET = "whsec_" + "B" * 32


@pytest.fixture
async def managed(clock: HandClock) -> AsyncIterator[ManagedRules]:
    async with ManagedRules(clock) as managed:
        yield managed


@pytest.fixture
def rules(managed: ManagedRules) -> Rules:
    return managed.rules


async def call(client: Client, method: str, path: str, body: Any = None, *, who: str = "pusher") -> Answer:
    data = None if body is None else json.dumps(body)
    return await client.request(method, path, data, who=who)


async def add_rule(client: Client, **fields: Any) -> Any:
    answer = await call(client, "POST", RULES, {"subject": STATUS, **fields})
    assert answer.status == 201, answer.body
    return answer.json()


async def add_action(client: Client, rule_id: str, **fields: Any) -> Any:
    answer = await call(client, "POST", ACTIONS, new_action(rule_id, **fields))
    assert answer.status == 201, answer.body
    return answer.json()


def new_action(rule_id: str, **fields: Any) -> dict[str, Any]:
    return {"rule_id": rule_id, "channel": "HTTP_FORWARDING", **forwarding(url=URL, **fields)}


def forwarding(**fields: Any) -> dict[str, Any]:
    return {"channel_detail": {"http_forwarding": fields}}


def refused(answer: Answer) -> tuple[int, str]:
    assert set(answer.json()) == {"error_code", "error_msg"}
    return answer.status, answer.code


async def test_a_life(client: Client, managed: ManagedRules) -> None:
    made = await add_rule(client, rule_name="Outcomes", description="to the shop", select="*", where="")
    rule_id = made["rule_id"]
    assert made == {
        "rule_id": rule_id,
        "rule_name": "Outcomes",
        "description": "to the shop",
        "subject": STATUS,
        "app_type": "GLOBAL",
        "select": "*",
        "active": False,
    }
    assert (await call(client, "GET", f"{RULES}/{rule_id}")).json() == made

    action = await add_action(client, rule_id)
    forwarded = action["channel_detail"]["http_forwarding"]
    secret = forwarded.pop("signing_secret")
    assert len(signing_key(secret)) == 32
    assert action == {
        "action_id": action["action_id"],
        "rule_id": rule_id,
        "channel": "HTTP_FORWARDING",
        "channel_detail": {"http_forwarding": {"url": URL, "signature_enable": True, "active_secrets": 1}},
    }
    path = f"{ACTIONS}/{action['action_id']}"
    assert (await call(client, "GET", path)).json() == action

    assert managed.rules.matching(PROJECT, *STATUS.values()) == ()
    started = await call(client, "PUT", f"{RULES}/{rule_id}", {"active": True})
    assert (started.status, started.json()) == (200, {**made, "active": True})
    [route] = managed.rules.matching(PROJECT, *STATUS.values())
    assert [(action.url, action.secrets) for action in route.actions] == [(URL, (secret,))]

    answer = await call(client, "DELETE", path)
    assert (answer.status, answer.body) == (204, b"")
    assert refused(await call(client, "GET", path)) == (404, "IOTDA.010102")
    answer = await call(client, "DELETE", f"{RULES}/{rule_id}")
    assert (answer.status, answer.body) == (204, b"")
    assert refused(await call(client, "GET", f"{RULES}/{rule_id}")) == (404, "IOTDA.010002")


async def test_what_can_be_changed_about_a_rule(client: Client) -> None:
    made = await add_rule(client, rule_name="a", description="b", app_type="APP", app_id="app-1", select="*")
    path = f"{RULES}/{made['rule_id']}"
    assert (await call(client, "PUT", path, {})).json() == made
    body = {"rule_name": "c", "description": "", "select": "", "where": "", "app_id": "x", "subject": {}}
    changed = (await call(client, "PUT", path, body)).json()
    del made["description"], made["select"]
    assert changed == {**made, "rule_name": "c"} == (await call(client, "GET", path)).json()


async def test_a_rule_takes_its_actions_along(client: Client) -> None:
    gone, kept = await add_rule(client), await add_rule(client)
    lost, found = await add_action(client, gone["rule_id"]), await add_action(client, kept["rule_id"])
    assert (await call(client, "DELETE", f"{RULES}/{gone['rule_id']}")).status == 204
    assert refused(await call(client, "GET", f"{ACTIONS}/{lost['action_id']}")) == (404, "IOTDA.010102")
    listed = (await call(client, "GET", ACTIONS)).json()
    assert [action["action_id"] for action in listed["actions"]] == [found["action_id"]]


async def test_a_secret_of_ones_own_is_not_shown(client: Client, managed: ManagedRules) -> None:
    made = await add_action(client, (await add_rule(client))["rule_id"], signing_secret=SECRET)
    assert SECRET not in json.dumps(made)
    assert managed.rules.show_action(PROJECT, made["action_id"]).secrets == (SECRET,)


async def test_rotation(client: Client, managed: ManagedRules) -> None:
    made = await add_action(client, (await add_rule(client))["rule_id"], signing_secret=SECRET)
    path = f"{ACTIONS}/{made['action_id']}"

    async def change(**fields: Any) -> tuple[str | None, int]:
        answer = await call(client, "PUT", path, forwarding(**fields))
        assert answer.status == 200, answer.body
        forwarded = answer.json()["channel_detail"]["http_forwarding"]
        return forwarded.get("signing_secret"), forwarded["active_secrets"]

    def secrets() -> tuple[str, ...]:
        return managed.rules.show_action(PROJECT, made["action_id"]).secrets

    shown, count = await change(rotate_secret=True)
    assert shown is not None
    assert (secrets(), count) == ((shown, SECRET), 2)
    assert await change(url="http://new.example/") == (None, 2)
    assert await change(retire_secret=True) == (None, 1)
    assert secrets() == (shown,)
    for _ in range(2):
        assert await change(signing_secret=OTHER_SECRET) == (None, 2)
        assert secrets() == (OTHER_SECRET, shown)
    last, count = await change(rotate_secret=True, retire_secret=True)
    assert (secrets(), count) == ((last,), 1)
    listed = await call(client, "GET", ACTIONS)
    assert b"whsec" not in listed.body + (await call(client, "GET", path)).body
    assert listed.json()["actions"][0]["channel_detail"]["http_forwarding"]["url"] == "http://new.example/"


async def test_an_action_belongs_to_a_rule(client: Client) -> None:
    for rule_id in ("nobody", "1a7bffc5-f89c-44dd-8265-653a4d951ce0"):
        assert refused(await call(client, "POST", ACTIONS, new_action(rule_id))) == (404, "IOTDA.010002")
    made = await add_action(client, (await add_rule(client, app_type="APP", app_id="app-1"))["rule_id"])
    assert made["app_id"] == "app-1"


async def test_pages(client: Client) -> None:
    made = [await add_rule(client, rule_name=f"n{number % 2}") for number in range(5)]
    rule_ids = [rule["rule_id"] for rule in reversed(made)]
    action_ids = [(await add_action(client, rule["rule_id"]))["action_id"] for rule in made][::-1]
    for path, name, ids in ((RULES, "rule", rule_ids), (ACTIONS, "action", action_ids)):
        seen: list[str] = []
        query = "limit=2"
        while page := (answer := (await call(client, "GET", f"{path}?{query}")).json())[f"{name}s"]:
            assert answer["count"] == 5
            seen += [each[f"{name}_id"] for each in page]
            query = f"limit=2&marker={answer['marker']}"
        assert seen == ids
        assert answer == {f"{name}s": [], "count": 5}
        rest = (await call(client, "GET", f"{path}?offset=3")).json()
        assert [each[f"{name}_id"] for each in rest[f"{name}s"]] == ids[3:]
    odd = (await call(client, "GET", f"{RULES}?rule_name=n1")).json()
    assert ([rule["rule_id"] for rule in odd["rules"]], odd["count"]) == ([rule_ids[1], rule_ids[3]], 2)
    of_one = (await call(client, "GET", f"{ACTIONS}?rule_id={rule_ids[0]}")).json()
    assert [action["action_id"] for action in of_one["actions"]] == [action_ids[0]]


async def test_ten_unless_told_otherwise(client: Client) -> None:
    for _ in range(12):
        await add_rule(client)
    assert len((await call(client, "GET", RULES)).json()["rules"]) == 10


async def test_there_is_room_for_so_many(client: Client) -> None:
    made = [await add_rule(client) for _ in range(MOST_RULES)]
    assert refused(await call(client, "POST", RULES, {"subject": STATUS})) == (403, "IOTDA.010003")
    for _ in range(MOST_ACTIONS):
        await add_action(client, made[0]["rule_id"])
    assert refused(await call(client, "POST", ACTIONS, new_action(made[0]["rule_id"]))) == (403, "IOTDA.010103")
    assert (await call(client, "DELETE", f"{RULES}/{made[1]['rule_id']}")).status == 204
    await add_rule(client)


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("limit=51", "IOTDA.000017"),
        ("marker=1", "IOTDA.000018"),
        ("offset=501", "IOTDA.000006"),
        ("app_type=all", "IOTDA.000006"),
        ("app_id=%ff", "IOTDA.000006"),
    ],
)
@pytest.mark.parametrize("path", [RULES, ACTIONS])
async def test_queries_that_cannot_be(client: Client, path: str, query: str, code: str) -> None:
    assert refused(await call(client, "GET", f"{path}?{query}")) == (400, code)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"{}", b'{"subject":1}', b'{"rule_id":1}', b"\xff"])
@pytest.mark.parametrize("path", [RULES, ACTIONS])
async def test_bodies_that_cannot_be(client: Client, managed: ManagedRules, path: str, body: bytes) -> None:
    answer = await client.request("POST", path, body, who="pusher")
    assert refused(answer)[0] == 400
    assert list(managed.rules) == []


async def test_another_media_type(client: Client) -> None:
    for path in (RULES, ACTIONS):
        answer = await client.request("POST", path, b"{}", who="pusher", Content_Type="text/plain")
        assert refused(answer) == (400, "IOTDA.000008")


async def test_a_refused_change_changes_nothing(client: Client) -> None:
    made = await add_rule(client, rule_name="a")
    path = f"{RULES}/{made['rule_id']}"
    body = {"rule_name": "b", "active": True, "where": "1 = 1"}
    assert refused(await call(client, "PUT", path, body)) == (400, "IOTDA.000006")
    assert (await call(client, "GET", path)).json() == made
    action = await add_action(client, made["rule_id"], signing_secret=SECRET)
    path = f"{ACTIONS}/{action['action_id']}"
    body = forwarding(url="http://new.example", token="abc", rotate_secret=True)
    assert refused(await call(client, "PUT", path, body)) == (400, "IOTDA.000006")
    assert (await call(client, "GET", path)).json() == action


RULE = f"{RULES}/r-1"
ACTION = f"{ACTIONS}/a-1"
OPERATIONS = [
    ("POST", RULES, "events:write"),
    ("GET", RULES, "events:read"),
    ("GET", RULE, "events:read"),
    ("PUT", RULE, "events:write"),
    ("DELETE", RULE, "events:write"),
    ("POST", ACTIONS, "events:write"),
    ("GET", ACTIONS, "events:read"),
    ("GET", ACTION, "events:read"),
    ("PUT", ACTION, "events:write"),
    ("DELETE", ACTION, "events:write"),
]


@pytest.mark.parametrize(("method", "path", "scope"), OPERATIONS)
async def test_rights(client: Client, method: str, path: str, scope: str) -> None:
    assert refused(await client.request(method, path, who=None)) == (401, "IOTDA.000002")
    answer = await call(client, method, path, who="manager")
    assert refused(answer) == (403, "IOTDA.000021")
    assert scope in answer.text
    assert refused(await call(client, method, path.replace(PROJECT, "other"))) == (403, "IOTDA.000021")
    answer = await call(client, method, path, who="watcher")
    assert (answer.status == 403) is (scope == "events:write")


@pytest.mark.parametrize(("method", "path", "_"), [row for row in OPERATIONS if row[1] in {RULE, ACTION}])
async def test_what_is_not_there_is_unknown(client: Client, method: str, path: str, _: str) -> None:
    expected = (404, "IOTDA.010002" if path == RULE else "IOTDA.010102")
    for known in (path, path + "." * 40, path + "%00"):
        assert refused(await call(client, method, known, {})) == expected
    assert refused(await call(client, method, path + "%ff", {})) == (400, "IOTDA.000006")


async def test_projects_do_not_see_each_other(client: Client) -> None:
    """Not even an admin of all finds a rule in a project that it is not in."""
    made = await add_rule(client)
    action = await add_action(client, made["rule_id"])
    for path, name in ((RULES, made["rule_id"]), (ACTIONS, action["action_id"])):
        elsewhere = path.replace(PROJECT, "other")
        for method in ("GET", "PUT", "DELETE"):
            answer = await call(client, method, f"{elsewhere}/{name}", {}, who="all")
            assert answer.status == 404
            assert (await call(client, "GET", f"{path}/{name}", who="all")).status == 200
        assert (await call(client, "GET", elsewhere, who="all")).json()["count"] == 0
    elsewhere = ACTIONS.replace(PROJECT, "other")
    answer = await call(client, "POST", elsewhere, new_action(made["rule_id"]), who="all")
    assert refused(answer) == (404, "IOTDA.010002")
    listed = await call(client, "GET", f"{elsewhere}?rule_id={made['rule_id']}", who="all")
    assert listed.json() == {"actions": [], "count": 0}


async def test_a_project_that_cannot_be(client: Client) -> None:
    for path in (RULES, RULE, ACTIONS, ACTION):
        answer = await call(client, "GET", path.replace(PROJECT, "a.b"), who="all")
        assert refused(answer) == (400, "IOTDA.000006")


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("DELETE", RULES, "GET, HEAD, POST"),
        ("POST", RULE, "DELETE, GET, HEAD, PUT"),
        ("PUT", ACTIONS, "GET, HEAD, POST"),
        ("PATCH", ACTION, "DELETE, GET, HEAD, PUT"),
    ],
)
async def test_methods(client: Client, method: str, path: str, allow: str) -> None:
    answer = await call(client, method, path)
    assert (answer.status, answer.headers["allow"]) == (405, allow)


async def test_the_disk_refuses(client: Client, managed: ManagedRules) -> None:
    await managed.store.close()
    for method, path in (("POST", RULES), ("GET", RULES), ("GET", RULE), ("GET", ACTIONS), ("DELETE", ACTION)):
        answer = await call(client, method, path, {"subject": STATUS} if method == "POST" else None)
        assert refused(answer) == (503, "IOTDA.000503")
