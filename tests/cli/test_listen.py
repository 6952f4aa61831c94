"""`listen` against a few bytes of MQTT."""

import pytest

from bridge.broker.device_client import Received
from bridge.cli.listen import described, payload_text
from tests.cli.conftest import Call
from tests.cli.mqtt_server import CONNACK_V3, CONNACK_V5, MqttServer, publish_v5

DOWN = "$oc/devices/pump-1/sys/messages/down"
ENVELOPE = b'{"name":null,"id":"m-1","content":"hi"}'


def test_a_message_is_printed_acknowledged_and_answered(call: Call, mqtt_server: MqttServer) -> None:
    properties = b"\x08\x00\x01r\x09\x00\x01c\x26\x00\x01k\x00\x011\x26\x00\x01k\x00\x012\x02\x00\x00\x00\x3c"
    mqtt_server.plays = [(CONNACK_V5, publish_v5(DOWN, ENVELOPE, properties, dup=True))]
    mqtt_server.start()
    address = f"127.0.0.1:{mqtt_server.port}"
    result = call("listen", "pump-1", "--secret", "12345678", "--mqtt", address, "--count", "1")
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == [
        f"{DOWN}  qos=1 dup",
        "  correlation data: c",
        "  response topic: r",
        "  expires in: 60 s",
        "  k = 1",
        "  k = 2",
        f"  {ENVELOPE.decode()}",
    ]
    assert result.stderr == "connected\n"


def test_quiet_prints_payloads_only(call: Call, mqtt_server: MqttServer) -> None:
    mqtt_server.plays = [(CONNACK_V5, publish_v5(DOWN, b"\xff\x00") + publish_v5(DOWN, b"a\nb", packet_id=2))]
    mqtt_server.start()
    address = f"127.0.0.1:{mqtt_server.port}"
    result = call("listen", "pump-1", "--secret", "12345678", "--mqtt", address, "--count", "2", "--quiet")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "0xff00\na\\nb\n", "")


@pytest.mark.parametrize(
    ("protocol", "connack"), [("5", "20 03 00 86 00"), ("3.1.1", "20 02 00 04"), ("3.1", "20 02 00 04")]
)
def test_a_wrong_secret_is_one_line(call: Call, mqtt_server: MqttServer, protocol: str, connack: str) -> None:
    mqtt_server.plays = [(bytes.fromhex(connack),)]
    mqtt_server.start()
    address = f"127.0.0.1:{mqtt_server.port}"
    result = call("listen", "pump-1", "--secret", "wrong", "--mqtt", address, "--protocol", protocol)
    assert (result.exit_code, result.stderr) == (1, "Error: wrong device id or secret\n")


def test_no_daemon(call: Call) -> None:
    result = call("listen", "pump-1", "--secret", "12345678", "--mqtt", "127.0.0.1:1")
    assert (result.exit_code, result.stderr) == (
        1,
        "Error: the daemon at 127.0.0.1:1 cannot be reached: Connection refused\n",
    )


@pytest.mark.parametrize("args", [(), ("--secret", "12345678", "--mqtt", "nowhere"), ("--secret", "x", "--count", "0")])
def test_usage_errors(call: Call, args: tuple[str, ...]) -> None:
    assert call("listen", "pump-1", *args).exit_code == 2


def test_ctrl_c_is_the_normal_end(call: Call, mqtt_server: MqttServer, monkeypatch: pytest.MonkeyPatch) -> None:
    from bridge.broker.device_client import DeviceClient

    def interrupted(self: DeviceClient, count: int | None = None) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(DeviceClient, "wait", interrupted)
    mqtt_server.plays = [(CONNACK_V3, b"")]
    mqtt_server.start()
    address = f"127.0.0.1:{mqtt_server.port}"
    result = call("listen", "pump-1", "--secret", "12345678", "--mqtt", address, "--protocol", "3.1.1")
    assert result.exit_code == 0, result.output


def test_payloads_that_are_not_text_are_hexadecimal() -> None:
    assert payload_text(b"\x00\xff") == "0x00ff"
    assert payload_text("grün\x1b".encode()) == "grün\\u001b"


def test_a_message_without_properties() -> None:
    assert described(Received("t", b"x", 0)) == ["t  qos=0", "  x"]
