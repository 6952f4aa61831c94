"""`Keeping` against the real store: whatever the order of changes, commits and refusals, what was told is on disk,
nobody waits for ever, and in the end everything is as it was said last."""

import asyncio
import itertools
import shutil
import sqlite3
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bridge.broker.keeping import Keeping
from bridge.broker.session_batch import Unstored
from bridge.model.errors import BridgeError
from bridge.model.session import Gains, Losses, StoredDownlink, StoredSession, StoredSubscription
from bridge.mqtt import Publish, ReasonCode
from bridge.store import Store
from bridge.store.writer import Other
from tests.broker.times import PATIENCE, LoopTime, WallClock

_NUMBER = itertools.count(1)
Key: TypeAlias = tuple[str, int, Any]
"""What a change is about: kind, session, and number or name."""
Row: TypeAlias = tuple[Any, ...] | None
"""What is stored of it; None for nothing."""
Change: TypeAlias = Callable[[Row], Row]
"""What becomes of a row."""

CHANGES = (
    *("keep", "subscribe", "unsubscribe", "receive", "let_go", "send_downlink", "release_downlink", "settle_downlink"),
    *("owe", "number", "release", "settle"),
)
CIRCUMSTANCES = ("commit", "turn", "hold", "go", "refuse_gains", "refuse_losses", "join", "later", "end")
steps = st.lists(
    st.tuples(st.sampled_from((*CHANGES, *CHANGES, *CIRCUMSTANCES)), st.sampled_from((0, 1)), st.sampled_from((1, 2))),
    max_size=50,
)


class Said:
    """One change, and whether the store has refused it."""

    def __init__(self, change: Change) -> None:
        self.change = change
        self.void = False
        self.told = 0


class Owner(Unstored):
    """One session."""

    __slots__ = ("_unstored", "key", "places")

    def __init__(self, key: int, unstored: Callable[[Key], None]) -> None:
        self.key = key
        self.places = 0
        self._unstored = unstored

    def not_stored(self, place: int, share: str) -> None:
        self._unstored(("copy", self.key, place))


class Faulty:
    """The store, whose disk refuses some of what it is given."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.refuses_gains = self.refuses_losses = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def keep_gains(
        self, gains: Gains, done: Callable[[BridgeError | None], None], *, joined: bool = False, owed: bool = False
    ) -> None:
        if self.refuses_gains:
            self._store._writer.put(Other(_refused, done, joined=joined))
        else:
            self._store.keep_gains(gains, done, joined=joined, owed=owed)
        self.refuses_gains = False

    def keep_losses(self, losses: Losses, done: Callable[[BridgeError | None], None], *, owed: bool = False) -> None:
        if self.refuses_losses:
            self._store._writer.put(Other(_refused, done))
        else:
            self._store.keep_losses(losses, done, owed=owed)
        self.refuses_losses = False


def _refused(_: sqlite3.Connection) -> None:
    raise sqlite3.DataError("refused")  # fails alone, whatever shares its transaction


class Book:
    """What was said of each thing, in order, held against what is on disk."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._faulty = Faulty(store)
        self._time = LoopTime(asyncio.get_running_loop())
        self.keeping = Keeping(WallClock(), self._faulty)
        self.said: dict[Key, list[Said]] = {}
        self.mistakes: list[str] = []
        self.owners = [self._owner(), self._owner()]
        self._held: threading.Event | None = None

    def _owner(self) -> Owner:
        owner = Owner(self.keeping.new_key(), self._unstored)
        self._keep(owner, 1)
        return owner

    def _say(self, kind: str, session: int, name: Any, change: Change) -> Callable[..., None]:
        """Returns what is to be called with whether it is on disk."""
        said = Said(change)
        key = (kind, session, name)
        self.said.setdefault(key, []).append(said)
        return partial(self._told, key, said)

    def _unstored(self, key: Key) -> None:
        for said in self.said[key]:
            said.void = True

    def _told(self, key: Key, said: Said, stored: bool = True) -> None:
        said.told += 1
        if not stored:
            said.void = True
            return
        row, index = read(self._store).get(key), self.said[key].index(said)
        possible = [self._state(key, end) for end in range(index + 1, len(self.said[key]) + 1)]
        if row not in possible:
            self.mistakes.append(f"{key}: {row} on disk when told of {possible}")

    def _state(self, key: Key, end: int | None = None) -> Row:
        row: Row = None
        for said in self.said[key][:end]:
            row = row if said.void else said.change(row)
        return row

    def expected(self) -> dict[Key, Row]:
        rows = {key: self._state(key) for key in self.said}
        return {key: row for key, row in rows.items() if row is not None}

    def untold(self) -> list[Key]:
        return [key for key, all_said in self.said.items() if any(said.told != 1 for said in all_said)]

    # Changes

    def change(self, name: str, owner: int, number: int) -> None:
        getattr(self, f"_{name}")(self.owners[owner], number)

    def _keep(self, owner: Owner, number: int) -> None:
        row = StoredSession(owner.key, "home", "c", None, False, number, None, 0, None)
        self.keeping.keep_session(row)
        self._say("session", owner.key, 0, lambda _: (number,))
        self.said["session", owner.key, 0][-1].told = 1  # it is tried until it is stored, and nobody waits

    def _subscribe(self, owner: Owner, number: int) -> None:
        self.keeping.subscribe(StoredSubscription(owner.key, f"f{number}", 1, 0))
        self._say("subscription", owner.key, f"f{number}", lambda _: ())
        self.said["subscription", owner.key, f"f{number}"][-1].told = 1  # the same

    def _unsubscribe(self, owner: Owner, number: int) -> None:
        self.keeping.unsubscribe(owner.key, f"f{number}")
        self.keeping.after_losses(self._say("subscription", owner.key, f"f{number}", lambda _: None))

    def _receive(self, owner: Owner, number: int) -> None:
        self.keeping.receive(owner.key, number)
        self.keeping.after_gains(self._say("received", owner.key, number, lambda _: ()))

    def _let_go(self, owner: Owner, number: int) -> None:
        self.keeping.let_go(owner.key, number)
        self.keeping.after_losses(self._say("received", owner.key, number, lambda _: None))

    def _send_downlink(self, owner: Owner, number: int) -> None:
        seq = len(self.said) + 1
        self.keeping.send_downlink(StoredDownlink(owner.key, number, seq, 2))
        self.keeping.after_gains(self._say("downlink", owner.key, number, lambda _: (seq,)))

    def _release_downlink(self, owner: Owner, number: int) -> None:
        self.keeping.release_downlink(owner.key, number)
        self.keeping.after_losses(self._say("downlink", owner.key, number, lambda row: row and (-abs(row[0]),)))

    def _settle_downlink(self, owner: Owner, number: int) -> None:
        self.keeping.settle_downlink(owner.key, number)
        self.keeping.after_losses(self._say("downlink", owner.key, number, lambda _: None))

    def _owe(self, owner: Owner, number: int) -> None:
        owner.places += 1
        self.keeping.owe((owner.key, owner.places), Publish("a", b"x", number), 0.0, "", owner)
        self.keeping.after_gains(self._say("copy", owner.key, owner.places, lambda _: (0, 0)))

    def _number(self, owner: Owner, number: int) -> None:
        self._move(owner, number, released=False)

    def _release(self, owner: Owner, number: int) -> None:
        self._move(owner, number, released=True)

    def _move(self, owner: Owner, number: int, *, released: bool) -> None:
        place = owner.places + 1 - number
        if place > 0:
            self.keeping.move((owner.key, place), 9, released=released)
            moved = self._say("copy", owner.key, place, lambda row: row and (9, int(released)))
            self.keeping.after_copy((owner.key, place), moved)

    def _settle(self, owner: Owner, number: int) -> None:
        place = owner.places + 1 - number
        if place > 0:
            self.keeping.settle((owner.key, place))
            self.keeping.after_losses(self._say("copy", owner.key, place, lambda _: None))

    # Circumstances

    async def meet(self, name: str, owner: int) -> None:
        match name:
            case "turn":
                await asyncio.sleep(0)
            case "commit" if self._held is None:
                await self._store.flush()
            case "hold" if self._held is None:
                self._held = held = threading.Event()
                self._store._writer.request(lambda _: held.wait(PATIENCE))
            case "go":
                self.go()
            case "refuse_gains":
                self._faulty.refuses_gains = True
            case "refuse_losses":
                self._faulty.refuses_losses = True
            case "later":
                await self.later()
            case "join":
                self.keeping.commit(Publish("z"), _nothing, joined=True)
            case "end":
                self._end(owner)

    def _end(self, index: int) -> None:
        """The session ends, and the client begins another one."""
        owner = self.owners[index]
        ended = [self._say(*key, lambda _: None) for key in self.said if key[1] == owner.key]

        def told() -> None:
            for each in ended:
                each()

        self.keeping.end_session(owner.key, 1500, told)
        self.owners[index] = self._owner()

    def go(self) -> None:
        if self._held is not None:
            self._held.set()
            self._held = None

    async def later(self) -> None:
        """What was refused is tried again."""
        self._time.advance(2)
        await asyncio.sleep(0)

    def accept(self) -> None:
        self._faulty.refuses_gains = self._faulty.refuses_losses = False


def _nothing(_: Publish, __: ReasonCode) -> None:
    pass


def read(store: Store) -> dict[Key, Row]:
    """What is on disk, in the words of the book."""
    found: dict[Key, Row] = {}
    for kind, columns, table in (
        ("session", "key, 0, expiry", "session"),
        ("subscription", "session, filter", "session_subscription"),
        ("received", "session, packet_id", "session_received"),
        ("downlink", "session, packet_id, seq", "session_downlink"),
        ("copy", "session, place, packet_id, released", "session_copy"),
    ):
        for session, name, *row in store._reader.execute(f"SELECT {columns} FROM {table}"):  # noqa: S608
            found[kind, session, name] = tuple(row)
    return found


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database to be copied: making one takes longer than a test."""
    path = tmp_path_factory.mktemp("keeping") / "empty.db"

    async def make() -> None:
        await Store.open(path, clock=WallClock()).close()

    asyncio.run(make())
    return path


async def play(empty: Path, script: list[tuple[str, int, int]]) -> Book:
    path = empty.with_name(f"{next(_NUMBER)}.db")
    shutil.copyfile(empty, path)
    store = Store.open(path, clock=WallClock())
    book = Book(store)
    try:
        for name, owner, number in script:
            if name in CHANGES:
                book.change(name, owner, number)
            else:
                await book.meet(name, owner)
        book.accept()
        book.go()
        await book.keeping.finish()
        while book.keeping.busy:  # something was refused just before
            await book.later()
            await store.flush()
        await store.flush()  # what was refused in the end
        assert read(store) == book.expected()
    finally:
        book.go()
        await store.close()
        path.unlink()
    return book


def script(*names: str) -> list[tuple[str, int, int]]:
    """Of one session and one number."""
    return [(name, 0, 1) for name in names]


# What was refused, and what a later batch says that is under way already.
@pytest.mark.slow
@example(script("owe", "commit", "hold", "number", "refuse_losses", "join", "release", "join", "go"))
@example(script("hold", "refuse_gains", "keep", "join", "end", "join", "go"))
@example(script("hold", "refuse_gains", "subscribe", "join", "unsubscribe", "join", "go"))
@example(script("refuse_gains", "subscribe", "join", "commit", "unsubscribe", "later", "commit"))
@example(script("refuse_losses", "unsubscribe", "join", "commit"))
@example(script("receive", "commit", "hold", "refuse_losses", "let_go", "join", "receive", "join", "go"))
@example(script("send_downlink", "commit", "hold", "refuse_losses", "settle_downlink", "join", "send_downlink", "go"))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps)
def test_what_is_told_is_on_disk(empty: Path, played: list[tuple[str, int, int]]) -> None:
    book = asyncio.run(play(empty, played))
    assert book.mistakes == []
    assert book.untold() == []
