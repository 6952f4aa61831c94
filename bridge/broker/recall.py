"""From the store back into a session: exchanges that a client left open, and pages of what waits for it."""

from collections.abc import Callable

from bridge.broker.flight import Flight, Queued
from bridge.broker.keeping import unpacked
from bridge.broker.kept import KeptState
from bridge.broker.session import PAGE, Session
from bridge.model.session import Owed

_LANDED = -1
"""`Flight.seq` of a message of an application that its device has (PUBREC), when the daemon that sent it is gone."""


def wake(session: Session, kept: KeptState) -> bool:
    """The client of a session is back. Whether the session was restored and not woken yet. Raises StoreUnavailable."""
    if not kept.asleep:
        return False
    store = kept.keeping.store
    exchange = store.session_exchange(kept.key)
    count(session, kept)
    for owed in exchange.sent:
        session.flights[owed.copy.packet_id] = _flight(kept, owed)
    session.incoming.update(exchange.received)
    for downlink in exchange.downlinks:
        if downlink.seq <= 0:
            session.flights.setdefault(downlink.packet_id, Flight(None, _LANDED, 2, released=True))
            kept.delivered.add(-downlink.seq)
            continue
        session.landed[downlink.seq] = downlink.packet_id
        session.reserved[downlink.packet_id] = downlink.qos
        if downlink.qos == 1:  # written by a daemon that stopped in order, and in memory from now on
            kept.settle_downlink(downlink.packet_id)
    kept.behind = session.queued > len(session.queue)
    kept.asleep = False
    return True


def count(session: Session, kept: KeptState) -> None:
    """How much waits for a restored session is not read before somebody needs to know. Raises StoreUnavailable."""
    if kept.place >= 0:
        return
    backlog = kept.keeping.store.session_backlog(kept.key)
    session.queued, session.queued_bytes, kept.place = backlog.copies, backlog.size, backlog.last
    kept.behind = backlog.copies > 0


def recall_shared(session: Session, kept: KeptState) -> None:
    """What shared subscriptions chose a restored session for comes into its queue. Raises StoreUnavailable."""
    for owed in kept.keeping.store.session_shared(kept.key):
        session.wait(_queued(kept, owed))


def fill(session: Session, kept: KeptState, again: Callable[[Session], None]) -> None:
    """The next page of what waits in the store. `again` is called when what is not committed yet may be there. Raises
    StoreUnavailable."""
    if kept.looking:
        return
    page = kept.keeping.store.session_copies(kept.key, kept.cursor, PAGE)
    for owed in page:
        session.wait(_queued(kept, owed))
        kept.cursor = owed.copy.place
    if len(page) == PAGE:
        return
    if kept.written >= kept.place:
        kept.behind = False
        session.recount()  # what could not be stored is not there
        return

    def look(_: bool, upto: int = kept.place) -> None:
        kept.looking = False
        kept.written = upto
        again(session)

    kept.looking = True
    kept.keeping.after_gains(look)


def _queued(kept: KeptState, owed: Owed) -> Queued:
    expires = kept.keeping.loop_time(owed.expires_at)
    return Queued(unpacked(owed.packet), expires, owed.copy.share, owed.copy.place)


def _flight(kept: KeptState, owed: Owed) -> Flight:
    publish = unpacked(owed.packet)
    expires = kept.keeping.loop_time(owed.expires_at)
    copy = owed.copy
    sent = None if copy.released else publish
    return Flight(sent, 0, publish.qos, copy.released, expires, copy.share, copy.place)
