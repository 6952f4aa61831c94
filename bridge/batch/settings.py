"""Section `[batch]` of the configuration."""

from dataclasses import dataclass

from bridge.model.setting import setting


@dataclass(frozen=True)
class BatchSettings:
    max_rate: int = setting(
        2000,
        "Messages a second that batch tasks send, all together; the rest is for others.",
        minimum=1,
        maximum=100_000,
    )
    max_open: int = setting(
        100, "Batch tasks of one project that have not ended; more are refused.", minimum=1, maximum=10_000
    )
    retention_days: float = setting(
        7.0, "Batch tasks that have ended are kept this many days, then removed.", minimum=0.01, maximum=3650
    )
