"""MQTT.js, in a process of Node.js: `mqttjs/client.js` does what it is told here."""

import base64
import json
import queue
import shutil
import subprocess
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bridge.mqtt import Version
from tests.acceptance.clients.base import WITHIN, Heard
from tests.acceptance.device import Login

FOLDER = Path(__file__).parent / "mqttjs"


def missing() -> str | None:
    """Why it cannot be used here."""
    if shutil.which("node") is None:
        return "node is not installed (Debian: nodejs)"
    if not (FOLDER / "node_modules" / "mqtt").is_dir():
        return f"MQTT.js is not installed (npm install in {FOLDER})"
    return None


class MqttJs:
    def __init__(
        self,
        address: tuple[str, int],
        login: Login,
        version: Version,
        *,
        kept: bool,
        websocket: bool = False,
        reconnects: bool = False,
    ) -> None:
        """`reconnects`: by itself, soon."""
        host, port = address
        options: dict[str, Any] = {"host": host, "port": port, "protocolVersion": int(version), "clean": not kept}
        options |= {"username": login.username, "password": login.password, "clientId": login.client_id}
        if websocket:
            options |= {"protocol": "ws", "path": "/mqtt"}
        if reconnects:
            options["reconnectPeriod"] = 50
        if version is Version.V5 and kept:
            options["properties"] = {"sessionExpiryInterval": 3600}
        node = shutil.which("node") or "node"
        self._process = subprocess.Popen(
            [node, "client.js", json.dumps(options)], cwd=FOLDER, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self._closing = ExitStack()
        self._steps = 0
        self._heard: queue.Queue[Heard] = queue.Queue()
        self._said: queue.Queue[dict[str, Any]] = queue.Queue()
        self.session_present: bool | None = None
        self.reconnected: queue.Queue[bool] = queue.Queue()
        """Whether the session was there, for each connection but the first."""
        self._listener = threading.Thread(target=self._listen)
        self._listener.start()
        self._closing.callback(self._end)
        connected = self._said.get(timeout=WITHIN)
        assert "connected" in connected, connected
        self.session_present = bool(connected["connected"])
        self._closing.callback(self._do, "end")

    def subscribe(self, topic_filter: str, qos: int) -> None:
        self._do("subscribe", topic=topic_filter, qos=qos)

    def publish(self, topic: str, payload: bytes, qos: int, user_properties: list[tuple[str, str]]) -> None:
        properties = {"properties": {"userProperties": dict(user_properties)}} if user_properties else {}
        self._do("publish", topic=topic, payload=base64.b64encode(payload).decode(), qos=qos, **properties)

    def burst(self, topic: str, qos: int, count: int) -> None:
        """Publish so many without waiting for one; returns when all are acknowledged."""
        self._do("burst", topic=topic, qos=qos, count=count)

    def next(self) -> Heard:
        return self._heard.get(timeout=WITHIN)

    def close(self) -> None:
        self._closing.close()

    def _end(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.terminate()
        self._process.wait(WITHIN)
        self._listener.join()
        self._process.stdout.close()

    def _do(self, step: str, **arguments: Any) -> None:
        self._steps += 1
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"id": self._steps, "step": step, **arguments}).encode() + b"\n")
        self._process.stdin.flush()
        answer = self._said.get(timeout=WITHIN)
        assert answer == {"done": self._steps, "error": None}

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            event = json.loads(line)
            if "topic" in event:
                self._heard.put(_heard(event))
            elif "connected" in event and self.session_present is not None:
                self.reconnected.put(bool(event["connected"]))
            else:
                self._said.put(event)


def _heard(event: dict[str, Any]) -> Heard:
    correlation_data = event["correlation_data"]
    return Heard(
        event["topic"],
        base64.b64decode(event["payload"]),
        event["qos"],
        event["response_topic"],
        None if correlation_data is None else base64.b64decode(correlation_data),
        [(name, value) for name, value in event["user_properties"]],
    )
