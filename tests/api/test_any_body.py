"""Whatever the body: an answer, never a 5xx, and the next request on the connection works."""

import json
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.api.running import Running

NAMES = ["message_id", "name", "message", "properties", "encoding", "payload_format", "topic", "topic_full_name", "ttl"]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["base64", "raw", "QQ=="]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.sampled_from(NAMES), VALUES).map(lambda value: json.dumps(value).encode())


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    with Running.started() as running:
        yield running


@given(body=st.binary(max_size=300) | VALUES.map(lambda value: json.dumps(value).encode()) | OBJECTS)
def test_never_a_5xx(running: Running, body: bytes) -> None:
    answer = running.post(body)
    assert answer.status in {201, 400}
    if answer.status == 400:
        assert set(answer.json()) == {"error_code", "error_msg"}
