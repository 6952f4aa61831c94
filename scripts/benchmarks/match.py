"""Finding the subscribers of a topic among few subscriptions and among many."""

import random
import statistics
import time
from collections.abc import Callable, Sequence

from bridge.broker.grant import Grant
from bridge.broker.identity import Identity
from bridge.broker.session import Session
from bridge.broker.subscriptions import SubscriptionTree
from bridge.mqtt import Subscription
from scripts.benchmarks.table import Verdict, show, spread

FEW = 100
GROWTH = 1.3
TOPICS = 2000
KINDS: dict[str, tuple[tuple[str, ...], str]] = {
    "exact": (("plant/{}/line/temperature",), "plant/{}/line/temperature"),
    "+": (("plant/{}/+/temperature",), "plant/{}/line/temperature"),
    "#": (("plant/{}/#",), "plant/{}/line/temperature"),
    "all": (
        ("plant/{}/line/temperature", "plant/{}/+/humidity", "plant/{}/other/#", "$share/workers/plant/{}/line/+"),
        "plant/{}/line/temperature",
    ),
}
"""Topic filters of each session and the topic that is published to; the number of the session goes in."""


def match(verdict: Verdict, *, subscriptions: int, rounds: int) -> None:
    rows = []
    ratios, notes = {}, {}
    for name, (filters, topic) in KINDS.items():
        few, many = (_Tree(count // len(filters), filters, topic) for count in (FEW, subscriptions))
        times = [(few.seconds(), many.seconds(), many.seconds(everywhere=True)) for _ in range(rounds)]
        rows.append((name, *(spread([each[at] * 1e6 for each in times], "{:.2f}") for at in range(3))))
        ratios[name] = statistics.median(each[1] / each[0] for each in times)
        notes[name] = statistics.median(each[2] / each[0] for each in times)
    show(("", f"µs, {FEW} subscriptions", f"µs, {subscriptions:,}, same topics", "µs, topics everywhere"), rows)
    for name, ratio in ratios.items():
        verdict.at_most(f"matching, {subscriptions:,} subscriptions / {FEW}, {name}", ratio, budget=GROWTH)
    for name, ratio in notes.items():
        verdict.note(f"the same with topics everywhere, where the processor's caches end, {name}", ratio)


class _Tree:
    def __init__(self, sessions: int, filters: Sequence[str], topic: str) -> None:
        self._tree = SubscriptionTree()
        for number in range(sessions):
            session = Session(f"bench-{number}", Identity("default"))
            for topic_filter in filters:
                self._tree.add(session, Grant.of(Subscription(topic_filter.format(number), 1)))
        self._numbers = random.Random(1)  # noqa: S311  which topics does not matter, only that a run is like another
        self._sessions = sessions
        self._topic = topic

    def seconds(self, *, everywhere: bool = False) -> float:
        """Of one match: of the same few topics in every tree, or of topics `everywhere` in it.

        New ones each time: those of the last time would still be in the processor's caches. CPU time, because a match
        is shorter than what somebody else's turn takes."""
        among = self._sessions if everywhere else FEW // 4
        topics = [self._topic.format(self._numbers.randrange(among)) for _ in range(TOPICS)]
        find: Callable[[str], object] = self._tree.match
        shares = self._tree.shares
        start = time.process_time()
        for topic in topics:
            find(topic)
            for _ in shares(topic):
                pass
        return (time.process_time() - start) / len(topics)
