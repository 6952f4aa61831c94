"""Whatever the body, the query or the URL: a result or a Refusal, nothing else."""

import ipaddress
import json
from urllib.parse import urlsplit

from hypothesis import given
from hypothesis import strategies as st

from bridge.api.iotda.errors import Refusal
from bridge.api.iotda.rule_parse import parse_action, parse_action_amendment, parse_rule, parse_rule_amendment
from bridge.api.iotda.rule_query import parse_action_search, parse_rule_search
from bridge.model.push_url import check_push_url

NAMES = [
    "rule_name",
    "description",
    "subject",
    "resource",
    "event",
    "app_type",
    "app_id",
    "select",
    "where",
    "active",
    "rule_id",
    "channel",
    "channel_detail",
    "http_forwarding",
    "url",
    "token",
    "signing_secret",
    "rotate_secret",
]
URLS = st.lists(
    st.sampled_from(["http", "://", "//", "[", "]", "::1", ":", "80", "@", "/", "?", "#", "a", ".", "%2", "0x1", "\\"]),
    max_size=8,
).map("".join) | st.text("htps:/[]@?#.%0123abx\n ", max_size=20).map(lambda text: "http://" + text)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.text()
    | URLS
    | st.sampled_from(["APP", "*", "device.status", "update", "HTTP_FORWARDING", "whsec_" + "A" * 32])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=8,
)
BODIES = st.binary(max_size=200) | st.dictionaries(st.sampled_from(NAMES), VALUES).map(
    lambda value: json.dumps(value).encode()
)
PARAMETERS = ["limit", "marker", "offset", "resource", "app_type", "app_id", "rule_name", "active", "channel"]
QUERIES = st.binary(max_size=100) | st.lists(
    st.tuples(st.sampled_from(PARAMETERS), st.text("0123456789abcdefAPtrue%+-\x00é", max_size=25)), max_size=4
).map(lambda pairs: "&".join(f"{name}={text}" for name, text in pairs).encode())


@given(body=BODIES)
def test_bodies(body: bytes) -> None:
    for parse in (parse_rule, parse_rule_amendment, parse_action, parse_action_amendment):
        try:
            parse(body)
        except Refusal as refusal:
            assert refusal.status == 400  # noqa: PT017 - it need not be raised


@given(query=QUERIES)
def test_queries(query: bytes) -> None:
    for parse in (parse_rule_search, parse_action_search):
        try:
            parse(query)
        except Refusal as refusal:
            assert refusal.status == 400  # noqa: PT017 - it need not be raised


@given(url=URLS)
def test_others_read_a_url_as_it_was_checked(url: str) -> None:
    """A host that is let through is a name, or an address in its plain form, and stands where urlsplit finds it."""
    try:
        check_push_url(url)
    except ValueError:
        return
    parts = urlsplit(url)
    assert parts.scheme in {"http", "https"}
    assert parts.username is parts.password is None
    assert parts.fragment == ""
    assert parts.port is None or 1 <= parts.port <= 65_535
    assert parts.hostname
    if "[" in parts.netloc or parts.hostname.rstrip(".").rpartition(".")[2].isdigit():
        assert ipaddress.ip_address(parts.hostname)
