"""`send` and `messages` against an HTTP server that plays the daemon."""

import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bridge.cli import api_client
from tests.cli.api_server import ApiServer
from tests.cli.conftest import Call

Ok = Callable[..., str]
ACCEPTED = {"message_id": "m-1", "result": {"status": "PENDING", "created_time": "20260101T000000Z"}}
RECORD = {
    "message_id": "m-1",
    "message": {"a": "b"},
    "properties": {"user_properties": [{"prop_key": "k", "prop_value": "v"}], "response_topic": "t"},
    "created_time": "20260101T000000Z",
}
DELIVERED = RECORD | {"status": "DELIVERED"}
FAILED = RECORD | {"status": "FAILED", "error_info": {"error_code": "IOTDA.014016", "error_msg": "not online"}}


@pytest.fixture(autouse=True)
def _token(data_dir: Path) -> None:
    data_dir.mkdir()
    (data_dir / "admin.token").write_text("t0ken\n")


@pytest.fixture
def url(api_server: ApiServer) -> str:
    return f"--http={api_server.address}"


def test_the_message_is_a_json_string(ok: Ok, api_server: ApiServer, url: str) -> None:
    api_server.answer(ACCEPTED, status=201)
    assert ok("send", "pump-1", 'say "hällo"\n', url) == "m-1 PENDING\n"
    (request,) = api_server.requests
    assert request[:3] == ("POST", "/v5/iot/default/devices/pump-1/messages", "t0ken")
    assert request.body == {"message": 'say "hällo"\n'}


def test_json_goes_out_as_it_was_given(ok: Ok, api_server: ApiServer, url: str) -> None:
    api_server.answer(ACCEPTED)
    ok("send", "pump-1", '{"n": 1.50,  "big": 1e400}', "--json", "--name", "x", url)
    assert api_server.requests[0].text == '{"message": {"n": 1.50,  "big": 1e400}, "name": "x"}'


def test_stdin(ok: Ok, api_server: ApiServer, url: str) -> None:
    api_server.answer(ACCEPTED)
    ok("send", "pump-1", "-", url, stdin="from a pipe")
    assert api_server.requests[0].body == {"message": "from a pipe"}


def test_every_option_has_its_field(ok: Ok, api_server: ApiServer, url: str) -> None:
    api_server.answer(ACCEPTED)
    options = ["--topic", "a/b", "--ttl", "0", "--name", "n", "--encoding", "base64", "--payload-format", "raw"]
    options += ["--message-id", "m", "--correlation-data", "c", "--response-topic", "r", "--project", "plant"]
    options += ["--property", "k=1", "--property", "k=a=b", "--property", "e="]
    ok("send", "pump-1", "aGk=", url, *options)
    (request,) = api_server.requests
    assert request.path == "/v5/iot/plant/devices/pump-1/messages"
    assert request.body == {
        "message": "aGk=",
        "topic": "a/b",
        "ttl": 0,
        "name": "n",
        "encoding": "base64",
        "payload_format": "raw",
        "message_id": "m",
        "properties": {
            "correlation_data": "c",
            "response_topic": "r",
            "user_properties": [
                {"prop_key": "k", "prop_value": "1"},
                {"prop_key": "k", "prop_value": "a=b"},
                {"prop_key": "e", "prop_value": ""},
            ],
        },
    }


def test_a_full_topic(ok: Ok, api_server: ApiServer, url: str) -> None:
    api_server.answer(ACCEPTED)
    ok("send", "pump-1", "x", "--topic-full", "$oc/broadcast/x", url)
    assert api_server.requests[0].body == {"message": "x", "topic_full_name": "$oc/broadcast/x"}


REPLY = {"topic": "t", "payload": "on\n", "encoding": "none", "latency_ms": 12}


def result(status: str, **more: Any) -> dict[str, Any]:
    return {"message_id": "m-1", "result": {"status": status, "created_time": "20260101T000000Z"}, **more}


def test_wait_prints_the_reply(ok: Ok, api_server: ApiServer, url: str) -> None:
    pairs = [{"prop_key": "k", "prop_value": "1"}, {"prop_key": "k", "prop_value": "2\x1b"}]
    reply = REPLY | {"encoding": "base64", "content_type": "text/plain", "user_properties": pairs}
    api_server.answer(result("DELIVERED", reply=reply))
    assert ok("send", "pump-1", "x", "--wait", url).splitlines() == [
        "m-1 DELIVERED",
        "reply after 12 ms: on\\n",
        "  encoding: base64",
        "  content type: text/plain",
        "  k = 1",
        "  k = 2\\u001b",
    ]
    (request,) = api_server.requests
    assert request.path == "/v5/iot/default/devices/pump-1/messages?wait=reply&timeout=10"
    assert request.body == {"message": "x"}


def test_a_reply_is_a_success_whatever_the_state(ok: Ok, api_server: ApiServer, url: str) -> None:
    api_server.answer(result("PENDING", reply=REPLY))
    assert ok("send", "pump-1", "x", "--wait", "--timeout", "3", url) == "m-1 PENDING\nreply after 12 ms: on\\n\n"
    assert api_server.requests[0].path.endswith("?wait=reply&timeout=3")


@pytest.mark.parametrize(
    ("status", "code", "note"),
    [("DELIVERED", 0, "no reply within 10 s\n"), ("PENDING", 1, "no reply within 10 s\n"), ("TIMEOUT", 1, "")],
)
def test_wait_prints_the_state_when_there_is_no_reply(
    call: Call, api_server: ApiServer, url: str, status: str, code: int, note: str
) -> None:
    api_server.answer(result(status, error_code="IOTDA.014140", error_msg="The device did not reply."), status=504)
    done = call("send", "pump-1", "x", "--wait", url)
    assert (done.exit_code, done.stdout, done.stderr) == (code, f"m-1 {status}\n", note)


def test_wait_fails_when_the_message_did(call: Call, api_server: ApiServer, url: str) -> None:
    info = {"error_code": "IOTDA.014016", "error_msg": "not online"}
    api_server.answer(result("FAILED", error_code="x", error_msg="x", error_info=info), status=504)
    done = call("send", "pump-1", "x", "--wait", url)
    assert (done.exit_code, done.stdout) == (1, "m-1 FAILED: not online (IOTDA.014016)\n")
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("status", "answer", "text"),
    [
        (504, "<html>", "unexpected answer, not a JSON object: is this device-bridge?"),
        (504, {"error_code": "x", "error_msg": "A proxy is tired."}, "A proxy is tired. (x)"),
        (429, {"error_code": "IOTDA.014141", "error_msg": "As many."}, "As many. (IOTDA.014141)"),
    ],
)
def test_wait_is_refused(call: Call, api_server: ApiServer, url: str, status: int, answer: Any, text: str) -> None:
    api_server.answer(answer, status=status)
    done = call("send", "pump-1", "x", "--wait", url)
    assert (done.exit_code, done.stderr) == (1, f"Error: {text}\n")


@pytest.mark.parametrize(
    ("args", "problem"),
    [
        (("{", "--json"), "it is not JSON"),
        (("null", "--json"), "it must not be null"),
        (("[NaN]", "--json"), "it is not JSON"),
        (("x", "--property", "novalue"), "'novalue' is not NAME=VALUE"),
        (("x", "--property", "=value"), "'=value' is not NAME=VALUE"),
        (("x", "--ttl", "soon"), "soon"),
        (("x", "--encoding", "rot13"), "rot13"),
        (("x", "--wait", "--timeout", "0"), "0 is not in the range"),
    ],
)
def test_what_is_not_well_formed_is_a_usage_error(call: Call, args: tuple[str, ...], problem: str) -> None:
    result = call("send", "pump-1", *args)
    assert result.exit_code == 2
    assert problem in result.stderr


@pytest.mark.parametrize(
    ("status", "answer", "text"),
    [
        (404, {"error_code": "IOTDA.014000", "error_msg": "No such device."}, "No such device. (IOTDA.014000)"),
        (502, "<html>", "unexpected answer, HTTP 502: is this device-bridge?"),
        (404, {"detail": "x"}, "unexpected answer, HTTP 404: is this device-bridge?"),
        (200, "[]", "unexpected answer, not a JSON object: is this device-bridge?"),
    ],
)
def test_a_refusal_is_one_line(
    call: Call, api_server: ApiServer, url: str, status: int, answer: Any, text: str
) -> None:
    api_server.answer(answer, status=status)
    result = call("send", "pump-1", "x", url)
    assert (result.exit_code, result.stderr) == (1, f"Error: {text}\n")


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        ("send_at: not together with ttl 0", "--at: not together with ttl 0"),
        ("ttl: minutes, 0 to 1440", "--ttl: minutes, 0 to 1440"),
        ("topic: not together with topic_full_name", "--topic: not together with --topic-full"),
        ("properties.user_properties[0].prop_key: 1 to 128", "--property[0].prop_key: 1 to 128"),
        ("properties.response_topic: 1 to 128", "--response-topic: 1 to 128"),
        ("message: at most 262144 bytes", "MESSAGE: at most 262144 bytes"),
        ("app_id: at most 36", "app_id: at most 36"),
    ],
)
@pytest.mark.parametrize("wait", [(), ("--wait",)])
def test_a_field_that_is_refused_has_the_name_of_its_option(
    call: Call, api_server: ApiServer, url: str, told: str, shown: str, wait: tuple[str, ...]
) -> None:
    api_server.answer({"error_code": "x", "error_msg": f"Invalid input data. {told}."}, status=400)
    assert call("send", "pump-1", "x", url, *wait).stderr == f"Error: Invalid input data. {shown}. (x)\n"


@pytest.mark.parametrize("form", [(), ("--json",)])
@pytest.mark.parametrize(
    ("told", "shown"),
    [("start_time: not after end_time", "--from: not after --to"), ("from: not after to", "--from: not after to")],
)
def test_so_has_a_parameter_of_the_list(
    call: Call, api_server: ApiServer, url: str, told: str, shown: str, form: tuple[str, ...]
) -> None:
    api_server.answer({"error_code": "x", "error_msg": f"Invalid input data. {told}."}, status=400)
    assert call("messages", "list", "pump-1", url, *form).stderr == f"Error: Invalid input data. {shown}. (x)\n"


def test_no_daemon(call: Call) -> None:
    result = call("send", "pump-1", "x", "--http", "127.0.0.1:1")
    assert (result.exit_code, result.stderr) == (
        1,
        "Error: the daemon at http://127.0.0.1:1 cannot be reached: Connection refused\n",
    )


def test_a_daemon_that_does_not_answer(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_client, "TIMEOUT", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        result = call("send", "pump-1", "x", "--http", url)
    assert (result.exit_code, result.stderr) == (1, f"Error: the daemon at {url} did not answer within 0.05 s\n")


@pytest.mark.parametrize("url", ["ftp://x", "http://", "x:y", "127.0.0.1:99999", "127.0.0.1:0"])
def test_an_address_that_is_none(call: Call, url: str) -> None:
    result = call("send", "pump-1", "x", "--http", url)
    problem = f"--http: {url!r} is not HOST:PORT and not an http or https URL"
    assert (result.exit_code, result.stderr) == (1, f"Error: {problem}\n")


@pytest.mark.parametrize("token", ["é", "a b", "a\n"])
def test_an_impossible_token(call: Call, token: str) -> None:
    result = call("send", "pump-1", "x", "--token", token)
    assert result.exit_code == 2
    assert "visible ASCII" in result.stderr


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_a_message_that_is_no_text(call: Call, form: tuple[str, ...]) -> None:
    """Python has bytes of the command line that are no UTF-8 as surrogates."""
    result = call("send", "pump-1", '"\udcff"', *form)
    assert (result.exit_code, result.stderr) == (1, "Error: what was given is not text in UTF-8\n")


def test_the_running_daemon_is_found(ok: Ok, api_server: ApiServer, data_dir: Path) -> None:
    api_server.answer(ACCEPTED)
    (data_dir / "addresses.json").write_text(json.dumps({"http": api_server.address, "mqtt": "127.0.0.1:1"}))
    assert ok("send", "pump-1", "x") == "m-1 PENDING\n"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"http": 3}', '{"http": "x"}'])
def test_a_broken_address_file_is_none(call: Call, data_dir: Path, text: str) -> None:
    (data_dir / "addresses.json").write_text(text)
    result = call("send", "pump-1", "x", "--token", "x")
    assert result.exit_code == 1
    assert "http://127.0.0.1:8080" in result.stderr


def test_where_the_token_comes_from(
    ok: Ok, call: Call, api_server: ApiServer, url: str, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    api_server.answer(ACCEPTED)
    ok("send", "pump-1", "x", url)
    monkeypatch.setenv("DEVICE_BRIDGE_TOKEN", "environment")
    ok("send", "pump-1", "x", url)
    ok("send", "pump-1", "x", url, "--token", "option")
    assert [request.token for request in api_server.requests] == ["t0ken", "environment", "option"]
    monkeypatch.delenv("DEVICE_BRIDGE_TOKEN")
    (data_dir / "admin.token").unlink()
    result = call("send", "pump-1", "x", url)
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: no token: give --token or DEVICE_BRIDGE_TOKEN")


def test_messages_list(ok: Ok, api_server: ApiServer, url: str) -> None:
    long = RECORD | {"status": "PENDING", "message": "x" * 100, "message_id": "m-2"}
    api_server.answer({"device_id": "pump-1", "messages": [long, DELIVERED]})
    listed = ok("messages", "list", "pump-1", "--status", "PENDING", "--limit", "7", url).splitlines()
    assert [line.split()[:2] for line in listed] == [["ID", "STATE"], ["m-2", "PENDING"], ["m-1", "DELIVERED"]]
    assert listed[1].endswith("  " + "x" * 39 + "…")
    assert listed[2].endswith('  {"a": "b"}')
    assert api_server.requests[0].path.endswith("/pump-1/messages?status=PENDING&limit=7")


def test_messages_as_json_are_what_the_daemon_wrote(ok: Ok, api_server: ApiServer, url: str) -> None:
    text = '{"device_id":"pump-1",  "messages":[{"message":1.50}]}'
    api_server.answer(text)
    assert ok("messages", "list", "pump-1", "--json", url) == text + "\n"
    assert ok("messages", "show", "pump-1", "m-1", "--json", url) == text + "\n"


def test_messages_show(ok: Ok, api_server: ApiServer, url: str) -> None:
    api_server.answer(FAILED)
    shown = dict(line.split(maxsplit=1) for line in ok("messages", "show", "pump-1", "m-1", url).splitlines())
    assert shown == {
        "message_id": "m-1",
        "message": '{"a": "b"}',
        "properties.user_properties": '[{"prop_key": "k", "prop_value": "v"}]',
        "properties.response_topic": "t",
        "created_time": "20260101T000000Z",
        "status": "FAILED",
        "error_info.error_code": "IOTDA.014016",
        "error_info.error_msg": "not online",
    }


def test_a_time_and_a_key(ok: Ok, api_server: ApiServer, url: str) -> None:
    api_server.answer(ACCEPTED, status=201)
    ok("send", "pump-1", "x", "--at", "20260101T000000Z", "--idempotency-key", "k-1", url)
    (request,) = api_server.requests
    assert request.body == {"message": "x", "send_at": "20260101T000000Z"}
    assert request.idempotency_key == "k-1"


@pytest.mark.parametrize("key", ["", "é", "a b", "a\n", "x" * 256])
def test_an_impossible_key(call: Call, key: str) -> None:
    result = call("send", "pump-1", "x", "--idempotency-key", key)
    assert result.exit_code == 2
    assert "visible ASCII" in result.output


def test_list_of_all_devices(ok: Ok, api_server: ApiServer, url: str) -> None:
    one, two = (DELIVERED | {"device_id": device} for device in ("pump-1", "pump-2"))
    api_server.answer({"messages": [], "cursor": "c1"}, {"messages": [one], "cursor": "c2"}, {"messages": [two]})
    printed = ok("messages", "list", "--from", "20260101T000000Z", "--to", "20260102T000000Z", "--limit", "7", url)
    assert [line.split()[:2] for line in printed.splitlines()] == [
        ["DEVICE", "ID"],
        ["pump-1", "m-1"],
        ["pump-2", "m-1"],
    ]
    period = "from=20260101T000000Z&to=20260102T000000Z"
    assert [request.path for request in api_server.requests] == [
        f"/v5/iot/default/messages?{period}&limit=7",
        f"/v5/iot/default/messages?{period}&cursor=c1&limit=7",
        f"/v5/iot/default/messages?{period}&cursor=c2&limit=6",
    ]


def test_list_of_a_period(ok: Ok, api_server: ApiServer, url: str) -> None:
    api_server.answer({"device_id": "pump-1", "messages": [DELIVERED]})
    ok("messages", "list", "pump-1", "--from", "20260101T000000Z", "--limit", "1", "--status", "FAILED", url)
    (request,) = api_server.requests
    assert request.path == ("/v5/iot/default/devices/pump-1/messages?status=FAILED&start_time=20260101T000000Z&limit=1")
