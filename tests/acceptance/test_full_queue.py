"""More messages than a device may have waiting. The limit comes from a configuration file."""

from contextlib import ExitStack

from bridge.mqtt import Puback
from tests.acceptance.account import Account, failure, numbered
from tests.acceptance.conftest import NewDaemon

QUEUE_FULL = "IOTDA.014018"
DISPLACED = "IOTDA.014115"
REJECT = """
[delivery]
max_pending_per_device = 5
"""
DROP_OLDEST = """
[delivery]
max_pending_per_device = 5
when_full = "drop_oldest"

[mqtt]
max_inflight = 2
"""


def _ids(pump: Account, status: str) -> list[str]:
    """Oldest first."""
    found = pump.api.index(pump.id, f"?status={status}").body["messages"]
    return [message["message_id"] for message in reversed(found)]


def test_a_full_queue_refuses_and_stores_nothing(new_daemon: NewDaemon, closing: ExitStack) -> None:
    daemon = new_daemon(config=REJECT)
    pump, other = Account(daemon, closing), Account(daemon, closing)
    for message_id in numbered(5):
        pump.send(message_id=message_id)
    answer = pump.post(message_id="too-many")
    assert (answer.status, answer.error) == (403, QUEUE_FULL)
    assert pump.api.show(pump.id, "too-many").status == 404
    other.send()
    pump.cancel("m-0002")
    pump.send(message_id="fits")
    assert pump.post().status == 403
    daemon.restart()
    pump.daemon_restarted()
    assert pump.post().status == 403
    device = pump.connect()
    device.take(5)
    pump.final("fits")
    pump.send()
    assert _ids(pump, "DELIVERED")[:5] == ["m-0000", "m-0001", "m-0003", "m-0004", "fits"]


def test_the_oldest_makes_room_by_configuration(new_daemon: NewDaemon, closing: ExitStack) -> None:
    pump = Account(new_daemon(config=DROP_OLDEST), closing)
    for message_id in numbered(8):
        pump.send(message_id, message_id=message_id, payload_format="raw")
    assert [failure(pump.final(message_id)) for message_id in numbered(3)] == [DISPLACED] * 3
    assert _ids(pump, "PENDING") == list(numbered(8))[3:]
    received = pump.connect().take(5)
    assert [message.payload.decode() for message in received] == list(numbered(8))[3:]


def test_what_is_on_its_way_is_not_pushed_out(new_daemon: NewDaemon, closing: ExitStack) -> None:
    pump = Account(new_daemon(config=DROP_OLDEST), closing)
    for message_id in numbered(5):
        pump.send(message_id, message_id=message_id)
    device = pump.connect_raw()
    on_their_way = [device.next_message(), device.next_message()]
    assert device.before_pong() == []
    pump.send(message_id="new")
    assert failure(pump.final("m-0002")) == DISPLACED
    device.send(*(Puback(publish.packet_id) for publish in on_their_way))
    assert {pump.final("m-0000")["status"], pump.final("m-0001")["status"]} == {"DELIVERED"}
