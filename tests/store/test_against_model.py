"""The store against a dict, with any mix of writes in one commit."""

import asyncio
import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from bridge.model.errors import BridgeError, DuplicateMessage
from bridge.model.message import Message, Outcome, Status
from bridge.store import Store
from tests.store.asking import DELIVERED, FAILED, NOW, TIMEOUT, a_message
from tests.store.clock import HandClock
from tests.store.template import prepared, scratch

DEVICES = 3
OUTCOMES = st.sampled_from([DELIVERED, FAILED, TIMEOUT])
SEQS = st.integers(1, 40)


class StoreMachine(RuleBasedStateMachine):
    """Writes pile up until `commit`; the model runs each of them at once and notes what its caller must be told."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = scratch()
        self.store = Store.open(prepared(Path(self.folder.name) / "bridge.db"), clock=HandClock(), loop=self.loop)
        self.devices = [self.store.add_device("home", f"d{number}", "12345678").key for number in range(DEVICES)]
        self.model: dict[int, Message] = {}
        self.last_seq = 0
        self.expected: list[Any] = []
        self.told: list[Any] = []

    def teardown(self) -> None:
        self.loop.run_until_complete(self.store.close())
        self.loop.run_until_complete(self.loop.shutdown_default_executor())
        self.loop.close()
        self.folder.cleanup()

    @rule(
        device=st.integers(0, DEVICES - 1),
        message_id=st.sampled_from("abcdef"),
        content=st.text(max_size=20),
        ttl=st.integers(0, 3),
    )
    def add(self, device: int, message_id: str, content: str, ttl: int) -> None:
        message = a_message(self.devices[device], message_id, content=content, ttl=ttl)
        taken = any(
            (other.device, other.draft.message_id) == (message.device, message_id) for other in self.model.values()
        )
        self.store.add(message, self.tell(DuplicateMessage if taken else None))
        self.last_seq = message.seq
        if not taken:
            self.model[message.seq] = dataclasses.replace(message)

    @rule(seq=SEQS, outcome=OUTCOMES)
    def finish(self, seq: int, outcome: Outcome) -> None:
        assume(seq <= self.last_seq)  # nobody knows a seq before its add
        message = self.model.get(seq)
        moves = message is not None and message.outcome is None
        if message and moves:
            message.outcome = outcome
        self.store.finish(seq, outcome, self.tell(moves))

    @rule(seq=SEQS)
    def remove(self, seq: int) -> None:
        message = self.model.pop(seq, None)
        self.store.remove(seq, self.tell(message.status if message else None))

    @rule(outcome=OUTCOMES)
    def fail_uncached(self, outcome: Outcome) -> None:
        uncached = [message for message in self.pending() if message.draft.ttl == 0]
        for message in uncached:
            message.outcome = outcome
        self.store.fail_uncached(outcome, self.tell(len(uncached)))

    @precondition(lambda self: self.expected)
    @rule()
    def commit(self) -> None:
        self.loop.run_until_complete(self.store.flush())
        assert self.told == self.expected
        self.told.clear()
        self.expected.clear()

    @invariant()
    def reads_agree(self) -> None:
        if self.expected:
            return
        for device in self.devices:
            mine = [message for message in self.model.values() if message.device == device]
            waiting = [message for message in mine if message.outcome is None]
            assert self.store.messages(device, limit=100) == mine[::-1]
            assert self.store.pending(device, after=0, limit=100) == waiting
            assert self.store.count_pending(device, at_most=2) == min(2, len(waiting))
            for status in Status:
                found = self.store.messages(device, limit=3, status=status)
                assert found == [message for message in mine[::-1] if message.status is status][:3]
        due = sorted(message.expires_at for message in self.pending() if message.expires_at <= NOW + 60_000)
        assert [expires_at for _, _, expires_at in self.store.due(NOW + 60_000, 100)] == due

    def pending(self) -> list[Message]:
        return [message for message in self.model.values() if message.outcome is None]

    def tell(self, expected: Any) -> Callable[[Any], None]:
        self.expected.append(expected)
        return lambda result: self.told.append(type(result) if isinstance(result, BridgeError) else result)


TestStoreMachine = pytest.mark.slow(StoreMachine.TestCase)
TestStoreMachine.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
