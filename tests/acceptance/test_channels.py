"""Applications that poll, or keep an event stream open, with the real daemon."""

import contextlib
import socket
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.acceptance.account import Account
from tests.acceptance.clock import SharedClock
from tests.acceptance.conftest import NewDaemon, clocked_daemon
from tests.acceptance.daemon import Daemon
from tests.acceptance.polling_api import Answer, Stream, Subscriber
from tests.acceptance.waiting import eventually
from tests.api.dsps.issuer import Issuer

CROWD = 1000
PER_POLL = 20_000
"""Bytes one waiting poll may cost, its connection included."""


def app_of(daemon: Daemon, closing: ExitStack, channel: str, name: str = "app") -> Subscriber:
    return closing.enter_context(Subscriber(daemon, channel, name))


def last_access(daemon: Daemon, app: Subscriber) -> str:
    name = app.path.rpartition("/")[2]
    with Subscriber(daemon, app.channel.rpartition("/")[2]) as looker:
        subscribers = looker.call("GET", app.channel).body["subscribers"]
    return next(str(each["lastAccess"]) for each in subscribers if each["subscriberID"] == name)


def start_poll(pool: ThreadPoolExecutor, daemon: Daemon, app: Subscriber) -> "Future[Answer]":
    """A poll that has reached the daemon and waits."""
    before = last_access(daemon, app)
    poll = pool.submit(app.poll, "timeout=30s")
    eventually(lambda: last_access(daemon, app) != before)
    return poll


def test_positions_and_messages_survive_a_kill(new_daemon: NewDaemon, closing: ExitStack) -> None:
    daemon = new_daemon()
    app, other = app_of(daemon, closing, "news"), app_of(daemon, closing, "news", "other")
    app.subscribe()
    other.subscribe()
    contents = [b"1.0", b'{"a":1e400,"a":123456789012345678901234}', '"é\\ud83d\\ude00"'.encode()]
    for number, content in enumerate(contents):
        assert app.publish(f"m{number}", content).status == 200
    first = app.poll("max=1").body["ackHandle"]
    second = app.poll("max=2").body["ackHandle"]
    assert app.acknowledge(first).status == 204
    daemon.kill()
    daemon.start()
    for each in (app, other):
        each.daemon_restarted()
    left = app.poll()
    assert left.ids == ["m1", "m2"]
    for content in contents[1:]:
        assert b'"content":' + content + b"}" in left.raw
    assert other.poll().ids == ["m0", "m1", "m2"]
    assert app.publish("m1", b"2").status == 200
    assert app.acknowledge(second).status == 204
    assert app.acknowledge(first).status == 204
    assert app.poll().ids == ["m2"]
    assert other.acknowledge(second).status == 400


def test_what_becomes_of_a_message_is_heard_in_order_by_poll_and_stream(
    new_daemon: NewDaemon, closing: ExitStack
) -> None:
    daemon = new_daemon()
    pump = Account(daemon, closing)
    app, page = (app_of(daemon, closing, "device-message-status", name) for name in ("app", "page"))
    app.subscribe()
    page.subscribe()
    stream = page.stream()
    closing.callback(stream.close)
    pump.send("hello", message_id="first")
    pump.connect().next()
    pump.final("first")
    heard = [stream.next()[1]["content"] for _ in range(2)]
    assert [event["notify_data"]["body"]["status"] for event in heard] == ["PENDING", "DELIVERED"]
    assert {event["notify_data"]["body"]["message_id"] for event in heard} == {"first"}
    assert [message["content"] for message in app.poll("timeout=10s").body["messages"]] == heard
    assert app.publish("forged").status == 403


def test_a_stream_resumes_where_it_was_after_a_kill(new_daemon: NewDaemon, closing: ExitStack) -> None:
    daemon = new_daemon()
    app = app_of(daemon, closing, "news")
    app.subscribe()
    stream = app.stream()
    for number in range(3):
        app.publish(f"m{number}")
    ids = [stream.next()[0] for _ in range(3)]
    stream.close()
    daemon.kill()
    daemon.start()
    app.daemon_restarted()
    app.publish("m3")
    stream = app.stream(last=ids[1])
    closing.callback(stream.close)
    assert [stream.next()[1]["messageID"] for _ in range(2)] == ["m2", "m3"]
    assert app.poll().ids == ["m2", "m3"]


def test_at_the_end_polls_are_answered_and_streams_closed(new_daemon: NewDaemon, closing: ExitStack) -> None:
    daemon = new_daemon()
    apps = [app_of(daemon, closing, "news", f"app{number}") for number in range(3)]
    page = app_of(daemon, closing, "news", "page")
    for each in (*apps, page):
        each.subscribe()
    stream: Stream = page.stream()
    closing.callback(stream.close)
    with ThreadPoolExecutor(len(apps)) as pool:
        polls = [start_poll(pool, daemon, app) for app in apps]
        began = time.monotonic()
        daemon.stop()
        for poll in polls:
            answer = poll.result()
            assert (answer.status, answer.raw) == (200, b'{"channelID":"news","messages":[],"moreMessages":false}')
    assert stream.next_or_end() is None
    assert time.monotonic() - began < 20


def test_a_poll_whose_subscriber_is_removed_ends(daemon: Daemon, closing: ExitStack) -> None:
    app, remover = app_of(daemon, closing, "removed"), app_of(daemon, closing, "removed")
    app.subscribe()
    with ThreadPoolExecutor(1) as pool:
        poll = start_poll(pool, daemon, app)
        assert remover.call("DELETE", app.path).status == 200
        assert poll.result().status == 404
    assert app.poll().status == 404


@pytest.fixture(scope="module")
def clocked(tmp_path_factory: pytest.TempPathFactory, clock: SharedClock) -> Iterator[Daemon]:
    daemon = clocked_daemon(tmp_path_factory.mktemp("clocked"), clock)
    try:
        daemon.start()
        yield daemon
    finally:
        daemon.close()


def test_who_is_away_for_too_long_begins_anew(clocked: Daemon, closing: ExitStack, clock: SharedClock) -> None:
    app, busy = app_of(clocked, closing, "news"), app_of(clocked, closing, "news", "busy")
    app.subscribe()
    busy.subscribe()
    app.publish("old")
    clock.advance(minutes=29)
    assert busy.poll().ids == ["old"]
    assert app.poll().ids == ["old"]
    clock.advance(minutes=2)
    assert busy.poll().ids == []
    clock.advance(minutes=29)
    assert app.poll().status == 404
    assert busy.poll().status == 200
    app.subscribe()
    app.publish("new")
    assert app.poll().ids == ["new"]


def test_what_hostile_clients_send_costs_nothing(daemon: Daemon, closing: ExitStack) -> None:
    app = app_of(daemon, closing, "hostile")
    app.subscribe()
    app.publish("honest")
    before = daemon.memory
    for query in (
        "max=-1",
        "max=" + "9" * 30,
        "max=1.5",
        "max=",
        "timeout=5",
        "timeout=1e9s",
        "timeout=" + "9" * 30 + "h",
    ):
        assert app.poll(query).status == 400
    assert app.poll("max=1000000000000&timeout=1h").ids == ["honest"]
    for message_id in ("a%0A", "A", "%00", "a" * 64, "%FF", "%ED%A0%80"):
        assert app.publish(message_id).status == 400
    for body in (b'"\xff"', b'"\\ud800"', b"[" * 500_000, b"[" * 500_000 + b"]" * 500_000, b"{" * 1_000_000, b""):
        answer = app.publish("bad", body)
        assert (answer.status, answer.body) == (400, {"error": "Request body is not JSON"})
    for _ in range(5):
        with contextlib.suppress(OSError):  # the daemon need not read all of it
            assert app.publish("bad", b'"' + b"a" * 10_485_760 + b'"').status == 413
        app.daemon_restarted()
    handle = app.poll().body["ackHandle"]
    for cut in range(1, len(handle)):
        assert app.acknowledge(handle[:cut]).status == 400
    with Subscriber(daemon, "hostile", "foreign") as foreign:
        foreign.subscribe()
        assert foreign.acknowledge(handle).status == 400
    assert app.poll().ids == ["honest"]
    assert daemon.memory - before < 16_000_000


def test_a_revoked_web_token_stays_out_after_a_restart(
    new_daemon: NewDaemon, closing: ExitStack, tmp_path: Path
) -> None:
    issuer = Issuer(tmp_path)
    keys = "\n".join(f"{name} = {files}" for name, files in issuer.settings["keys"].items())
    config = f"""
        [channels.rules.'room-(?P<id>[0-9]+)']
        claims = {{ room = "{{id}}" }}
        [channels.jwt]
        iss = {issuer.settings["iss"]}
        [channels.jwt.keys]
        {keys}
    """
    daemon = new_daemon(config=config)
    end = int(time.time()) + 600
    with (
        Subscriber(daemon, "room-7", token=issuer.token("ES256", exp=end, room=7, jti="one")) as guest,
        Subscriber(daemon, "room-8", token=issuer.token("ES256", exp=end, room=7)) as stranger,
        Subscriber(daemon, "room-7") as admin,
    ):
        guest.subscribe()
        assert guest.publish("m1").status == 200
        assert guest.poll().ids == ["m1"]
        assert stranger.call("PUT", stranger.path).status == 403
        assert admin.call("PUT", "/channel/other/message/m1", b"1").body["code"] == "dsps.storage.invalid-channel"
        assert admin.call("PUT", f"/admin/jwt/revoke?jti=one&exp={end}").body == {"jti": "one", "exp": end}
        assert guest.poll().status == 403
        daemon.restart()
        guest.daemon_restarted()
        assert guest.poll().status == 403


def test_the_log_level_of_a_running_daemon_is_changed(new_daemon: NewDaemon, closing: ExitStack) -> None:
    daemon = new_daemon()
    app = app_of(daemon, closing, "news")
    assert app.call("PUT", "/admin/log/level?category=*&level=ERROR").status == 204
    pump = Account(daemon, closing)
    pump.connect().close()
    assert "client connected" not in daemon.log
    assert app.call("PUT", "/admin/log/level?category=*&level=info").status == 204
    pump.connect().close()
    eventually(lambda: "client connected" in daemon.log)


def test_a_crowd_of_polls_is_cheap_and_all_are_answered_by_one_message(
    new_daemon: NewDaemon, closing: ExitStack
) -> None:
    daemon = new_daemon()
    publisher = app_of(daemon, closing, "crowd", "publisher")
    names = [f"s{number}" for number in range(CROWD)]
    for name in names:
        assert publisher.call("PUT", f"/channel/crowd/subscription/polling/{name}").status == 200
    before = daemon.memory
    polls = []
    for name in names:
        connection = closing.enter_context(socket.create_connection(daemon.http, 30))
        path = f"/channel/crowd/subscription/polling/{name}?timeout=30s"
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nX-Auth-Token: {daemon.token}\r\n\r\n".encode())
        polls.append(connection)
    app = app_of(daemon, closing, "crowd", names[-1])
    assert publisher.call("GET", "/channel/crowd").status == 200
    assert app.poll().status == 200
    assert (daemon.memory - before) / CROWD < PER_POLL
    assert publisher.publish("m1", b'{"hello":1}').status == 200
    for connection in polls:
        answer = b""
        while b"ackHandle" not in answer:
            part = connection.recv(65_536)
            assert part
            answer += part
        assert answer.startswith(b"HTTP/1.1 200 OK")
        assert b'{"messageID":"m1","content":{"hello":1}}' in answer
