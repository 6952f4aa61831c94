"""What waits in a session: so much and not more, the expendable first."""

from bridge.broker.identity import Identity
from bridge.broker.session import Session
from bridge.mqtt import Publish


def queue(*messages: tuple[bytes, int], most: int = 3, size: int = 1000) -> Session:
    session = Session("c", Identity("default"))
    for payload, qos in messages:
        session.enqueue(Publish("t", payload, qos), 0.0, most, size)
    return session


def left(session: Session) -> list[bytes]:
    assert session.queued == len(session.queue)
    assert session.queued_bytes == sum(1 + len(queued.publish.payload) for queued in session.queue)
    return [queued.publish.payload for queued in session.queue]


def test_the_oldest_at_qos_0_makes_room() -> None:
    session = queue((b"1", 1), (b"2", 0), (b"3", 0), (b"4", 1))
    assert (left(session), session.dropped) == ([b"1", b"3", b"4"], 1)


def test_without_one_the_newest_is_dropped() -> None:
    session = queue((b"1", 1), (b"2", 2), (b"3", 1), (b"4", 1), (b"5", 0))
    assert (left(session), session.dropped) == ([b"1", b"2", b"3"], 2)


def test_bytes_count_as_well() -> None:
    session = queue((b"aaa", 0), (b"bbb", 0), (b"cccccc", 1), (b"d" * 20, 2), size=10)
    assert (left(session), session.dropped) == ([b"cccccc"], 3)


def test_what_waits_at_qos_0_ends_with_the_connection() -> None:
    session = queue((b"1", 1), (b"2", 0), (b"3", 1))
    session.rest()
    assert (left(session), session.dropped, session.expendable) == ([b"1", b"3"], 1, 0)
