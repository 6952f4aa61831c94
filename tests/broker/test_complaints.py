"""One line in the log for each error, with who, why and the clause; not one for each of a flood."""

import asyncio
import logging

import pytest

from bridge.broker.complaints import Complaint, Complaints
from bridge.broker.wheel import Wheel
from bridge.mqtt import Auth, Connect, Packet, Publish, ReasonCode, Subscribe, Subscription, Version
from tests.broker.site import Site

LOG = "bridge.broker.complaints"

ERRORS: dict[str, tuple[Packet | bytes, str, str]] = {
    "second connect": (Connect(Version.V5, "pump-1"), "0x82", "MQTT-3.1.0-2"),
    "auth": (Auth(0x18, {"authentication_method": "SCRAM"}), "0x82", "MQTT-4.12.0-7"),
    "malformed": (b"\x30\x01\x00", "0x81", "MQTT5 1.2"),
    "qos 3": (b"\x36\x05\x00\x01a\x00\x00", "0x81", "MQTT-3.3.1-4"),
    "alias": (Publish("a", properties={"topic_alias": 99}), "0x94", "MQTT-3.3.2-9"),
    "payload": (Publish("a", b"\xff", properties={"payload_format_indicator": 1}), "0x99", "MQTT5 3.3.2.3.2"),
}


def lines(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [record for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.mark.parametrize("case", ERRORS)
async def test_one_line(site: Site, caplog: pytest.LogCaptureFixture, case: str) -> None:
    wrong, code, clause = ERRORS[case]
    client = await site.log_in(site.add_device())
    if isinstance(wrong, bytes):
        client.send_bytes(wrong)
    else:
        client.send(wrong)
    assert await client.ended() == int(code, 16)
    (line,) = lines(caplog)
    said = vars(line)
    assert (line.name, line.message) == (LOG, "client disconnected")
    assert (said["client"], said["user"], said["listener"]) == ("pump-1", "pump-1", "mqtt")
    assert (said["code"], said["clause"]) == (code, clause)
    assert said["peer"].startswith("127.0.0.1:")
    assert said["reason"]


async def test_before_a_connect(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    client = await site.client()
    client.send_bytes(b"GET / HTTP/1.1\r\n\r\n")
    assert await client.ended() is None
    (line,) = lines(caplog)
    assert line.message == "connection refused"
    assert vars(line)["client"] == "-"


async def test_secrets_stay_inside(site: Site) -> None:
    """A wrong password and an unknown user are told alike."""
    site.add_device()
    told = set()
    for user in ("pump-1", "nobody"):
        client = await site.client()
        connack = await client.connect("pump-1", user, "wrong password")
        told.add(connack.properties["reason_string"])
    assert len(told) == 1
    assert "wrong password" not in told


async def test_a_refused_filter_is_named(site: Site) -> None:
    client = await site.log_in(site.add_device())
    filters = ["a", "$oc/devices/other/" + "x" * 200, "$oc/devices/other/#"]
    client.send(Subscribe(1, [Subscription(each) for each in filters]))
    packet = await client._next()
    assert packet is not None
    why = packet.properties["reason_string"]  # type: ignore[union-attr]
    assert why.startswith("$oc/devices/other/xxx")
    assert why.endswith("…: not authorized, and 1 more")


def complaint(client: str = "-", peer: str = "10.0.0.1:5000") -> Complaint:
    return Complaint("connection refused", client, "-", peer, "mqtt", ReasonCode.PROTOCOL_ERROR, "why")


@pytest.fixture
async def wheel() -> Wheel:
    return Wheel(asyncio.get_running_loop())


async def test_a_flood_is_counted(wheel: Wheel, caplog: pytest.LogCaptureFixture) -> None:
    complaints = Complaints(wheel)
    for port in range(1000):
        complaints.tell(complaint(peer=f"10.0.0.1:{port}"))
    assert len(lines(caplog)) == 30
    complaints.tell(complaint(peer="10.0.0.2:1"))
    complaints.tell(complaint("another"))
    assert len(lines(caplog)) == 32
    wheel.now += 240
    complaints.tell(complaint())
    assert [record.message for record in lines(caplog)[32:]] == [
        "refusals without a line each",
        "connection refused",
    ]
    assert vars(lines(caplog)[32])["count"] == 970


async def test_one_address_leaves_lines_to_the_others(wheel: Wheel, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever client identifiers it makes up."""
    complaints = Complaints(wheel)
    for number in range(5000):
        complaints.tell(complaint(f"client-{number}"))
    assert len(lines(caplog)) == 120
    complaints.tell(complaint(peer="10.0.0.2:1"))
    assert len(lines(caplog)) == 121


async def test_a_flood_from_everywhere_is_bounded_too(wheel: Wheel, caplog: pytest.LogCaptureFixture) -> None:
    complaints = Complaints(wheel)
    for number in range(5000):
        complaints.tell(complaint(peer=f"10.0.{number // 256}.{number % 256}:1"))
    assert len(lines(caplog)) == 600
    assert len(complaints._told) == 1200


async def test_the_end_of_a_flood_is_counted(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    """Also when nothing else is refused afterwards."""
    complaints = site.hub.complaints
    for _ in range(40):
        complaints.tell(complaint())
    await site.let_pass(61)
    assert [(record.message, vars(record)["count"]) for record in lines(caplog)[30:]] == [
        ("refusals without a line each", 10)
    ]


async def test_what_clients_choose_is_cut(wheel: Wheel, caplog: pytest.LogCaptureFixture) -> None:
    Complaints(wheel).tell(Complaint("x", "c" * 65_535, "u" * 65_535, "10.0.0.1:1", "mqtt", 0x80, "r" * 65_535))
    (line,) = lines(caplog)
    said = vars(line)
    assert [len(said[key]) for key in ("client", "user", "reason")] == [129, 129, 501]
