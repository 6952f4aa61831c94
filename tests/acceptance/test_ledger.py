"""Whatever is killed, told stays told: see `tests.acceptance.ledger`."""

from contextlib import ExitStack
from typing import Any

import pytest

from tests.acceptance.conftest import NewDaemon
from tests.acceptance.ledger import rules
from tests.acceptance.ledger.site import SETTINGS, LedgerSite

KILLS = 4
MOST_KILLS = 15
"""Until a known fault shows; most show at the first."""


def faulty(fault: str) -> dict[str, Any]:
    return {"program": ("-m", "tests.acceptance.ledger.faulty_daemon", fault)}


@pytest.mark.parametrize("slow", [False, True], ids=["disk", "slow-disk"])
def test_told_stays_told(new_daemon: NewDaemon, closing: ExitStack, slow: bool) -> None:
    site = LedgerSite(new_daemon(SETTINGS, **(faulty("slow_disk") if slow else {})), closing)
    site.start()
    for _ in range(KILLS):
        site.kill()
    site.settle()
    assert rules.broken(site.book) == {}
    assert site.book.accepted() > 50
    assert len(site.book.exchanges) > 50


@pytest.mark.parametrize(
    ("fault", "settings", "rule"),
    [
        ("slow_disk", {"delivery.tell": "acknowledged"}, rules.what_has_ended_is_not_sent),
        ("sent_though_cancelled", {}, rules.what_has_ended_is_not_sent),
        ("newest_first", {}, rules.messages_of_a_device_come_in_order),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_known_fault_is_found(
    new_daemon: NewDaemon, closing: ExitStack, fault: str, settings: dict[str, Any], rule: rules.Rule
) -> None:
    """The control: a ledger that finds nothing here would prove nothing elsewhere."""
    site = LedgerSite(new_daemon({**SETTINGS, **settings}, **faulty(fault)), closing)
    site.start()
    for _ in range(MOST_KILLS):
        site.kill()
        if list(rule(site.book)):
            return
    pytest.fail(f"{MOST_KILLS} kills, and nothing was found")
