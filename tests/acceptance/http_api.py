"""An application: the IoTDA dialect over `http.client`."""

import http.client
import json
from types import TracebackType
from typing import Any, NamedTuple, Self

TIMEOUT = 30.0
NDJSON = "application/x-ndjson"


class Answer(NamedTuple):
    status: int
    body: Any
    """What the JSON says, or a list of what each line of NDJSON says, or the text; None when there is none."""
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
        self._project = f"/v5/iot/{project}"
        self._prefix = f"{self._project}/devices"
        self.seen: set[tuple[str, str, int]] = set()
        """Method, target and status of every answer."""

    def call(
        self, method: str, path: str, body: bytes | None = None, *, media_type: str = "application/json", **fields: str
    ) -> Answer:
        """Underscores in the names of header fields become hyphens."""
        headers = {"X-Auth-Token": self._token, "Content-Type": media_type}
        headers |= {name.replace("_", "-"): value for name, value in fields.items()}
        response, text = self._exchange(method, path, body, headers)
        return Answer(response.status, _decoded(text, response.headers.get_content_type()), response.headers)

    def raw(self, method: str, path: str) -> bytes:
        """The body of an answer as it came: numbers are not read."""
        return self._exchange(method, path, None, {"X-Auth-Token": self._token})[1]

    def _exchange(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str]
    ) -> tuple[http.client.HTTPResponse, bytes]:
        try:
            self._connection.request(method, path, body, headers)
            response = self._connection.getresponse()
            self.seen.add((method, path, response.status))
            return response, response.read()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            raise

    def post(self, device_id: str, message: object, **fields: object) -> Answer:
        """CreateMessage."""
        body = json.dumps({"message": message, **fields}).encode()
        return self.call("POST", f"{self._prefix}/{device_id}/messages", body)

    def post_once(self, device_id: str, key: str, body: bytes) -> Answer:
        """CreateMessage with an idempotency key."""
        return self.call("POST", f"{self._prefix}/{device_id}/messages", body, Idempotency_Key=key)

    def find(self, query: str = "") -> Answer:
        """The messages of all devices."""
        return self.call("GET", f"{self._project}/messages{query}")

    def export(self, query: str = "") -> list[Any]:
        """The same as NDJSON."""
        answer = self.call("GET", f"{self._project}/messages/export{query}")
        assert answer.status == 200
        assert answer.headers["Content-Type"] == NDJSON
        found: list[Any] = answer.body
        return found

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


def _decoded(text: bytes, media_type: str) -> Any:
    if media_type == NDJSON:
        return [json.loads(line) for line in text.splitlines()]
    if media_type.startswith("text/"):
        return text.decode()
    return json.loads(text) if text else None
