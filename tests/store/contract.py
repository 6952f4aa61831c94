"""What every store owes to delivery. Derive a class from `MessageStoreContract` and give it the three fixtures."""

import asyncio
import dataclasses
import logging
from typing import Any

import pytest

from bridge.delivery.base import MessageStore
from bridge.model.errors import DuplicateMessage
from bridge.model.message import AcknowledgedBy, Draft, Failure, Message, Outcome, Status
from tests.store.asking import (
    DELIVERED,
    FAILED,
    NOW,
    TIMEOUT,
    a_message,
    add,
    added,
    fail_uncached,
    finish,
    ids,
    remove,
)

FULL_DRAFT = Draft(
    message_id="00f1-ä-\U0001f600",
    content='{"a": 1.0, "b": 1e400, "c": "\\ud800"}',
    ttl=1440,
    name="a name",
    encoding="base64",
    payload_format="raw",
    topic="$oc/devices/lamp/user/été",
    correlation_data="c",
    response_topic="r",
    user_properties=(("b", "1"), ("a", "2"), ("b", "3"), ("", "\U0001f600")),
)
CONTENTS = {
    "empty": '""',
    "nul": '"\x00 and behind"',
    "planes": '"ß 漢字 \U0001f600 \U0010ffff"',
    "noncharacters": '"\ufffe\uffff\ufeff"',
    "line ends": '"\r\n\u2028\u2029\x85"',
    "combining": '"e\u0301 é \u202e"',
    "256 KiB": '"' + "x" * (256 * 1024 - 2) + '"',
}


class MessageStoreContract:
    """Fixtures: `store`, empty; `device` and `other`, keys of two of its devices."""

    @pytest.fixture
    def store(self) -> MessageStore:
        raise NotImplementedError

    @pytest.fixture
    def device(self) -> int:
        raise NotImplementedError

    @pytest.fixture
    def other(self) -> int:
        raise NotImplementedError

    async def test_add_assigns_rising_seqs_at_once(self, store: MessageStore, device: int, other: int) -> None:
        messages = [a_message(device, "m1"), a_message(other, "m2"), a_message(device, "m3")]
        answers = [add(store, message) for message in messages]
        assert 0 < messages[0].seq < messages[1].seq < messages[2].seq
        assert await asyncio.gather(*answers) == [None, None, None]

    async def test_an_added_message_is_read_back_whole(self, store: MessageStore, device: int) -> None:
        message = Message(device, FULL_DRAFT, NOW, NOW + 1)
        assert await add(store, message) is None
        assert store.message(device, FULL_DRAFT.message_id) == message
        assert store.pending(device, after=0, limit=10) == [message]
        assert store.messages(device, limit=10) == [message]

    @pytest.mark.parametrize("content", CONTENTS.values(), ids=CONTENTS)
    async def test_content_comes_back_as_it_was(self, store: MessageStore, device: int, content: str) -> None:
        await add(store, a_message(device, content=content))
        found = store.message(device, "m1")
        assert found is not None
        assert found.draft.content == content

    async def test_nothing_is_there_before(self, store: MessageStore, device: int) -> None:
        assert store.message(device, "m1") is None
        assert store.messages(device, limit=10) == []
        assert store.pending(device, after=0, limit=10) == []
        assert store.count_pending(device, at_most=10) == 0
        assert list(store.due(NOW * 2, 10)) == []
        assert store.device("home", "nobody") is None

    async def test_a_message_id_is_taken_once_a_device(self, store: MessageStore, device: int, other: int) -> None:
        await added(store, device, "m1")
        assert isinstance(await add(store, a_message(device, "m1")), DuplicateMessage)
        await added(store, other, "m1")
        assert ids(store.messages(device, limit=10)) == ["m1"]

    async def test_the_first_of_two_at_once_gets_the_id(self, store: MessageStore, device: int) -> None:
        answers = [add(store, a_message(device, name)) for name in ("m1", "m2", "m1", "m3")]
        first, second, third, fourth = await asyncio.gather(*answers)
        assert (first, second, fourth) == (None, None, None)
        assert isinstance(third, DuplicateMessage)
        assert ids(store.messages(device, limit=10)) == ["m3", "m2", "m1"]

    @pytest.mark.parametrize(
        "outcome",
        [
            DELIVERED,
            Outcome(Status.DELIVERED, NOW, AcknowledgedBy.SENT),
            *(Outcome(Status.FAILED, NOW, failure=failure, detail="why") for failure in Failure),
            TIMEOUT,
        ],
        ids=str,
    )
    async def test_an_outcome_is_read_back_whole(self, store: MessageStore, device: int, outcome: Outcome) -> None:
        [message] = await added(store, device, "m1")
        assert await finish(store, message.seq, outcome) is True
        found = store.message(device, "m1")
        assert found == dataclasses.replace(message, outcome=outcome)
        assert found.status is outcome.status
        assert store.pending(device, after=0, limit=10) == []
        assert list(store.due(NOW * 2, 10)) == []

    async def test_a_state_moves_once(self, store: MessageStore, device: int) -> None:
        [message] = await added(store, device, "m1")
        answers = [finish(store, message.seq, outcome) for outcome in (TIMEOUT, DELIVERED)]
        assert await asyncio.gather(*answers) == [True, False]
        assert await finish(store, message.seq, FAILED) is False
        found = store.message(device, "m1")
        assert found is not None
        assert found.outcome == TIMEOUT

    async def test_what_is_not_there_does_not_finish(self, store: MessageStore) -> None:
        assert await finish(store, 1) is False

    async def test_finished_in_the_turn_it_was_added(self, store: MessageStore, device: int) -> None:
        message = a_message(device)
        answers: list[asyncio.Future[Any]] = [add(store, message), finish(store, message.seq)]
        assert await asyncio.gather(*answers) == [None, True]

    async def test_remove_tells_the_state_it_ended(self, store: MessageStore, device: int) -> None:
        messages = await added(store, device, "m1", "m2", "m3")
        await finish(store, messages[1].seq)
        assert await remove(store, messages[0].seq) is Status.PENDING
        assert await remove(store, messages[1].seq) is Status.DELIVERED
        assert await remove(store, messages[1].seq) is None
        assert ids(store.messages(device, limit=10)) == ["m3"]

    async def test_a_message_that_is_removed_keeps_its_place(self, store: MessageStore, device: int) -> None:
        one, two, three = await added(store, device, "m1", "m2", "m3")
        await remove(store, two.seq)
        places = [store.place(device, message_id) for message_id in ("m1", "m2", "m3", "m4")]
        assert places == [one.seq, two.seq, three.seq, None]
        assert store.place(device + 1, "m2") is None
        assert ids(store.messages(device, limit=10, before=two.seq)) == ["m1"]
        [again] = await added(store, device, "m2")
        assert store.place(device, "m2") == again.seq

    async def test_remove_frees_the_id_in_the_same_turn(self, store: MessageStore, device: int) -> None:
        [message] = await added(store, device, "m1")
        again = a_message(device, "m1")
        answers: list[asyncio.Future[Any]] = [
            remove(store, message.seq),
            add(store, again),
            finish(store, message.seq),
            finish(store, again.seq),
        ]
        assert await asyncio.gather(*answers) == [Status.PENDING, None, False, True]

    async def test_the_first_of_finish_and_remove_wins(self, store: MessageStore, device: int) -> None:
        one, two = await added(store, device, "m1", "m2")
        answers: list[asyncio.Future[Any]] = [
            remove(store, one.seq),
            finish(store, one.seq),
            finish(store, two.seq),
            remove(store, two.seq),
        ]
        assert await asyncio.gather(*answers) == [Status.PENDING, False, True, Status.DELIVERED]

    async def test_a_seq_names_one_message_also_when_the_newest_is_gone(self, store: MessageStore, device: int) -> None:
        [first] = await added(store, device, "m1")
        await remove(store, first.seq)
        [second] = await added(store, device, "m1")
        assert second.seq > first.seq
        assert await finish(store, first.seq) is False

    async def test_uncached_messages_fail_together(self, store: MessageStore, device: int, other: int) -> None:
        mine = await added(store, device, "m1", "m2", ttl=0)
        await added(store, other, "m3", ttl=0)
        await added(store, other, "m4")
        await finish(store, mine[0].seq)
        later = a_message(device, "m5", ttl=0)
        answers: list[asyncio.Future[Any]] = [fail_uncached(store), add(store, later)]
        assert await asyncio.gather(*answers) == [2, None]
        found = store.message(device, "m2")
        assert found is not None
        assert found.outcome == FAILED
        assert ids(store.pending(other, after=0, limit=10)) == ["m4"]
        assert ids(store.pending(device, after=0, limit=10)) == ["m5"]
        assert await fail_uncached(store) == 1

    async def test_answers_come_in_the_order_of_the_writes(self, store: MessageStore, device: int) -> None:
        order: list[int] = []
        last = asyncio.get_running_loop().create_future()
        message = a_message(device)
        store.add(message, lambda _: order.append(0))
        store.finish(message.seq, DELIVERED, lambda _: order.append(1))
        store.add(a_message(device), lambda _: order.append(2))
        store.remove(message.seq, lambda _: order.append(3))
        store.add(a_message(device), lambda _: order.append(4))
        store.fail_uncached(FAILED, last.set_result)
        await last
        assert order == [0, 1, 2, 3, 4]

    async def test_a_failing_caller_stops_nobody(
        self, store: MessageStore, device: int, caplog: pytest.LogCaptureFixture
    ) -> None:
        def fail(_: object) -> None:
            raise RuntimeError("not my day")

        store.add(a_message(device, "m1"), fail)
        with caplog.at_level(logging.CRITICAL, "bridge"):
            assert await add(store, a_message(device, "m2")) is None

    async def test_messages_are_listed_newest_first_in_pages(
        self, store: MessageStore, device: int, other: int
    ) -> None:
        for name in ("m1", "m2", "m3"):
            await added(store, device, name)
            await added(store, other, name)
        page = store.messages(device, limit=2)
        assert ids(page) == ["m3", "m2"]
        assert ids(store.messages(device, limit=2, before=page[-1].seq)) == ["m1"]
        assert store.messages(device, limit=2, before=page[-1].seq - 3) == []

    @pytest.mark.parametrize("before", [2**70, -(2**70), 0])
    async def test_a_page_may_begin_anywhere(self, store: MessageStore, device: int, before: int) -> None:
        await added(store, device, "m1")
        assert ids(store.messages(device, limit=2, before=before)) == (["m1"] if before > 0 else [])

    async def test_messages_are_listed_by_status(self, store: MessageStore, device: int, other: int) -> None:
        expected: dict[Status, list[str]] = {status: [] for status in Status}
        for round_ in range(3):
            for outcome in (None, DELIVERED, FAILED, TIMEOUT):
                status = outcome.status if outcome else Status.PENDING
                name = f"{status}-{round_}"
                [mine] = await added(store, device, name)
                [theirs] = await added(store, other, name)
                if outcome:
                    await asyncio.gather(finish(store, mine.seq, outcome), finish(store, theirs.seq, outcome))
                expected[status].insert(0, name)
        for status in Status:
            first = store.messages(device, limit=1, status=status)
            rest = store.messages(device, limit=10, status=status, before=first[0].seq)
            assert ids(first + rest) == expected[status]

    async def test_a_list_of_large_messages_ends_early_but_not_empty(self, store: MessageStore, device: int) -> None:
        size = 9 * 1024 * 1024
        for name in ("m1", "m2"):
            await add(store, a_message(device, name, content="x" * size))
        assert ids(store.messages(device, limit=10)) == ["m2"]

    async def test_pending_comes_oldest_first_in_pages(self, store: MessageStore, device: int, other: int) -> None:
        messages = await added(store, device, "m1", "m2", "m3", "m4")
        await added(store, other, "m5")
        await finish(store, messages[1].seq)
        page = store.pending(device, after=0, limit=2)
        assert ids(page) == ["m1", "m3"]
        assert ids(store.pending(device, after=page[-1].seq, limit=2)) == ["m4"]

    async def test_counting_stops_when_told(self, store: MessageStore, device: int, other: int) -> None:
        messages = await added(store, device, "m1", "m2", "m3")
        await added(store, other, "m4")
        await finish(store, messages[0].seq)
        assert [store.count_pending(device, at_most=most) for most in (0, 1, 2, 3)] == [0, 1, 2, 2]

    async def test_due_are_the_expired_ones_earliest_first(self, store: MessageStore, device: int, other: int) -> None:
        last = (await added(store, device, "m1", ttl=3))[0]
        first = (await added(store, other, "m2", ttl=1))[0]
        second = (await added(store, device, "m3", ttl=2))[0]
        await added(store, device, "m4", ttl=4)
        done = (await added(store, device, "m5", ttl=1))[0]
        await finish(store, done.seq)
        expected = [(message.seq, message.device, message.expires_at) for message in (first, second, last)]
        assert list(store.due(last.expires_at, 10)) == expected
        assert list(store.due(last.expires_at, 2)) == expected[:2]
        assert list(store.due(first.expires_at - 1, 10)) == []
