"""JSON about pushes, both ways. Pure; the only exception that leaves is `Refusal`."""

from typing import Annotated

import msgspec

from bridge.api.iotda.errors import bad_parameter
from bridge.api.iotda.json_text import decode
from bridge.api.iotda.paging import parse_paging, record_id
from bridge.api.iotda.query import parameters
from bridge.api.schema import shown
from bridge.model.push import Attempt, DeadLetter, FoundDeadLetters, webhook_id
from bridge.model.rule import Page
from bridge.model.times import compact

MOST_IDS = 1000
LONGEST_ID = 128
_encode = msgspec.json.Encoder().encode


_WEBHOOK_ID = Annotated[str, shown(None, "As the list has it; an unknown one is passed over.", maxLength=LONGEST_ID)]


class Replay(msgspec.Struct):
    webhook_ids: Annotated[list[_WEBHOOK_ID], shown(minItems=1, maxItems=MOST_IDS)] | None = None


EXAMPLE = {"webhook_ids": ["msg_1"]}


class ShownAttempt(msgspec.Struct, omit_defaults=True, kw_only=True):
    success: bool
    status_code: int | None = None
    latency_ms: int
    error_msg: str | None = None


class ShownDeadLetter(msgspec.Struct):
    webhook_id: str
    device_id: str
    attempts: int
    failed_time: str
    error_msg: str
    event: Annotated[msgspec.Raw, shown(type="object")]


class DeadLetterList(msgspec.Struct, omit_defaults=True):
    dead_letters: list[ShownDeadLetter]
    count: int
    marker: str | None = None


class Replayed(msgspec.Struct):
    replayed: int


_REPLAY = msgspec.json.Decoder(Replay)


def parse_page(query: bytes) -> Page:
    """Unknown parameters are ignored; of a repeated one the last counts."""
    return Page(*parse_paging(parameters(query)))


def parse_replay(body: bytes) -> list[str] | None:
    """The ids to replay; None, also for an empty body: all."""
    if not body:
        return None
    webhook_ids = decode(body, _REPLAY).webhook_ids
    if webhook_ids is not None and not 1 <= len(webhook_ids) <= MOST_IDS:
        raise bad_parameter("webhook_ids", f"1 to {MOST_IDS} of them; without the field, all are replayed")
    if webhook_ids is not None and max(map(len, webhook_ids)) > LONGEST_ID:
        raise bad_parameter("webhook_ids", f"each at most {LONGEST_ID} characters, as the list has it")
    return webhook_ids


def render_attempt(attempt: Attempt) -> bytes:
    return _encode(
        ShownAttempt(
            success=attempt.error is None,
            status_code=attempt.status,
            latency_ms=round(attempt.latency * 1000),
            error_msg=attempt.error,
        )
    )


def render_dead_letters(action_id: str, found: FoundDeadLetters) -> bytes:
    marker = record_id(found.letters[-1].key) if found.letters else None
    return _encode(DeadLetterList([_letter(action_id, each) for each in found.letters], found.count, marker))


def render_replayed(count: int) -> bytes:
    return _encode(Replayed(count))


def _letter(action_id: str, letter: DeadLetter) -> ShownDeadLetter:
    return ShownDeadLetter(
        webhook_id(action_id, letter.position),
        letter.device,
        letter.attempts,
        compact(letter.failed_at),
        letter.error,
        msgspec.Raw(letter.content.encode()),
    )
