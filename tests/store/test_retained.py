import asyncio
from pathlib import Path
from typing import Any

import pytest

from bridge.model.errors import BridgeError, StoreUnavailable
from bridge.model.retained import RetainedMessage
from bridge.store import Store
from bridge.store.retained import PAGE
from tests.store.clock import HandClock

EVERYTHING = {
    "payload_format_indicator": 1,
    "content_type": "text/plain",
    "response_topic": "answers",
    "correlation_data": b"\x00\xff",
    "user_properties": [("a", "1"), ("a", "2"), ("", "\N{SNOWMAN}")],
}


def message(topic: str, payload: bytes = b"x", **fields: Any) -> RetainedMessage:
    return RetainedMessage(
        topic, payload, **{"qos": 1, "sender": "pump", "expires_at": None, "properties": {}, **fields}
    )


async def retain(store: Store, *messages: RetainedMessage, project: str = "home") -> None:
    await change(store, [(project, each.topic, each) for each in messages])


async def drop(store: Store, *topics: str, project: str = "home") -> None:
    await change(store, [(project, topic, None) for topic in topics])


async def change(store: Store, changes: list[tuple[str, str, RetainedMessage | None]]) -> None:
    future: asyncio.Future[BridgeError | None] = asyncio.get_running_loop().create_future()
    store.retain(changes, future.set_result)
    error = await future
    if error is not None:
        raise error


def stored(store: Store) -> list[tuple[str, RetainedMessage]]:
    return list(store.retained_messages())


@pytest.mark.parametrize(
    "kept",
    [
        message("a"),
        message("a/b", b"\x00" * 100_000, qos=2, sender="", expires_at=1),
        message("$oc/devices/lamp/x", properties=EVERYTHING),
        *(message("a", properties={name: value}) for name, value in EVERYTHING.items()),
        message("a", properties={"payload_format_indicator": 0, "content_type": "", "correlation_data": b""}),
    ],
)
async def test_a_message_comes_back_as_it_was(path: Path, clock: HandClock, kept: RetainedMessage) -> None:
    first = Store.open(path, clock=clock)
    await retain(first, kept)
    await first.close()
    second = Store.open(path, clock=clock)
    assert stored(second) == [("home", kept)]
    await second.close()


async def test_the_last_message_of_a_topic_is_kept(store: Store) -> None:
    await retain(store, message("a", b"1", expires_at=5, properties=EVERYTHING), message("b"))
    await retain(store, message("a", b"2", qos=0, sender="fan"))
    await retain(store, message("a", b"elsewhere"), project="work")
    assert [(project, each.payload) for project, each in stored(store)] == [
        ("home", b"2"),
        ("home", b"x"),
        ("work", b"elsewhere"),
    ]
    assert stored(store)[0][1] == message("a", b"2", qos=0, sender="fan")
    assert store.expired_retained(10, 10) == []


async def test_a_message_is_dropped(store: Store) -> None:
    await retain(store, message("a"), message("b"))
    await retain(store, message("a"), project="work")
    await drop(store, "a", "never")
    assert [(project, each.topic) for project, each in stored(store)] == [("home", "b"), ("work", "a")]


async def test_more_than_a_page(store: Store) -> None:
    for count in (PAGE, 1):
        before = len(stored(store))
        await retain(store, *(message(f"a/{before + number}") for number in range(count)))
        assert [each.topic for _, each in stored(store)] == [f"a/{number}" for number in range(before + count)]


async def test_the_expired_ones_are_found_the_oldest_first(store: Store) -> None:
    await retain(store, *(message(f"a/{at}", expires_at=at) for at in (30, 10, 20, 40)), message("forever"))
    assert store.expired_retained(9, 10) == []
    assert store.expired_retained(30, 10) == [("home", "a/10"), ("home", "a/20"), ("home", "a/30")]
    assert store.expired_retained(30, 2) == [("home", "a/10"), ("home", "a/20")]


async def test_a_batch_is_written_whole_or_not_at_all(store: Store) -> None:
    await retain(store, message("a", b"1"), message("b", b"1"))
    await store._writer.request(lambda connection: connection.execute("PRAGMA query_only = ON").close())
    with pytest.raises(StoreUnavailable):
        await change(store, [("home", "a", message("a", b"2")), ("home", "b", None)])
    store._writer._connection.execute("PRAGMA query_only = OFF").close()
    assert [each.payload for _, each in stored(store)] == [b"1", b"1"]


async def test_the_disk_is_full_for_new_ones_alone(store: Store) -> None:
    """What needs no room is not lost for the sake of what does."""
    await retain(store, message("a"), message("b"))
    pages = await store._writer.request(lambda connection: connection.execute("PRAGMA page_count").fetchone()[0])
    await store._writer.request(lambda connection: connection.execute(f"PRAGMA max_page_count = {pages}").fetchall())
    large = message("c", b"\x00" * 1_000_000)
    refused, dropped = await asyncio.gather(retain(store, large), drop(store, "a"), return_exceptions=True)
    assert isinstance(refused, StoreUnavailable)
    assert dropped is None
    assert [each.topic for _, each in stored(store)] == ["b"]


async def test_what_a_removed_device_left_in_its_tree_goes_with_it(store: Store, device: int) -> None:
    tree = "$oc/devices/lamp/"
    others = ("$oc/devices/lam", "$oc/devices/lamp", "$oc/devices/lamp-2/a", "$oc/devices/lamp0", "lamp/state")
    await retain(store, message(f"{tree}a"), message(f"{tree}\N{SNOWMAN}/b"), *map(message, others))
    await retain(store, message(f"{tree}a"), project="work")
    gone: list[tuple[str, str]] = []
    store.on_device_removed(gone.append)
    store.add_device("home", "fan", "secret-of-fan")
    store.set_frozen("home", "fan", True)
    assert gone == []
    store.remove_device("home", "lamp")
    assert gone == [("home", "lamp")]
    assert [(project, each.topic) for project, each in stored(store)] == [
        *(("home", topic) for topic in others),
        ("work", f"{tree}a"),
    ]
