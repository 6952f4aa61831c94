"""The clocks of a machine that a test and the daemon share: the system's, and what the test does to them."""

import mmap
import struct
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from bridge.model.clock import Reading, SystemTime

_CHANGES = struct.Struct("=qqq")


class SharedClock:
    """Milliseconds since the epoch; in the daemon a `bridge.model.clock.TimeSource`. A file, mapped by both processes,
    holds how much time the test has let pass, by how much it has set the wall clock, and how often the machine was
    booted."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._real = SystemTime()
        with file.open("a+b") as stream:
            stream.truncate(_CHANGES.size)
            self._memory = mmap.mmap(stream.fileno(), _CHANGES.size)

    def __call__(self) -> int:
        return self.wall()

    @property
    def boot(self) -> str:
        return f"boot {self._changes()[2]}"

    def wall(self) -> int:
        passed, wrong, _ = self._changes()
        return time.time_ns() // 1_000_000 + passed + wrong

    def elapsed(self) -> int:
        return self.read().elapsed

    def read(self) -> Reading:
        passed, wrong, _ = self._changes()
        real = self._real.read()
        return Reading(real.wall + passed + wrong, real.elapsed + passed)

    def advance(self, *, minutes: float = 0, seconds: float = 0) -> None:
        """Let time pass, in the daemon too."""
        passed, wrong, boots = self._changes()
        self._change(passed + int(minutes * 60_000 + seconds * 1000), wrong, boots)

    def set(self, *, days: float = 0, seconds: float = 0) -> None:
        """Set the wall clock forward, or back, from where it is. No time passes."""
        passed, wrong, boots = self._changes()
        self._change(passed, wrong + int(days * 86_400_000 + seconds * 1000), boots)

    def reboot(self, *, minutes: float = 0) -> None:
        """The machine is off for a while. To be called while no daemon runs."""
        self.advance(minutes=minutes)
        passed, wrong, boots = self._changes()
        self._change(passed, wrong, boots + 1)

    def reset(self) -> None:
        """The wall clock is right again."""
        passed, _, boots = self._changes()
        self._change(passed, 0, boots)

    def _changes(self) -> tuple[int, int, int]:
        passed, wrong, boots = _CHANGES.unpack(self._memory)
        return passed, wrong, boots

    def _change(self, *changes: int) -> None:
        self._memory[:] = _CHANGES.pack(*changes)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._memory.close()
