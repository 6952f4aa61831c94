"""The list of a device by time, over a real connection."""

import pytest

from bridge.api.iotda import messages as module
from tests.api.client import MESSAGES, Client
from tests.api.memory import NOW, MemoryMessages


@pytest.fixture
async def filled(client: Client, messages: MemoryMessages) -> Client:
    for number in range(5):
        await client.post(f'{{"message":"x","message_id":"m-{number}"}}')
        messages.stored[f"m-{number}"].created_at = NOW + 1000 * number
    return client


async def ids(client: Client, query: str) -> list[str]:
    return [each["message_id"] for each in (await client.get(MESSAGES + query)).json()["messages"]]


async def test_a_period(filled: Client) -> None:
    assert await ids(filled, "?end_time=20260420T090236Z") == ["m-1", "m-0"]
    assert await ids(filled, "?start_time=20260420T090238Z&limit=1") == ["m-4"]
    assert await ids(filled, "?start_time=20260420T090238Z&marker=m-4") == ["m-3"]
    assert await ids(filled, "?start_time=20260420T090240Z&status=PENDING") == []
    assert await ids(filled, "?start_time=20200101T000000Z&limit=3") == ["m-4", "m-3", "m-2"]
    assert (await filled.get(MESSAGES + "?start_time=20260420T090240Z&marker=nobody")).code == "IOTDA.000018"


async def test_large_messages_end_it_early(filled: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_LISTED", 1)
    assert await ids(filled, "?end_time=20260420T090236Z") == ["m-1"]
