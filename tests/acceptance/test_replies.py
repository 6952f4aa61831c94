"""One call that waits for the device."""

import base64
import http.client
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest

from bridge.mqtt import Properties, Puback, Publish, Version
from tests.acceptance.account import Account
from tests.acceptance.conftest import NewDaemon
from tests.acceptance.daemon import Daemon
from tests.acceptance.device import Device, Received
from tests.acceptance.http_api import Answer
from tests.acceptance.raw_device import RawDevice
from tests.acceptance.waiting import PATIENCE, eventually

WAIT = "?wait=reply&timeout=30"
NO_REPLY = "IOTDA.014140"
TOO_MANY = "IOTDA.014141"
AT_ONCE = 20


def ask(account: Account, query: str = WAIT, prefer: str = "", device_id: str = "", **fields: object) -> Answer:
    """On a connection of its own, so that many can wait."""
    body = json.dumps({"message": "what?", **fields})
    headers = {"X-Auth-Token": account.daemon.token, "Content-Type": "application/json"}
    if prefer:
        headers["Prefer"] = prefer
    connection = http.client.HTTPConnection(*account.daemon.http, timeout=60)
    try:
        connection.request("POST", path(device_id or account.id, query), body, headers)
        response = connection.getresponse()
        return Answer(response.status, json.loads(response.read()), response.headers)
    finally:
        connection.close()


def path(device_id: str, query: str) -> str:
    return f"/v5/iot/default/devices/{device_id}/messages{query}"


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(AT_ONCE) as threads:
        yield threads


def state(answer: Answer) -> str:
    return str(answer.body["result"]["status"])


def reply(device: Device, asked: Received, payload: bytes = b"ok", **more: object) -> None:
    """As MQTT 5 wants it."""
    assert asked.response_topic is not None
    device.publish(asked.response_topic, payload, properties={"CorrelationData": asked.correlation_data, **more})


def reply_at_once(device: Device, payload: bytes = b"ok", **more: object) -> None:
    """From now on, from within the message handler, as most programs do it."""

    def received(asked: Received) -> None:
        device.say(asked.response_topic or "", payload, {"CorrelationData": asked.correlation_data, **more})

    device.on_received = received


def test_a_device_with_mqtt_5(pump: Account) -> None:
    pairs = [("k", "1"), ("a", "grün"), ("k", "1")]
    device = pump.connect()
    reply_at_once(device, b'{"on": true}', ContentType="application/json", UserProperty=pairs)
    answer = ask(pump, message_id="m", properties={"user_properties": [{"prop_key": "ask", "prop_value": "1"}]})
    assert answer.status == 200, answer.body
    assert answer.body["message_id"] == "m"
    assert answer.body["result"]["status"] == "DELIVERED"
    body = answer.body["reply"]
    assert body.pop("latency_ms") < PATIENCE * 1000
    assert body == {
        "topic": f"{pump.tree}/sys/messages/response",
        "payload": '{"on": true}',
        "encoding": "none",
        "content_type": "application/json",
        "user_properties": [{"prop_key": key, "prop_value": value} for key, value in pairs],
    }
    assert "Preference-Applied" not in answer.headers
    assert pump.record("m")["properties"] == {
        "correlation_data": "m",
        "response_topic": f"{pump.tree}/sys/messages/response",
        "user_properties": [{"prop_key": "ask", "prop_value": "1"}],
    }


@pytest.mark.parametrize("old", [Version.V31, Version.V311])
def test_a_device_without_properties(pump: Account, old: Version) -> None:
    device = pump.connect(old)

    def received(asked: Received) -> None:
        envelope = {"id": json.loads(asked.payload)["id"], "content": "yes"}
        device.say(f"{pump.tree}/sys/messages/up", json.dumps(envelope).encode())

    device.on_received = received
    answer = ask(pump)
    assert (answer.status, state(answer)) == (200, "DELIVERED")
    assert json.loads(answer.body["reply"]["payload"]) == {"id": answer.body["message_id"], "content": "yes"}


def test_a_reply_that_is_no_text(pump: Account, pool: ThreadPoolExecutor) -> None:
    device = pump.connect()
    waiting = pool.submit(ask, pump, properties={"response_topic": "plant/answers", "correlation_data": "c-1"})
    asked = device.next()
    assert (asked.response_topic, asked.correlation_data) == ("plant/answers", b"c-1")
    reply(device, asked, b"\x00\xff")
    body = waiting.result().body["reply"]
    assert (body["topic"], body["encoding"]) == ("plant/answers", "base64")
    assert base64.b64decode(body["payload"]) == b"\x00\xff"


@pytest.mark.parametrize(
    ("prefer", "applied"), [("wait=30", "wait=30"), ("respond-async, wait=300; foo", "wait=60"), ('wait="7"', "wait=7")]
)
def test_the_header_field(pump: Account, pool: ThreadPoolExecutor, prefer: str, applied: str) -> None:
    device = pump.connect()
    waiting = pool.submit(ask, pump, "", prefer)
    reply(device, device.next())
    answer = waiting.result()
    assert (answer.status, answer.headers["Preference-Applied"]) == (200, applied)
    assert answer.body["reply"]["payload"] == "ok"


@pytest.mark.parametrize("prefer", ["return=minimal", "wait=0", "wait=soon", "wait"])
def test_other_preferences_change_nothing(pump: Account, prefer: str) -> None:
    pump.connect()
    answer = ask(pump, "", prefer)
    assert (answer.status, answer.headers["Preference-Applied"]) == (201, None)
    assert answer.body.keys() == {"message_id", "result"}


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ("?wait=delivered", {}),
        ("?timeout=5", {}),
        ("?wait=reply&timeout=61", {}),
        ("?wait=reply&timeout=0", {}),
        ("?wait=reply", {"properties": {"response_topic": "a/+"}}),
        ("?wait=reply", {"ttl": 7}),
    ],
)
def test_what_makes_no_sense_is_refused(pump: Account, query: str, fields: dict[str, Any]) -> None:
    answer = ask(pump, query, **fields)
    assert (answer.status, answer.error) == (400, "IOTDA.000006")
    assert pump.api.index(pump.id).body["messages"] == []


def test_an_absent_device(pump: Account) -> None:
    answer = ask(pump, "", "wait=1", message_id="m", payload_format="raw")
    assert (answer.status, answer.error, state(answer)) == (504, NO_REPLY, "PENDING")
    assert (answer.body["message_id"], answer.headers["Preference-Applied"]) == ("m", "wait=1")
    assert pump.connect().next().payload == b"what?"
    assert pump.final("m")["status"] == "DELIVERED"


def test_a_device_that_comes_back_in_time(pump: Account, pool: ThreadPoolExecutor) -> None:
    waiting = pool.submit(ask, pump)
    device = pump.connect()
    reply(device, device.next(), b"here I am")
    answer = waiting.result()
    assert (answer.status, state(answer), answer.body["reply"]["payload"]) == (200, "DELIVERED", "here I am")


def test_a_device_that_never_replies(pump: Account) -> None:
    pump.connect()
    answer = ask(pump, "?wait=reply&timeout=1")
    assert (answer.status, answer.error, state(answer)) == (504, NO_REPLY, "DELIVERED")


def test_a_message_that_cannot_be_delivered_is_not_waited_for(pump: Account, pool: ThreadPoolExecutor) -> None:
    answer = ask(pump, ttl=0)
    assert (answer.status, state(answer)) == (504, "FAILED")
    assert answer.body["error_info"]["error_code"] == "IOTDA.014016"
    device = pump.connect_raw()
    waiting = pool.submit(ask, pump)
    device.send(Puback(device.next_message().packet_id, 0x97))
    answer = waiting.result()
    assert (state(answer), answer.body["error_info"]["error_code"]) == ("FAILED", "IOTDA.014113")


def test_a_reply_without_an_acknowledgement(pump: Account, pool: ThreadPoolExecutor) -> None:
    device = pump.connect_raw()
    waiting = pool.submit(ask, pump)
    asked = device.next_message()
    device.send(_reply(asked, b"first"), _reply(asked, b"second"))
    answer = waiting.result()
    assert (answer.status, state(answer), answer.body["reply"]["payload"]) == (200, "PENDING", "first")
    device.send(Puback(asked.packet_id))
    assert pump.final(answer.body["message_id"])["status"] == "DELIVERED"


def _reply(asked: Publish, payload: bytes) -> Publish:
    properties = Properties(correlation_data=asked.properties["correlation_data"])
    return Publish(asked.properties["response_topic"], payload, properties=properties)


def test_two_devices_that_answer_for_each_other(pump: Account, other: Account, pool: ThreadPoolExecutor) -> None:
    same: dict[str, Any] = {
        "message_id": "same",
        "properties": {"response_topic": "plant/answers", "correlation_data": "same"},
    }
    devices = [account.connect() for account in (pump, other)]
    waiting = [pool.submit(ask, account, **same) for account in (pump, other)]
    for device in devices:
        device.next()
    for device, own, foreign in ((devices[0], pump, other), (devices[1], other, pump)):
        assert device.publish(f"{foreign.tree}/sys/messages/up", b'{"id":"same"}') == 0x87
        lie = json.dumps({"object_device_id": foreign.id, "id": "same", "content": "lie"})
        device.publish(f"{own.tree}/sys/messages/up", lie.encode())
        device.publish("plant/answers", own.id.encode(), properties={"CorrelationData": b"same"})
    assert [each.result().body["reply"]["payload"] for each in waiting] == [pump.id, other.id]


def test_a_gateway(pump: Account, pool: ThreadPoolExecutor) -> None:
    behind = f"{pump.id}-meter"
    created = pump.api.call(
        "POST",
        "/v5/iot/default/devices",
        json.dumps({"node_id": behind, "device_id": behind, "gateway_id": pump.id}).encode(),
    )
    assert created.status == 201, created.body
    gateway = pump.connect(Version.V311)
    waiting, own = (pool.submit(ask, pump, device_id=name, message_id="m") for name in (behind, ""))
    gateway.take(2)
    up = f"{pump.tree}/sys/messages/up"
    gateway.publish(up, b'{"id":"m","content":"mine"}')
    assert own.result().body["reply"]["payload"] == '{"id":"m","content":"mine"}'
    gateway.publish(up, json.dumps({"object_device_id": behind, "id": "m", "content": "its"}).encode())
    assert json.loads(waiting.result().body["reply"]["payload"])["content"] == "its"


def test_many_calls_at_once(pump: Account, pool: ThreadPoolExecutor) -> None:
    device = pump.connect()
    waiting = {f"m-{number}": pool.submit(ask, pump, message_id=f"m-{number}") for number in range(AT_ONCE)}
    for asked in reversed(device.take(AT_ONCE)):
        reply(device, asked, asked.correlation_data or b"")
    for message_id, answer in waiting.items():
        assert answer.result().body["reply"]["payload"] == message_id


@pytest.fixture
def narrow(new_daemon: NewDaemon) -> Daemon:
    """One call may wait."""
    return new_daemon({"delivery.max_waiting_calls": 1, "delivery.max_reply_wait": 120})


@pytest.mark.parametrize("how", ["closes", "resets", "has no more to say"])
def test_a_client_that_goes_away_frees_its_place(
    narrow: Daemon, closing: ExitStack, pool: ThreadPoolExecutor, how: str
) -> None:
    pump = Account(narrow, closing)
    device = pump.connect()
    with socket.create_connection(narrow.http) as client:
        client.sendall(_request(pump, "?wait=reply&timeout=120", message_id="given-up"))
        device.next()
        refused = ask(pump, message_id="refused")
        assert (refused.status, refused.error, refused.headers["Retry-After"]) == (429, TOO_MANY, "1")
        if how == "has no more to say":
            client.shutdown(socket.SHUT_WR)
            client.settimeout(PATIENCE)
            assert client.recv(12) == b"HTTP/1.1 504"
        elif how == "resets":
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    answer = _answered_when_free(pump, device)
    assert answer.status == 200
    assert pump.api.show(pump.id, "refused").status == 404
    assert pump.status("given-up") == "DELIVERED"


def _answered_when_free(pump: Account, device: Device) -> Answer:
    """The daemon hears of the end of a connection when it hears of it."""
    reply_at_once(device)
    eventually(lambda: ask(pump, "?wait=reply&timeout=1", message_id="first").status != 429)
    return ask(pump)


def _request(account: Account, query: str, **fields: object) -> bytes:
    body = json.dumps({"message": "what?", **fields})
    lines = [
        f"POST {path(account.id, query)} HTTP/1.1",
        "Host: bridge",
        f"X-Auth-Token: {account.daemon.token}",
        f"Content-Length: {len(body)}",
    ]
    return "\r\n".join([*lines, "", body]).encode()


def test_a_half_closed_connection_gets_the_true_state_at_once(pump: Account) -> None:
    """Also when the end comes with the request."""
    with socket.create_connection(pump.daemon.http, PATIENCE) as client:
        client.sendall(_request(pump, WAIT, message_id="m"))
        client.shutdown(socket.SHUT_WR)
        with client.makefile("rb") as answer:
            text = answer.read()
    head, _, body = text.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 504")
    assert json.loads(body)["result"]["status"] == "PENDING"
    assert pump.status("m") == "PENDING"


def test_who_waits_when_the_daemon_stops_is_told_the_state(new_daemon: NewDaemon, closing: ExitStack) -> None:
    daemon = new_daemon()
    pump, absent = Account(daemon, closing), Account(daemon, closing)
    device: RawDevice = pump.connect_raw()
    with ThreadPoolExecutor(2) as pool:
        answers: list[Future[Answer]] = [pool.submit(ask, each, message_id="m") for each in (pump, absent)]
        device.send(Puback(device.next_message().packet_id))
        assert pump.final("m")["status"] == "DELIVERED"
        eventually(lambda: absent.api.show(absent.id, "m").status == 200)
        daemon.signal(signal.SIGTERM)
        told = [answer.result() for answer in answers]
    assert [(answer.status, state(answer)) for answer in told] == [(504, "DELIVERED"), (504, "PENDING")]
    daemon.ended()


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_the_commands(daemon: Daemon, pump: Account, protocol: str) -> None:
    command = [sys.executable, "-m", "bridge", "listen", pump.id, "--protocol", protocol, "--count", "1"]
    command += ["--secret", pump.login.password or "", "--data-dir", str(daemon.data_dir)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as listener:
        assert listener.stderr is not None
        assert listener.stderr.readline() == "connected\n"
        printed = daemon.command("send", pump.id, "hello", "--wait", "--timeout", "30").splitlines()
        listener.communicate(timeout=PATIENCE)
    assert printed[0].endswith(" DELIVERED")
    message_id = printed[0].split()[0]
    assert printed[1].startswith("reply after ")
    assert json.loads(printed[1].partition(": ")[2]) == {"id": message_id, "content": "ok"}
