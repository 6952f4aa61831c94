"""Messages whose time is over. The daemon's clock is moved."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from bridge.mqtt import Puback, Version
from tests.acceptance.account import Account, failure
from tests.acceptance.clock import SharedClock
from tests.acceptance.conftest import clocked_daemon
from tests.acceptance.daemon import Daemon

TTL = 60
"""Minutes."""


@pytest.fixture(scope="module")
def clocked(tmp_path_factory: pytest.TempPathFactory, clock: SharedClock) -> Iterator[Daemon]:
    daemon = clocked_daemon(tmp_path_factory.mktemp("clocked"), clock)
    try:
        daemon.start()
        yield daemon
    finally:
        daemon.close()


@pytest.fixture
def own(clocked: Daemon, closing: ExitStack) -> Account:
    return Account(clocked, closing)


def test_a_message_ends_with_its_ttl_and_is_never_sent(own: Account, clock: SharedClock) -> None:
    for message_id, ttl in (("early", 5), ("late", TTL), ("in-time", 2 * TTL)):
        own.send(message_id, message_id=message_id, ttl=ttl, payload_format="raw")
    clock.advance(minutes=TTL, seconds=-20)
    assert own.final("early")["status"] == "TIMEOUT"
    assert own.status("late") == "PENDING"
    clock.advance(seconds=20)
    record = own.final("late")
    assert record["status"] == "TIMEOUT"
    assert "error_info" not in record
    assert own.connect().next().payload == b"in-time"
    assert own.final("in-time")["status"] == "DELIVERED"
    for version in Version:
        assert own.connect_raw(version).before_pong() == []
    own.daemon.restart()
    own.daemon_restarted()
    for version in Version:
        assert own.connect_raw(version).before_pong() == []
    assert own.record("late") == record


def test_a_message_that_expires_while_the_daemon_is_down_is_never_sent(own: Account, clock: SharedClock) -> None:
    own.send("never", message_id="late", ttl=TTL)
    own.daemon.stop()
    clock.advance(minutes=TTL + 1)
    own.daemon.start()
    own.daemon_restarted()
    device = own.connect_raw()
    assert device.before_pong() == []
    assert own.final("late")["status"] == "TIMEOUT"


def test_a_message_expires_in_the_moment_before_the_sweep_looks(own: Account, clock: SharedClock) -> None:
    """The device connects, or the window opens, when the time is over and nobody has noticed yet."""
    for message_id in ("first", "late"):
        own.send(message_id, message_id=message_id, ttl=TTL)
    device = own.connect_raw(receive_maximum=1)
    publish = device.next_message()
    clock.advance(minutes=TTL)
    device.send(Puback(publish.packet_id))
    assert device.before_pong() == []
    device.close()
    assert own.connect_raw().before_pong() == []
    assert own.final("late")["status"] == "TIMEOUT"


@pytest.mark.parametrize("clean", [True, False], ids=["clean", "kept"])
def test_what_expired_on_its_way_is_not_sent_again(own: Account, clock: SharedClock, clean: bool) -> None:
    device = own.connect_raw(clean=clean)
    message_id = own.send(ttl=TTL)
    packet_id = device.next_message().packet_id
    clock.advance(minutes=TTL)
    assert own.final(message_id)["status"] == "TIMEOUT"
    device.send(Puback(packet_id))
    assert device.before_pong() == []
    assert own.status(message_id) == "TIMEOUT"
    device.close()
    assert own.connect_raw(clean=clean).before_pong() == []


def test_the_message_expiry_interval_is_what_is_left(own: Account, clock: SharedClock) -> None:
    own.send(ttl=TTL)
    clock.advance(minutes=45)
    expires_in = own.connect().next().expires_in
    assert expires_in is not None
    assert 15 * 60 - 30 <= expires_in <= 15 * 60


def test_an_uncached_message_nobody_acknowledges_does_not_wait_for_ever(own: Account, clock: SharedClock) -> None:
    device = own.connect_raw()
    message_id = own.send(ttl=0)
    device.next_message()
    clock.advance(minutes=2)
    assert own.final(message_id)["status"] == "TIMEOUT"


def test_uncached_messages_end_with_the_daemon(own: Account) -> None:
    device = own.connect_raw()
    message_id = own.send(ttl=0)
    device.next_message()
    own.daemon.kill()
    own.daemon.start()
    own.daemon_restarted()
    assert failure(own.final(message_id)) == "IOTDA.014016"
    assert own.connect_raw().before_pong() == []
