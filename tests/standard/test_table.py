"""The table of normative statements has no open row."""

from collections import defaultdict

import pytest

from tests.standard import table
from tests.standard.statement import Binds, server
from tests.standard.statements_v5 import STATEMENTS as V5
from tests.standard.statements_v311 import STATEMENTS as V311
from tests.standard.table import STATEMENTS, Row


def test_every_statement_that_obliges_a_server_has_a_line_and_a_test(capsys: pytest.CaptureFixture[str]) -> None:
    complete = table.main(["--faults"]) == 0
    assert complete, capsys.readouterr().out


def test_the_lists_are_complete() -> None:
    """Numbers run on; the standard itself has no MQTT-2.2.1-1."""
    assert (len(V5), len(V311)) == (251, 141)
    parts = defaultdict(set)
    for statement in STATEMENTS:
        part, _, number = statement.number.rpartition("-")
        parts[part].add(int(number))
    for part, numbers in parts.items():
        assert numbers == set(range(2 if part == "MQTT-2.2.1" else 1, max(numbers) + 1)), part
    assert len({statement.number for statement in STATEMENTS}) == len(STATEMENTS)


def test_what_says_the_same_exists_in_version_5() -> None:
    known = {statement.number for statement in V5}
    assert {statement.same_as for statement in V311 if statement.same_as} <= known


def test_what_cannot_apply_says_why() -> None:
    assert all((statement.binds is Binds.NOBODY) == bool(statement.reason) for statement in STATEMENTS)


def test_what_is_missing_is_a_fault() -> None:
    number = "MQTT-1.5.4-1"
    complete = Row(server(number, "x"), ["bridge/a.py:1"], ["test_a"])
    assert table.faults([complete], []) == []
    for lines, tests, missing in (([], ["t"], "no line"), (["l"], [], "no test"), ([], [], "no line and no test")):
        row = Row(server(number, "x"), lines, tests)
        assert table.faults([row], []) == [f"{number} has {missing}: x"]
    assert table.faults([complete], ["MQTT-9.9.9-9 in a.py"])


def test_the_table_shows_every_statement(capsys: pytest.CaptureFixture[str]) -> None:
    table.main([])
    printed = capsys.readouterr().out
    assert all(f"{statement.number} " in printed for statement in STATEMENTS)
