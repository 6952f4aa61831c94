"""Two applications, three devices and four ways of hearing back: all of them tell the same, through a crash in the
middle and a target that comes and goes."""

from collections import defaultdict
from collections.abc import Iterable
from contextlib import ExitStack
from functools import partial
from typing import Any, TypeAlias

from bridge.mqtt import Puback
from tests.acceptance.account import Account
from tests.acceptance.conftest import NewDaemon
from tests.acceptance.daemon import Daemon
from tests.acceptance.polling_api import Subscriber
from tests.acceptance.target import Target
from tests.acceptance.test_webhooks import ALLOWED, heard, nothing_waits, push_to
from tests.acceptance.waiting import eventually

STATUS = "device-message-status"
Told: TypeAlias = dict[str, list[tuple[str, str]]]
"""By device: message and status, in the order in which it was told."""


def by_device(contents: Iterable[Any]) -> Told:
    told: Told = defaultdict(list)
    for content in contents:
        notify = content["notify_data"]
        told[notify["header"]["device_id"]].append((notify["body"]["message_id"], notify["body"]["status"]))
    return told


def polled(app: Subscriber) -> list[tuple[str, Any]]:
    """Everything that is there, acknowledged: (message id, content)."""
    found: list[tuple[str, Any]] = []
    while (page := app.poll("max=3").body)["messages"]:
        found += [(message["messageID"], message["content"]) for message in page["messages"]]
        assert app.acknowledge(page["ackHandle"]).status == 204
    return found


def streamed(app: Subscriber, last: str, count: int) -> tuple[str, list[tuple[str, Any]]]:
    """The next events of the stream: the handle of the last one, and (message id, content) of each."""
    stream, found = app.stream(last), []
    for _ in range(count):
        last, event = stream.next()
        found.append((event["messageID"], event["content"]))
    stream.close()
    return last, found


def half(taking: Account, refusing: Account, away: Account, name: str) -> Told:
    """Three messages for each device, and what becomes of them."""
    taking.connect()
    refuser = refusing.connect_raw()
    expected: Told = defaultdict(list)
    for number in range(3):
        message_id = f"{name}-{number}"
        for account in (taking, away):
            account.send("hello", message_id=message_id)
        refusing.send("unwanted", message_id=message_id, payload_format="raw")
        refuser.send(Puback(refuser.next_message().packet_id, 0x80))
        for account, status in ((taking, "DELIVERED"), (refusing, "FAILED")):
            assert account.final(message_id)["status"] == status
            expected[account.id] += [(message_id, "PENDING"), (message_id, status)]
        expected[away.id].append((message_id, "PENDING"))
    return expected


def notes(account: Account) -> list[str]:
    """What the inbox has about messages of the device that failed, oldest first."""
    found = account.api.call("GET", f"/api/v1/messages?id={account.id}&importance=important").body
    return [str(note["_id"]) for note in found]


def restart(daemon: Daemon, *others: Account | Subscriber) -> None:
    daemon.kill()
    daemon.start()
    for each in others:
        each.daemon_restarted()


def test_all_ways_of_hearing_tell_the_same(new_daemon: NewDaemon, closing: ExitStack) -> None:
    daemon, target = new_daemon(ALLOWED), closing.enter_context(Target())
    devices = taking, refusing, away = [Account(daemon, closing) for _ in range(3)]
    poller, streamer = (closing.enter_context(Subscriber(daemon, STATUS, name)) for name in ("poller", "streamer"))
    poller.subscribe()
    streamer.subscribe()
    action_id, secret = push_to(daemon, target.url)

    expected = half(taking, refusing, away, "first")
    by_poll = polled(poller)
    last, by_stream = streamed(streamer, "", 5)
    target.stop()
    restart(daemon, *devices, poller, streamer)
    for device_id, told in half(taking, refusing, away, "second").items():
        expected[device_id] += told
    target.start()
    away.connect()
    for message_id, _ in expected[away.id][:]:
        assert away.final(message_id)["status"] == "DELIVERED"
        expected[away.id].append((message_id, "DELIVERED"))

    count = sum(map(len, expected.values()))
    by_poll += polled(poller)
    by_stream += streamed(streamer, last, count - len(by_stream))[1]
    eventually(partial(nothing_waits, daemon, action_id), 60)
    for told in (by_poll, by_stream):
        assert len({message_id for message_id, _ in told}) == len(told) == count
        assert by_device(content for _, content in told) == expected
    assert all(pushed.verified(secret) for pushed in target.pushed)
    assert heard(target) == expected
    assert len(notes(refusing)) == 6
    assert notes(taking) == notes(away) == []
