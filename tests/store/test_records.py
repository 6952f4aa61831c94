"""Devices are searched by what is said about them, newest first, in pages."""

from typing import Any

import pytest

from bridge.model.record import Enrolment, Found, Profile, Search
from bridge.store import Store
from tests.store.clock import HandClock


def ids(found: Found) -> list[str]:
    return [record.device.device_id for record in found.records]


@pytest.fixture
def filled(store: Store, clock: HandClock) -> Store:
    """d0 is a gateway; d1 to d3 are behind it, and d4 is behind d1. One second lies between two registrations."""
    gateways = [None, "d0", "d0", "d0", "d1"]
    for number, gateway_id in enumerate(gateways):
        parity = "even" if number % 2 == 0 else "odd"
        profile = Profile(f"n{number}", product_id=parity, name=f"name {number}", app_id=f"app-{parity}")
        store.enrol("home", Enrolment(f"d{number}", profile, secret="12345678", gateway_id=gateway_id))
        clock.now += 1000
    store.enrol("work", Enrolment("d0", Profile("n0", product_id="even"), secret="12345678"))
    return store


START = 1_700_000_000_000


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, ["d4", "d3", "d2", "d1", "d0"]),
        ({"product_id": "odd"}, ["d3", "d1"]),
        ({"app_id": "app-even"}, ["d4", "d2", "d0"]),
        ({"node_id": "n2"}, ["d2"]),
        ({"name": "name 3"}, ["d3"]),
        ({"name": "name%"}, []),
        ({"name": "' OR 1 = 1 --"}, []),
        ({"gateway_id": "d0"}, ["d3", "d2", "d1"]),
        ({"gateway_id": "d0", "cascade": True}, ["d4", "d3", "d2", "d1"]),
        ({"gateway_id": "d1", "cascade": True}, ["d4"]),
        ({"gateway_id": "d4"}, []),
        ({"gateway_id": "d0", "product_id": "odd"}, ["d3", "d1"]),
        ({"gateway_id": "d0", "cascade": True, "product_id": "even"}, ["d4", "d2"]),
        ({"since": START + 3000}, ["d4", "d3"]),
        ({"until": START + 1000}, ["d1", "d0"]),
        ({"since": START + 1000, "until": START + 2000}, ["d2", "d1"]),
        ({"since": START + 9000}, []),
    ],
)
async def test_every_filter(filled: Store, asked: dict[str, Any], found: list[str]) -> None:
    answer = filled.find("home", Search(10, **asked))
    assert ids(answer) == found
    assert answer.count == len(found)


async def test_pages(filled: Store) -> None:
    first = filled.find("home", Search(2))
    assert (ids(first), first.count) == (["d4", "d3"], 5)
    second = filled.find("home", Search(2, before=first.records[-1].device.key))
    assert (ids(second), second.count) == (["d2", "d1"], 5)
    assert ids(filled.find("home", Search(2, offset=3))) == ["d1", "d0"]
    assert ids(filled.find("home", Search(2, before=first.records[-1].device.key, offset=2))) == ["d0"]
    assert ids(filled.find("home", Search(2, offset=5))) == []


@pytest.mark.parametrize(("before", "count"), [(16**24 - 1, 5), (2**63, 5), (0, 0), (1, 0)])
async def test_a_page_may_begin_anywhere(filled: Store, before: int, count: int) -> None:
    assert len(filled.find("home", Search(10, before=before)).records) == count


async def test_a_project_sees_its_own(filled: Store) -> None:
    assert ids(filled.find("work", Search(10))) == ["d0"]
    assert filled.find("work", Search(10, gateway_id="d0", cascade=True)).count == 0
    assert filled.find("nowhere", Search(10)) == Found([], 0)


async def test_a_search_uses_the_project(filled: Store) -> None:
    """Whatever is asked for, other projects' devices are not looked at."""
    statements: list[str] = []
    filled._connection.set_trace_callback(statements.append)
    filled.find("home", Search(10, product_id="odd", gateway_id="d0", cascade=True, since=0))
    filled._connection.set_trace_callback(None)
    for statement in statements:
        plan = filled._connection.execute(f"EXPLAIN QUERY PLAN {statement}").fetchall()
        assert not any("SCAN" in row[3] for row in plan), plan
