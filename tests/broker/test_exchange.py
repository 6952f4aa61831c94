"""Messages between two clients, whatever the receiver does: QoS 1 arrives, QoS 2 arrives once, all in order.

The receiver keeps its session, loses its connection at any moment, acknowledges what and when a rule says, and comes
back with another Receive Maximum.
"""

import asyncio
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
from bridge.mqtt import Packet, Properties, Puback, Pubcomp, Publish, Pubrec, Pubrel, Version
from tests.broker.client import RawClient
from tests.broker.site import Site, mqtt
from tests.store.template import scratch

T = TypeVar("T")
INDEX = st.integers(0, 1000)
OURS = 4
"""The largest window, from the settings."""


@dataclass
class Sent:
    number: int
    qos: int
    times: int = 0
    """How often it was sent to the receiver."""
    done: bool = False
    """The receiver has acknowledged it, so it must not come again."""
    doubtful: bool = False
    """It may come once more, or be sent as if for the first time."""


class Exchange(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = scratch()
        self.sent: list[Sent] = []
        self.client: RawClient | None = None
        self.window = OURS
        self.open: dict[int, Sent] = {}
        """By packet identifier: came on this connection and is not acknowledged."""
        self.received: dict[int, Sent] = {}
        """QoS 2: PUBREC is sent, PUBCOMP is not; the receiver remembers these over connections."""
        self.released: set[int] = set()

    def run(self, action: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(action)

    @initialize(version=st.sampled_from([Version.V311, Version.V5]))
    def begin(self, version: Version) -> None:
        self.version = version
        self.run(self._open())

    async def _open(self) -> None:
        self.site = Site(Path(self.folder.name, "bridge.db"), mqtt(max_inflight=OURS, connect_timeout=300))
        await self.site.__aenter__()
        self.device: Device = self.site.add_device()
        self.sender = await self.site.log_in(self.site.add_device("sender"), Version.V311)
        client = await self.site.log_in(self.device, self.version, clean=False, properties=self._properties(OURS))
        await client.subscribe("a", 2)
        await self.site.log_out(self.device, client)

    def _properties(self, window: int) -> Properties:
        return {"session_expiry_interval": 1000, "receive_maximum": window} if self.version is Version.V5 else {}

    def teardown(self) -> None:
        if hasattr(self, "site"):
            self._finish()
            self.run(self.site.stop())
        self.loop.close()
        self.folder.cleanup()

    def _finish(self) -> None:
        """In the end everything has arrived."""
        if self.client is None:
            self.connect(OURS)
            self.holds()
        while self.open or self.received:
            for packet_id in list(self.open):
                self._acknowledge(packet_id)
            self._take_in()
            for packet_id in list(self.received):
                self._complete(packet_id)
            self._take_in()
        assert all(sent.done for sent in self.sent)

    @rule(qos=st.sampled_from([1, 2]), count=st.integers(1, 6))
    def publish(self, qos: int, count: int) -> None:
        for _ in range(count):
            sent = Sent(len(self.sent), qos)
            self.sent.append(sent)
            self.run(self._publish(sent))

    async def _publish(self, sent: Sent) -> None:
        packet_id = self.sender.publish("a", str(sent.number).encode(), sent.qos)
        if sent.qos == 1:
            await self.sender.receive(Puback)
        else:
            await self.sender.receive(Pubrec)
            self.sender.send(Pubrel(packet_id))
            await self.sender.receive(Pubcomp)

    @precondition(lambda self: self.client is None)
    @rule(window=st.integers(1, OURS))
    def connect(self, window: int) -> None:
        self.window = window if self.version is Version.V5 else OURS
        self.client = self.run(
            self.site.log_in(self.device, self.version, clean=False, properties=self._properties(window))
        )

    @precondition(lambda self: self.client is not None)
    @rule()
    def lose(self) -> None:
        assert self.client is not None
        self.run(self.site.log_out(self.device, self.client))
        self.client = None
        self.open = {}
        self.released = set()

    @rule()
    def restart(self) -> None:
        self.run(self.site.restart())
        self._anew()

    @rule()
    def crash(self) -> None:
        """What the receiver of a QoS 1 message has told may be forgotten, and that it was sent [MQTT-4.3.2]."""
        self.run(self.site.crash())
        for sent in self.sent:
            if sent.qos == 1:
                sent.doubtful = True
        self._anew()

    def _anew(self) -> None:
        sender = self.site.store.device("default", "sender")
        assert sender is not None
        self.sender = self.run(self.site.log_in(sender, Version.V311))
        self.client = None
        self.open = {}
        self.released = set()

    @precondition(lambda self: self.client is not None and self.open)
    @rule(index=INDEX)
    def acknowledge(self, index: int) -> None:
        self._acknowledge(list(self.open)[index % len(self.open)])

    def _acknowledge(self, packet_id: int) -> None:
        assert self.client is not None
        sent = self.open.pop(packet_id)
        sent.done = True
        if sent.qos == 1:
            self.client.send(Puback(packet_id))
        else:
            self.received[packet_id] = sent
            self.client.send(Pubrec(packet_id))

    @precondition(lambda self: self.client is not None and self.received)
    @rule(index=INDEX)
    def complete(self, index: int) -> None:
        self._complete(list(self.received)[index % len(self.received)])

    def _complete(self, packet_id: int) -> None:
        assert self.client is not None
        if packet_id in self.released:
            self.released.discard(packet_id)
            del self.received[packet_id]
            self.client.send(Pubcomp(packet_id))

    @invariant()
    def holds(self) -> None:
        if self.client is None:
            return
        self._take_in()
        assert len(self.open) <= self.window
        waiting = [sent for sent in self.sent if not sent.times]
        # the larger half of a full window may be reserved for a backlog, until it is known that there is none
        assert not waiting or len(self.open) + len(self.received) > self.window // 2

    def _take_in(self) -> None:
        for packet in self.run(self._settle()):
            if isinstance(packet, Pubrel):
                assert packet.packet_id in self.received
                self.released.add(packet.packet_id)
            else:
                assert isinstance(packet, Publish)
                self._received(packet)

    async def _settle(self) -> list[Packet]:
        assert self.client is not None
        packets: list[Packet] = []
        at_rest = 0
        while at_rest < 2:  # what was still being done in the first round arrives in the second
            await self.site.kept()
            before = await self.client.before_pong()
            packets += before
            at_rest = 0 if before else at_rest + 1
        return packets

    def _received(self, publish: Publish) -> None:
        sent = self.sent[int(publish.payload)]
        assert publish.qos == sent.qos
        if not sent.doubtful:
            assert publish.dup == (sent.times > 0)
            assert not sent.done
        sent.doubtful = False
        assert publish.packet_id not in self.open
        assert publish.packet_id not in self.received
        assert sent not in self.open.values()
        if not sent.times:
            assert all(earlier.times for earlier in self.sent[: sent.number])
        sent.times += 1
        self.open[publish.packet_id] = sent


@pytest.mark.slow
def test_whatever_the_receiver_does() -> None:
    run_state_machine_as_test(
        Exchange,
        settings=settings(
            max_examples=40, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
