"""Section `[delivery]` of the configuration."""

from dataclasses import dataclass

from bridge.model.setting import setting


@dataclass(frozen=True)
class DeliverySettings:
    ack_wait: float = setting(
        1.0,
        "Seconds a POST waits for an online device to acknowledge before it answers PENDING.",
        minimum=0,
        maximum=60,
    )
    tell: str = setting(
        "recorded",
        "DELIVERED is told once it is on disk (recorded), or, milliseconds earlier, as soon as the device acknowledged"
        " (acknowledged): then a crash can take back what was told.",
        choices=("recorded", "acknowledged"),
    )
    max_pending_per_device: int = setting(
        10_000, "PENDING messages one device may have.", minimum=1, maximum=10_000_000
    )
    when_full: str = setting(
        "reject",
        "A message for a device with a full queue is refused, or the oldest one ends as FAILED.",
        choices=("reject", "drop_oldest"),
    )
    max_concurrent_drains: int = setting(
        16, "Devices whose backlog is worked off at once; the others wait their turn.", minimum=1, maximum=10_000
    )
    max_ttl: int = setting(
        1440, "Largest ttl a message may ask for, and the default, in minutes.", minimum=5, maximum=525_600
    )
    uncached_wait: float = setting(
        60.0,
        "Seconds a message with ttl 0 may wait on a live connection for its acknowledgement.",
        minimum=1,
        maximum=3600,
    )
    max_reply_wait: int = setting(
        60, "Longest time in seconds a call may wait for the reply of a device.", minimum=1, maximum=3600
    )
    max_waiting_calls: int = setting(
        1000, "Calls that wait for the reply of a device at once; more are refused.", minimum=1, maximum=100_000
    )
