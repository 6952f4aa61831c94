"""QoS 1 messages from one client to many, and from many to one, against Mosquitto in the same run."""

import contextlib
import dataclasses
import shutil
import statistics

import click

from scripts.benchmarks import servers
from scripts.benchmarks.plan import FAN_IN, FAN_OUT, Plan, Report
from scripts.benchmarks.servers import Server
from scripts.benchmarks.table import Verdict, show, spread

OURS, THEIRS = "device-bridge", "Mosquitto"
WINDOW, QUEUE = 64, 1_000_000
"""Messages on their way to one client, and those that wait for it; what is dropped would not be measured."""
HEADER = ("", "deliveries/s", "ms a round", "CPU µs a delivery", "load generator µs", "others, % of machine")


def fanout(verdict: Verdict, *, peers: int, messages: int, rounds: int) -> None:
    """`messages`: how often all peers get one, or send one, in each of the rounds."""
    peers = servers.most_devices(peers)
    with contextlib.ExitStack() as running:
        brokers = {OURS: running.enter_context(_daemon(running))}
        if shutil.which("mosquitto"):
            brokers[THEIRS] = running.enter_context(servers.mosquitto(inflight=WINDOW, queued=QUEUE))
        else:
            click.echo("mosquitto is not installed: it is left out")
        for job, what in ((FAN_OUT, f"one to {peers:,}"), (FAN_IN, f"{peers:,} to one")):
            plan = Plan(job, devices=peers, messages=messages)
            reports = _compete(brokers, plan, rounds)
            show(HEADER, [_row(f"{name}, {what}", peers, found) for name, found in reports.items()])
            if THEIRS in reports:
                _judge(verdict, what, reports[OURS], reports[THEIRS])


def _daemon(running: contextlib.ExitStack) -> "contextlib.AbstractContextManager[Server]":
    data_dir = running.enter_context(servers.folder())
    settings = {
        "MQTT_ALLOW_ANONYMOUS": "true",
        "MQTT_MAX_INFLIGHT": str(WINDOW),
        "MQTT_MAX_QUEUED_MESSAGES": str(QUEUE),
    }
    return servers.daemon(data_dir, settings={**settings, "MQTT_MAX_QUEUED_BYTES": "1000000000"})


def _compete(brokers: dict[str, Server], plan: Plan, rounds: int) -> dict[str, list[Report]]:
    reports: dict[str, list[Report]] = {name: [] for name in brokers}
    for _ in range(rounds):
        for name, server in brokers.items():
            reports[name].append(servers.run_load(dataclasses.replace(plan, mqtt=server.mqtt, pid=server.pid)))
    return reports


def _row(name: str, peers: int, found: list[Report]) -> tuple[str, ...]:
    return (
        name,
        spread([report.rate for report in found]),
        spread([peers / report.rate * 1000 for report in found]),
        spread([report.cpu for report in found], "{:.1f}"),
        spread([report.load for report in found], "{:.1f}"),
        spread([report.others for report in found]),
    )


def _judge(verdict: Verdict, what: str, ours: list[Report], theirs: list[Report]) -> None:
    pairs = list(zip(ours, theirs, strict=True))
    for name, ratios in (
        ("deliveries/s", [mine.rate / yours.rate for mine, yours in pairs]),
        ("CPU a delivery", [mine.cpu / yours.cpu for mine, yours in pairs]),
    ):
        verdict.note(f"{name}, {what}, ours / Mosquitto", statistics.median(ratios))
