"""When devices were connected, as it is written down and told. Contract: `bridge.registry.base.DeviceStore`."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

from bridge.model.errors import BridgeError
from bridge.model.notification import Kind, Notice, Occurrence
from bridge.model.record import Sighting
from bridge.store import presence_writes as writes
from bridge.store.presence_writes import Audience, TellConnection
from bridge.store.writer import Telling, Writer
from bridge.store.writes import Debt


class Sightings:
    """They share the writer's commits with the messages."""

    _writer: Writer
    _audience = Audience()

    def tell_connections_with(self, channels: Mapping[str, int], tell: TellConnection) -> None:
        """From now on a device that comes or goes is told in the channel of its project, in the transaction that
        writes it down. `tell` gives the content of the event; it is called in the writer's thread."""
        self._audience = dataclasses.replace(self._audience, channels=channels, tell=tell)

    def announce_connections(self, kinds: Iterable[Kind], notice_of: Callable[[Occurrence], Notice | None]) -> None:
        """Likewise it enters the inbox, if it is one of the `kinds`. `notice_of` is called in the writer's thread."""
        self._audience = dataclasses.replace(self._audience, kinds=frozenset(kinds), notice_of=notice_of)

    def note(self, sightings: Sequence[Sighting], done: Callable[[bool | BridgeError], None]) -> None:
        """Of different devices; one that was removed meanwhile is passed over. `done(True)`: there are devices behind
        gateways still to be told of, see `tell_riders`. What the disk refuses is tried again, in order, until the store
        is closed."""
        owed = Debt("connections and disconnections of devices", len(sightings))
        self._writer.put(Telling(partial(writes.note, self._audience, list(sightings)), done, owed))

    def end_last_run(self, at: int, done: Callable[[bool | BridgeError], None]) -> None:
        """A page of those who are written down as online went offline at that time, as far as anybody can tell.
        `done(True)`: that was the last page."""
        self._writer.put(Telling(partial(writes.end_last_run, self._audience, at), done))

    def tell_riders(self, done: Callable[[bool | BridgeError], None]) -> None:
        """A page of the devices behind gateways that have come or gone. `done(True)`: there are more."""
        self._writer.put(Telling(partial(writes.tell_riders, self._audience), done))
