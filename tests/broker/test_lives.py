"""Sessions and wills over time, against a model: who is kept, for how long, and whose will is heard when."""

import asyncio
from collections import Counter
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from bridge.mqtt import Publish, Will
from tests.broker.client import RawClient
from tests.broker.site import Site, mqtt
from tests.store.template import scratch

T = TypeVar("T")
CLIENT = st.sampled_from(["a", "b", "c"])
EXPIRY = st.sampled_from([0, 100, 1000])
DELAY = st.sampled_from([None, 0, 50, 500])
MOST_SESSIONS = 2
"""Kept at once."""


@dataclass
class Life:
    """A session of the model."""

    expiry: int
    will: bytes | None
    delay: int
    client: RawClient | None
    ends: float = 0.0
    will_due: float = 0.0


class Lives(RuleBasedStateMachine):
    """Clients of an admin, so that each identifier stands for itself."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = scratch()
        self.lives: dict[str, Life] = {}
        self.now = 0.0
        self.wills = 0
        self.due: Counter[bytes] = Counter()

    def run(self, action: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(action)

    @initialize()
    def begin(self) -> None:
        self.run(self._open())

    async def _open(self) -> None:
        self.site = Site(
            Path(self.folder.name, "bridge.db"),
            mqtt(max_sessions=MOST_SESSIONS, max_keep_alive=65_535, connect_timeout=300),
        )
        await self.site.__aenter__()
        self.token = self.site.store.add_token("ops", None, frozenset(("admin",)))
        self.watcher = await self.site.client()
        await self.watcher.connect("watcher", "default", self.token)
        await self.watcher.subscribe("wills", 1)

    def teardown(self) -> None:
        if hasattr(self, "site"):
            for client_id in list(self.lives):
                self.disconnect(client_id, 0x04)
            self.let_pass(2003)
            self.holds()
            assert not self.lives
            assert self.site.hub.router._trees["default"]._own._exact.keys() == {"wills"}
            self.run(self.site.stop())
        self.loop.close()
        self.folder.cleanup()

    @rule(client_id=CLIENT, clean=st.booleans(), expiry=EXPIRY, delay=DELAY)
    def connect(self, client_id: str, clean: bool, expiry: int, delay: int | None) -> None:
        known = self.lives.get(client_id)
        if known is not None and known.client is not None:
            self._gone(client_id, normal=False)
            known = self.lives.get(client_id)
        if known is not None and clean:
            self._over(client_id)
            known = None
        will = None
        if delay is not None:
            self.wills += 1
            will = str(self.wills).encode()
        client, present = self.run(self._connect(client_id, clean, expiry, will, delay or 0))
        assert present == (known is not None)
        self.lives[client_id] = Life(expiry, will, delay or 0, client)

    async def _connect(
        self, client_id: str, clean: bool, expiry: int, will: bytes | None, delay: int
    ) -> tuple[RawClient, bool]:
        client = await self.site.client()
        connack = await client.connect(
            client_id,
            "default",
            self.token,
            clean=clean,
            will=None if will is None else Will("wills", will, 1, properties={"will_delay_interval": delay}),
            properties={"session_expiry_interval": expiry},
        )
        assert connack.reason_code == 0
        return client, connack.session_present

    @rule(client_id=CLIENT, reason=st.sampled_from([0, 0x04, 0x80]))
    def disconnect(self, client_id: str, reason: int) -> None:
        life = self.lives.get(client_id)
        if life is not None and life.client is not None:
            self.run(life.client.disconnect(reason))
            self._gone(client_id, normal=reason == 0)

    @rule(reason=st.sampled_from([0, 0x04]))
    def all_leave(self, reason: int) -> None:
        for client_id in list(self.lives):
            self.disconnect(client_id, reason)

    @rule(client_id=CLIENT)
    def malformed(self, client_id: str) -> None:
        life = self.lives.get(client_id)
        if life is not None and life.client is not None:
            life.client.send_bytes(b"\xff")
            assert self.run(life.client.ended()) == 0x81
            self._gone(client_id, normal=False)

    @rule(seconds=st.sampled_from([7, 61, 307, 2003]))
    def let_pass(self, seconds: int) -> None:
        self.now += seconds
        self.run(self.site.let_pass(seconds))
        for client_id, life in list(self.lives.items()):
            if life.client is None:
                if life.will is not None and self.now >= life.will_due:
                    self._heard(life)
                if self.now >= life.ends:
                    self._over(client_id)

    def _gone(self, client_id: str, *, normal: bool) -> None:
        life = self.lives[client_id]
        life.client = None
        if normal:
            life.will = None
        away = sum(other.client is None for other in self.lives.values())
        if not life.expiry or away > MOST_SESSIONS:
            self._over(client_id)
            return
        life.ends = self.now + life.expiry
        life.will_due = self.now + min(life.delay, life.expiry)
        if not life.delay:
            self._heard(life)

    def _over(self, client_id: str) -> None:
        self._heard(self.lives.pop(client_id))

    def _heard(self, life: Life) -> None:
        if life.will is not None:
            self.due[life.will] += 1
            life.will = None

    @invariant()
    def holds(self) -> None:
        if not hasattr(self, "site"):
            return
        heard = self.run(self._before_pong())
        assert heard == self.due
        self.due.clear()
        sessions = self.site.hub.sessions
        assert {client_id for _, client_id in sessions._sessions} - {"watcher"} == set(self.lives)
        assert sessions._away == sum(life.client is None for life in self.lives.values())

    async def _before_pong(self) -> Counter[bytes]:
        heard: Counter[bytes] = Counter()
        for packet in await self.watcher.before_pong():
            assert isinstance(packet, Publish)
            await self.watcher.acknowledge(packet)
            heard[packet.payload] += 1
        return heard


@pytest.mark.slow
def test_lives() -> None:
    run_state_machine_as_test(
        Lives,
        settings=settings(
            max_examples=80, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
