"""The HTTP listener: uvicorn, without its signals, logging and process."""

import asyncio
import contextlib
import functools
import socket
from collections.abc import Callable, Generator
from typing import Any, cast

import uvicorn

from bridge import listening
from bridge.api.app import Api
from bridge.api.body import DISCARD
from bridge.api.cork import new_cork
from bridge.api.protocol import HttpProtocol, new_reading
from bridge.api.settings import HttpSettings

KEEP_ALIVE = 75
"""Seconds an idle connection is kept: longer than ordinary clients keep theirs, so that they close first."""


class HttpServer:
    """Serves one application on one address. Belongs to the running event loop; starts and stops once.

    `admits(descriptor)`: whether a new connection may keep its file descriptor; None: all may.
    """

    def __init__(self, app: Api, settings: HttpSettings, admits: Callable[[int], bool] | None = None) -> None:
        self._bind = settings.bind
        self._server = _Server(_config(app, settings, admits or (lambda _: True)))
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Listen on `settings.bind`. Returns when connections are accepted. Error: OSError that names the address."""
        listener = _listen(self._bind)
        self._address = cast("tuple[str, int]", listener.getsockname()[:2])
        self._task = asyncio.create_task(self._server.serve([listener]), name="http")
        await self._server.listening.wait()

    @property
    def address(self) -> tuple[str, int]:
        """(host, port) as bound, port 0 resolved. Only after `start`."""
        return self._address

    async def stop(self) -> None:
        """Accept no more, let running requests finish for up to `settings.shutdown_wait`, close. Idempotent."""
        if self._task is not None:
            self._server.leave.set()
            await asyncio.shield(self._task)


class _Server(uvicorn.Server):
    """uvicorn's server; signals belong to the daemon, and nothing is polled."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()
        self.leave = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        await self.on_tick(0)
        self.listening.set()

    async def main_loop(self) -> None:
        while not self.leave.is_set():
            await self.on_tick(0)  # renews the Date header
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.leave.wait(), 1.0)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for listener in sockets or []:
            listener.close()
        await asyncio.sleep(0)  # what was accepted just now becomes a connection
        if not self.server_state.connections and not self.server_state.tasks:
            return  # uvicorn would take 0.1 s to wait for nothing
        await super().shutdown(sockets)
        if self.server_state.tasks:  # those that did not finish in time and were cancelled: they still answer
            await asyncio.wait(self.server_state.tasks, timeout=1.0)
        for connection in list(self.server_state.connections):
            cast("HttpProtocol", connection).give_up()


def _config(app: Api, settings: HttpSettings, admits: Callable[[int], bool]) -> uvicorn.Config:
    protocol = functools.partial(
        HttpProtocol,
        max_discard=DISCARD * app.largest_body,
        max_body=settings.max_body,
        cork=new_cork(),
        reading=new_reading(),
        direct=app.direct,
        admits=admits,
        cors=app.cors,
    )
    return uvicorn.Config(
        cast("Any", app),
        loop="none",
        http=cast("type[asyncio.Protocol]", protocol),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        headers=[("cache-control", "no-store")],  # whatever is answered is true for now, and mostly for one caller
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=cast("int", settings.shutdown_wait),  # a float does as well
    )


def _listen(bind: str) -> socket.socket:
    """A listening socket on "HOST:PORT" or "[IPv6]:PORT"."""
    host, _, port = bind.rpartition(":")
    family = socket.AF_INET6 if host.startswith("[") else socket.AF_INET
    try:
        if not 0 <= int(port) <= 65_535:
            raise ValueError("the port must be 0 to 65535")
        return socket.create_server((host.strip("[]"), int(port)), family=family, backlog=2048)
    except OSError as error:
        raise listening.refusal("http.bind", bind, error) from error
    except ValueError as error:
        raise OSError(f"cannot listen on {bind}: {error}") from error
