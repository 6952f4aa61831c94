"""Calls that wait for what the device answers to their message.

A reply is what the device, or the gateway that it is behind, publishes on the message's response topic with its
correlation data, or on its uplink topic with the id of the message, as a client without these properties (3.1, 3.1.1)
has to. The connection it comes on is part of the match: nobody else's device can reply, wherever it may publish.

Nothing about a reply is kept. Everything here runs in the event loop's thread.
"""

import json
from collections.abc import Iterator
from typing import Any, TypeAlias

from bridge.delivery.base import MessageStore
from bridge.delivery.delivery import Delivery
from bridge.delivery.settings import DeliverySettings
from bridge.delivery.waiting import Waiting
from bridge.model.device import Device
from bridge.model.errors import TooManyWaiting, UnknownDevice
from bridge.model.message import Draft
from bridge.model.topics import device_of, response_topic, uplink
from bridge.mqtt import Publish

Key: TypeAlias = tuple[str, bytes] | tuple[str, str]
"""(response topic, correlation data) or (device id, message id)."""


class Replies:
    """Implements `bridge.broker.base.UplinkListener` towards the broker and the use case towards the API."""

    def __init__(self, store: MessageStore, delivery: Delivery, settings: DeliverySettings) -> None:
        self.longest = settings.max_reply_wait
        """Seconds a call may wait."""
        self._store = store
        self._delivery = delivery
        self._most = settings.max_waiting_calls
        self._waiting: dict[Waiting, tuple[int, tuple[Key, ...]]] = {}
        """Each with the device whose connection the reply comes on, and what it can look like."""
        self._expected: dict[int, dict[Key, list[Waiting]]] = {}
        """The same the other way round, without those that have their reply; first come, first served."""
        self._stopped = False

    def ask(self, project: str, device_id: str, draft: Draft, timeout: float) -> Waiting:
        """Accept a message and wait up to `timeout` seconds for the reply. What the draft lacks of response topic and
        correlation data is set.

        Raises UnknownDevice, ForeignTopic, QueueFull, TooManyWaiting; then nothing is stored.
        """
        device = self._store.device(project, device_id)
        if device is None:
            raise UnknownDevice(device_id)
        if len(self._waiting) >= self._most:
            raise TooManyWaiting(f"{self._most} calls wait for a reply")
        draft.response_topic = draft.response_topic or response_topic(device_id)
        draft.correlation_data = draft.correlation_data or draft.message_id
        waiting = Waiting(timeout, self._closed)
        waiting.message = self._delivery.follow(project, device_id, draft, waiting.followed)
        keys = ((draft.response_topic, draft.correlation_data.encode()), (device_id, draft.message_id))
        self._expect(waiting, device.key if device.carrier is None else device.carrier, keys)
        if self._stopped:
            waiting.leave()
        else:
            waiting.start()
        return waiting

    def stop(self) -> None:
        """Whoever waits is told what is true now, or as soon as the message is committed."""
        self._stopped = True
        for waiting in list(self._waiting):
            waiting.leave()

    def device_changed(self, key: int) -> None:
        """The device was removed, with its messages, or changed otherwise."""
        asked = [waiting for waiting in self._waiting if waiting.message.device == key]
        if asked and self._store.device_by_key(key) is None:
            for waiting in asked:
                waiting.followed(UnknownDevice())

    def published(self, device: Device, publish: Publish) -> None:
        """(UplinkListener)"""
        expected = self._expected.get(device.key)
        if expected is None:
            return
        for key in _keys(device.device_id, publish):
            if key in expected:
                waiting = expected[key][0]
                self._forget(waiting)
                waiting.heard(publish)
                return

    def _expect(self, waiting: Waiting, line: int, keys: tuple[Key, ...]) -> None:
        self._waiting[waiting] = line, keys
        expected = self._expected.setdefault(line, {})
        for key in keys:
            expected.setdefault(key, []).append(waiting)

    def _forget(self, waiting: Waiting) -> None:
        """It expects no reply any more. Idempotent."""
        line, keys = self._waiting[waiting]
        expected = self._expected.get(line, {})
        for key in keys:
            if waiting in expected.get(key, ()):
                expected[key].remove(waiting)
                if not expected[key]:
                    del expected[key]
        if not expected:
            self._expected.pop(line, None)

    def _closed(self, waiting: Waiting) -> None:
        if waiting in self._waiting:
            self._forget(waiting)
            del self._waiting[waiting]
            self._delivery.unfollow(waiting.message.seq)


def _keys(publisher: str, publish: Publish) -> Iterator[Key]:
    """To which messages this may be the reply."""
    correlation_data = publish.properties.get("correlation_data")
    if correlation_data is not None:
        yield publish.topic, correlation_data
    speaker = device_of(publish.topic)
    if publish.topic != uplink(speaker):
        return
    envelope = _envelope(publish.payload)
    message_id, subject = envelope.get("id"), envelope.get("object_device_id")
    if isinstance(subject, str) and speaker == publisher:
        speaker = subject  # a gateway may speak for the devices behind it on its own topic, too
    if isinstance(message_id, str) and subject in (None, speaker):
        yield speaker, message_id


def _envelope(payload: bytes) -> dict[str, Any]:
    """`{object_device_id, name, id, content}`; empty for what is no JSON object."""
    try:
        document = json.loads(payload)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}
