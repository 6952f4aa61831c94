"""An HTTP server that remembers requests and gives prepared answers."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import TracebackType
from typing import Any, NamedTuple, Self


class Request(NamedTuple):
    method: str
    path: str
    token: str | None
    text: str
    idempotency_key: str | None = None

    @property
    def body(self) -> Any:
        return json.loads(self.text)


class ApiServer:
    """`answers` are used up in order; the last one is repeated."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.answers: list[tuple[int, str]] = []
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def _answer(self) -> None:
                text = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
                token, key = self.headers["X-Auth-Token"], self.headers["Idempotency-Key"]
                owner.requests.append(Request(self.command, self.path, token, text, key))
                status, answer = owner.answers.pop(0) if len(owner.answers) > 1 else owner.answers[0]
                self.send_response(status)
                self.end_headers()
                self.wfile.write(answer.encode())

            do_GET = do_POST = _answer

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._server.server_port}"

    def answer(self, *documents: Any, status: int = 200) -> None:
        """Answer with these documents; text goes out as it is."""
        self.answers = [
            (status, document if isinstance(document, str) else json.dumps(document)) for document in documents
        ]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
