"""A message and the target of a batch task that it is for: both are stored, or neither."""

import asyncio
from typing import Any

import pytest

from bridge.model.batch import Claim, Document, Obstacle, Policy, TargetStatus, TaskOrder, TaskStatus
from bridge.model.errors import BridgeError, DuplicateMessage, TooManyTasks, UnknownDevice, Withdrawn
from bridge.model.message import Draft
from bridge.store import Store
from bridge.store.batches import PIECE
from tests.store.asking import DELIVERED, FAILED, NOW, TIMEOUT, a_message, add, finish, remove

FULL = Document(
    Draft("m", '{"a": 1.0}', 5, "n", "none", "raw", "t", "c", "r", (("k", "v"), ("k", "w"))),
    None,
)


def order(*targets: str, document: Document | None = None, policy: Policy | None = None) -> TaskOrder:
    return TaskOrder("t", targets, document or Document(Draft("", '"x"', 5)), policy or Policy())


async def a_task(store: Store, *targets: str, **options: Any) -> int:
    return await store.add_batch("home", order(*targets, **options), NOW, most_open=100)


async def claim(store: Store, device: int, task: int, number: int, message_id: str = "m1") -> BridgeError | int | None:
    """The `seq` of a message that was stored; or the error."""
    message = a_message(device, message_id)
    answer: asyncio.Future[BridgeError | None] = asyncio.get_running_loop().create_future()
    store.add(message, answer.set_result, claim=Claim(task, number))
    return await answer or message.seq


def states(store: Store, task: int, name: str) -> list[tuple[TargetStatus, Any]]:
    return [(target.status, target.reason) for target in store.targets_called(task, name)]


async def test_what_is_stored_is_read_back(store: Store) -> None:
    policy = Policy(NOW + 5, 2, 10)
    key = await a_task(store, "lamp", "fan", "lamp", document=FULL, policy=policy)
    assert store.batch_document(key) == FULL
    task = await store.manage(lambda table: table.batch_task("home", key))
    assert task is not None
    assert (task.document, task.policy, task.status) == (FULL, policy, TaskStatus.WAITING)
    assert task.targets == ("lamp", "fan", "lamp")
    assert states(store, key, "lamp") == [(TargetStatus.WAITING, None), (TargetStatus.FAIL, Obstacle.REPEATED)]
    assert [waiting.device_id for waiting in store.waiting_targets(key, 10)] == ["lamp", "fan"]
    assert [task.starts_at for task in store.open_batches()] == [NOW + 5]


async def test_a_large_task_is_written_in_pieces_and_in_order(store: Store) -> None:
    names = [f"d{number}" for number in range(2 * PIECE + 1)]
    key = await a_task(store, *names)
    assert [waiting.device_id for waiting in store.waiting_targets(key, 10_000)] == names


async def test_a_claim_takes_effect_with_its_message(store: Store, device: int) -> None:
    key = await a_task(store, "lamp")
    seq = await claim(store, device, key, 1)
    assert states(store, key, "lamp") == [(TargetStatus.PROCESSING, None)]
    [target] = store.processing_targets(key, after=0, limit=10)
    assert (target.seq, target.attempts) == (seq, 1)


async def test_a_target_is_claimed_once(store: Store, device: int) -> None:
    key = await a_task(store, "lamp")
    answers = await asyncio.gather(*(claim(store, device, key, 1, f"m{number}") for number in range(5)))
    assert [type(answer) for answer in answers] == [int, *[Withdrawn] * 4]
    assert [message.draft.message_id for message in store.messages(device, limit=10)] == ["m0"]


async def test_many_claims_in_one_commit(store: Store, device: int) -> None:
    key = await a_task(store, *(f"d{number}" for number in range(200)))
    answers = await asyncio.gather(*(claim(store, device, key, n, f"m{n}") for n in range(1, 201)))
    assert all(isinstance(answer, int) for answer in answers)
    assert store.waiting_targets(key, 10) == []


async def test_a_message_that_cannot_be_stored_claims_nothing(store: Store, device: int) -> None:
    key = await a_task(store, "lamp", "fan")
    await add(store, a_message(device, "taken"))
    assert isinstance(await claim(store, device, key, 1, "taken"), DuplicateMessage)
    assert isinstance(await claim(store, 999, key, 2), UnknownDevice)
    assert states(store, key, "lamp") + states(store, key, "fan") == [(TargetStatus.WAITING, None)] * 2


@pytest.mark.parametrize(
    ("outcome", "retries", "expected"),
    [
        (DELIVERED, 0, (TargetStatus.SUCCESS, None)),
        (DELIVERED, 1, (TargetStatus.SUCCESS, None)),
        (FAILED, 0, (TargetStatus.FAIL, FAILED.failure)),
        (FAILED, 1, (TargetStatus.FAIL_WAIT_RETRY, FAILED.failure)),
        (TIMEOUT, 0, (TargetStatus.FAIL, Obstacle.TIMEOUT)),
    ],
)
async def test_a_target_takes_its_message_s_end(
    store: Store, device: int, outcome: Any, retries: int, expected: Any
) -> None:
    key = await a_task(store, "lamp", policy=Policy(None, retries, 1))
    seq = await claim(store, device, key, 1)
    assert isinstance(seq, int)
    await store.settle_targets([seq, seq + 1], NOW)
    assert states(store, key, "lamp") == [(TargetStatus.PROCESSING, None)]
    await finish(store, seq, outcome)
    await store.settle_targets([seq], NOW + 6)
    assert states(store, key, "lamp") == [expected]
    assert await store.wake_targets(key, NOW + 60_005) is False
    assert await store.wake_targets(key, NOW + 60_006) is (expected[0] is TargetStatus.FAIL_WAIT_RETRY)


@pytest.mark.parametrize(
    ("outcome", "stopping", "expected"),
    [
        (None, False, (TargetStatus.FAIL, Obstacle.REMOVED)),
        (None, True, (TargetStatus.STOPPED, None)),
        (DELIVERED, True, (TargetStatus.SUCCESS, None)),
        (FAILED, False, (TargetStatus.FAIL, FAILED.failure)),
        (TIMEOUT, False, (TargetStatus.FAIL, Obstacle.TIMEOUT)),
    ],
)
async def test_whoever_deletes_a_message_ends_its_target(
    store: Store, device: int, outcome: Any, stopping: bool, expected: Any
) -> None:
    key = await a_task(store, "lamp")
    seq = await claim(store, device, key, 1)
    assert isinstance(seq, int)
    if stopping:
        await store.mark_stopping(key, [1])
    if outcome is not None:
        await finish(store, seq, outcome)
    await remove(store, seq)
    assert states(store, key, "lamp") == [expected]


async def test_states_move_only_from_where_they_may(store: Store) -> None:
    key = await a_task(store, "lamp")
    assert not await store.move_batch(key, TaskStatus.STOPPING, (TaskStatus.PROCESSING,))
    assert await store.move_batch(key, TaskStatus.PROCESSING, (TaskStatus.WAITING,))
    assert await store.end_batch(key, NOW) is None
    await store.stop_waiting(key)
    assert await store.end_batch(key, NOW) is TaskStatus.STOPPED
    assert not store.batch_unfinished(key)
    assert store.open_batches() == []


async def test_projects_do_not_see_each_other(store: Store) -> None:
    key = await a_task(store, "lamp")
    assert await store.manage(lambda table: table.batch_task("elsewhere", key)) is None
    assert not await store.remove_batch("elsewhere", key)
    await store.add_batch("elsewhere", order("a"), NOW, most_open=1)
    with pytest.raises(TooManyTasks):
        await store.add_batch("elsewhere", order("a"), NOW, most_open=1)
