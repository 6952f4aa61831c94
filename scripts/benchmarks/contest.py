"""Servers under the same load, in turns, so that whatever else the machine does hits all of them."""

import dataclasses
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path

from scripts.benchmarks.fill import statuses
from scripts.benchmarks.plan import POST, Plan, Report
from scripts.benchmarks.servers import Server, run_load
from scripts.benchmarks.table import show, spread

HEADER = ("", "messages/s", "CPU µs a message", "load generator µs", "others, % of machine")
Figure = Callable[[Report], float]


@dataclasses.dataclass
class Contender:
    name: str
    plan: Plan
    data_dir: Path | None = None
    """None: it stores nothing."""
    already: int = 0
    """DELIVERED messages its database had before."""
    reports: list[Report] = dataclasses.field(default_factory=list)

    def problems(self) -> list[str]:
        """Once its server has stopped."""
        unexpected = sum(report.unexpected for report in self.reports)
        found = [f"{unexpected} answers were not 201 with {self.plan.expected}"] if unexpected else []
        found += [problem for report in self.reports for problem in report.problems]
        if self.data_dir is not None:
            delivered = statuses(self.data_dir).get("DELIVERED", 0) - self.already
            answered = sum(report.answered for report in self.reports)
            if delivered != answered:
                found.append(f"{answered} answers, but {delivered} messages are DELIVERED in the database")
        return [f"{self.name}: {problem}" for problem in found]


def posting(server: Server, *, devices: int, senders: int, subscribe: bool = False) -> Plan:
    """Messages through the daemon to its devices."""
    return Plan(
        POST,
        http=server.http,
        mqtt=server.mqtt,
        token=server.token,
        pid=server.pid,
        devices=devices,
        senders=senders,
        subscribe=subscribe,
    )


def compete(contenders: Sequence[Contender], *, rounds: int, seconds: float) -> None:
    for _ in range(rounds):
        for each in contenders:
            each.reports.append(run_load(dataclasses.replace(each.plan, seconds=seconds)))
    show(HEADER, [_row(each) for each in contenders])


def _row(contender: Contender) -> tuple[str, ...]:
    figures: tuple[Figure, ...] = (lambda r: r.rate, lambda r: r.cpu, lambda r: r.load, lambda r: r.others)
    return contender.name, *(spread([figure(report) for report in contender.reports]) for figure in figures)


def ratio(one: Contender, other: Contender, figure: Figure) -> float:
    """The median of the rounds' own ratios."""
    pairs = zip(one.reports, other.reports, strict=True)
    return statistics.median(figure(mine) / figure(yours) for mine, yours in pairs)
