"""One line in the log for each error, with who, why and the clause; not one for each of a flood."""

import logging

import pytest

from bridge.broker.complaints import Complaint, Complaints
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
    assert (line.name, line.message) == (LOG, "connection ended")
    assert (said["client"], said["code"], said["clause"]) == ("pump-1", code, clause)
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


def complaint(client: str = "-", peer: str = "10.0.0.1:5000", clause: str = "") -> Complaint:
    return Complaint("connection refused", client, peer, ReasonCode.PROTOCOL_ERROR, "why", clause)


def test_a_flood_is_counted(caplog: pytest.LogCaptureFixture) -> None:
    complaints = Complaints()
    for port in range(1000):
        complaints.tell(5, complaint(peer=f"10.0.0.1:{port}"))
    assert len(lines(caplog)) == 30
    complaints.tell(5, complaint(peer="10.0.0.2:1"))
    complaints.tell(5, complaint("another"))
    assert len(lines(caplog)) == 32
    complaints.tell(5 + 240, complaint())
    assert [record.message for record in lines(caplog)[32:]] == [
        "refusals without a line each",
        "connection refused",
    ]
    assert vars(lines(caplog)[32])["count"] == 970


def test_a_flood_from_everywhere_is_bounded_too(caplog: pytest.LogCaptureFixture) -> None:
    complaints = Complaints()
    for number in range(5000):
        complaints.tell(5, complaint(f"client-{number}"))
    assert len(lines(caplog)) == 600
    assert len(complaints._told) == 600
