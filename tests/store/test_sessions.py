"""Sessions as rows: what is gained and lost, and what a message costs that several sessions are owed."""

import asyncio

from bridge.model.errors import BridgeError
from bridge.model.session import (
    Backlog,
    Gains,
    Losses,
    StoredCopy,
    StoredDownlink,
    StoredMessage,
    StoredSession,
    StoredSubscription,
)
from bridge.store import Store
from bridge.store.writer import BATCH, Other, Writer


def session(key: int, device: int | None = None) -> StoredSession:
    return StoredSession(key, "home", f"c-{key}", device, False, 100, None, 0, None)


def copy(key: int, place: int, message: int, packet_id: int = 0, share: str = "") -> StoredCopy:
    return StoredCopy(key, place, message, 10, packet_id, False, share)


async def gained(store: Store, *rows: StoredSession | StoredSubscription | StoredMessage | StoredCopy) -> None:
    gains = Gains()
    for row in rows:
        if isinstance(row, StoredSession):
            gains.sessions[row.key] = row
        elif isinstance(row, StoredSubscription):
            gains.subscriptions[row.session, row.filter] = row
        elif isinstance(row, StoredMessage):
            gains.messages[row.key] = row
        else:
            gains.copies[row.session, row.place] = row
    told: list[BridgeError | None] = []
    store.keep_gains(gains, told.append)
    await store.flush()
    assert told == [None]


async def lost(store: Store, losses: Losses) -> None:
    store.keep_losses(losses, lambda error: None)
    await store.flush()


def messages(store: Store) -> int:
    count: int = store._reader.execute("SELECT count(*) FROM session_message").fetchone()[0]
    return count


async def test_pages_of_sessions(store: Store, device: int) -> None:
    await gained(store, *(session(key, device if key % 2 else device + 100) for key in range(1, 200)))
    page = store.stored_sessions(100, 3)
    assert [(row.key, orphan) for row, orphan in page] == [(101, False), (102, True), (103, False)]
    assert store.last_session_keys() == (199, 0)


async def test_a_message_goes_with_its_last_copy(store: Store) -> None:
    await gained(store, StoredMessage(1, 0, b"x"), *(copy(key, 1, 1) for key in (1, 2, 3)))
    await lost(store, Losses(copies={(1, 1)}))
    await lost(store, Losses(sessions={2}))
    assert messages(store) == 1
    await lost(store, Losses(copies={(3, 1), (4, 4)}))
    assert messages(store) == 0


async def test_what_waits_and_what_was_sent(store: Store) -> None:
    rows = [copy(1, place, place) for place in range(1, 6)]
    await gained(store, *(StoredMessage(row.message, 7, b"%d" % row.message) for row in rows), *rows)
    await gained(store, StoredMessage(9, 0, b"s"), copy(1, 9, 9, share="$share/g/a"))
    await lost(store, Losses(moved={(1, 1): (11, False), (1, 2): (12, True)}))
    assert store.session_backlog(1) == Backlog(4, 40, 9)
    assert [(owed.copy.place, owed.packet, owed.expires_at) for owed in store.session_copies(1, 3, 1)] == [(4, b"4", 7)]
    assert [owed.copy.place for owed in store.session_copies(1, 0, 9)] == [3, 4, 5]
    assert [owed.copy.place for owed in store.session_shared(1)] == [9]
    sent = store.session_exchange(1).sent
    assert [(owed.copy.packet_id, owed.copy.released) for owed in sent] == [(11, False), (12, True)]


async def test_an_end_leaves_nothing(store: Store) -> None:
    await gained(store, session(1), StoredSubscription(1, "a", 1, 0), StoredMessage(1, 0, b"x"), copy(1, 1, 1))
    store.keep_gains(Gains(received={(1, 5)}, downlinks={(1, 6): StoredDownlink(1, 6, 9, 2)}), lambda error: None)
    await store.flush()
    exchange = store.session_exchange(1)
    assert (exchange.received, exchange.downlinks) == ([5], [StoredDownlink(1, 6, 9, 2)])
    await lost(store, Losses(sessions={1}))
    assert store.stored_sessions(0, 9) == []
    assert store.stored_subscriptions(0, 9) == []
    assert store.session_exchange(1) == ([], [], [])
    assert messages(store) == 0


async def test_who_was_connected_has_left(store: Store) -> None:
    await gained(store, session(1), session(2)._replace(left_at=5))
    store.note_all_left(77)
    await store.flush()
    assert [row.left_at for row, _ in store.stored_sessions(0, 9)] == [77, 5]


async def test_what_is_joined_shares_the_transaction(store: Store) -> None:
    writer = Writer(store._connection, asyncio.get_running_loop())
    for number in range(BATCH + 3):
        writer.put(Other(lambda _: None, lambda _: None, joined=BATCH <= number < BATCH + 2))
    writer._hand_over()
    assert len(writer._queue.get_nowait()) == BATCH + 2
