"""Any order of what applications, a device, the network and the clock can do, against a model of a few rules.

The rules: a message ends once, in one state; nothing is sent after its end; the messages of a topic come in order, all
of them in order as long as no subscription, and no message whose time has come, brings back earlier ones; nothing is
sent before its time, and everything counts as waiting from then on; a message is on its way once per connection; DUP
stands where the message was sent at QoS 1 or 2 before; and nothing waits while half of the window is free.
"""

import asyncio
import json
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from bridge.model.device import Device
from bridge.model.errors import UnknownMessage
from bridge.model.message import Failure, Message, Status
from bridge.model.topics import user_topic
from bridge.mqtt import Packet, Puback, Pubcomp, Publish, Pubrec, Pubrel, Version
from tests.broker.client import RawClient
from tests.broker.site import Site, mqtt
from tests.broker.times import turn
from tests.store.template import scratch

T = TypeVar("T")
NEWS = user_topic("pump-1", "news")
DOWN = "$oc/devices/pump-1/sys/messages/down"
INDEX = st.integers(0, 1000)
"""Picks one of however many there are."""


@dataclass(eq=False)
class Known:
    """What the model knows of a message."""

    message: Message
    topic: str
    uncached: bool
    state: Status | None = Status.PENDING
    """None: gone."""
    send_at: int = 0
    sent_as: int = 0
    """The packet identifier under which it was last sent at QoS 1 or 2."""
    kept_as: int = 0
    """The same, in the session that goes on after a restart."""


@dataclass(eq=False)
class OnItsWay:
    known: Known
    qos: int
    received: bool = False
    """QoS 2: PUBREC is sent."""


class Queue(RuleBasedStateMachine):
    """One device. It acknowledges when and as a rule says."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = scratch()
        self.known: list[Known] = []
        self.client: RawClient | None = None
        self.kept = False
        self.subscribed: dict[str, int] = {}
        self.flights: dict[int, OnItsWay] = {}
        self.last: dict[str, int] = {}
        self.last_of_all = 0

    def run(self, action: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(action)

    @initialize(
        version=st.sampled_from([Version.V311, Version.V5]),
        window=st.integers(1, 5),
        qos=st.sampled_from([1, 1, 2, 2, 0]),
    )
    def begin(self, version: Version, window: int, qos: int) -> None:
        self.version = version
        self.window = window
        self.subscribed_always = {DOWN: qos}
        self.run(self._open(window, qos))
        self.connect(clean=False)

    async def _open(self, window: int, qos: int) -> None:
        self.site = Site(
            Path(self.folder.name, "bridge.db"), mqtt(max_inflight=window, downlink_qos=qos, connect_timeout=300)
        )
        await self.site.__aenter__()
        self.device: Device = self.site.add_device()

    def teardown(self) -> None:
        if hasattr(self, "site"):
            self.run(self.site.stop())
        self.loop.close()
        self.folder.cleanup()

    # What applications do

    @rule(ttl=st.sampled_from([0, 5, 60]), topic=st.sampled_from([DOWN, NEWS]), count=st.integers(1, 4))
    def submit(self, ttl: int, topic: str, count: int) -> None:
        for message in self.run(self._submit(ttl, topic, count)):
            known = Known(message, topic, ttl == 0)
            self.known.append(known)
            if known.uncached and self.client is None:
                known.state = Status.FAILED

    async def _submit(self, ttl: int, topic: str, count: int) -> list[Message]:
        submissions = (self.site.submit(self.device, ttl=ttl, topic=topic) for _ in range(count))
        return list(await asyncio.gather(*submissions))

    @rule(minutes=st.integers(1, 10), topic=st.sampled_from([DOWN, NEWS]))
    def schedule(self, minutes: int, topic: str) -> None:
        send_at = self.site.clock() + minutes * 60_000
        message = self.run(self.site.submit(self.device, ttl=5, topic=topic, send_at=send_at))
        self.known.append(Known(message, topic, uncached=False, send_at=send_at))

    @precondition(lambda self: self.known)
    @rule(index=INDEX)
    def cancel(self, index: int) -> None:
        known = self.known[index % len(self.known)]
        cancelled = self.site.delivery.cancel("default", "pump-1", known.message.draft.message_id)
        if known.state is None:
            with pytest.raises(UnknownMessage):
                self.run(cancelled)
        else:
            self.run(cancelled)
            known.state = None

    # What the device and the network do

    @rule(clean=st.booleans())
    def connect(self, clean: bool) -> None:
        if self.client is not None:
            self._left()
        if clean or not self.kept:
            self.subscribed = {}
            self.flights = {}
            for known in self.known:
                known.kept_as = 0
        for known in self.known:
            known.sent_as = known.sent_as or known.kept_as
        self.kept = not clean
        self.last, self.last_of_all = {}, 0
        expiry = {"session_expiry_interval": 0 if clean else 3600} if self.version is Version.V5 else {}
        self.client = self.run(
            self.site.log_in(self.device, self.version, clean=clean, properties=expiry)  # type: ignore[arg-type]
        )

    @rule(
        how=st.sampled_from(["politely", "broken", "restart"]),
        meanwhile=st.lists(st.sampled_from(["cached", "uncached", "cancel", "time"]), max_size=4),
        index=INDEX,
        clean=st.booleans(),
    )
    def be_away(self, how: str, meanwhile: list[str], index: int, clean: bool) -> None:
        """The device leaves, something may happen, the device comes back."""
        self._leave(how)
        for action in meanwhile:
            if action == "cancel" and self.known:
                self.cancel(index)
            elif action == "time":
                self.let_pass(5)
            else:
                self.submit(60 if action == "cached" else 0, DOWN, 1)
            self.holds()
        self.connect(clean)

    def _leave(self, how: str) -> None:
        assert self.client is not None
        if how == "restart":
            self.run(self.site.restart())
            for known in self.known:
                known.sent_as = 0
        elif how == "politely":
            self.run(self.client.disconnect())
        else:
            self.run(self.site.log_out(self.device, self.client))
        self.client = None
        self._left()

    def _left(self) -> None:
        self.flights = {i: flight for i, flight in self.flights.items() if flight.received and self.kept}
        for known in self.known:
            if known.uncached and known.state is Status.PENDING:
                known.state = Status.FAILED

    @rule(qos=st.integers(0, 2))
    def subscribe(self, qos: int) -> None:
        assert self.client is not None
        self._take_in()
        self.last_of_all = 0
        self.subscribed[NEWS] = qos
        assert self.run(self.client.subscribe(NEWS, qos)) == qos

    @rule()
    def unsubscribe(self) -> None:
        assert self.client is not None
        self._take_in()
        self.subscribed.pop(NEWS, None)
        self.run(self.client.unsubscribe(NEWS))

    @precondition(lambda self: self._unacknowledged())
    @rule(index=INDEX, refuse=st.booleans())
    def acknowledge(self, index: int, refuse: bool) -> None:
        self._acknowledge(*self._unacknowledged()[index % len(self._unacknowledged())], refuse=refuse)

    @rule()
    def acknowledge_all(self) -> None:
        for packet_id, flight in self._unacknowledged():
            self._acknowledge(packet_id, flight, refuse=False)

    def _acknowledge(self, packet_id: int, flight: OnItsWay, *, refuse: bool) -> None:
        assert self.client is not None
        refuse = refuse and self.version is Version.V5
        answer = Puback if flight.qos == 1 else Pubrec
        self.client.send(answer(packet_id, 0x80 if refuse else 0))
        if flight.known.state is Status.PENDING:
            flight.known.state = Status.FAILED if refuse else Status.DELIVERED
        flight.received = True
        if flight.qos == 1 or refuse:
            del self.flights[packet_id]

    def _unacknowledged(self) -> list[tuple[int, OnItsWay]]:
        return [(i, flight) for i, flight in self.flights.items() if not flight.received]

    @precondition(lambda self: self._received())
    @rule(index=INDEX)
    def complete(self, index: int) -> None:
        assert self.client is not None
        packet_id = self._received()[index % len(self._received())]
        self.client.send(Pubcomp(packet_id))
        del self.flights[packet_id]

    def _received(self) -> list[int]:
        return [i for i, flight in self.flights.items() if flight.received]

    # Time

    @rule(minutes=st.sampled_from([1, 5, 60]))
    def let_pass(self, minutes: int) -> None:
        before = self.site.clock()
        self.site.clock.advance(minutes * 60 - 1)
        self.run(self.site.let_pass(1))
        if any(before < known.send_at <= self.site.clock() for known in self.known):
            self.last, self.last_of_all = {}, 0
        for known in self.known:
            if known.state is Status.PENDING and known.message.expires_at <= self.site.clock():
                known.state = Status.TIMEOUT

    # What has to be true

    @invariant()
    def holds(self) -> None:
        if not hasattr(self, "site"):
            return
        self._take_in()
        for known in self.known:
            self._check(known)
        waiting = [known for known in self.known if self._could_be_sent(known)]
        assert not waiting or len(self.flights) > self.window // 2, f"{waiting[0]} waits"
        assert len(self.flights) <= self.window

    def _check(self, known: Known) -> None:
        seen = self.site.status(self.device, known.message)
        if known.state is Status.PENDING and seen is Status.FAILED:
            outcome = self.site.shown(self.device, known.message).outcome
            assert outcome is not None
            assert known.uncached
            if outcome.failure is Failure.BUSY:
                assert len(self.flights) > self.window // 2
            else:
                assert outcome.failure is Failure.NOT_SUBSCRIBED
                assert self._granted(known) is None
            known.state = seen
        assert seen is known.state
        if known.state is Status.PENDING and known.uncached:
            assert any(flight.known is known for flight in self.flights.values())

    def _could_be_sent(self, known: Known) -> bool:
        return (
            self.client is not None
            and known.state is Status.PENDING
            and known.send_at <= self.site.clock()
            and self._granted(known) is not None
            and all(flight.known is not known for flight in self.flights.values())
        )

    def _granted(self, known: Known) -> int | None:
        return {**self.subscribed_always, **self.subscribed}.get(known.topic)

    def _take_in(self) -> None:
        """Everything that is on its way comes."""
        for packet in self.run(self._settle()):
            if isinstance(packet, Pubrel):
                assert packet.packet_id in self._received()
            else:
                assert isinstance(packet, Publish)
                self._sent(packet)

    async def _settle(self) -> list[Packet]:
        packets: list[Packet] = []
        delivery = self.site.delivery
        at_rest = 0
        while at_rest < 2:  # what was still being done in the first round arrives in the second
            await self.site.kept()
            await self.site.store.flush()
            await turn()
            before = [] if self.client is None else await self.client.before_pong()
            packets += before
            at_rest = 0 if before or delivery._drains._scheduled or delivery._moves._decided else at_rest + 1
        return packets

    def _sent(self, publish: Publish) -> None:
        message_id = json.loads(publish.payload)["id"]
        (known,) = [known for known in self.known if known.message.draft.message_id == message_id]
        assert known.state is Status.PENDING
        assert known.send_at <= self.site.clock()
        assert publish.topic == known.topic
        assert publish.qos == self._granted(known)
        assert all(flight.known is not known for flight in self.flights.values())
        assert publish.dup == (publish.qos > 0 and known.sent_as > 0)
        assert known.message.seq > self.last.get(known.topic, 0)
        assert known.message.seq > self.last_of_all
        self.last[known.topic] = self.last_of_all = known.message.seq
        if not publish.qos:
            known.state = Status.DELIVERED
            return
        assert publish.packet_id not in self.flights
        if known.sent_as and known.sent_as not in self.flights:
            assert publish.packet_id == known.sent_as
        known.sent_as = publish.packet_id
        known.kept_as = publish.packet_id if self.kept else 0
        self.flights[publish.packet_id] = OnItsWay(known, publish.qos)


@pytest.mark.slow
def test_any_order() -> None:
    run_state_machine_as_test(
        Queue,
        settings=settings(
            max_examples=150, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
