"""The HTTP API as the commands use it, with nothing but the standard library."""

import contextlib
import http.client
import json
import urllib.parse
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

from bridge import private_files
from bridge.cli.errors import Failed
from bridge.data_dir import ADDRESSES, ADMIN_TOKEN
from bridge.values import reachable

Query: TypeAlias = Mapping[str, str | None]
TIMEOUT = 90.0
"""Seconds; longer than a POST may wait for an acknowledgement."""


class ApiClient:
    """Device messages (IoTDA v5) of one project."""

    def __init__(self, url: str, token: str, project: str) -> None:
        """`url`: `http://HOST:PORT`, `https://…`, or just `HOST:PORT`."""
        parts = urllib.parse.urlsplit(url if "://" in url else f"http://{url}")
        if parts.scheme not in ("http", "https") or not parts.hostname or not _has_port(parts):
            raise Failed(f"--http: {url!r} is not HOST:PORT and not an http or https URL")
        self._url = f"{parts.scheme}://{parts.netloc}"
        self._netloc = parts.netloc
        self._secure = parts.scheme == "https"
        self._prefix = f"{parts.path.rstrip('/')}/v5/iot/{project}"
        self._token = token

    def send(
        self, device_id: str, message: str, fields: dict[str, Any], idempotency_key: str | None = None
    ) -> dict[str, Any]:
        """`message` is JSON text and goes out as it is: parsing it would change numbers."""
        return _parsed(
            self._call("POST", f"/devices/{device_id}/messages", _body(message, fields), _head(idempotency_key))
        )

    def ask(self, device_id: str, message: str, fields: dict[str, Any], timeout: int) -> dict[str, Any]:
        """`send`, and wait up to `timeout` seconds for the reply: without one the answer has no `reply`."""
        path = f"/devices/{device_id}/messages?wait=reply&timeout={timeout}"
        status, text = self._exchange("POST", path, _body(message, fields), patience=timeout + TIMEOUT)
        if status == http.client.GATEWAY_TIMEOUT and "result" in (answer := _parsed(text)):
            return answer
        return _parsed(_accepted(status, text))

    def message(self, device_id: str, message_id: str) -> dict[str, Any]:
        return _parsed(self.message_text(device_id, message_id))

    def message_text(self, device_id: str, message_id: str) -> str:
        """The record as the daemon writes it."""
        return self._call("GET", f"/devices/{device_id}/messages/{message_id}")

    def messages(self, device_id: str | None, limit: int, query: Query) -> list[dict[str, Any]]:
        """Of one device, or of all: then from as many pages as it takes."""
        found: list[dict[str, Any]] = []
        cursor = None
        while len(found) < limit:
            page = _parsed(self.messages_text(device_id, limit - len(found), {**query, "cursor": cursor}))
            found += page["messages"]
            cursor = page.get("cursor")
            if cursor is None:
                break
        return found

    def messages_text(self, device_id: str | None, limit: int, query: Query) -> str:
        """The list, or its first page, as the daemon writes it. `query`: status, from, to, cursor."""
        names = {} if device_id is None else {"from": "start_time", "to": "end_time"}
        given = {names.get(name, name): value for name, value in query.items() if value is not None}
        place = "" if device_id is None else f"/devices/{device_id}"
        return self._call("GET", f"{place}/messages?{urllib.parse.urlencode({**given, 'limit': limit})}")

    def _call(self, method: str, path: str, body: bytes | None = None, head: Mapping[str, str] | None = None) -> str:
        return _accepted(*self._exchange(method, path, body, head))

    def _exchange(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        head: Mapping[str, str] | None = None,
        patience: float | None = None,
    ) -> tuple[int, bytes]:
        patience = TIMEOUT if patience is None else patience
        headers = {"X-Auth-Token": self._token, "Content-Type": "application/json", **(head or {})}
        connect = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
        try:
            with contextlib.closing(connect(self._netloc, timeout=patience)) as connection:
                connection.request(method, self._prefix + path, body, headers)
                response = connection.getresponse()
                return response.status, response.read()
        except TimeoutError:
            raise Failed(f"the daemon at {self._url} did not answer within {patience:g} s") from None
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise Failed(f"the daemon at {self._url} cannot be reached: {_reason(error)}") from None


def _has_port(parts: urllib.parse.SplitResult) -> bool:
    """Whether the port, if there is one, is a port."""
    try:
        return parts.port is None or parts.port > 0
    except ValueError:
        return False


def _body(message: str, fields: dict[str, Any]) -> bytes:
    rest = json.dumps(fields)[1:]
    return f'{{"message": {message}{", " if fields else ""}{rest}'.encode()


def _head(idempotency_key: str | None) -> dict[str, str]:
    return {} if idempotency_key is None else {"Idempotency-Key": idempotency_key}


def _accepted(status: int, text: bytes) -> str:
    if status >= http.client.BAD_REQUEST:
        raise _refusal(status, text)
    return text.decode("utf-8", "replace")


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _refusal(status: int, text: bytes) -> Failed:
    """The daemon's own words, when it is the daemon that answers."""
    try:
        document = _parsed(text)
        return Failed(f"{document['error_msg']} ({document['error_code']})")
    except (Failed, KeyError):
        return Failed(f"unexpected answer, HTTP {status}: is this device-bridge?")


def _parsed(text: str | bytes) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise Failed("unexpected answer, not a JSON object: is this device-bridge?")
    return document


def address(data_dir: Path, name: str, default: str) -> str:
    """Where a running daemon listens (`name`: http or mqtt), from the file it leaves in its data folder."""
    try:
        return reachable(json.loads((data_dir / ADDRESSES).read_text(encoding="utf-8"))[name])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return default


def token(data_dir: Path, given: str | None) -> str:
    """The given token, or the one the daemon made for its own machine."""
    if given:
        return given
    try:
        return (data_dir / ADMIN_TOKEN).read_text(encoding="ascii").strip()
    except PermissionError:
        raise Failed(f"no --token, and {private_files.obstacle(data_dir / ADMIN_TOKEN)}") from None
    except (OSError, ValueError):
        raise Failed(
            f"no token: give --token or DEVICE_BRIDGE_TOKEN, or the daemon's folder ({data_dir} has no {ADMIN_TOKEN})"
        ) from None


def opened(http: str | None, given_token: str | None, data_dir: Path, project: str) -> ApiClient:
    """The client that the options of a command describe."""
    url = http or address(data_dir, "http", "127.0.0.1:8080")
    return ApiClient(url, token(data_dir, given_token), project)


def error_text(record: dict[str, Any]) -> str:
    """Why a message is FAILED, as the rest of a line; empty when it is not."""
    error = record.get("error_info")
    return f": {error.get('error_msg', '')} ({error.get('error_code', '')})" if error else ""
