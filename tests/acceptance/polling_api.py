"""An application that polls: the DSPS dialect over `http.client`."""

import http.client
import json
from types import TracebackType
from typing import Any, NamedTuple, Self

from tests.acceptance.daemon import Daemon
from tests.acceptance.http_api import TIMEOUT


class Answer(NamedTuple):
    status: int
    raw: bytes

    @property
    def body(self) -> Any:
        return json.loads(self.raw)

    @property
    def ids(self) -> list[str]:
        return [message["messageID"] for message in self.body["messages"]]


class Subscriber:
    """One subscriber of one channel, with a connection of its own; for one thread."""

    def __init__(self, daemon: Daemon, channel: str, name: str = "app", token: str | None = None) -> None:
        self._daemon = daemon
        self._token = daemon.token if token is None else token
        self._connection = http.client.HTTPConnection(*daemon.http, timeout=TIMEOUT)
        self.channel = f"/channel/{channel}"
        self.path = f"{self.channel}/subscription/polling/{name}"

    def call(self, method: str, path: str, body: bytes | None = None) -> Answer:
        self._connection.request(method, path, body, {"Authorization": f"Bearer {self._token}"})
        response = self._connection.getresponse()
        return Answer(response.status, response.read())

    def subscribe(self) -> None:
        assert self.call("PUT", self.path).status == 200

    def poll(self, query: str = "") -> Answer:
        return self.call("GET", f"{self.path}?{query}")

    def acknowledge(self, handle: str) -> Answer:
        return self.call("DELETE", f"{self.path}/message?ackHandle={handle}")

    def publish(self, message_id: str, content: bytes = b"1") -> Answer:
        return self.call("PUT", f"{self.channel}/message/{message_id}", content)

    def daemon_restarted(self) -> None:
        self._connection.close()
        self._connection = http.client.HTTPConnection(*self._daemon.http, timeout=TIMEOUT)

    def stream(self, last: str = "") -> "Stream":
        return Stream(self._daemon, self.path, self._token, last)

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class Stream:
    """An open event stream."""

    def __init__(self, daemon: Daemon, path: str, token: str, last: str) -> None:
        self._connection = http.client.HTTPConnection(*daemon.http, timeout=TIMEOUT)
        headers = {"Authorization": f"Bearer {token}", **({"Last-Event-ID": last} if last else {})}
        self._connection.request("GET", path + "/stream", headers=headers)
        self._response = self._connection.getresponse()
        assert self._response.status == 200

    def next(self) -> tuple[str, Any]:
        """(id, data) of the next event."""
        event = self.next_or_end()
        assert event is not None, "the stream has ended"
        return event

    def next_or_end(self) -> tuple[str, Any] | None:
        last = ""
        while line := self._response.readline().rstrip(b"\n"):
            if line.startswith(b"id: "):
                last = line.removeprefix(b"id: ").decode()
            elif line.startswith(b"data: "):
                return last, json.loads(line.removeprefix(b"data: "))
            elif line == b":":
                self._response.readline()
        return None if self._response.isclosed() else self.next_or_end()

    def close(self) -> None:
        self._response.close()
        self._connection.close()
