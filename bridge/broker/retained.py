"""Retained messages: the last one of each topic, for those who subscribe later [MQTT5 3.3.1.3].

They stand in memory, where a subscription finds them without a look at the disk, and in the store. Memory is bounded:
`max_retained_bytes` counts what a message takes besides its payload, too. A change counts in memory at once, because a
client that subscribes between a message and its commit would otherwise get the one before it and never the new one.
Changes are written one batch at a time: what comes while a batch is written makes the next one, in which the last
message of a topic stands for all. When the disk refuses a batch, memory goes back to what is stored, except where a
later message waits to be written. So the two never disagree for longer than a commit takes.
"""

import asyncio
import logging
from collections.abc import Mapping
from itertools import islice
from typing import Any

from bridge.broker.base import RetainedStore
from bridge.broker.commitment import Kept
from bridge.broker.retained_tree import Found, RetainedTree
from bridge.broker.settings import MqttSettings
from bridge.model.clock import Clock, Timekeeper
from bridge.model.errors import BridgeError, StoreUnavailable
from bridge.model.retained import RetainedMessage
from bridge.model.topics import device_tree
from bridge.mqtt import Publish, ReasonCode, Version

_log = logging.getLogger(__name__)

OVERHEAD = 512
"""Bytes of memory that a message takes besides topic, payload and properties, roughly."""
NODE = 256
"""Bytes that a topic level takes, roughly; topics share the levels that they begin with."""
BATCH = 512
"""Topics written at once: bounds how long others wait for the writer."""
_PAIR = 200
"""Bytes that a user property takes besides its characters."""
MOST_HELD = 64 * 1024 * 1024
"""Bytes of messages that may wait for their commit."""
PRUNE_EVERY = 10.0
"""Seconds between two looks for messages that have expired."""
PRUNED_AT_ONCE = 500
COMPLAIN_EVERY = 60.0
"""Seconds between two log lines about messages that are not retained."""

_NOTHING: Mapping[str, Any] = {}
_KEPT = ("payload_format_indicator", "content_type", "response_topic", "correlation_data", "user_properties")
"""Properties that are the message's own, and not its way's; when it expires is kept as a time."""
_Topic = tuple[str, str]
"""Project and topic."""


class _Change:
    """What a topic is to retain, and what is stored until that is written."""

    __slots__ = ("message", "stored", "waiting")

    def __init__(self, stored: RetainedMessage | None) -> None:
        self.message: RetainedMessage | None = None
        self.stored = stored
        self.waiting: list[tuple[Kept, Publish]] = []


class Retained:
    """Of all projects. Belongs to the event loop's thread; nothing waits.

    `not_retained`: messages that would have been retained but for the limits."""

    def __init__(self, settings: MqttSettings, clock: Clock) -> None:
        self.available = settings.retain_available
        self.not_retained = 0
        self._most_messages = settings.max_retained_messages
        self._most_bytes = settings.max_retained_bytes
        self._steady = Timekeeper.of(clock).steady
        self._loop = asyncio.get_running_loop()
        self._store: RetainedStore | None = None
        self._trees: dict[str, RetainedTree] = {}
        self._count = 0
        self._size = 0
        self._nodes = 0
        self._held = 0
        self._next: dict[_Topic, _Change] = {}
        self._writing: dict[_Topic, _Change] = {}
        self._due = False
        self._complained: float | None = None
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return self._count

    @property
    def size(self) -> int:
        """Bytes of memory, roughly."""
        return self._size + NODE * self._nodes

    def open(self, store: RetainedStore) -> None:
        """Load what is stored, and store from now on. To be called before the first connection. Raises
        StoreUnavailable."""
        self._store = store
        if not self.available:
            return
        for project, message in store.retained_messages():
            self._set((project, message.topic), message)
        if self._count > self._most_messages or self.size > self._most_bytes:
            _log.warning(
                "more is retained than the settings allow", extra={"messages": self._count, "bytes": self.size}
            )
        self._timer = self._loop.call_later(PRUNE_EVERY, self._prune)

    def close(self) -> None:
        """Hand what is left to the store. To be called before the store is closed."""
        if self._timer is not None:
            self._timer.cancel()
        while self._next:
            self._write(self._take())

    def walk(self, project: str, topic_filter: str) -> Found:
        """The messages that match, as a `RetainedTree.walk`; those that have expired are among them."""
        tree = self._trees.get(project)
        return tree.walk(topic_filter) if tree is not None else iter(())

    def refusal(self, project: str, publish: Publish, *, version: Version) -> ReasonCode:
        """What to acknowledge a message with that cannot be taken; SUCCESS: it can. At QoS 0 and before 5 there is no
        way to say that the limits are reached: `keep` takes the message and retains nothing."""
        if publish.qos and self._held + _held_size(publish) > MOST_HELD:
            return ReasonCode.QUOTA_EXCEEDED
        if publish.qos and version is Version.V5 and publish.payload and not self._has_room(project, publish):
            self._complain()
            return ReasonCode.QUOTA_EXCEEDED
        return ReasonCode.SUCCESS

    def _has_room(self, project: str, publish: Publish) -> bool:
        """A message that replaces another needs room for what it is larger."""
        tree = self._trees.get(project)
        before, nodes = tree.look(publish.topic) if tree is not None else (None, publish.topic.count("/") + 1)
        if before is None and self._count >= self._most_messages:
            return False
        more = _publish_size(publish) - (_size(before) if before is not None else 0)
        more += NODE * nodes
        return more <= 0 or self.size + more <= self._most_bytes

    def keep(self, project: str, publish: Publish, sender: str, done: Kept | None = None) -> ReasonCode | None:
        """Take a message with RETAIN [MQTT-3.3.1-5]; an empty one deletes what is retained and is not retained itself
        [MQTT-3.3.1-6] [MQTT-3.3.1-7]. Also when it is not retained for lack of room, the one before it goes
        [MQTT3-3.3.1-7].

        SUCCESS: nothing is left to do. None: `done` is called when it is durable, or cannot be."""
        message = self._message(publish, sender) if publish.payload else None
        if message is not None and not self._has_room(project, publish):
            self._complain()
            message = None
        topic = (project, publish.topic)
        before = self._set(topic, message)
        if message is None and before is None and topic not in self._next and topic not in self._writing:
            return ReasonCode.SUCCESS
        if self._store is None:
            return ReasonCode.SUCCESS
        change = self._change(topic, before, message)
        if done is None:
            return ReasonCode.SUCCESS
        change.waiting.append((done, publish))
        self._held += _held_size(publish)
        return None

    def device_removed(self, device: tuple[str, str]) -> None:
        """What is retained in the tree of the device (project, device id) goes with it: the id may come to mean another
        device. The store has done so already, but for what is being written."""
        project, device_id = device
        for message in list(self.walk(project, f"{device_tree(device_id)}#")):
            if message is not None:
                self._drop((project, message.topic))

    # Memory

    def _get(self, topic: _Topic) -> RetainedMessage | None:
        tree = self._trees.get(topic[0])
        return tree.get(topic[1]) if tree is not None else None

    def _set(self, topic: _Topic, message: RetainedMessage | None) -> RetainedMessage | None:
        """Returns what it was before."""
        tree = self._trees.get(topic[0])
        if tree is None:
            tree = self._trees[topic[0]] = RetainedTree()
        self._nodes -= tree.nodes
        before = tree.remove(topic[1]) if message is None else tree.put(message)
        self._nodes += tree.nodes
        if before is not None:
            self._count -= 1
            self._size -= _size(before)
        if message is not None:
            self._count += 1
            self._size += _size(message)
        return before

    def _message(self, publish: Publish, sender: str) -> RetainedMessage:
        expiry = publish.properties.get("message_expiry_interval")
        expires_at = self._steady() + expiry * 1000 if expiry is not None else None  # [MQTT-3.3.2-5]
        properties = _kept(publish.properties) if publish.properties else _NOTHING
        return RetainedMessage(publish.topic, publish.payload, publish.qos, sender, expires_at, properties)

    def _complain(self) -> None:
        self.not_retained += 1
        now = self._loop.time()
        if self._complained is None or now - self._complained >= COMPLAIN_EVERY:
            self._complained = now
            _log.warning(
                "messages are not retained: mqtt.max_retained_messages or mqtt.max_retained_bytes is reached",
                extra={"messages": self._count, "bytes": self.size, "not_retained": self.not_retained},
            )

    # The store

    def _change(self, topic: _Topic, stored: RetainedMessage | None, message: RetainedMessage | None) -> _Change:
        """To be written with the next batch. `stored` is what is, if no change of the topic is under way."""
        change = self._next.get(topic)
        if change is None:
            change = self._next[topic] = _Change(stored)
        change.message = message
        if not self._due and not self._writing:
            self._due = True
            self._loop.call_soon(self._start)
        return change

    def _drop(self, topic: _Topic) -> None:
        self._change(topic, self._set(topic, None), None)

    def _start(self) -> None:
        self._due = False
        if self._next and not self._writing:
            self._writing = self._take()
            self._write(self._writing)

    def _take(self) -> dict[_Topic, _Change]:
        if len(self._next) <= BATCH:
            batch, self._next = self._next, {}
            return batch
        return {topic: self._next.pop(topic) for topic in list(islice(self._next, BATCH))}

    def _write(self, batch: dict[_Topic, _Change]) -> None:
        assert self._store is not None  # noqa: S101  without one nothing changes
        changes = [(project, topic, change.message) for (project, topic), change in batch.items()]
        self._store.retain(changes, lambda result: self._written(batch, result))

    def _written(self, batch: dict[_Topic, _Change], result: BridgeError | None) -> None:
        if batch is self._writing:
            self._writing = {}
        reason = ReasonCode.SUCCESS if result is None else ReasonCode.IMPLEMENTATION_SPECIFIC_ERROR
        for topic, change in batch.items():
            stored = change.message if result is None else change.stored
            following = self._next.get(topic)
            if following is not None:
                following.stored = stored
            elif result is not None:
                self._set(topic, stored)
            for done, publish in change.waiting:
                self._held -= _held_size(publish)
                done(publish, reason)
        self._start()

    def _prune(self) -> None:
        """Messages that have expired go, a few at once."""
        assert self._store is not None  # noqa: S101  see `open`
        wait = PRUNE_EVERY
        now = self._steady()
        try:
            expired = self._store.expired_retained(now, PRUNED_AT_ONCE)
        except StoreUnavailable as error:
            _log.debug("cannot look for expired retained messages: %s", error)
            expired = []
        for topic in expired:
            message = self._get(topic)
            if message is None or (message.expires_at is not None and message.expires_at <= now):
                self._drop(topic)
        if len(expired) == PRUNED_AT_ONCE:
            wait /= 10
        self._timer = self._loop.call_later(wait, self._prune)


def _kept(properties: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: properties[name] for name in _KEPT if name in properties} or _NOTHING


def _held_size(publish: Publish) -> int:
    return len(publish.payload) + OVERHEAD


def _properties_size(properties: Mapping[str, Any]) -> int:
    if not properties:
        return 0
    size = sum(len(properties.get(name, "")) for name in ("content_type", "response_topic", "correlation_data"))
    pairs = properties.get("user_properties", ())
    return size + sum(len(name) + len(value) + _PAIR for name, value in pairs)


def _size(message: RetainedMessage) -> int:
    return OVERHEAD + len(message.topic) + len(message.payload) + _properties_size(message.properties)


def _publish_size(publish: Publish) -> int:
    return OVERHEAD + len(publish.topic) + len(publish.payload) + _properties_size(publish.properties)
