"""Which connections may keep their descriptor, and what is logged of the others."""

import asyncio
import logging
import resource
from collections.abc import Iterator

import pytest

from bridge import descriptors
from bridge.descriptors import Descriptors


@pytest.fixture
def limits() -> Iterator[tuple[int, int]]:
    """Those of this process, as they are again afterwards."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield before
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_the_limit_is_raised_to_what_the_system_allows(limits: tuple[int, int]) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (limits[1] - 1, limits[1]))
    assert descriptors.raise_limit() == limits[1]
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (limits[1], limits[1])


@pytest.mark.parametrize(("limit", "for_connections"), [(200, 150), (1024, 768), (2048, 1536), (131072, 130560)])
def test_the_last_ones_are_kept_back(limit: int, for_connections: int) -> None:
    found = Descriptors(limit)
    assert found.for_connections == for_connections
    assert found.admit(for_connections - 1)
    assert found.admit(-1)


async def test_refused_connections_are_one_line_and_then_a_count(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(descriptors, "_LINE_EVERY", 0)
    found = Descriptors(200)
    for _ in range(5):
        assert not found.admit(150)
    assert [record.message for record in caplog.records] == ["connections are refused: too many open files"]
    for _ in range(5):
        await asyncio.sleep(0)
    (_, record) = caplog.records
    assert (record.message, vars(record)["count"]) == ("connections were refused: too many open files", 4)
    assert not found.admit(199)  # the trouble comes back
    assert len(caplog.records) == 3
    found.stop()


def test_too_many_connections_in_the_configuration(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    descriptors.warn_unless_enough(Descriptors(200), 149)
    assert caplog.records == []
    descriptors.warn_unless_enough(Descriptors(200), 150)
    (record,) = caplog.records
    found = {name: vars(record)[name] for name in ("limit", "for_connections", "max_connections")}
    assert found == {"limit": 200, "for_connections": 150, "max_connections": 150}
