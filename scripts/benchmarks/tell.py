"""`delivery.tell`: what it costs that DELIVERED is told only once it is on disk, with one sender and with many."""

import contextlib

from scripts.benchmarks import servers
from scripts.benchmarks.contest import Contender, compete, posting, ratio
from scripts.benchmarks.deliver import DEVICES, SENDERS
from scripts.benchmarks.fill import register
from scripts.benchmarks.table import Verdict

ACKNOWLEDGED = "acknowledged"
RECORDED = "recorded"


def tell(verdict: Verdict, *, rounds: int, seconds: float) -> None:
    for senders in (1, SENDERS):
        with contextlib.ExitStack() as folders:
            with contextlib.ExitStack() as running:
                contenders = [_daemon(value, senders, folders, running) for value in (ACKNOWLEDGED, RECORDED)]
                compete(contenders, rounds=rounds, seconds=seconds)
            for each in contenders:
                verdict.problems(each.problems())
        acknowledged, recorded = contenders
        title = f"{senders} sender{'s' if senders > 1 else ''}, {RECORDED} / {ACKNOWLEDGED}"
        verdict.note(f"throughput, {title}", ratio(recorded, acknowledged, lambda r: r.rate))
        verdict.note(f"CPU, {title}", ratio(recorded, acknowledged, lambda r: r.cpu))


def _daemon(value: str, senders: int, folders: contextlib.ExitStack, running: contextlib.ExitStack) -> Contender:
    data_dir = folders.enter_context(servers.folder())
    register(servers.CHECKOUT, data_dir, DEVICES)
    server = running.enter_context(servers.daemon(data_dir, settings={"DELIVERY_TELL": value}))
    return Contender(value, posting(server, devices=DEVICES, senders=senders), data_dir)
