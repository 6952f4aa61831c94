"""Working off a stored backlog when its devices come back: one device with all of it, or many with a share each."""

import statistics

from bridge.data_dir import DATABASE
from scripts.benchmarks import servers
from scripts.benchmarks.fill import fill, statuses
from scripts.benchmarks.plan import COLLECT, Plan, Report
from scripts.benchmarks.table import Verdict, show, spread

MANY = 200
BUDGET = 20_000
HEADER = ("", "received/s", "final in the database/s", "CPU µs a message", "others, % of machine")


def drain(verdict: Verdict, *, messages: int, rounds: int) -> None:
    reports = {
        devices: [_drained(verdict, devices, messages // devices) for _ in range(rounds)] for devices in (1, MANY)
    }
    show(HEADER, [_row(devices, found) for devices, found in reports.items()])
    for devices, found in reports.items():
        rate = statistics.median(report.count / report.settled for report in found)
        verdict.at_least(f"messages/s to {devices} reconnecting", rate, budget=BUDGET)


def _row(devices: int, found: list[Report]) -> tuple[str, ...]:
    return (
        f"{found[0].count:,} messages for {devices}",
        spread([report.rate for report in found]),
        spread([report.count / report.settled for report in found]),
        spread([report.cpu for report in found]),
        spread([report.others for report in found]),
    )


def _drained(verdict: Verdict, devices: int, share: int) -> Report:
    with servers.folder() as data_dir:
        fill(data_dir, known=devices, pending=devices * share)
        with servers.daemon(data_dir) as server:
            database = str(data_dir / DATABASE)
            plan = Plan(COLLECT, mqtt=server.mqtt, devices=devices, messages=share, pid=server.pid, database=database)
            report = servers.run_load(plan)
        verdict.problems(report.problems)
        if statuses(data_dir) != {"DELIVERED": devices * share}:
            verdict.problems([f"in the database: {statuses(data_dir)}"])
    return report
