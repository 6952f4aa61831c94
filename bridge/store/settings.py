"""Section `[store]` of the configuration."""

from dataclasses import dataclass

from bridge.model.setting import setting


@dataclass(frozen=True)
class StoreSettings:
    retention_days: float = setting(
        7.0, "Finished messages are kept this many days, then removed.", minimum=0.01, maximum=3650
    )
