"""The body of CreateBatchTask → what the core speaks, as a table for every field."""

import json
from typing import Any

import pytest

from bridge.api.iotda.batch_parse import parse_chosen, parse_order
from bridge.api.iotda.errors import Refusal
from bridge.model.batch import Document, Policy, TaskOrder
from bridge.model.message import Draft

NOW = 1_700_000_000_000
"""20231114T221320Z."""
ABSENT = object()


def body(**fields: Any) -> bytes:
    least = {"task_name": "t", "task_type": "createMessages", "targets": ["a"], "document": {"message": "m"}}
    return json.dumps({key: value for key, value in {**least, **fields}.items() if value is not ABSENT}).encode()


def parsed(**fields: Any) -> TaskOrder:
    return parse_order(body(**fields), NOW, 1440)


def refusal(data: bytes) -> Refusal:
    with pytest.raises(Refusal) as caught:
        parse_order(data, NOW, 1440)
    return caught.value


def test_the_least() -> None:
    assert parsed() == TaskOrder("t", ("a",), Document(Draft("", '"m"', 1440)), Policy())


def test_everything() -> None:
    document = {
        "message_id": "m-1",
        "name": "n",
        "message": {"a": 1.0},
        "encoding": "none",
        "payload_format": "raw",
        "topic": "news/today",
        "ttl": 5,
        "properties": {"correlation_data": "c", "response_topic": "r"},
    }
    policy = {"schedule_time": "20231121T221320Z", "retry_count": 5, "retry_interval": 1440}
    order = parsed(task_name="新_news_1", app_id="a-1", targets=["b", "a", "b"], document=document, task_policy=policy)
    draft = Draft("m-1", '{"a": 1.0}', 5, "n", "none", "raw", None, "c", "r")
    assert order == TaskOrder(
        "新_news_1", ("b", "a", "b"), Document(draft, "news/today"), Policy(NOW + 7 * 86_400_000, 5, 1440), "a-1"
    )


def test_what_each_target_is_sent() -> None:
    suffix = parsed(document={"message": "m", "topic": "news"}).document
    assert suffix.draft_for("m-1") == Draft("m-1", '"m"', 1440, suffix="news")
    full = parsed(document={"message": "m", "topic_full_name": "site/news"}).document
    assert full.draft_for("m-1") == Draft("m-1", '"m"', 1440, topic="site/news")


@pytest.mark.parametrize("field", ["app_id", "task_policy", "targets_filter", "document_source", "need_confirm"])
def test_null_is_absent(field: str) -> None:
    assert parsed(**{field: None}) == parsed()


@pytest.mark.parametrize("empty", [None, "", [], {}])
def test_what_is_not_supported_may_be_empty(empty: object) -> None:
    fields = dict.fromkeys(("targets_filter", "document_source", "task_mode", "task_ext_info"), empty)
    assert parsed(**fields, other=1) == parsed()
    assert parse_order(body().replace(b"{", b'{"targets_filter": { },', 1), NOW, 1440) == parsed()


@pytest.mark.parametrize("time", ["20200101T000000Z", "20231114T221320Z"])
def test_a_time_that_has_passed_is_at_once(time: str) -> None:
    start = parsed(task_policy={"schedule_time": time}).policy.starts_at
    assert start is not None
    assert start <= NOW


@pytest.mark.parametrize(
    ("fields", "named", "code"),
    [
        ({"task_name": ABSENT}, "task_name", "IOTDA.000006"),
        ({"task_name": None}, "task_name", "IOTDA.000006"),
        ({"task_name": ""}, "task_name", "IOTDA.000006"),
        ({"task_name": "a b"}, "task_name", "IOTDA.000006"),
        ({"task_name": "a-b"}, "task_name", "IOTDA.000006"),
        ({"task_name": "a\n"}, "task_name", "IOTDA.000006"),
        ({"task_name": "t" * 129}, "task_name", "IOTDA.000006"),
        ({"task_name": 1}, "task_name", "IOTDA.000006"),
        ({"task_name": ["t"]}, "task_name", "IOTDA.000006"),
        ({"task_type": ABSENT}, "task_type", "IOTDA.000006"),
        ({"task_type": "createDevices"}, "task_type", "IOTDA.000006"),
        ({"task_type": {}}, "task_type", "IOTDA.000006"),
        ({"app_id": "a" * 37}, "app_id", "IOTDA.000006"),
        ({"app_id": ""}, "app_id", "IOTDA.000006"),
        ({"app_id": 7}, "app_id", "IOTDA.000006"),
        ({"need_confirm": True}, "need_confirm", "IOTDA.000006"),
        ({"need_confirm": "true"}, "need_confirm", "IOTDA.000006"),
        ({"targets": ABSENT}, "targets", "IOTDA.000006"),
        ({"targets": None}, "targets", "IOTDA.000006"),
        ({"targets": []}, "targets", "IOTDA.000006"),
        ({"targets": ["a"] * 30_001}, "targets", "IOTDA.000006"),
        ({"targets": "a"}, "targets", "IOTDA.000006"),
        ({"targets": {"a": 1}}, "targets", "IOTDA.000006"),
        ({"targets": ["a", 1]}, "targets", "IOTDA.000006"),
        ({"targets": ["a", None]}, "targets", "IOTDA.000006"),
        ({"targets": ["a", ["b"]]}, "targets", "IOTDA.000006"),
        ({"targets": ["a", ""]}, "targets[1]", "IOTDA.000006"),
        ({"targets": ["a", "b c"]}, "targets[1]", "IOTDA.000006"),
        ({"targets": ["a\n"]}, "targets[0]", "IOTDA.000006"),
        ({"targets": ["a" * 129]}, "targets[0]", "IOTDA.000006"),
        ({"targets": ["\u706f"]}, "targets[0]", "IOTDA.000006"),
        ({"targets": ABSENT, "targets_filter": {"group_ids": ["g"]}}, "targets_filter", "IOTDA.000006"),
        ({"targets": [], "targets_filter": {}}, "targets", "IOTDA.000006"),
        ({"targets_filter": {"group_ids": ["g"]}}, "targets_filter", "IOTDA.000006"),
        ({"targets_filter": [[]]}, "targets_filter", "IOTDA.000006"),
        ({"document_source": "f"}, "document_source", "IOTDA.000006"),
        ({"task_mode": "GATEWAY"}, "task_mode", "IOTDA.000006"),
        ({"task_ext_info": {"a": 1}}, "task_ext_info", "IOTDA.000006"),
        ({"targets": ABSENT, "document_source": "f"}, "document_source", "IOTDA.000006"),
        ({"document": ABSENT}, "document", "IOTDA.000006"),
        ({"document": None}, "document", "IOTDA.000006"),
        ({"document": []}, "document", "IOTDA.000006"),
        ({"document": "m"}, "document", "IOTDA.000006"),
        ({"document": {}}, "document.message", "IOTDA.000006"),
        ({"document": {"message": None}}, "document.message", "IOTDA.000006"),
        ({"document": {"message": "m" * 262_145}}, "document.message", "IOTDA.000006"),
        ({"document": {"message": "!", "encoding": "base64"}}, "document.message", "IOTDA.000006"),
        ({"document": {"message": "m", "message_id": "a b"}}, "document.message_id", "IOTDA.000006"),
        ({"document": {"message": "m", "message_id": ""}}, "document.message_id", "IOTDA.000006"),
        ({"document": {"message": "m", "name": "\u0000"}}, "document.name", "IOTDA.000006"),
        ({"document": {"message": "m", "encoding": "x"}}, "document.encoding", "IOTDA.000006"),
        ({"document": {"message": "m", "payload_format": "x"}}, "document.payload_format", "IOTDA.000006"),
        ({"document": {"message": "m", "send_at": "20260420T090236Z"}}, "document.send_at", "IOTDA.000006"),
        ({"document": {"message": "m", "ttl": 7}}, "document.ttl", "IOTDA.000006"),
        ({"document": {"message": "m", "ttl": 1445}}, "document.ttl", "IOTDA.000006"),
        ({"document": {"message": "m", "ttl": "5"}}, "document.ttl", "IOTDA.000006"),
        ({"document": {"message": "m", "topic": "a/#"}}, "document.topic", "IOTDA.000006"),
        ({"document": {"message": "m", "topic": ""}}, "document.topic", "IOTDA.000006"),
        ({"document": {"message": "m", "topic": "a", "topic_full_name": "b"}}, "document.topic", "IOTDA.014150"),
        (
            {"document": {"message": "m", "topic_full_name": "$oc/devices/a/user/b"}},
            "document.topic_full_name",
            "IOTDA.014150",
        ),
        (
            {"document": {"message": "m", "topic_full_name": "$oc/devices//user/b"}},
            "document.topic_full_name",
            "IOTDA.014150",
        ),
        ({"document": {"message": "m", "properties": {"response_topic": " "}}}, "response_topic", "IOTDA.000006"),
        ({"task_policy": []}, "task_policy", "IOTDA.000006"),
        ({"task_policy": {"schedule_time": "x"}}, "task_policy.schedule_time", "IOTDA.000009"),
        ({"task_policy": {"schedule_time": "20231314T000000Z"}}, "task_policy.schedule_time", "IOTDA.000009"),
        ({"task_policy": {"schedule_time": "20231114T000000Z\n"}}, "task_policy.schedule_time", "IOTDA.000009"),
        ({"task_policy": {"schedule_time": 1}}, "task_policy.schedule_time", "IOTDA.000006"),
        ({"task_policy": {"schedule_time": "20231121T221321Z"}}, "task_policy.schedule_time", "IOTDA.000006"),
        ({"task_policy": {"retry_count": 1}}, "task_policy", "IOTDA.000006"),
        ({"task_policy": {"retry_interval": 1}}, "task_policy", "IOTDA.000006"),
        ({"task_policy": {"retry_count": 6, "retry_interval": 1}}, "retry_count", "IOTDA.000006"),
        ({"task_policy": {"retry_count": -1, "retry_interval": 1}}, "retry_count", "IOTDA.000006"),
        ({"task_policy": {"retry_count": 1.5, "retry_interval": 1}}, "retry_count", "IOTDA.000006"),
        ({"task_policy": {"retry_count": 10**30, "retry_interval": 1}}, "retry_count", "IOTDA.000006"),
        ({"task_policy": {"retry_count": 1, "retry_interval": 1441}}, "retry_interval", "IOTDA.000006"),
        ({"task_policy": {"retry_count": 1, "retry_interval": -1}}, "retry_interval", "IOTDA.000006"),
    ],
)
def test_refused(fields: dict[str, Any], named: str, code: str) -> None:
    refused = refusal(body(**fields))
    assert (refused.status, refused.code) == (400, code)
    assert named in refused.text


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"[]", b"null", b"1", b'{"task_name":"\xff"}', b'{"x":"\xff"}', b"[" * 100_000, b"\x00", b"{}}"],
)
def test_what_is_no_object(data: bytes) -> None:
    assert refusal(data).code == "IOTDA.000008"


def test_a_message_that_nests_too_deep() -> None:
    deep = b'{"task_name":"t","task_type":"createMessages","targets":["a"],"document":{"message":'
    assert refusal(deep + b'{"a":' * 70 + b"1" + b"}" * 70 + b"}}").code == "IOTDA.000008"


def test_of_a_repeated_key_the_last_counts() -> None:
    data = b'{"targets":["b"],' + body()[1:]
    assert parse_order(data, NOW, 1440).targets == ("a",)


@pytest.mark.parametrize(
    ("data", "chosen"),
    [
        (b"", None),
        (b"{}", None),
        (b'{"targets":null}', None),
        (b'{"targets":["a","b","a"]}', ("a", "b", "a")),
    ],
)
def test_chosen_targets(data: bytes, chosen: tuple[str, ...] | None) -> None:
    assert parse_chosen(data) == chosen
