"""The stock command-line clients of Mosquitto, as a device."""

import shutil
import subprocess

import pytest

from bridge.mqtt import Version
from tests.acceptance.account import SECRET, Account

NAMES = {Version.V31: "mqttv31", Version.V311: "mqttv311", Version.V5: "mqttv5"}
WITHIN = 20

pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, ("mosquitto_sub", "mosquitto_pub", "mosquitto_rr"))),
    reason="mosquitto_sub, mosquitto_pub and mosquitto_rr are not installed (Debian: mosquitto-clients)",
)


def _command(program: str, pump: Account, version: Version, *words: str) -> list[str]:
    host, port = pump.daemon.mqtt
    login = ["-u", pump.id, "-P", SECRET, "-i", pump.id]
    return [program, "-h", host, "-p", str(port), "-V", NAMES[version], *login, *words]


def test_mosquitto_sub_receives_and_acknowledges(pump: Account, version: Version, qos: int) -> None:
    message_id = pump.send("hello", payload_format="raw")
    words = ("-t", pump.inbox, "-q", str(qos), "-C", "1", "-F", "%t %q %p", "-W", str(WITHIN))
    done = subprocess.run(
        _command("mosquitto_sub", pump, version, *words), capture_output=True, text=True, check=False, timeout=WITHIN
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout in (f"{pump.inbox} 1 hello\n", f"{pump.inbox} {qos} hello\n")  # before or after SUBSCRIBE
    assert pump.final(message_id)["status"] == "DELIVERED"


def test_mosquitto_pub_is_heard(pump: Account, other: Account, version: Version, qos: int) -> None:
    listener = other.connect(version)
    listener.subscribe(f"plant/{pump.id}", 2)
    words = ("-t", f"plant/{pump.id}", "-m", "42", "-q", str(qos))
    subprocess.run(_command("mosquitto_pub", pump, version, *words), check=True, timeout=WITHIN)
    received = listener.next()
    assert (received.payload, received.qos) == (b"42", qos)


def test_mosquitto_sub_is_told_that_it_is_refused(pump: Account, version: Version) -> None:
    command = _command("mosquitto_sub", pump, version, "-t", "x", "-W", str(WITHIN))
    command[command.index(SECRET)] = "wrong-secret"
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=WITHIN)
    assert done.returncode != 0
    assert "Connection Refused" in done.stderr or "Bad" in done.stderr or "Not authorized" in done.stderr, done.stderr


def test_mosquitto_sub_keeps_its_session(pump: Account, other: Account, version: Version) -> None:
    topic = f"plant/{pump.id}"
    words = ("-t", topic, "-q", "1", "-c", "-W", str(WITHIN))
    expiry = ("-x", "3600") if version is Version.V5 else ()
    once = _command("mosquitto_sub", pump, version, *words, *expiry, "-E")
    subprocess.run(once, check=True, timeout=WITHIN)
    sender = other.connect(version)
    for number in range(3):
        sender.publish(topic, str(number).encode(), 1)
    again = _command("mosquitto_sub", pump, version, *words, *expiry, "-C", "3")
    assert subprocess.run(again, check=True, capture_output=True, timeout=WITHIN).stdout == b"0\n1\n2\n"


def test_mosquitto_rr_gets_its_answer(pump: Account, other: Account, version: Version) -> None:
    topic, answers = f"plant/{pump.id}", f"answers/{pump.id}"
    responder = other.connect(version)
    responder.subscribe(topic, 1)
    words = ("-t", topic, "-e", answers, "-m", "what time is it", "-q", "1", "-W", str(WITHIN))
    with subprocess.Popen(_command("mosquitto_rr", pump, version, *words), stdout=subprocess.PIPE) as process:
        asked = responder.next()
        assert (asked.payload, asked.response_topic) == (b"what time is it", answers if version is Version.V5 else None)
        responder.publish(asked.response_topic or answers, b"noon", 1)
        output, _ = process.communicate(timeout=WITHIN)
    assert (process.returncode, output) == (0, b"noon\n")
