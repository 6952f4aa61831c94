"""An application: the IoTDA dialect over `http.client`."""

import http.client
import json
from types import TracebackType
from typing import Any, NamedTuple, Self

TIMEOUT = 30.0


class Answer(NamedTuple):
    status: int
    body: Any
    """What the JSON says; None when there is none."""
    headers: http.client.HTTPMessage

    @property
    def error(self) -> str:
        """The code of an error."""
        return str(self.body["error_code"])


class Api:
    """One connection, kept open; for one thread."""

    def __init__(self, address: tuple[str, int], token: str, project: str) -> None:
        self._connection = http.client.HTTPConnection(*address, timeout=TIMEOUT)
        self._token = token
        self._prefix = f"/v5/iot/{project}/devices"

    def call(self, method: str, path: str, body: bytes | None = None, **fields: str) -> Answer:
        """`fields`: more of the head."""
        headers = {"X-Auth-Token": self._token, "Content-Type": "application/json", **fields}
        try:
            self._connection.request(method, path, body, headers)
            response = self._connection.getresponse()
            text = response.read()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            raise
        return Answer(response.status, json.loads(text) if text else None, response.headers)

    def post(self, device_id: str, message: object, **fields: object) -> Answer:
        """CreateMessage."""
        body = json.dumps({"message": message, **fields}).encode()
        return self.call("POST", f"{self._prefix}/{device_id}/messages", body)

    def show(self, device_id: str, message_id: str) -> Answer:
        return self.call("GET", f"{self._prefix}/{device_id}/messages/{message_id}")

    def index(self, device_id: str, query: str = "") -> Answer:
        return self.call("GET", f"{self._prefix}/{device_id}/messages{query}")

    def delete(self, device_id: str, message_id: str) -> Answer:
        return self.call("DELETE", f"{self._prefix}/{device_id}/messages/{message_id}")

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
