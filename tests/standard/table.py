"""Prints each normative statement with where it is cited and what proves it; the command is `scripts/clauses`."""

import argparse
import ast
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.standard.names import named
from tests.standard.statement import Binds, Statement
from tests.standard.statements_v5 import STATEMENTS as V5
from tests.standard.statements_v311 import STATEMENTS as V311

ROOT = Path(__file__).parent.parent.parent
STATEMENTS = (*V5, *V311)
_VERSIONS = {"MQTT 5.0": slice(len(V5)), "MQTT 3.1.1": slice(len(V5), None)}
_CITED = re.compile(r"""[\["](MQTT3?-\d+\.\d+\.\d+-\d+)[\]"]""")
_MOST_SHOWN = 3

Places = dict[str, list[str]]
"""Statement → `file:line`, or names of tests."""


@dataclass(frozen=True)
class Row:
    statement: Statement
    lines: list[str]
    tests: list[str]

    @property
    def open(self) -> str:
        """What is missing; empty if nothing is."""
        if self.statement.binds is not Binds.SERVER:
            return ""
        missing = [name for name, found in (("no line", self.lines), ("no test", self.tests)) if not found]
        return " and ".join(missing)


def citations(folder: Path = ROOT / "bridge") -> Places:
    """Where the code cites a statement."""
    found: Places = defaultdict(list)
    for path in sorted(folder.rglob("*.py")):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            for statement in _CITED.findall(line):
                found[statement].append(f"{path.relative_to(ROOT)}:{number}")
    return found


def proofs(folder: Path = ROOT / "tests") -> Places:
    """Which tests prove a statement, by their name or by `@proves`."""
    found: Places = defaultdict(list)
    for path in sorted(folder.rglob("test_*.py")):
        text = path.read_text(encoding="utf-8")
        if "proves" not in text and "def test_mqtt" not in text:
            continue
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                for statement in set(_proven(node)):
                    found[statement].append(f"{path.relative_to(ROOT)}::{node.name}")
    return found


def _proven(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
    if name := named(function.name):
        yield name
    for decorator in function.decorator_list:
        if isinstance(decorator, ast.Call) and isinstance(decorator.func, ast.Name) and decorator.func.id == "proves":
            yield from (argument.value for argument in decorator.args if isinstance(argument, ast.Constant))  # type: ignore[misc]


def rows(cited: Places, proven: Places) -> list[Row]:
    """A line that cites a statement of 5 also implements the one of 3.1.1 that says the same."""
    return [
        Row(each, [*cited.get(each.number, []), *cited.get(each.same_as, [])], proven.get(each.number, []))
        for each in STATEMENTS
    ]


def unknown(cited: Places, proven: Places) -> list[str]:
    """Statements that are named somewhere and do not exist."""
    known = {each.number for each in STATEMENTS}
    places = {**cited, **proven}
    return [f"{number} in {places[number][0]}" for number in sorted(places.keys() - known)]


def faults(table: list[Row], strangers: list[str]) -> list[str]:
    """Why the table is not complete, one sentence each."""
    found = [f"there is no statement {stranger}" for stranger in strangers]
    return found + [f"{row.statement.number} has {row.open}: {row.statement.text}" for row in table if row.open]


def show(row: Row) -> str:
    statement = row.statement
    lines = [f"{statement.number:<14} {statement.binds.value:<12} {statement.text}"]
    lines += [f"    because {statement.reason}"] if statement.reason else []
    lines += [f"    line {line}" for line in _short(row.lines)]
    lines += [f"    test {test.rpartition('::')[2]}" for test in _short(row.tests)]
    lines += [f"    OPEN {row.open}"] if row.open else []
    return "\n".join(lines)


def _short(places: list[str]) -> list[str]:
    more = len(places) - _MOST_SHOWN
    return places if more <= 0 else [*places[:_MOST_SHOWN], f"and {more} more"]


def summary(table: list[Row]) -> str:
    counts: dict[str, int] = defaultdict(int)
    for row in table:
        counts[row.statement.binds.value] += 1
        if row.statement.binds is Binds.SERVER:
            counts["open" if row.open else "proven"] += 1
    of = f"{counts['proven']} proven, {counts['open']} open"
    return (
        f"{len(table)} statements: {counts['server']} oblige a server ({of}), {counts['client']} a client, "
        f"{counts['cannot apply']} cannot apply"
    )


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="scripts/clauses", description=__doc__)
    parser.add_argument("--faults", action="store_true", help="print only what is missing")
    options = parser.parse_args(arguments)
    cited, proven = citations(), proofs()
    table = rows(cited, proven)
    found = faults(table, unknown(cited, proven))
    lines = [] if options.faults else [show(row) for row in table]
    lines += [f"{name}: {summary(table[part])}" for name, part in _VERSIONS.items()]
    sys.stdout.write("\n".join([*lines, *found, ""]))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
