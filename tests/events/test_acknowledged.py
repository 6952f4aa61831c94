"""What is acknowledged is not heard again: not by a later poll, nor by another one, nor after a restart."""

import asyncio
import time
from collections.abc import Callable
from itertools import count
from typing import Any, cast

from bridge.model.event import Polled
from tests.broker.times import turn
from tests.events.event_site import APP, EventSite

NEWS = "news"
PUBLISHERS = 20
EVENTS = 40
AT_MOST = (1, 30, 1000, 1000)
"""Events that each poller asks for: some come close to the end of the channel, some do not."""
DELAY = 0.001
"""Seconds."""
RESTARTS = 2


async def test_what_the_loop_has_not_heard_of_is_not_given_out(site: EventSite) -> None:
    """The store shows a commit to its readers before the loop is told of it."""
    await site.subscribe(NEWS)
    await site.publish(NEWS, "m0")
    log = site.events.register.channel("default", NEWS)
    assert log is not None
    told = asyncio.get_running_loop().create_future()
    site.store.publish(log.key, "m1", site.clock(), "1", told.set_result)
    await turn()  # the writer has it
    while len(site.store.events(log.key, after=0, since=0, limit=10)) < 2:
        pass  # without letting the loop hear of it
    polled = await site.poll(NEWS)
    assert not told.done()
    assert [event.message_id for event in polled.events] == ["m0"]
    await site.acknowledge(NEWS, polled.events[-1].position)
    await told
    assert [event.message_id for event in (await site.poll(NEWS)).events] == ["m1"]


async def test_no_handle_acknowledges_the_future(site: EventSite) -> None:
    await site.subscribe(NEWS)
    await site.publish(NEWS, "m0")
    await site.acknowledge(NEWS, 2**63)
    await site.publish(NEWS, "m1")
    assert [event.message_id for event in (await site.poll(NEWS)).events] == ["m1"]


async def test_nothing_acknowledged_comes_again_under_load(site: EventSite) -> None:
    """Several pollers of one subscriber, while events are published as fast as the store takes them."""
    model = _Model()
    for run in range(RESTARTS + 1):
        await site.subscribe(NEWS)
        publishing = asyncio.gather(*(_publishes(site, model, f"{run}-{each}") for each in range(PUBLISHERS)))
        last = run == RESTARTS
        _delay_news(site)
        polls = [asyncio.create_task(_polls(site, model, at_most, last)) for at_most in AT_MOST]
        await publishing
        if not last:
            await turn()
            for poll in polls:
                poll.cancel()
            ends = await asyncio.gather(*polls, return_exceptions=True)
            assert [end for end in ends if not isinstance(end, asyncio.CancelledError)] == []
            await site.restart()
        else:
            await asyncio.gather(*polls)
    assert len(model.heard) == (RESTARTS + 1) * PUBLISHERS * EVENTS


def _delay_news(site: EventSite) -> None:
    """The loop hears of each commit a moment after others can see it."""
    writer = site.store._writer
    loop = writer._loop

    class Late:
        def call_soon_threadsafe(self, callback: Callable[..., Any], *arguments: Any) -> None:
            time.sleep(DELAY)
            loop.call_soon_threadsafe(callback, *arguments)

        def __getattr__(self, name: str) -> Any:
            return getattr(loop, name)

    writer._loop = cast("asyncio.AbstractEventLoop", Late())


class _Model:
    def __init__(self) -> None:
        self.published: set[str] = set()
        self.heard: set[str] = set()
        self.acknowledged = 0
        """The greatest position of which an acknowledgement has returned."""


async def _publishes(site: EventSite, model: _Model, name: str) -> None:
    for number in range(EVENTS):
        model.published.add(f"{name}-{number}")
        await site.publish(NEWS, f"{name}-{number}")


async def _polls(site: EventSite, model: _Model, at_most: int, to_the_end: bool) -> None:
    """Until it is cancelled, or has heard everything."""
    for turn_number in count():
        if to_the_end and model.heard == model.published:
            return
        acknowledged = model.acknowledged
        polled: Polled = await site.events.channels.poll("default", NEWS, APP, at_most=at_most, wait=0.05)
        if not polled.events:
            continue
        assert polled.events[0].position > acknowledged
        model.heard |= {event.message_id for event in polled.events}
        if turn_number % 3:  # others acknowledge meanwhile
            await asyncio.sleep(0)
            continue
        position = polled.events[-1].position
        await site.acknowledge(NEWS, position)
        model.acknowledged = max(model.acknowledged, position)
