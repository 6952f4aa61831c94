"""Requests with Idempotency-Key over a real connection."""

import pytest

from tests.api.client import MESSAGES, Client
from tests.api.memory import MemoryMessages
from tests.store.clock import HandClock

HELLO = '{"message":"hello"}'


async def test_the_same_again(client: Client, messages: MemoryMessages) -> None:
    first = await client.post(HELLO, Idempotency_Key='"a-key"')
    again = await client.post(HELLO, Idempotency_Key="a-key")
    assert (first.status, again.status) == (201, 201)
    assert first.body == again.body
    other = await client.post(HELLO, Idempotency_Key="b-key")
    assert other.json()["message_id"] != first.json()["message_id"]
    assert len(messages.stored) == 2


async def test_another_body(client: Client, messages: MemoryMessages) -> None:
    await client.post(HELLO, Idempotency_Key="a-key")
    answer = await client.post(HELLO + " ", Idempotency_Key="a-key")
    assert (answer.status, answer.code) == (422, "IOTDA.000422")
    assert len(messages.stored) == 1


async def test_a_repeat_is_not_checked_again(client: Client, clock: HandClock) -> None:
    body = '{"message":"hello","send_at":"20260420T090236Z"}'
    first = await client.post(body, Idempotency_Key="a-key")
    clock.now += 3_600_000
    assert (await client.post(body, Idempotency_Key="a-key")).body == first.body
    refused = await client.post(body, Idempotency_Key="b-key")
    assert (refused.status, refused.code) == (400, "IOTDA.000006")
    shown = await client.get(f"{MESSAGES}/{first.json()['message_id']}")
    assert shown.json()["send_at"] == "2026-04-20T09:02:36.000Z"


@pytest.mark.parametrize("key", ["", '""', "a b", '"open', "x" * 256, "\xe9"])
async def test_impossible_keys(client: Client, messages: MemoryMessages, key: str) -> None:
    answer = await client.post(HELLO, Idempotency_Key=key)
    assert (answer.status, answer.code) == (400, "IOTDA.000006")
    assert "Idempotency-Key" in answer.text
    assert messages.stored == {}


async def test_two_keys(client: Client, messages: MemoryMessages) -> None:
    answer = await client.post(HELLO, Idempotency_Key="a-key\r\nIdempotency-Key: b-key")
    assert (answer.status, answer.code) == (400, "IOTDA.000006")
    assert messages.stored == {}


async def test_credentials_come_first(client: Client) -> None:
    assert (await client.post(HELLO, Idempotency_Key="", who="reader")).status == 403
    assert (await client.request("POST", MESSAGES, HELLO, Idempotency_Key="", who=None)).status == 401
