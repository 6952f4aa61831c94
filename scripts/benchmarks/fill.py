"""Devices and messages written into the database of a daemon that does not run, and counted afterwards."""

import asyncio
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

from bridge.api.iotda.uuid7 import uuid7
from bridge.data_dir import DATABASE
from bridge.model.clock import system_clock
from bridge.model.device import DEFAULT_PROJECT
from bridge.model.message import AcknowledgedBy, Draft, Message, Outcome, Status
from bridge.store import Store
from scripts.benchmarks.plan import SECRET, content, device_name

TTL = 1440
AT_ONCE = 5000
COUNT = "SELECT status, count(*) FROM message GROUP BY status"


REGISTER = """
import pathlib, sys
from scripts.benchmarks.fill import fill
fill(pathlib.Path(sys.argv[1]), known=int(sys.argv[2]))
"""


def register(tree: Path, data_dir: Path, known: int) -> None:
    """Registers devices with the code of another source tree, whose daemon may not know what a newer one writes. Raises
    subprocess.CalledProcessError."""
    command = [sys.executable, "-c", REGISTER, str(data_dir), str(known)]
    subprocess.run(command, cwd=tree, env={**os.environ, "PYTHONPATH": str(tree)}, check=True)  # noqa: S603


def fill(data_dir: Path, *, known: int, delivered: int = 0, pending: int = 0, recipients: int = 0) -> None:
    """Registers `known` devices. Messages go in turn to the last `recipients` of them (0: to all)."""
    asyncio.run(
        _fill(data_dir / DATABASE, known, range(known - recipients if recipients else 0, known), delivered, pending)
    )


async def _fill(database: Path, known: int, recipients: range, delivered: int, pending: int) -> None:
    store = Store.open(database, clock=system_clock)
    keys = [store.add_device(DEFAULT_PROJECT, device_name(index), SECRET).key for index in range(known)]
    for index in range(delivered + pending):
        number, at = divmod(index, len(recipients))
        now = system_clock()
        message = Message(keys[recipients[at]], Draft(uuid7(), content(number + 1), TTL), now, now + TTL * 60_000)
        store.add(message, _stored)
        if index < delivered:
            store.finish(message.seq, Outcome(Status.DELIVERED, now, AcknowledgedBy.DEVICE), _stored)
        if index % AT_ONCE == 0:
            await store.flush()
    await store.close()


def _stored(result: object) -> None:
    if isinstance(result, Exception):
        raise result


def statuses(data_dir: Path) -> dict[str, int]:
    """How many messages are in which state."""
    connection = sqlite3.connect(f"file:{data_dir / DATABASE}?mode=ro", uri=True)
    found = dict(connection.execute(COUNT).fetchall())
    connection.close()
    return found
