"""What every store owes to delivery about messages that are sent later, and requests that are repeated."""

import asyncio

import pytest

from bridge.delivery.base import MessageStore
from bridge.model.errors import DuplicateMessage
from bridge.model.message import Status
from bridge.model.once import REMEMBERED, Once, Remembered
from tests.store.asking import NOW, TIMEOUT, a_message, add, added, finish, ids, release, remove

ONCE = Once("a-key", b"\x00\xff" * 16)


class SpecialMessageContract:
    """Fixtures: `store`, empty; `device` and `other`, keys of two of its devices."""

    async def test_a_held_message_is_there_but_not_to_be_sent(self, store: MessageStore, device: int) -> None:
        held = a_message(device, "held", send_at=NOW + 1000)
        assert await add(store, held) is None
        [ready] = await added(store, device, "ready")
        assert store.message(device, "held") == held
        assert ids(store.messages(device, limit=10)) == ["ready", "held"]
        assert ids(store.messages(device, limit=10, status=Status.PENDING)) == ["ready", "held"]
        assert ids(store.messages(device, limit=10, status=Status.PENDING, before=ready.seq)) == ["held"]
        assert ids(store.messages(device, limit=1, status=Status.PENDING)) == ["ready"]
        assert store.pending(device, after=0, limit=10) == [ready]
        assert [store.count_pending(device, at_most=most) for most in (0, 1, 2, 3)] == [0, 1, 2, 2]

    async def test_released_in_its_place(self, store: MessageStore, device: int) -> None:
        assert store.next_scheduled() is None
        held = a_message(device, "held", send_at=NOW + 1000)
        await add(store, held)
        await added(store, device, "ready")
        assert store.next_scheduled() == NOW + 1000
        assert await release(store, NOW + 999) == []
        assert await release(store, NOW + 1000) == [(held.seq, device)]
        assert await release(store, NOW + 1000) == []
        assert store.next_scheduled() is None
        assert ids(store.pending(device, after=0, limit=10)) == ["held", "ready"]
        assert store.pending(device, after=0, limit=1) == [held]  # send_at is still said

    async def test_the_earliest_are_released_first(self, store: MessageStore, device: int, other: int) -> None:
        late, early = a_message(device, "late", send_at=NOW + 2), a_message(other, "early", send_at=NOW + 1)
        await asyncio.gather(add(store, late), add(store, early))
        assert await release(store, NOW + 5, 1) == [(early.seq, other)]
        assert store.next_scheduled() == NOW + 2
        assert await release(store, NOW + 5, 1) == [(late.seq, device)]

    async def test_what_has_ended_is_not_released(self, store: MessageStore, device: int) -> None:
        ended, gone = (a_message(device, name, send_at=NOW + 1) for name in ("ended", "gone"))
        await asyncio.gather(add(store, ended), add(store, gone))
        assert await finish(store, ended.seq, TIMEOUT) is True
        assert await remove(store, gone.seq) is Status.PENDING
        assert store.next_scheduled() is None
        assert await release(store, NOW + 5) == []
        assert store.pending(device, after=0, limit=10) == []

    async def test_a_held_message_takes_its_id(self, store: MessageStore, device: int) -> None:
        await add(store, a_message(device, send_at=NOW + 1))
        assert isinstance(await add(store, a_message(device, send_at=NOW + 2)), DuplicateMessage)
        assert isinstance(await add(store, a_message(device)), DuplicateMessage)

    @pytest.mark.parametrize("send_at", [None, NOW + 1])
    async def test_a_key_is_remembered_with_its_message(
        self, store: MessageStore, device: int, other: int, send_at: int | None
    ) -> None:
        assert store.remembered(device, "a-key", NOW) is None
        message = a_message(device, send_at=send_at)
        assert await add(store, message, ONCE) is None
        assert store.remembered(device, "a-key", NOW) == Remembered(ONCE.digest, message.seq, "m1", NOW)
        assert store.remembered(device, "A-KEY", NOW) is None
        assert store.remembered(other, "a-key", NOW) is None

    async def test_a_key_has_its_time(self, store: MessageStore, device: int) -> None:
        await add(store, a_message(device), ONCE)
        assert store.remembered(device, "a-key", NOW + REMEMBERED - 1) is not None
        assert store.remembered(device, "a-key", NOW + REMEMBERED) is None
        again = a_message(device, "m2")
        assert await add(store, again, Once("a-key", b"other")) is None
        assert store.remembered(device, "a-key", NOW) == Remembered(b"other", again.seq, "m2", NOW)

    async def test_what_is_refused_is_not_remembered(self, store: MessageStore, device: int) -> None:
        answers = [
            add(store, a_message(device)),
            add(store, a_message(device), ONCE),
            add(store, a_message(device, "m2")),
        ]
        first, second, third = await asyncio.gather(*answers)
        assert (first, third) == (None, None)
        assert isinstance(second, DuplicateMessage)
        assert store.remembered(device, "a-key", NOW) is None
