"""How commands print: columns for people, JSON for programs."""

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import click


def moment(milliseconds: int) -> str:
    """A point in time, to the second, UTC."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def clean(text: str) -> str:
    """Text from elsewhere, without what could move the cursor of a terminal or break a line."""
    return "".join(char if char.isprintable() else json.dumps(char)[1:-1] for char in text)


def columns(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table whose columns are as wide as they need to be."""
    table = [tuple(head), *(tuple(clean(cell) for cell in row) for row in rows)]
    widths = [max(len(row[index]) for row in table) for index in range(len(head))]
    for row in table:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def fields(pairs: Mapping[str, str]) -> None:
    """Print one thing, a line a field."""
    width = max(map(len, pairs))
    for name, value in pairs.items():
        click.echo(f"{name.ljust(width)}  {clean(value)}")


def as_json(value: Any) -> None:
    click.echo(json.dumps(value, ensure_ascii=False, indent=2))


def hint(text: str) -> None:
    """A word to the person at the terminal; nothing when stdout goes to a program."""
    if sys.stdout.isatty():
        click.echo(text, err=True)
