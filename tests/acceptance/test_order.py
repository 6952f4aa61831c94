"""Many messages, and a device that takes its time."""

from collections import deque

import pytest

from bridge.mqtt import Puback, Publish, Version
from tests.acceptance.account import Account, numbered
from tests.acceptance.raw_device import RawDevice
from tests.acceptance.waiting import eventually

COUNT = 1000
MAX_INFLIGHT = 64
"""Of the daemon."""


def _slowly(device: RawDevice, count: int, window: int) -> list[Publish]:
    """Receive so many messages, and acknowledge the oldest only when no other comes without that."""
    taken: list[Publish] = []
    open_: deque[int] = deque()
    while len(taken) < count:
        for _ in range(min(window - len(open_), count - len(taken))):
            taken.append(device.next_message())
            open_.append(taken[-1].packet_id)
        assert len(set(open_)) == len(open_)
        assert device.before_pong() == []  # the window is full
        device.send(*(Puback(open_.popleft()) for _ in range(window // 2)))
    device.send(*(Puback(packet_id) for packet_id in open_))
    return taken


def _all_delivered(pump: Account, count: int) -> bool:
    answer = pump.api.index(pump.id, f"?limit={count}&status=DELIVERED")
    return len(answer.body["messages"]) == count


@pytest.mark.parametrize("window", [4, 20, MAX_INFLIGHT])
def test_a_backlog_arrives_once_and_in_order_at_a_slow_device(pump: Account, window: int) -> None:
    count = COUNT if window == MAX_INFLIGHT else COUNT // 5
    for message_id in numbered(count):
        pump.send(message_id, message_id=message_id, payload_format="raw")
    device = pump.connect_raw(receive_maximum=window)
    taken = _slowly(device, count, window)
    assert [publish.payload.decode() for publish in taken] == list(numbered(count))
    assert not any(publish.dup for publish in taken)
    assert eventually(lambda: _all_delivered(pump, count))


@pytest.mark.parametrize("older", [Version.V31, Version.V311])
def test_a_device_without_receive_maximum_has_the_daemons_window(pump: Account, older: Version) -> None:
    for message_id in numbered(200):
        pump.send(message_id, message_id=message_id, payload_format="raw")
    taken = _slowly(pump.connect_raw(older), 200, MAX_INFLIGHT)
    assert [publish.payload.decode() for publish in taken] == list(numbered(200))


def test_new_messages_queue_behind_the_backlog(pump: Account) -> None:
    for message_id in numbered(30):
        pump.send(message_id, message_id=message_id, payload_format="raw")
    device = pump.connect_raw(receive_maximum=2)
    for message_id in numbered(5, "new"):
        pump.send(message_id, message_id=message_id, payload_format="raw")
    taken = _slowly(device, 35, 2)
    assert [p.payload.decode() for p in taken] == [*numbered(30), *numbered(5, "new")]


def test_the_order_survives_a_reconnect_in_the_middle(pump: Account, version: Version) -> None:
    for message_id in numbered(150):
        pump.send(message_id, message_id=message_id, payload_format="raw")
    device = pump.connect_raw(version)
    first = [device.next_message() for _ in range(MAX_INFLIGHT)]
    device.send(*(Puback(publish.packet_id) for publish in first[:10]))
    for publish in first[:10]:
        pump.final(publish.payload.decode())
    device.close()
    taken = _slowly(pump.connect_raw(version), 140, MAX_INFLIGHT)
    assert [publish.payload.decode() for publish in taken] == list(numbered(150))[10:]
