"""What ended is not kept in memory until a timer would have looked at it."""

import gc

import pytest

from bridge.broker.link import Link
from bridge.broker.session import Session
from bridge.mqtt import Disconnect, Version
from tests.broker.site import SECRET, Site

HOUR = 3600


def alive(kind: type) -> int:
    gc.collect()
    return sum(isinstance(each, kind) for each in gc.get_objects())


@pytest.mark.slow
async def test_connections_and_sessions_that_ended_are_freed(site: Site) -> None:
    """A device that comes and goes all the time, with an hour of keep-alive and of session expiry."""
    site.add_device()
    links, sessions = alive(Link), alive(Session)
    for number in range(30):
        client = await site.client(Version.V5)
        await client.connect(
            "pump-1",
            "pump-1",
            SECRET,
            keep_alive=HOUR,
            clean=number % 3 != 0,
            properties={"session_expiry_interval": HOUR},
        )
        client.send(Disconnect())
        assert await client.ended() is None
    assert alive(Link) <= links + 1
    assert alive(Session) <= sessions + 1
