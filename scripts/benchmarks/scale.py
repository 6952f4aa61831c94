"""What one message costs when there is much of everything else: connected devices, stored messages."""

import contextlib

import click

from scripts.benchmarks import servers
from scripts.benchmarks.contest import Contender, compete, posting, ratio
from scripts.benchmarks.fill import fill
from scripts.benchmarks.table import Verdict

FEW_DEVICES = 10
DEVICES = 200
SENDERS = 128
HISTORY_OF = 1000
"""Devices that share the stored messages. They stay away; those that are measured have no history."""
GROWTH = 1.3
START = 2.0
"""Seconds."""


def scale_devices(verdict: Verdict, *, devices: int, rounds: int, seconds: float) -> None:
    """The same senders, a few devices against many: all connected, subscribed, and sent to in turn."""
    counts = FEW_DEVICES, servers.most_devices(devices)
    with contextlib.ExitStack() as folders:
        with contextlib.ExitStack() as running:
            contenders = [_connected(count, folders, running) for count in counts]
            compete(contenders, rounds=rounds, seconds=seconds)
        _judge(verdict, f"CPU a message, {counts[1]:,} devices / {counts[0]}", contenders)


def scale_messages(verdict: Verdict, *, messages: int, rounds: int, seconds: float) -> None:
    """A young database against an old one, of which a tenth is PENDING; and how long the daemons take to start."""
    counts = min(1000, messages // 10), messages
    with contextlib.ExitStack() as folders:
        with contextlib.ExitStack() as running:
            started, contenders = zip(*(_stored(count, folders, running) for count in counts), strict=True)
            compete(contenders, rounds=rounds, seconds=seconds)
        _judge(verdict, f"CPU a message, {counts[1]:,} stored / {counts[0]:,}", contenders)
    verdict.at_most(f"seconds to start with {counts[1]:,} messages", started[1], budget=START)
    verdict.note(f"seconds to start with {counts[0]:,} messages", started[0])


def _judge(verdict: Verdict, what: str, contenders: "list[Contender] | tuple[Contender, ...]") -> None:
    few, many = contenders
    verdict.problems([*few.problems(), *many.problems()])
    verdict.at_most(what, ratio(many, few, lambda report: report.cpu), budget=GROWTH)


def _connected(count: int, folders: contextlib.ExitStack, running: contextlib.ExitStack) -> Contender:
    data_dir = folders.enter_context(servers.folder())
    fill(data_dir, known=count)
    server = running.enter_context(servers.daemon(data_dir))
    plan = posting(server, devices=count, senders=FEW_DEVICES, subscribe=True)
    return Contender(f"{count:,} devices", plan, data_dir)


def _stored(count: int, folders: contextlib.ExitStack, running: contextlib.ExitStack) -> tuple[float, Contender]:
    data_dir = folders.enter_context(servers.folder())
    delivered = count - count // 10
    click.echo(f"storing {count:,} messages …", err=True)
    fill(data_dir, known=DEVICES + HISTORY_OF, delivered=delivered, pending=count - delivered, recipients=HISTORY_OF)
    server = running.enter_context(servers.daemon(data_dir))
    plan = posting(server, devices=DEVICES, senders=SENDERS)
    return server.started_in, Contender(f"{count:,} stored", plan, data_dir, already=delivered)
