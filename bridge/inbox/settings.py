"""Section `[inbox]` of the configuration."""

from dataclasses import dataclass

from bridge.model.setting import setting


@dataclass(frozen=True)
class InboxSettings:
    failed: bool = setting(True, "Messages that failed enter the inbox of their project, as important.")
    timeout: bool = setting(True, "Messages whose ttl passed enter the inbox, as important.")
    delivered: bool = setting(False, "Delivered messages enter the inbox, as information.")
    online: bool = setting(True, "Devices that connect enter the inbox, as information.")
    offline: bool = setting(True, "Devices whose connection ended enter the inbox, as information.")
    report: bool = setting(True, "What devices report enters the inbox, as information.")
    retention_days: float = setting(
        30.0, "Notifications are kept in the history this many days, then removed.", minimum=0.01, maximum=3650
    )
