import time
import uuid

import pytest

from bridge.api.iotda.parse import MESSAGE_ID
from bridge.api.iotda.uuid7 import uuid7


def test_is_a_uuid_of_version_7_made_now() -> None:
    before = time.time_ns() // 1_000_000
    made = uuid.UUID(uuid7())
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert before <= made.int >> 80 <= time.time_ns() // 1_000_000


def test_is_a_message_id() -> None:
    assert MESSAGE_ID.fullmatch(uuid7())


def test_later_ones_sort_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    start = time.time_ns()
    made = []
    for step in range(0, 3_000_000, 1_000):
        monkeypatch.setattr(time, "time_ns", lambda now=start + step: now)
        made.append(uuid7())
    assert made == sorted(made)
    assert len(set(made)) == len(made)
