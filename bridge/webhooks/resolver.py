"""Names to addresses, away from the event loop and from everybody else who needs a thread."""

import asyncio
import ipaddress
import socket
import time
from concurrent.futures import ThreadPoolExecutor

THREADS = 16
"""Names looked up at once. One that nobody answers for holds a thread for as long as the system's resolver waits."""
KEPT_FOR = 5.0
"""Seconds."""


class Resolver:
    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS, "webhook-names")
        self._asked: dict[str, asyncio.Future[list[str]]] = {}
        self._known: dict[str, tuple[float, list[str]]] = {}

    async def addresses(self, host: str) -> list[str]:
        """In the order in which the system prefers them. Those who ask for one name at a time share the answer.

        Error: OSError, also when there is none."""
        try:
            return [str(ipaddress.ip_address(host))]
        except ValueError:
            pass
        until, known = self._known.get(host, (0.0, []))
        if time.monotonic() < until:
            return known
        asked = self._asked.get(host)
        if asked is None:
            loop = asyncio.get_running_loop()
            asked = self._asked[host] = loop.run_in_executor(self._threads, _look_up, host)
            asked.add_done_callback(lambda done: self._answered(host, done))
        return await asyncio.shield(asked)

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _answered(self, host: str, done: "asyncio.Future[list[str]]") -> None:
        del self._asked[host]
        now = time.monotonic()
        self._known = {name: known for name, known in self._known.items() if known[0] > now}
        if not done.cancelled() and done.exception() is None:
            self._known[host] = now + KEPT_FOR, done.result()


def _look_up(host: str) -> list[str]:
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]) for each in found))
