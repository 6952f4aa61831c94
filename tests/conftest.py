"""What holds for every test, and which of them `scripts/test --quick` leaves out.

A quick run is `pytest -m "not slow"`. Slow are the folders of `SLOW`, except for their files called test_smoke.py, and
whatever is marked `@pytest.mark.slow`: a test that takes more than half a second, or starts a process.
"""

import os
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

TESTS = Path(__file__).parent
SLOW = ("acceptance", "standard")
SMOKE = "test_smoke.py"
QUICK = "not slow"
QUICK_EXAMPLES = 15

# Where Python may not write bytecode, every test file and every module of each daemon would be compiled at each start.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# How fast the machine is, and what else it does, is nothing that a test is about.
settings.register_profile("any-machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("quick", settings.get_profile("any-machine"), max_examples=QUICK_EXAMPLES)
settings.load_profile("any-machine")


def is_slow(path: Path) -> bool:
    """For all tests of a file."""
    folder = path.relative_to(TESTS).parts[0]
    return folder in SLOW and path.name != SMOKE


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """A quick run does not even import what it leaves out."""
    quick = config.getoption("markexpr") == QUICK
    return True if quick and collection_path.is_file() and is_slow(collection_path) else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if is_slow(item.path):
            item.add_marker("slow")
