"""Whatever the body or the query: a result or a Refusal, nothing else."""

import json

from hypothesis import given
from hypothesis import strategies as st

from bridge.api.iotda.device_parse import (
    parse_amendment,
    parse_enrolment,
    parse_reset_fingerprint,
    parse_reset_secret,
)
from bridge.api.iotda.device_query import parse_action, parse_search
from bridge.api.iotda.errors import Refusal

NAMES = [
    "device_id",
    "node_id",
    "device_name",
    "product_id",
    "auth_info",
    "description",
    "gateway_id",
    "app_id",
    "extension_info",
    "auth_type",
    "secret",
    "fingerprint",
    "secure_access",
    "timeout",
    "force_disconnect",
    "secret_type",
    "fingerprint_type",
]
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["a:b", "CERTIFICATES", "SECRET", "ab" * 32, "12345678", "SECONDARY"])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=8,
)
BODIES = st.binary(max_size=200) | st.dictionaries(st.sampled_from(NAMES), VALUES).map(
    lambda value: json.dumps(value).encode()
)
PARAMETERS = ["limit", "marker", "offset", "start_time", "end_time", "device_name", "is_cascade_query", "action_id"]
QUERIES = st.binary(max_size=100) | st.lists(
    st.tuples(st.sampled_from(PARAMETERS), st.text("0123456789abcdefTZ%+-\x00é", max_size=25)), max_size=4
).map(lambda pairs: "&".join(f"{name}={text}" for name, text in pairs).encode())


@given(body=BODIES)
def test_bodies(body: bytes) -> None:
    for parse in (parse_enrolment, parse_amendment, parse_reset_secret, parse_reset_fingerprint):
        try:
            parse(body)
        except Refusal as refusal:
            assert refusal.status == 400  # noqa: PT017 - it need not be raised


@given(query=QUERIES)
def test_queries(query: bytes) -> None:
    for parse in (parse_search, parse_action):
        try:
            parse(query)
        except Refusal as refusal:
            assert refusal.status == 400  # noqa: PT017 - it need not be raised
