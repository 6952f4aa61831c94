"""How the broker's reports reach the inbox."""

from collections.abc import Callable

from bridge.inbox.base import Directory
from bridge.inbox.rules import Rules, readable
from bridge.model.device import Device
from bridge.model.notification import Kind, Occurrence
from bridge.model.topics import device_of, device_tree, is_report
from bridge.mqtt import Publish


class Ears:
    """Implements `bridge.broker.base.ConnectionListener` and `UplinkListener`."""

    def __init__(self, directory: Directory, rules: Rules, heard: Callable[[Occurrence], None]) -> None:
        self._directory = directory
        self._rules = rules
        self._heard = heard

    def connected(self, device: int) -> None:
        self._line(device, Kind.ONLINE)

    def disconnected(self, device: int) -> None:
        self._line(device, Kind.OFFLINE)

    def published(self, device: Device, publish: Publish) -> None:
        if self._rules.wants(Kind.REPORT) and is_report(publish.topic):
            speaker = device_of(publish.topic)
            topic = publish.topic.removeprefix(device_tree(speaker))
            content = readable(bytes(publish.payload))
            self._heard(Occurrence(Kind.REPORT, device.project, speaker, topic=topic, detail=content))

    def _line(self, key: int, kind: Kind) -> None:
        if self._rules.wants(kind) and (device := self._directory.device_by_key(key)) is not None:
            self._heard(Occurrence(kind, device.project, device.device_id))
