"""accept → PUBACK → DELIVERED: one POST each, every message committed durably, against a bare echo in the same run."""

import contextlib
from pathlib import Path

from scripts.benchmarks import servers
from scripts.benchmarks.contest import Contender, compete, posting, ratio
from scripts.benchmarks.fill import register
from scripts.benchmarks.plan import POST, Plan
from scripts.benchmarks.table import Verdict

DEVICES = 200
SENDERS = 128


def deliver(verdict: Verdict, trees: list[Path], *, rounds: int, seconds: float) -> None:
    """`trees`: source trees with the daemons to measure; the first one is judged."""
    with contextlib.ExitStack() as folders:
        with contextlib.ExitStack() as running:
            contenders = [_echo(running), *(_daemon(tree, folders, running) for tree in trees)]
            compete(contenders, rounds=rounds, seconds=seconds)
        for each in contenders:
            verdict.problems(each.problems())
    echo, ours, *others = contenders
    verdict.at_least("throughput, ours / echo", ratio(ours, echo, lambda r: r.rate), budget=0.6, required=0.4)
    verdict.at_most("CPU, ours / echo", ratio(ours, echo, lambda r: r.cpu), budget=1.6)
    for other in others:
        verdict.note(f"throughput, {other.name} / ours", ratio(other, ours, lambda r: r.rate))
        verdict.note(f"CPU, {other.name} / ours", ratio(other, ours, lambda r: r.cpu))


def _echo(running: contextlib.ExitStack) -> Contender:
    server = running.enter_context(servers.echo())
    plan = Plan(POST, http=server.http, expected="message", devices=DEVICES, senders=SENDERS, pid=server.pid)
    return Contender("echo", plan)


def _daemon(tree: Path, folders: contextlib.ExitStack, running: contextlib.ExitStack) -> Contender:
    data_dir = folders.enter_context(servers.folder())
    register(tree, data_dir, DEVICES)
    server = running.enter_context(servers.daemon(data_dir, tree))
    name = "device-bridge" if tree == servers.CHECKOUT else str(tree)
    return Contender(name, posting(server, devices=DEVICES, senders=SENDERS), data_dir)
