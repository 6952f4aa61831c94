"""What the log says of a time when writes are refused."""

import pytest

from bridge.store.outage import QUIET, Outage


class Times:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def times() -> Times:
    return Times()


@pytest.fixture
def outage(times: Times) -> Outage:
    return Outage(times)


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    found = [record.message for record in caplog.records]
    caplog.clear()
    return found


REFUSES, AGAIN = "the store refuses writes", "the store takes writes again"


def test_an_outage_is_two_lines(outage: Outage, times: Times, caplog: pytest.LogCaptureFixture) -> None:
    changes: list[str | None] = []
    outage.changed = changes.append
    outage.end()
    for _ in range(100):
        outage.refuse(2, "full")
        outage.tell()
    times.now += 7
    outage.end()
    outage.end()
    assert changes == ["full", None]
    [begin, end] = caplog.records
    assert (begin.message, begin.__dict__["reason"]) == (REFUSES, "full")
    assert (end.message, end.__dict__["refused"], end.__dict__["seconds"]) == (AGAIN, 200, 7.0)


def test_outages_by_turns_are_one(outage: Outage, times: Times, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(10):
        outage.refuse(1, "full")
        assert outage.reason == "full"
        times.now += 1
        outage.end()
        assert outage.reason is None
    assert said(caplog) == [REFUSES, AGAIN]
    times.now += QUIET
    outage.refuse(1, "full")
    outage.end()
    assert caplog.records[-1].__dict__["refused"] == 10
    assert said(caplog) == [REFUSES, AGAIN]


def test_one_that_lasts_is_told_after_all(outage: Outage, times: Times, caplog: pytest.LogCaptureFixture) -> None:
    outage.refuse(1, "full")
    outage.end()
    outage.refuse(1, "full")
    outage.tell()
    assert said(caplog) == [REFUSES, AGAIN]
    times.now += QUIET
    outage.tell()
    outage.tell()
    assert said(caplog) == [REFUSES]


def test_the_last_one_has_no_line_of_its_own(outage: Outage, caplog: pytest.LogCaptureFixture) -> None:
    outage.last("the log is gone")
    assert outage.reason == "the log is gone"
    assert said(caplog) == []
