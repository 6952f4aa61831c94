"""Figures as text."""

import math
import statistics
from collections.abc import Sequence

import click


def show(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table: the first column to the left, figures to the right."""
    lines = [header, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    for line in lines:
        first, *others = (
            cell.ljust(width) if not at else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        click.echo("  ".join((first, *others)).rstrip())


def spread(values: Sequence[float], form: str = "{:,.0f}") -> str:
    """Median and range."""
    low, middle, high = (form.format(value) for value in (min(values), statistics.median(values), max(values)))
    return f"{middle} ({low} to {high})" if len(values) > 1 else middle


def figure(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.2f}"


class Verdict:
    """Collects what was compared with a limit."""

    def __init__(self) -> None:
        self.failed = False

    def at_least(self, what: str, value: float, *, budget: float, required: float = -math.inf) -> None:
        missed = value < required
        limits = f"at least {budget:,g}" + (f", required {required:,g}" if required > -math.inf else "")
        self._say(what, value, limits, missed=missed, kept=value >= budget)

    def at_most(self, what: str, value: float, *, budget: float) -> None:
        self._say(what, value, f"at most {budget:,g}", missed=False, kept=value <= budget)

    def note(self, what: str, value: float) -> None:
        """A figure without a limit."""
        click.echo(f"{what}: {figure(value)}")

    def problems(self, found: Sequence[str]) -> None:
        """What must not be at all."""
        for problem in found:
            click.echo(f"WRONG: {problem}")
            self.failed = True

    def _say(self, what: str, value: float, limits: str, *, missed: bool, kept: bool) -> None:
        self.failed |= missed
        verdict = "MISSED" if missed else "kept" if kept else "not kept"
        click.echo(f"{what}: {figure(value)}  (budget {limits}: {verdict})")
