"""The stock command-line clients of Mosquitto, as a device."""

import shutil
import subprocess

import pytest

from bridge.mqtt import Version
from tests.acceptance.account import SECRET, Account

NAMES = {Version.V31: "mqttv31", Version.V311: "mqttv311", Version.V5: "mqttv5"}
WITHIN = 20

pytestmark = pytest.mark.skipif(
    not (shutil.which("mosquitto_sub") and shutil.which("mosquitto_pub")),
    reason="mosquitto_sub and mosquitto_pub are not installed (Debian: mosquitto-clients)",
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
