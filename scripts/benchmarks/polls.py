"""Long polls that wait: their memory, how soon all of them are answered, and how soon a lone one is."""

import asyncio
import contextlib
import json
import statistics
import time
from collections.abc import Iterator

from scripts.benchmarks import servers
from scripts.benchmarks.process import cpu_seconds, rss
from scripts.benchmarks.servers import BenchError, Server
from scripts.benchmarks.table import Verdict

FIRST = 100
"""Polls that come before counting, for what is allocated once."""
WAITING_BUDGET = 20 * 1024
ANSWERED_BUDGET = 1.0
WAKE_UP_BUDGET = 5.0
WAIT = "30s"
"""The longest that the daemon allows unless told otherwise."""
AT_ONCE = 100
"""Connections that are opened side by side."""
SETTLED = 0.5
"""Seconds without work after which the daemon has taken in what it was sent."""
CHANNEL = "bench"


class Poller:
    """One connection of an application that polls."""

    def __init__(self, server: Server, name: str) -> None:
        self._server = server
        self._path = f"/channel/{CHANNEL}/subscription/polling/{name}"
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter
        self.answered = 0.0

    async def open(self) -> None:
        host, _, port = self._server.http.rpartition(":")
        self._reader, self._writer = await asyncio.open_connection(host, int(port))
        await self._call("PUT", self._path)

    async def publish(self, number: int) -> None:
        await self._call("PUT", f"/channel/{CHANNEL}/message/{number}", b'"x"')

    def ask(self) -> None:
        """Begin to wait."""
        self._send("GET", f"{self._path}?timeout={WAIT}", b"")

    async def answer(self) -> None:
        """One message came; it is acknowledged."""
        handle = json.loads(await self._receive())["ackHandle"]
        self.answered = time.perf_counter()
        await self._call("DELETE", f"{self._path}/message?ackHandle={handle}")

    def close(self) -> None:
        self._writer.close()

    async def _call(self, method: str, path: str, body: bytes = b"") -> None:
        self._send(method, path, body)
        await self._receive()

    def _send(self, method: str, path: str, body: bytes) -> None:
        head = f"{method} {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {self._server.token}\r\n"
        self._writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)

    async def _receive(self) -> bytes:
        head = await self._reader.readuntil(b"\r\n\r\n")
        status, *lines = head.decode().lower().split("\r\n")
        if not status.split()[1].startswith("2"):
            raise BenchError(f"the daemon answered {status}")
        length = next((int(line.partition(":")[2]) for line in lines if line.startswith("content-length:")), 0)
        return await self._reader.readexactly(length)


def polls(verdict: Verdict, *, waiting: int, rounds: int) -> None:
    waiting = servers.most_devices(waiting)
    with _daemon() as server:
        memory, last = asyncio.run(_crowd(server, waiting))
    with _daemon() as server:
        times = asyncio.run(_lone(server, rounds))
    p95 = statistics.quantiles(times, n=20)[-1]
    verdict.at_most(f"bytes for each of {waiting:,} waiting polls", memory, budget=WAITING_BUDGET)
    verdict.at_most(f"seconds until the last of {waiting:,} polls is answered", last, budget=ANSWERED_BUDGET)
    wake_up = statistics.median(times)
    verdict.at_most("milliseconds from a publish to the answer of a waiting poll", wake_up, budget=WAKE_UP_BUDGET)
    verdict.note("the same, 95 of 100", p95)


@contextlib.contextmanager
def _daemon() -> Iterator[Server]:
    with servers.folder() as data_dir, servers.daemon(data_dir) as server:
        yield server


async def _crowd(server: Server, waiting: int) -> tuple[float, float]:
    """Bytes a poll, its connection and subscriber included, and seconds from one publish to the last answer."""
    publisher = Poller(server, "publisher")
    await publisher.open()
    first = await _opened(server, "first", FIRST)
    await _wake(server, publisher, first)
    before = rss(server.pid)
    others = await _opened(server, "other", waiting)
    memory, last = await _wake(server, publisher, others)
    for poller in (publisher, *first, *others):
        poller.close()
    return (memory - before) / waiting, last


async def _opened(server: Server, name: str, count: int) -> list[Poller]:
    pollers = [Poller(server, f"{name}-{number}") for number in range(count)]
    for start in range(0, count, AT_ONCE):
        await asyncio.gather(*(poller.open() for poller in pollers[start : start + AT_ONCE]))
    return pollers


async def _wake(server: Server, publisher: Poller, pollers: list[Poller]) -> tuple[int, float]:
    """What the daemon's memory is while all of them wait, and when the last one is answered."""
    for poller in pollers:
        poller.ask()
    await _settled(server)
    memory = rss(server.pid)
    answers = [asyncio.create_task(poller.answer()) for poller in pollers]
    started = time.perf_counter()
    await publisher.publish(len(pollers))
    await asyncio.gather(*answers)
    return memory, max(poller.answered for poller in pollers) - started


async def _lone(server: Server, rounds: int) -> list[float]:
    """Milliseconds."""
    poller, publisher = Poller(server, "one"), Poller(server, "publisher")
    await poller.open()
    await publisher.open()
    times = []
    for number in range(rounds):
        poller.ask()
        await asyncio.sleep(0.02)  # it has to wait when the message comes
        started = time.perf_counter()
        published = asyncio.ensure_future(publisher.publish(number))
        await poller.answer()
        await published
        times.append((poller.answered - started) * 1000)
    poller.close()
    publisher.close()
    return times


async def _settled(server: Server) -> None:
    """Until it has taken in what it was sent."""
    used = -1.0
    while used != (now := cpu_seconds(server.pid)):
        used = now
        await asyncio.sleep(SETTLED)
