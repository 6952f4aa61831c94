"""What devices say, in the channel `device-message-report` and in the inbox."""

import json
from collections.abc import Callable
from functools import partial

from bridge.events.base import Devices, EventStore, ReportReader
from bridge.events.bodies import report_text
from bridge.events.register import Register
from bridge.model.clock import Clock
from bridge.model.device import Device
from bridge.model.errors import BridgeError, StoreUnavailable
from bridge.model.event import MESSAGE_REPORT
from bridge.model.notification import Notice
from bridge.model.topics import device_of, is_report, is_uplink
from bridge.mqtt import Publish, ReasonCode

MOST_HELD = 64 * 1024 * 1024
"""Bytes of all devices together that may wait for their commit."""
OVERHEAD = 1024
"""Bytes of memory that a message takes besides its payload, roughly."""


class Uplinks:
    """Implements `bridge.broker.base.UplinkKeeper`. Costs a look into a dict as long as nobody wants to know."""

    def __init__(self, store: EventStore, devices: Devices, register: Register, clock: Clock) -> None:
        self._store = store
        self._devices = devices
        self._channels = register.wanting(MESSAGE_REPORT)
        self._clock = clock
        self._held = 0
        self.reader: ReportReader | None = None

    def keep(self, device: Device, publish: Publish, done: Callable[[Publish, ReasonCode], None]) -> ReasonCode | None:
        channel = self._channels.get(device.project)
        if (channel is None and self.reader is None) or not is_report(publish.topic):
            return ReasonCode.SUCCESS
        try:
            speaker = self._speaker(device, publish)
        except StoreUnavailable:
            return ReasonCode.IMPLEMENTATION_SPECIFIC_ERROR
        notice = self.reader.notice_of(speaker, publish) if self.reader is not None else None
        if channel is not None:
            return self._store_it(channel, speaker, publish, notice, done)
        if notice is not None and self.reader is not None:
            self.reader.enter(notice)
        return ReasonCode.SUCCESS

    def _store_it(
        self,
        channel: int,
        speaker: Device,
        publish: Publish,
        notice: Notice | None,
        done: Callable[[Publish, ReasonCode], None],
    ) -> ReasonCode | None:
        size = len(publish.payload) + OVERHEAD
        if self._held + size > MOST_HELD:
            return ReasonCode.QUOTA_EXCEEDED
        now = self._clock()
        self._held += size
        text = partial(report_text, publish.topic, publish.payload, now)
        told = partial(self._told, publish, size, done)
        self._store.tell(channel, speaker.key, now, text, told, notice=notice)
        return None

    def _told(
        self,
        publish: Publish,
        size: int,
        done: Callable[[Publish, ReasonCode], None],
        result: bool | BridgeError,
    ) -> None:
        self._held -= size
        stored = not isinstance(result, BridgeError)
        done(publish, ReasonCode.SUCCESS if stored else ReasonCode.IMPLEMENTATION_SPECIFIC_ERROR)

    def _speaker(self, device: Device, publish: Publish) -> Device:
        """Whose message it is: a gateway speaks for the devices behind it, on their topics, or on its own `messages/up`
        with their `object_device_id` in the envelope."""
        device_id = device_of(publish.topic)
        if device_id == device.device_id and is_uplink(publish.topic):
            device_id = _object_device_id(publish.payload) or device_id
        if device_id == device.device_id:
            return device
        other = self._devices.device(device.project, device_id)
        return other if other is not None and other.carrier == device.key else device


def _object_device_id(payload: bytes) -> str | None:
    if b'"object_device_id"' not in payload:
        return None
    try:
        envelope = json.loads(payload)
    except (ValueError, RecursionError):  # it is any bytes that a device likes
        return None
    named = envelope.get("object_device_id") if isinstance(envelope, dict) else None
    return named if isinstance(named, str) else None
