"""A daemon as an application asks it, in the dialects in which applications hear back."""

import http.client
import itertools
import json
from contextlib import closing
from typing import Any, NamedTuple

from tests.acceptance.daemon import Daemon

CHANNEL = "/channel/news"
APP = f"{CHANNEL}/subscription/polling/app"
INBOX = "/api/v1/messages"
CONFIRM = "/v1/default/service/messages"
DATA_ARTS = {"workspace": "w", "Dlm-Type": "SHARED"}
_numbers = itertools.count(1)


class Answer(NamedTuple):
    status: int
    headers: http.client.HTTPMessage
    content: bytes

    @property
    def body(self) -> Any:
        return json.loads(self.content)

    @property
    def error(self) -> tuple[int, Any, Any]:
        """DSPS."""
        return self.status, self.body["error"], self.body.get("code")


class Caller:
    def __init__(self, daemon: Daemon) -> None:
        self.daemon = daemon
        self.seen: set[tuple[str, str, int]] = set()
        """Method, target and status of every answer."""

    def __call__(
        self,
        method: str,
        path: str,
        body: bytes | object | None = None,
        token: str | None = "",
        **fields: str,
    ) -> Answer:
        """`token`: None for none, empty for the admin's. `fields`: of the header, with _ for -."""
        connection = http.client.HTTPConnection(*self.daemon.http, timeout=60)
        head = {name.replace("_", "-"): value for name, value in fields.items()}
        if token is not None:
            head["Authorization"] = f"Bearer {token or self.daemon.token}"
        if body is not None:
            head.setdefault("Content-Type", "application/json")
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        with closing(connection):
            connection.request(method, path, data, head)
            response = connection.getresponse()
            self.seen.add((method, path, response.status))
            return Answer(response.status, response.headers, response.read())

    def publish(self, content: bytes = b"1", channel: str = CHANNEL, query: str = "") -> str:
        """Under a new id, which is returned."""
        message_id = f"n-{next(_numbers)}"
        assert self("PUT", f"{channel}/message/{message_id}{query}", content).status == 200
        return message_id


def posted(ask: Caller, text: str = "the filter is full", **fields: object) -> dict[str, Any]:
    answer = ask("POST", INBOX, {"id": "pump", "importance": "important", "text": text, **fields})
    assert answer.status == 200
    return dict(answer.body)


def confirm(ask: Caller, **fields: object) -> Answer:
    return ask("POST", CONFIRM, fields, **DATA_ARTS)
