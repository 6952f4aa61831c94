"""Two clients against the daemon: any order of legal and illegal operations, and a model of the standard beside it."""

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from bridge.mqtt import Connect, Puback, Pubcomp, Pubrec, Version, Will, encode
from bridge.mqtt.reasons import ReasonCode
from tests.acceptance.daemon import Daemon
from tests.standard.machine.clients import Client, World
from tests.standard.machine.model import ALIAS_MAXIMUM, MAX_INFLIGHT, RECEIVE_MAXIMUM, Wanted
from tests.standard.peer import rows_of
from tests.store.template import scratch

SETTINGS = {
    "mqtt.allow_anonymous": "true",
    "mqtt.max_client_inflight": MAX_INFLIGHT,
    "mqtt.receive_maximum": RECEIVE_MAXIMUM,
    "mqtt.topic_alias_maximum": ALIAS_MAXIMUM,
}
TOPICS = ("t/x", "s/x", "t", "s/x", "u")
WILL_TOPICS = ("t", "t/x", "w")
"""Not those that are shared: who gets a will cannot always be seen."""
SHARE = "$share/g/s/#"
FILTERS = ("#", "t/#", "t/+", "+", "t", "t/x", "s/x", "w", SHARE, SHARE)
REFUSED = {version: [row for row in rows_of(version) if row.versions] for version in (Version.V311, Version.V5)}
"""Packets that break the standard, whatever came before."""

versions = st.sampled_from([Version.V5, Version.V311])
who = st.integers(0, 1)
index = st.integers(0, 1000)
qos = st.sampled_from([1, 2, 1, 2, 0])
likely = st.sampled_from([True, True, False])
rarely = st.sampled_from([False, False, False, True])
subscriptions = st.lists(
    st.builds(Wanted, st.sampled_from(FILTERS), qos, rarely, st.booleans(), st.integers(0, 2)),
    min_size=1,
    max_size=3,
    unique_by=lambda each: each.filter,
)


class Clients(RuleBasedStateMachine):
    address: ClassVar[tuple[str, int]]

    def __init__(self) -> None:
        super().__init__()
        self.world = World(self.address)

    def teardown(self) -> None:
        self.world.close()

    def connected(self, which: int) -> Client:
        """The one meant, or the other if that one is away."""
        client = self.world.clients[which]
        return client if client.wire is not None else self.world.clients[1 - which]

    def anybody(self) -> bool:
        return any(client.wire is not None for client in self.world.clients)

    # Connections

    @initialize(
        first=versions,
        second=versions,
        kept=likely,
        wanted=st.tuples(subscriptions, subscriptions),
        shared=likely,
    )
    def begin(
        self, first: Version, second: Version, kept: bool, wanted: tuple[list[Wanted], list[Wanted]], shared: bool
    ) -> None:
        for which, version in enumerate((first, second)):
            client = self.world.clients[which]
            self.world.connect(client, version, clean=not kept, kept=kept, receive_maximum=0, will=None)
            self.subscribe(which, wanted[which], identifier=which + 1)
            if shared:
                self.subscribe(which, [Wanted(SHARE, 2 - which)], identifier=3)

    @rule(
        which=who,
        take_over=rarely,
        version=versions,
        clean=rarely,
        kept=likely,
        receive_maximum=st.sampled_from([0, 0, 1, 2, 10]),
        will=st.none() | st.tuples(st.sampled_from(WILL_TOPICS), qos, rarely, likely),
    )
    def connect(
        self,
        which: int,
        take_over: bool,
        version: Version,
        clean: bool,
        kept: bool,
        receive_maximum: int,
        will: tuple[str, int, bool, bool] | None,
    ) -> None:
        """`take_over`: also while it is connected."""
        client = self.world.clients[which]
        if client.wire is not None and not take_over:
            client = self.world.clients[1 - which]
            if client.wire is not None:
                return
        message = None
        if will is not None:
            topic, will_qos, retain, full = will
            message = Will(self.world.topic(topic), self.world.payload() if full else b"", will_qos, retain)
        self.world.connect(client, version, clean=clean, kept=kept, receive_maximum=receive_maximum, will=message)

    @precondition(anybody)
    @rule(which=who, reason=st.sampled_from([0, 0, 4]), expiry=st.sampled_from([None, None, None, 0, 1000]))
    def disconnect(self, which: int, reason: int, expiry: int | None) -> None:
        self.world.disconnect(self.connected(which), reason, expiry)

    @precondition(anybody)
    @rule(which=who)
    def cut(self, which: int) -> None:
        self.world.cut(self.connected(which))

    # Subscriptions

    @precondition(anybody)
    @rule(
        which=who,
        wanted=subscriptions,
        identifier=st.sampled_from([1, 2, 3, 0]),
    )
    def subscribe(self, which: int, wanted: list[Wanted], identifier: int) -> None:
        named = [
            Wanted(
                self.world.topic(each.filter), each.qos, each.no_local, each.retain_as_published, each.retain_handling
            )
            for each in wanted
        ]
        self.world.subscribe(self.connected(which), named, identifier)

    @precondition(anybody)
    @rule(which=who, filters=st.lists(st.sampled_from(FILTERS), min_size=1, max_size=2, unique=True))
    def unsubscribe(self, which: int, filters: list[str]) -> None:
        self.world.unsubscribe(self.connected(which), [self.world.topic(each) for each in filters])

    # Messages

    @precondition(anybody)
    @rule(
        which=who,
        name=st.sampled_from(TOPICS),
        qos=qos,
        retain=st.booleans(),
        empty=rarely,
        count=st.integers(1, 4),
        free=st.booleans(),
    )
    def publish(self, which: int, name: str, qos: int, retain: bool, empty: bool, count: int, free: bool) -> None:
        """`free`: nothing that came before waits for an acknowledgement."""
        if free:
            for client in self.world.clients:
                if client.wire is not None:
                    self.world.acknowledge_all(client)
        for _ in range(count):
            client, topic = self.connected(which), self.world.topic(name)
            if client.wire is None or self.world.undecided(topic, qos):
                return
            self.world.publish(client, topic, b"" if empty else self.world.payload(), qos, retain=retain)

    @precondition(anybody)
    @rule(
        which=who,
        name=st.sampled_from(["", *TOPICS]),
        qos=qos,
        alias=st.sampled_from([*range(1, ALIAS_MAXIMUM + 1)] * 4 + [ALIAS_MAXIMUM + 1]),
    )
    def publish_with_alias(self, which: int, name: str, qos: int, alias: int) -> None:
        client = self.connected(which)
        line = client.line
        assert line is not None
        topic = self.world.topic(name) if name else ""
        if line.version is Version.V5 and not self.world.undecided(topic or line.aliases.get(alias, ""), qos):
            self.world.publish(client, topic, self.world.payload(), qos, alias=alias)

    @precondition(anybody)
    @rule(which=who, number=index)
    def publish_again(self, which: int, number: int) -> None:
        client = self.connected(which)
        if client.sent:
            again = client.sent[number % len(client.sent)]
            if not self.world.undecided(again.topic, again.qos):
                self.world.send_again(client, number)

    @precondition(anybody)
    @rule(which=who, number=index, known=likely)
    def release(self, which: int, number: int, known: bool) -> None:
        client = self.connected(which)
        if not known:
            self.world.release(client, self.world.free_identifier(client))
        elif client.unreleased:
            self.world.release(client, client.unreleased[number % len(client.unreleased)].packet_id)

    @precondition(anybody)
    @rule(which=who, numbers=st.lists(index, min_size=1, max_size=4), reason=st.sampled_from([0, 0, 0, 0, 0x80, 0x97]))
    def acknowledge(self, which: int, numbers: list[int], reason: int) -> None:
        """In any order."""
        client = self.connected(which)
        for number in numbers:
            if flights := self.world.open_flights(client):
                self.world.acknowledge(client, flights[number % len(flights)], reason)

    @precondition(anybody)
    @rule(which=who)
    def acknowledge_all(self, which: int) -> None:
        self.world.acknowledge_all(self.connected(which))

    # What is not allowed

    @precondition(anybody)
    @rule(which=who, number=index, kind=st.sampled_from([Puback, Pubrec, Pubcomp]), known=st.booleans())
    def answer(self, which: int, number: int, kind: type[Puback | Pubrec | Pubcomp], known: bool) -> None:
        """To a message that may wait for another answer, or does not exist."""
        client = self.connected(which)
        if flights := self.world.open_flights(client) if known else []:
            self.world.answer(client, kind(flights[number % len(flights)].packet_id))
        else:
            self.world.answer(client, kind(60_000 + number))

    @precondition(anybody)
    @rule(which=who)
    def connect_twice(self, which: int) -> None:
        client = self.connected(which)
        assert client.line is not None
        version = client.line.version
        self.world.break_off(client, encode(Connect(version, client.client_id), version), ReasonCode.PROTOCOL_ERROR)

    @precondition(anybody)
    @rule(which=who, number=index)
    def break_the_standard(self, which: int, number: int) -> None:
        client = self.connected(which)
        assert client.line is not None
        rows = REFUSED[client.line.version]
        row = rows[number % len(rows)]
        assert row.reason is not None
        self.world.break_off(client, row.raw, ReasonCode(row.reason))


@pytest.fixture
def address() -> Iterator[tuple[str, int]]:
    """A daemon whose limits are within the reach of a short example."""
    with scratch() as folder:
        daemon = Daemon(Path(folder), SETTINGS)
        try:
            daemon.start()
            yield daemon.mqtt
        finally:
            daemon.close()


def test_two_clients_get_what_the_standard_says(address: tuple[str, int]) -> None:
    Clients.address = address
    run_state_machine_as_test(
        Clients,
        settings=settings(
            max_examples=400,
            stateful_step_count=40,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
