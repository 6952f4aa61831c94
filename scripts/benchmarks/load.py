"""The load generator, a process of its own: a plan as JSON in the first argument, the report as JSON on stdout.

Senders and devices share one event loop and run no more code than they need: what they use is missing to the server.
"""

import asyncio
import dataclasses
import json
import sqlite3
import sys
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from functools import partial

import uvloop

from bridge.values import split_address
from scripts.benchmarks.crowd import PATIENCE, Crowd
from scripts.benchmarks.peers import Peers
from scripts.benchmarks.plan import COLLECT, FAN_IN, FAN_OUT, HOLD, POST, Plan, Report, device_name
from scripts.benchmarks.process import busy_seconds, cpu_seconds
from scripts.benchmarks.sender import Sender, Target

PENDING = "SELECT EXISTS (SELECT 1 FROM message WHERE status = 'PENDING')"
POLL = 0.005


class Meter:
    """Time, and CPU time of the server, of this process and of all others, since it was made."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._start = self._now()

    def report(self, count: int) -> Report:
        seconds, server, own, busy = (now - start for now, start in zip(self._now(), self._start, strict=True))
        return Report(count=count, seconds=seconds, server_cpu=server, own_cpu=own, others_cpu=busy - server - own)

    def _now(self) -> tuple[float, float, float, float]:
        return time.perf_counter(), cpu_seconds(self._pid), time.process_time(), busy_seconds()


class Posting:
    """The traffic of all senders: `sender.Traffic`."""

    def __init__(self, plan: Plan) -> None:
        names = [device_name(index) for index in range(plan.devices)]
        self._plan = plan
        self._all = [Target(name, host=plan.http, token=plan.token) for name in names]
        self._expected = plan.expected.encode()
        self._open = True
        self._busy = 0
        self._idle = asyncio.Event()
        self._outcomes: Counter[bool] = Counter()
        self.targets = deque(self._all)

    @property
    def sent(self) -> dict[str, int]:
        return {target.name: target.sent for target in self._all}

    async def run(self) -> Report:
        senders = await self._connect()
        self._busy = len(senders)
        for sender in senders:
            sender.send()
        await asyncio.sleep(self._plan.warm)
        meter, before = Meter(self._plan.pid), self._outcomes.total()
        await asyncio.sleep(self._plan.seconds)
        report = meter.report(self._outcomes.total() - before)
        self._open = False
        await asyncio.wait_for(self._idle.wait(), PATIENCE)
        for sender in senders:
            sender.close()
        return dataclasses.replace(report, answered=self._outcomes[True], unexpected=self._outcomes[False])

    async def _connect(self) -> list[Sender]:
        loop = asyncio.get_running_loop()
        make, address = partial(Sender, self), split_address(self._plan.http)
        return [(await loop.create_connection(make, *address))[1] for _ in range(self._plan.senders)]

    # What senders call

    def more(self) -> bool:
        return self._open

    def answered(self, status: bytes, body: bytes) -> None:
        self._outcomes[status == b"201" and self._expected in body] += 1

    def idle(self) -> None:
        self._busy -= 1
        if not self._busy:
            self._idle.set()


async def post(plan: Plan) -> Report:
    posting = Posting(plan)
    if not plan.mqtt:
        return await posting.run()
    crowd = _crowd(plan)
    await crowd.connect()
    report = await posting.run()
    await crowd.wait(sum(posting.sent.values()))
    crowd.close()
    return dataclasses.replace(report, problems=crowd.problems(posting.sent))


async def collect(plan: Plan) -> Report:
    crowd = _crowd(plan)
    meter = Meter(plan.pid)
    await crowd.connect()
    await crowd.wait(plan.devices * plan.messages)
    report = meter.report(crowd.received)
    settled = await _settled(plan.database, meter)
    crowd.close()
    problems = crowd.problems({device.name: plan.messages for device in crowd.devices})
    return dataclasses.replace(report, settled=settled.seconds, server_cpu=settled.server_cpu, problems=problems)


async def _settled(database: str, meter: Meter) -> Report:
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=PATIENCE)
    while connection.execute(PENDING).fetchone()[0]:  # noqa: ASYNC110  the database tells nobody
        await asyncio.sleep(POLL)
    connection.close()
    return meter.report(0)


async def hold(plan: Plan) -> Report:
    """Says "connected" and waits for the end of stdin."""
    crowd = _crowd(plan)
    await crowd.connect()
    sys.stdout.write("connected\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)
    crowd.close()
    return Report()


async def fan_out(plan: Plan) -> Report:
    peers = Peers(plan.mqtt, plan.devices, many_subscribe=True)
    await peers.connect()

    async def once() -> None:
        received, acknowledged = peers.received + plan.devices, peers.acknowledged + 1
        peers.one.publish()
        await peers.until(received, acknowledged)

    return await _in_rounds(plan, peers, once)


async def fan_in(plan: Plan) -> Report:
    peers = Peers(plan.mqtt, plan.devices, many_subscribe=False)
    await peers.connect()

    async def once() -> None:
        received, acknowledged = peers.received + plan.devices, peers.acknowledged + plan.devices
        for peer in peers.many:
            peer.publish()
        await peers.until(received, acknowledged)

    return await _in_rounds(plan, peers, once)


async def _in_rounds(plan: Plan, peers: Peers, once: Callable[[], Awaitable[None]]) -> Report:
    await once()  # to warm up
    meter = Meter(plan.pid)
    for _ in range(plan.messages):
        await once()
    report = meter.report(plan.messages * plan.devices)
    more = peers.received - (plan.messages + 1) * plan.devices
    peers.close()
    return dataclasses.replace(report, problems=(f"{more} messages received too often",) if more else ())


def _crowd(plan: Plan) -> Crowd:
    return Crowd(plan.devices, plan.mqtt, subscribe=plan.subscribe)


JOBS = {POST: post, COLLECT: collect, HOLD: hold, FAN_OUT: fan_out, FAN_IN: fan_in}


def main() -> None:
    plan = Plan(**json.loads(sys.argv[1]))
    report = uvloop.run(JOBS[plan.job](plan))
    sys.stdout.write(json.dumps(dataclasses.asdict(report)) + "\n")


if __name__ == "__main__":
    main()
