"""What the operating system says about a process and those it started, and about all together."""

import os
from collections.abc import Iterator
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


def cpu_seconds(pid: int) -> float:
    """User and system time of all threads so far, in steps of a clock tick (10 ms)."""
    return sum(_ticks(each) for each in _family(pid)) / _TICK


def busy_seconds() -> float:
    """CPU time of the whole machine so far, what a hypervisor took included."""
    user, nice, system, _idle, _waiting, *interrupts = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
    return sum(map(int, (user, nice, system, *interrupts))) / _TICK


def rss(pid: int) -> int:
    """Bytes of memory that are in use."""
    return sum(int(Path(f"/proc/{each}/statm").read_text().split()[1]) for each in _family(pid)) * _PAGE


def _ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def _family(pid: int) -> Iterator[int]:
    yield pid
    for thread in Path(f"/proc/{pid}/task").iterdir():
        for child in (thread / "children").read_text().split():
            yield from _family(int(child))
