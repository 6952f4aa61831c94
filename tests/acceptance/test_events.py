"""What is told of messages and devices, through kill -9: neither a change without its event nor the other way round."""

import asyncio
import http.client
import json
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from typing import Any

from bridge.model.clock import system_clock
from bridge.model.event import BUILT_IN, DEVICE_STATUS, MESSAGE_REPORT, MESSAGE_STATUS, StoredChannel
from bridge.mqtt import Puback, Publish
from bridge.store import Store
from tests.acceptance.account import Account
from tests.acceptance.conftest import NewDaemon
from tests.acceptance.daemon import Daemon
from tests.acceptance.waiting import eventually

PROJECT = "default"


def subscribe(daemon: Daemon) -> None:
    """An application subscribes to everything; to be called while the daemon does not run."""

    async def run() -> None:
        store = Store.open(daemon.data_dir / "bridge.db", clock=system_clock)
        for channel in sorted(BUILT_IN):
            store.subscribe(PROJECT, channel, "app", system_clock(), lambda _: None, anew=True)
        await store.close()

    asyncio.run(run())


def told(daemon: Daemon, channel: str) -> list[dict[str, Any]]:
    """`notify_data` of all events of a channel."""

    async def run() -> list[dict[str, Any]]:
        store = Store.open(daemon.data_dir / "bridge.db", clock=system_clock)
        try:
            stored: StoredChannel = next(each for each in store.stored_channels() if each.name == channel)
            found = store.events(stored.key, after=0, since=0, limit=1_000_000)
            assert [event.position for event in found] == list(range(stored.extent.first, stored.extent.last + 1))
            return [json.loads(event.content)["notify_data"] for event in found]
        finally:
            await store.close()

    return asyncio.run(run())


def listening(new_daemon: NewDaemon) -> Daemon:
    daemon = new_daemon()
    daemon.stop()
    subscribe(daemon)
    daemon.start()
    return daemon


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


def test_every_state_is_told_once_through_crashes(new_daemon: NewDaemon, closing: ExitStack) -> None:
    daemon = listening(new_daemon)
    present, absent = Account(daemon, closing), Account(daemon, closing)
    for _ in range(4):
        count = [0]
        present.daemon_restarted()
        present.connect()
        with ThreadPoolExecutor() as pool:
            senders = [pool.submit(send_until_killed, daemon, each.id, count) for each in (present, absent)]
            eventually(partial(sent_more_than, count, 50))
            daemon.kill()
            for sender in senders:
                sender.result()
        daemon.start()
    absent.daemon_restarted()
    states: dict[str, str] = {}
    for account in (present, absent):
        account.daemon_restarted()
        page = account.api.index(account.id, "?limit=1000").body["messages"]
        while page:
            states |= {message["message_id"]: message["status"] for message in page}
            page = account.api.index(account.id, f"?limit=1000&marker={page[-1]['message_id']}").body["messages"]
    daemon.kill()
    daemon.start()
    heard: dict[str, list[str]] = defaultdict(list)
    for event in told(daemon, MESSAGE_STATUS):
        heard[event["body"]["message_id"]].append(event["body"]["status"])
    assert len(states) > 200
    assert heard.keys() == states.keys()
    for message_id, status in states.items():
        assert heard[message_id] == (["PENDING"] if status == "PENDING" else ["PENDING", status])


def test_what_was_acknowledged_to_a_device_is_stored(new_daemon: NewDaemon, closing: ExitStack) -> None:
    daemon = listening(new_daemon)
    pump = Account(daemon, closing)
    acknowledged = 0
    for _ in range(3):
        device = pump.connect_raw()
        for packet_id in range(1, 21):
            device.send(Publish(f"{pump.tree}/user/x", str(acknowledged).encode(), 1, packet_id=packet_id))
            assert device.expect(Puback) == Puback(packet_id)
            acknowledged += 1
        daemon.kill()
        daemon.start()
    assert [event["body"]["content"] for event in told(daemon, MESSAGE_REPORT)] == [str(n) for n in range(acknowledged)]
    assert {event["header"]["device_id"] for event in told(daemon, MESSAGE_REPORT)} == {pump.id}
    assert [event["body"]["status"] for event in told(daemon, DEVICE_STATUS)].count("ONLINE") == 3
