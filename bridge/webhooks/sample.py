"""Events that never happened, to try a target with. Pure."""

from bridge.events.bodies import presence_text, report_text, status_text
from bridge.model import rule
from bridge.model.event import StatusChange, Subject

DEVICE = Subject("sample-device", "sample-device", "sample")
POSITION = 0
"""No event has it."""


def sample_text(about: rule.Subject, at: int) -> str:
    """As it would be for a rule about this; `at` in milliseconds since the epoch."""
    if about == rule.MESSAGE_STATUS:
        return status_text(StatusChange(DEVICE, "sample-message", "sample", None, "DELIVERED", at), POSITION)
    if about == rule.DEVICE_STATUS:
        return presence_text(True, at, at, DEVICE, POSITION)
    return report_text("$oc/devices/sample-device/sys/messages/up", b"sample", at, DEVICE, POSITION)
