"""A page in Chromium, served by an origin of its own, that says what came of its script."""

import json
import queue
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

PROGRAM = shutil.which("chromium")
WITHIN = 120.0
OPTIONS = (
    "--headless",
    "--no-sandbox",  # tests may run as root
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PAGE = """<!doctype html>
<title>page</title>
<script type="module">
const run = async () => { SCRIPT };
const said = await run().catch(error => ({ error: `${error.name}: ${error.message}` }));
await fetch("/said", { method: "POST", body: JSON.stringify(said) });
</script>
"""


class Site:
    """An origin with one page. `run` may be called again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._page = b""
        self._said: queue.Queue[Any] = queue.Queue()
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer(site._page if self.path == "/" else b"")

            def do_POST(self) -> None:
                site._said.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self._answer(b"")

            def _answer(self, body: bytes) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.origin = f"http://127.0.0.1:{self.server.server_port}"

    def run(self, script: str) -> Any:
        """What `script`, the body of an async function, returns in a browser; {"error"} for what it throws."""
        assert PROGRAM is not None
        self._page = PAGE.replace("SCRIPT", script).encode()
        profile = self._folder / "profile"
        command = [PROGRAM, *OPTIONS, f"--user-data-dir={profile}", self.origin + "/"]
        with (self._folder / "chromium.log").open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            return self._said.get(timeout=WITHIN)
        finally:
            process.terminate()
            process.wait()


@contextmanager
def site(folder: Path) -> Iterator[Site]:
    own = Site(folder)
    thread = Thread(target=own.server.serve_forever)
    thread.start()
    try:
        yield own
    finally:
        own.server.shutdown()
        own.server.server_close()
        thread.join()
