"""`device-bridge demo`: the whole story in one terminal."""

import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, Self

import click

from bridge.cli.api_client import ApiClient
from bridge.cli.database import opened
from bridge.cli.errors import Failed
from bridge.cli.listen import described
from bridge.cli.send import replied
from bridge.data_dir import ADDRESSES
from bridge.values import split_address

if TYPE_CHECKING:
    from bridge.broker.device_client import DeviceClient, Received

READY_WITHIN = 30.0
FINAL_WITHIN = 15.0
REPLY_WITHIN = 15
STOPPED_WITHIN = 10.0
POLL = 0.02
SECRET = "demo-secret"  # noqa: S105 - of devices that live for seconds
NEEDED = ("bridge.store", "bridge.broker.device_client")
"""Imported while signals wait: one that arrives while a class is being made can come out as another exception."""
PROPERTIES = {
    "correlation_data": "order-4711",
    "response_topic": "$oc/devices/pump-1/user/answers",
    "user_properties": [{"prop_key": "unit", "prop_value": "bar"}, {"prop_key": "unit", "prop_value": "psi"}],
}


@click.command()
def demo() -> None:
    """See the whole story in one terminal.

    Starts a daemon in a temporary folder, and follows one message to a device that is connected and one to a device
    that is not.
    """
    with _Interrupts() as interrupts, tempfile.TemporaryDirectory(prefix="device-bridge-demo-") as folder:
        data_dir = Path(folder)
        with _daemon(data_dir, interrupts) as addresses:
            token = _registered(data_dir)
            client = ApiClient(addresses["http"], token, "default")
            _online_device(client, addresses["mqtt"])
            _offline_device(client, addresses["mqtt"])
    _say("The daemon stopped and its folder is gone. That was the whole story.")


class _Interrupts:
    """SIGINT and SIGTERM end the demo in order, and not while a process is being started that nobody would stop."""

    def __init__(self) -> None:
        self._held = False
        self._pending = False

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._arrived) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def hold(self) -> None:
        """From now on they wait."""
        self._held = True

    def release(self) -> None:
        """What waited comes now."""
        self._held = False
        if self._pending:
            self._pending = False
            self._arrived()

    def _arrived(self, number: int = 0, frame: FrameType | None = None) -> None:
        if self._held:
            self._pending = True
        else:
            self._held = True  # what is cleaned up now is not to be interrupted again
            raise KeyboardInterrupt


def _say(sentence: str) -> None:
    click.echo(f"* {sentence}")


@contextmanager
def _daemon(data_dir: Path, interrupts: _Interrupts) -> Iterator[dict[str, str]]:
    """A daemon on free ports; yields its addresses."""
    _say("Starting the daemon on free ports of 127.0.0.1 …")
    log = data_dir / "log"
    command = [sys.executable, "-m", "bridge", "run", "--data-dir", str(data_dir)]
    interrupts.hold()
    with log.open("wb") as stderr:
        process = subprocess.Popen(  # noqa: S603 - our own program
            [*command, "--http", "127.0.0.1:0", "--mqtt", "127.0.0.1:0"],
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            start_new_session=True,  # Ctrl-C comes here first, and then the daemon is stopped in order
        )
    try:
        for module in NEEDED:
            import_module(module)
        interrupts.release()
        addresses = _addresses(process, data_dir, log)
        _say(f"Applications reach it at http://{addresses['http']}, devices at mqtt://{addresses['mqtt']}.")
        yield addresses
    finally:
        interrupts.hold()
        process.terminate()
        try:
            process.wait(STOPPED_WITHIN)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        interrupts.release()


def _addresses(process: "subprocess.Popen[bytes]", data_dir: Path, log: Path) -> dict[str, str]:
    """What the daemon writes down as soon as both listeners accept."""
    deadline = time.monotonic() + READY_WITHIN
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            found: dict[str, str] = json.loads((data_dir / ADDRESSES).read_text(encoding="utf-8"))
            return found
        except (OSError, ValueError):
            time.sleep(POLL)
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines() or ["it said nothing"]
    raise Failed(f"the daemon did not start: {lines[-1].strip()}")


def _registered(data_dir: Path) -> str:
    """Two devices and the token of an application."""
    with opened(data_dir) as admin:
        for device_id in ("pump-1", "pump-2"):
            admin.add_device("default", device_id, SECRET)
        token = admin.add_token("demo", "default", frozenset({"messages:send", "messages:read"}))
    _say("Added the devices pump-1 and pump-2, and a token for an application.")
    return token


def _device(address: str, device_id: str) -> "DeviceClient":
    from bridge.broker.device_client import DeviceClient

    def received(message: "Received") -> None:
        click.echo("".join(f"    {device_id} <- {line}\n" for line in described(message)), nl=False)

    host, port = split_address(address)
    client = DeviceClient(host, port, device_id, SECRET, on_message=received)
    _say(f"{device_id} connects with MQTT 5.")
    client.connect()
    return client


def _online_device(client: ApiClient, mqtt: str) -> None:
    device = _device(mqtt, "pump-1")
    try:
        _say("An application posts a message with properties for pump-1, and waits for the reply:")
        fields = {"name": "set-pressure", "properties": PROPERTIES}
        answer = client.ask("pump-1", '{"pressure": 2.50}', fields, REPLY_WITHIN)
        device.wait(1, FINAL_WITHIN)
        _say(f"The POST was answered with {answer['result']['status']} and what the device replied:")
        click.echo("".join(f"    application <- {line}\n" for line in replied(answer)), nl=False)
        _final(client, "pump-1", answer["message_id"])
    finally:
        device.close()


def _offline_device(client: ApiClient, mqtt: str) -> None:
    _say("An application posts a message for pump-2, which is not connected:")
    answer = client.send("pump-2", '"open the valve"', {})
    _say(f"The POST was answered with {answer['result']['status']}; the message is on disk and waits.")
    device = _device(mqtt, "pump-2")
    try:
        device.wait(1, FINAL_WITHIN)
        _final(client, "pump-2", answer["message_id"])
    finally:
        device.close()


def _final(client: ApiClient, device_id: str, message_id: str) -> None:
    """Show the record as soon as it is final; anything but DELIVERED is a failure of the demo."""
    deadline = time.monotonic() + FINAL_WITHIN
    record: dict[str, Any] = client.message(device_id, message_id)
    while record["status"] == "PENDING" and time.monotonic() < deadline:
        time.sleep(POLL)
        record = client.message(device_id, message_id)
    by = f", acknowledged by the {record['acknowledged_by']}" if "acknowledged_by" in record else ""
    _say(f"The record of {message_id} says {record['status']}{by}.")
    if record["status"] != "DELIVERED":
        raise Failed(f"the message ended as {record['status']}, not DELIVERED")
