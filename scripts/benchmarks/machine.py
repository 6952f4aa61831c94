"""What this runs on: a figure without it says little."""

import os
import platform
import sqlite3
import statistics
import time
from importlib.metadata import version
from pathlib import Path

from scripts.benchmarks.servers import SCRATCH, folder

SYNCS = 200


def machine() -> str:
    packages = ", ".join(f"{name} {version(name)}" for name in ("uvicorn", "starlette", "uvloop", "httptools"))
    return "\n".join(
        (
            f"{_processor()}, {os.cpu_count()} cores, Linux {platform.release()}",
            f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {packages}",
            f"fsync in {SCRATCH}: median {_sync_latency() * 1000:.2f} ms; load average {os.getloadavg()[0]:.1f}",
        )
    )


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _sync_latency() -> float:
    """Seconds to append a page to a file and have it on the disk."""
    times = []
    with folder() as path, (path / "sync").open("wb", buffering=0) as file:
        for _ in range(SYNCS):
            file.write(bytes(4096))
            start = time.perf_counter()
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - start)
    return statistics.median(times)
