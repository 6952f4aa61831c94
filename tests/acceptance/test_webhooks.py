"""Pushes to applications by the real daemon, through kill -9 and targets that come and go."""

import http.client
import json
import re
import socket
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.account import Account
from tests.acceptance.clock import SharedClock
from tests.acceptance.conftest import NewDaemon, clocked_daemon
from tests.acceptance.daemon import ROOT, Daemon
from tests.acceptance.target import Pushed, Target
from tests.acceptance.waiting import eventually

RULES = "/v5/iot/default/routing-rule/rules"
ACTIONS = "/v5/iot/default/routing-rule/actions"
STATUS = {"resource": "device.message.status", "event": "update"}
ALLOWED = {"webhooks.allow_private": True, "webhooks.first_wait": 0.05, "webhooks.longest_wait": 0.2}


@pytest.fixture
def target() -> Iterator[Target]:
    with Target() as target:
        yield target


def ask(daemon: Daemon, method: str, path: str, body: Any = None, status: int = 200) -> Any:
    with daemon.api() as api:
        answer = api.call(method, path, None if body is None else json.dumps(body).encode())
    assert answer.status == status, answer.body
    return answer.body


def push_to(daemon: Daemon, url: str, subject: dict[str, str] | None = None) -> tuple[str, str]:
    """The id and the secret of an action whose rule is active."""
    rule_id = ask(daemon, "POST", RULES, {"subject": subject or STATUS}, 201)["rule_id"]
    detail = {"http_forwarding": {"url": url}}
    action = {"rule_id": rule_id, "channel": "HTTP_FORWARDING", "channel_detail": detail}
    made = ask(daemon, "POST", ACTIONS, action, 201)
    ask(daemon, "PUT", f"{RULES}/{rule_id}", {"active": True})
    return made["action_id"], made["channel_detail"]["http_forwarding"]["signing_secret"]


def status(daemon: Daemon, action_id: str) -> dict[str, Any]:
    found: dict[str, Any] = ask(daemon, "GET", f"{ACTIONS}/{action_id}")["push_status"]
    return found


def nothing_waits(daemon: Daemon, *action_ids: str) -> bool:
    return all(status(daemon, action_id)["outstanding"] == 0 for action_id in action_ids)


def send_until_killed(daemon: Daemon, device_id: str, count: list[int]) -> None:
    with daemon.api() as api:
        try:
            while True:
                assert api.post(device_id, "x", ttl=5).status == 201
                count[0] += 1
        except (OSError, http.client.HTTPException):
            return


def sent_more_than(count: list[int], least: int) -> bool:
    return count[0] > least


def firsts(target: Target) -> list[Pushed]:
    """Without what came again."""
    found: dict[str, Pushed] = {}
    for pushed in target.pushed:
        found.setdefault(pushed.id, pushed)
    return list(found.values())


def heard(target: Target) -> dict[str, list[tuple[str, str]]]:
    """By device: message and status, each push once however often it came."""
    found: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for pushed in firsts(target):
        body = pushed.event["notify_data"]["body"]
        found[pushed.device].append((body["message_id"], body["status"]))
    return found


def stored(account: Account) -> dict[str, str]:
    """Message id → status, oldest first."""
    states: dict[str, str] = {}
    page = account.api.index(account.id, "?limit=1000").body["messages"]
    while page:
        states |= {message["message_id"]: message["status"] for message in page}
        page = account.api.index(account.id, f"?limit=1000&marker={page[-1]['message_id']}").body["messages"]
    return dict(reversed(states.items()))


def test_every_status_arrives_through_crashes_of_both_sides(
    new_daemon: NewDaemon, closing: ExitStack, target: Target
) -> None:
    daemon = new_daemon(ALLOWED)
    accounts = [Account(daemon, closing) for _ in range(3)]
    other = closing.enter_context(Target())
    action_id, secret = push_to(daemon, target.url)
    other_id, _ = push_to(daemon, other.url)
    for turn in range(3):
        for account in accounts:
            account.daemon_restarted()
        accounts[0].connect()
        count = [0]
        with ThreadPoolExecutor() as pool:
            senders = [pool.submit(send_until_killed, daemon, account.id, count) for account in accounts]
            eventually(partial(sent_more_than, count, 30))
            if turn == 1:
                target.stop()
            eventually(partial(sent_more_than, count, 60))
            daemon.kill()
            for sender in senders:
                sender.result()
        if turn == 1:
            target.start()
        daemon.start()
    eventually(partial(nothing_waits, daemon, action_id, other_id), 60)
    assert all(pushed.verified(secret) for pushed in target.pushed)
    assert status(daemon, action_id)["dropped"] == 0
    for application in (target, other):
        events = heard(application)
        for account in accounts:
            account.daemon_restarted()
            states = stored(account)
            told = events[account.id]
            assert len(states) > 20
            assert list(dict.fromkeys(message_id for message_id, _ in told)) == list(states)
            ended = {message_id: said for message_id, said in told if said != "PENDING"}
            assert ended == {message_id: said for message_id, said in states.items() if said != "PENDING"}
            assert len(told) == len(states) + len(ended)


def test_first_deliveries_keep_the_order_of_each_device(
    new_daemon: NewDaemon, closing: ExitStack, target: Target
) -> None:
    """A target that fails every third request still hears each device in order."""
    refusals = iter(range(1, 1_000_000))
    target.status = lambda _: 500 if next(refusals) % 3 == 0 else 204
    daemon = new_daemon(ALLOWED)
    accounts = [Account(daemon, closing) for _ in range(3)]
    action_id, _ = push_to(daemon, target.url)
    for number in range(20):
        for account in accounts:
            account.send(message_id=f"m-{number:03d}")
    eventually(partial(nothing_waits, daemon, action_id), 60)
    taken = [(each.device, int(each.event["notify_data"]["body"]["message_id"][2:])) for each in firsts(target)]
    for account in accounts:
        assert [number for device, number in taken if device == account.id] == list(range(20))


def test_a_dead_target_does_not_delay_delivery(new_daemon: NewDaemon, closing: ExitStack, target: Target) -> None:
    daemon = new_daemon({**ALLOWED, "delivery.ack_wait": 10})
    pump = Account(daemon, closing)
    push_to(daemon, "http://127.0.0.1:9/nobody")
    push_to(daemon, target.url)
    device = pump.connect()
    for number in range(50):
        assert pump.post(str(number), payload_format="raw").body["result"]["status"] == "DELIVERED"
        assert device.next().payload == str(number).encode()
    eventually(lambda: len(target.pushed) >= 100)


def test_a_day_of_failures_makes_dead_letters_and_a_replay_delivers_them(
    tmp_path: Path, clock: SharedClock, closing: ExitStack, target: Target
) -> None:
    target.status = lambda _: 500
    daemon = clocked_daemon(tmp_path, clock, {"webhooks.allow_private": True})
    closing.callback(daemon.close)
    daemon.start()
    pump = Account(daemon, closing)
    action_id, _ = push_to(daemon, target.url)
    pump.send(message_id="one")
    eventually(lambda: status(daemon, action_id).get("last_error") == "the target answered 500")
    assert status(daemon, action_id)["state"] == "FAILING"
    clock.advance(minutes=24 * 60)
    eventually(lambda: status(daemon, action_id)["dead_letters"])
    daemon.kill()
    daemon.start()
    target.status = lambda _: 204
    listed = ask(daemon, "GET", f"{ACTIONS}/{action_id}/dead-letters")
    letter = listed["dead_letters"][0]
    assert letter["event"]["notify_data"]["body"]["message_id"] == "one"
    before = len(target.pushed)
    replay = {"webhook_ids": [letter["webhook_id"]]}
    assert ask(daemon, "POST", f"{ACTIONS}/{action_id}/dead-letters/replay", replay) == {"replayed": 1}
    eventually(partial(nothing_waits, daemon, action_id))
    assert letter["webhook_id"] in {pushed.id for pushed in target.pushed[before:]}


def test_a_target_within_the_own_network_is_refused_by_default(new_daemon: NewDaemon, target: Target) -> None:
    daemon = new_daemon()
    action_id, _ = push_to(daemon, target.url)
    answer = ask(daemon, "POST", f"{ACTIONS}/{action_id}/test")
    assert not answer["success"]
    assert "not public (webhooks.allow_private)" in answer["error_msg"]
    assert target.pushed == []


def test_the_example_of_the_readme_receives_and_verifies(
    new_daemon: NewDaemon, closing: ExitStack, tmp_path: Path
) -> None:
    example = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert example is not None
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    program = tmp_path / "hook.py"
    program.write_text(example[1].replace("9000", str(port)), encoding="utf-8")
    daemon = new_daemon(ALLOWED)
    pump = Account(daemon, closing)
    action_id, secret = push_to(daemon, f"http://127.0.0.1:{port}/")
    command = [sys.executable, str(program), secret]
    hook = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    closing.enter_context(hook)
    closing.callback(hook.kill)
    message_id = pump.send()
    eventually(partial(nothing_waits, daemon, action_id))
    assert hook.stdout is not None
    assert re.match(rf"msg_\w+ .*{message_id}.*PENDING", hook.stdout.readline())
