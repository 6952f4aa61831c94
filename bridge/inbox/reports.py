"""What devices report, as it enters the inbox."""

from collections.abc import Callable

from bridge.inbox.rules import Rules, readable
from bridge.model.device import Device
from bridge.model.notification import Kind, Notice, Occurrence
from bridge.model.topics import device_of, device_tree
from bridge.mqtt import Publish


class Reports:
    """Implements `bridge.events.base.ReportReader`."""

    def __init__(self, rules: Rules, enter: Callable[[Notice], None]) -> None:
        self._rules = rules
        self.enter = enter

    def notice_of(self, speaker: Device, publish: Publish) -> Notice | None:
        """`publish` is on a topic of reports."""
        if not self._rules.wants(Kind.REPORT):
            return None
        topic = publish.topic.removeprefix(device_tree(device_of(publish.topic)))
        content = readable(bytes(publish.payload))
        occurrence = Occurrence(Kind.REPORT, speaker.project, speaker.device_id, topic=topic, detail=content)
        return self._rules.notice_of(occurrence)
