"""A clock that a test and the daemon share: the system's, and what the test adds to it."""

import mmap
import struct
import time
from pathlib import Path
from types import TracebackType
from typing import Self

_OFFSET = struct.Struct("=q")


class SharedClock:
    """Milliseconds since the epoch. Eight bytes of a file, mapped by both processes, hold what is added."""

    def __init__(self, file: Path) -> None:
        self.file = file
        with file.open("a+b") as stream:
            stream.truncate(_OFFSET.size)
            self._memory = mmap.mmap(stream.fileno(), _OFFSET.size)

    def __call__(self) -> int:
        added: int = _OFFSET.unpack(self._memory)[0]
        return time.time_ns() // 1_000_000 + added

    def advance(self, *, minutes: float = 0, seconds: float = 0) -> None:
        """Let time pass, in the daemon too."""
        (added,) = _OFFSET.unpack(self._memory)
        self._memory[:] = _OFFSET.pack(added + int(minutes * 60_000 + seconds * 1000))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._memory.close()
