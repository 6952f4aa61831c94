"""`scripts/bench`: measures the daemon against its budgets. Ends with 1 when a required figure is missed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from scripts.benchmarks import servers
from scripts.benchmarks.deliver import deliver
from scripts.benchmarks.drain import drain
from scripts.benchmarks.fanout import fanout
from scripts.benchmarks.history import history
from scripts.benchmarks.machine import machine
from scripts.benchmarks.match import match
from scripts.benchmarks.memory import memory
from scripts.benchmarks.polls import polls
from scripts.benchmarks.scale import scale_devices, scale_messages
from scripts.benchmarks.table import Verdict
from scripts.benchmarks.tell import tell

quick_option: Callable[..., Any] = click.option("--quick", is_flag=True, help="A short run, for a first impression.")


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@quick_option
@click.pass_context
def bench(ctx: click.Context, quick: bool) -> None:
    """Measure the daemon against its budgets. Without a command: deliver."""
    ctx.default_map = {name: {"quick": quick} for name in bench.commands}
    if ctx.invoked_subcommand is None:
        ctx.invoke(deliver_command, quick=quick)


@bench.command("deliver")
@quick_option
@click.option("--rounds", type=click.IntRange(1), help="How often each server gets its turn.  [default: 5]")
@click.option(
    "--tree",
    "trees",
    metavar="FOLDER",
    multiple=True,
    type=click.Path(exists=True, file_okay=False, resolve_path=True, path_type=Path),
    help="Also measure the daemon of another checkout, in the same run. May be repeated.",
)
def deliver_command(quick: bool, rounds: int | None, trees: tuple[Path, ...]) -> None:
    """Accept, PUBACK, DELIVERED: one POST a message, against a bare Starlette echo."""
    with judged() as verdict:
        rounds = rounds or (2 if quick else 5)
        deliver(verdict, [servers.CHECKOUT, *trees], rounds=rounds, seconds=2 if quick else 4)


@bench.command("tell")
@quick_option
def tell_command(quick: bool) -> None:
    """DELIVERED told once it is on disk, against as soon as the device acknowledged."""
    with judged() as verdict:
        tell(verdict, rounds=3 if quick else 7, seconds=2 if quick else 4)


@bench.command("scale")
@quick_option
def scale_command(quick: bool) -> None:
    """One message with many devices connected and many messages stored, against few."""
    devices, messages, rounds, seconds = (1000, 50_000, 2, 2) if quick else (10_000, 1_000_000, 5, 4)
    with judged() as verdict:
        scale_devices(verdict, devices=devices, rounds=rounds, seconds=seconds)
        click.echo()
        scale_messages(verdict, messages=messages, rounds=rounds, seconds=seconds)


@bench.command("drain")
@quick_option
def drain_command(quick: bool) -> None:
    """A stored backlog to one and to many devices that come back."""
    with judged() as verdict:
        drain(verdict, messages=20_000 if quick else 100_000, rounds=1 if quick else 3)


@bench.command("memory")
@quick_option
def memory_command(quick: bool) -> None:
    """Memory of idle devices and of waiting messages."""
    with judged() as verdict:
        memory(verdict, devices=1000 if quick else 10_000, seconds=3 if quick else 10)


@bench.command("match")
@quick_option
def match_command(quick: bool) -> None:
    """Finding the subscribers of a topic among many subscriptions, against few."""
    with judged() as verdict:
        match(verdict, subscriptions=10_000 if quick else 100_000, rounds=5 if quick else 15)


@bench.command("fanout")
@quick_option
def fanout_command(quick: bool) -> None:
    """QoS 1, one client to 5,000 and 5,000 to one, against Mosquitto."""
    with judged() as verdict:
        peers, messages, rounds = (500, 10, 2) if quick else (5000, 20, 3)
        fanout(verdict, peers=peers, messages=messages, rounds=rounds)


@bench.command("polls")
@quick_option
def polls_command(quick: bool) -> None:
    """Long polls that wait: memory, and how soon they are answered."""
    with judged() as verdict:
        polls(verdict, waiting=500 if quick else 5000, rounds=50 if quick else 500)


@bench.command("history")
@quick_option
def history_command(quick: bool) -> None:
    """Lists and bounds of the inbox with a long history behind it."""
    with judged() as verdict:
        history(verdict, count=200_000 if quick else 10_000_000)


@contextmanager
def judged() -> Iterator[Verdict]:
    """Says what the machine is, then the verdict by the exit code."""
    servers.allow_files()
    click.echo(f"{machine()}\n")
    verdict = Verdict()
    try:
        yield verdict
    except servers.BenchError as error:
        raise click.ClickException(str(error)) from None
    raise SystemExit(verdict.failed)


if __name__ == "__main__":
    bench(prog_name="scripts/bench")
