"""nginx as people put it in front of the daemon: `proxy_pass`, and nothing else said about it."""

import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PROGRAM = shutil.which("nginx")
WITHIN = 60.0
CONFIG = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_max_body_size 64m;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        {location}
    }}
}}
"""


@contextmanager
def nginx(folder: Path, location: str) -> Iterator[tuple[str, int]]:
    """A running nginx with one server; yields its address. `location`: the blocks in it."""
    assert PROGRAM is not None
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    config = folder / "nginx.conf"
    config.write_text(CONFIG.format(folder=folder, port=port, location=location), encoding="utf-8")
    process = subprocess.Popen([PROGRAM, "-c", str(config), "-p", str(folder)], stderr=subprocess.PIPE)
    try:
        _listening(process, port)
        yield "127.0.0.1", port
    finally:
        process.terminate()
        process.communicate()


def _listening(process: "subprocess.Popen[bytes]", port: int) -> None:
    """Ask until somebody listens: nginx does not say when it does."""
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), WITHIN).close()
        except ConnectionRefusedError:
            if process.poll() is not None:
                raise AssertionError(f"nginx did not start: {process.communicate()[1].decode()}") from None
        else:
            return
