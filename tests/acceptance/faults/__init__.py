"""Faults of the system below a daemon."""

import shutil
import subprocess
from pathlib import Path

import pytest

SOURCE = Path(__file__).with_name("log.c")


class FailingLog:
    """Syncs of the database's log that fail with EIO, and writes into it. Give `environment` to the daemon."""

    def __init__(self, folder: Path) -> None:
        """Compiles the fault. The test is skipped without a C compiler."""
        compiler = shutil.which("cc")
        if compiler is None:
            pytest.skip("needs a C compiler")
        library = folder / "log.so"
        subprocess.run([compiler, "-shared", "-fPIC", "-o", library, SOURCE, "-ldl"], check=True)
        self._control = folder / "failing_log"
        self.fail()
        self.environment = {"LD_PRELOAD": str(library), "FAILING_LOG": str(self._control)}

    def fail(self, *, syncs: int = 0, writes: int = 0) -> None:
        """So many syncs fail from now on, and after them so many writes."""
        self._control.write_text(f"{syncs:<8} {writes:<8}", encoding="ascii")

    @property
    def left(self) -> list[int]:
        """Syncs and writes that are still to fail."""
        return [int(number) for number in self._control.read_text(encoding="ascii").split()]
