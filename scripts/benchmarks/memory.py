"""What the daemon keeps in memory: for a device that is connected and idle, and for a message that waits (nothing)."""

import dataclasses

from scripts.benchmarks import servers
from scripts.benchmarks.fill import fill
from scripts.benchmarks.plan import POST, Plan
from scripts.benchmarks.process import rss
from scripts.benchmarks.servers import Server
from scripts.benchmarks.table import Verdict

FIRST = 100
"""Devices that come before counting, for what is allocated once."""
ABSENT = 200
IDLE_BUDGET = 8192
WAITING_BUDGET = 64
"""Bytes. Less is not told from what an allocator keeps."""


def memory(verdict: Verdict, *, devices: int, seconds: float) -> None:
    devices = servers.most_devices(devices)
    with servers.folder() as data_dir:
        fill(data_dir, known=devices)
        with servers.daemon(data_dir) as server:
            idle = _idle_device(server, devices)
    with servers.folder() as data_dir:
        fill(data_dir, known=ABSENT)
        with servers.daemon(data_dir) as server:
            waiting, count = _waiting_message(server, verdict, seconds)
    verdict.at_most(f"bytes for each of {devices:,} idle devices", idle, budget=IDLE_BUDGET)
    verdict.at_most(f"bytes for each of {count:,} waiting messages", waiting, budget=WAITING_BUDGET)


def _idle_device(server: Server, devices: int) -> float:
    with servers.held(server, FIRST):
        before = rss(server.pid)
    with servers.held(server, devices):
        return (rss(server.pid) - before) / devices


def _waiting_message(server: Server, verdict: Verdict, seconds: float) -> tuple[float, int]:
    plan = Plan(POST, http=server.http, token=server.token, expected="PENDING", devices=ABSENT, pid=server.pid)
    servers.run_load(dataclasses.replace(plan, seconds=seconds / 2))
    before = rss(server.pid)
    report = servers.run_load(dataclasses.replace(plan, seconds=seconds))
    if report.unexpected:
        verdict.problems([f"{report.unexpected} answers were not 201 with PENDING"])
    return (rss(server.pid) - before) / report.answered, report.answered
