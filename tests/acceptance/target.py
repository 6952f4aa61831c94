"""An application that is pushed to, in another thread."""

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple, Self


class Pushed(NamedTuple):
    id: str
    timestamp: str
    signature: str
    body: bytes

    @property
    def event(self) -> Any:
        return json.loads(self.body)

    @property
    def device(self) -> str:
        return str(self.event["notify_data"]["header"]["device_id"])

    def verified(self, secret: str) -> bool:
        """As any receiver would do it."""
        key = base64.b64decode(secret.removeprefix("whsec_"))
        wanted = hmac.new(key, f"{self.id}.{self.timestamp}.".encode() + self.body, hashlib.sha256).digest()
        return f"v1,{base64.b64encode(wanted).decode()}" in self.signature.split(" ")


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_: object) -> None:
        """A connection that ends in the middle is what these tests are about."""


class Target:
    """`with Target() as target`; `stop` and `start` may be repeated, and what it has got stays."""

    def __init__(self, status: Callable[[Pushed], int] = lambda _: 204) -> None:
        self.status = status
        self.pushed: list[Pushed] = []
        self._port = 0
        self._server: _Server | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/hook"

    def start(self) -> None:
        target = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                body = self.rfile.read(length)
                name, at, signature = (self.headers[f"webhook-{each}"] for each in ("id", "timestamp", "signature"))
                pushed = Pushed(name, at, signature, body)
                status = target.status(pushed)
                if target._server is None or len(body) < length:  # one of both was killed: nobody has got this
                    self.close_connection = True
                    return
                target.pushed.append(pushed)
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = _Server(("127.0.0.1", self._port), Handler)
        self._port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
