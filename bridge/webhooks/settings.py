"""Section `[webhooks]` of the configuration."""

from dataclasses import dataclass

from bridge.model.setting import setting


@dataclass(frozen=True)
class WebhookSettings:
    allow_private: bool = setting(
        False,
        "Events may be pushed to private, loopback, link-local and other addresses that are not public.",
    )
    connect_timeout: float = setting(5.0, "Seconds for the connection to a target.", minimum=0.1, maximum=60)
    read_timeout: float = setting(10.0, "Seconds between two pieces of an answer.", minimum=0.1, maximum=300)
    total_timeout: float = setting(20.0, "Seconds for one attempt in all.", minimum=0.1, maximum=600)
    first_wait: float = setting(
        1.0, "Seconds before a push that failed is tried again; doubles with each failure.", minimum=0.01, maximum=3600
    )
    longest_wait: float = setting(
        600.0,
        "Most seconds between two attempts, also if the target asks for more with Retry-After.",
        minimum=0.01,
        maximum=86_400,
    )
    give_up_after: float = setting(
        24.0, "Hours after which a push that fails becomes a dead letter.", minimum=0.001, maximum=720
    )
    max_concurrent: int = setting(8, "Requests to one target at once.", minimum=1, maximum=1000)
    max_concurrent_total: int = setting(
        128,
        "The same for all targets together; beyond it each still gets one.",
        minimum=1,
        maximum=10_000,
    )
    max_outstanding: int = setting(
        10_000,
        "Events that wait for one target; more push out the oldest, which are counted.",
        minimum=1,
        maximum=1_000_000,
    )
    max_dead_letters: int = setting(
        10_000, "Dead letters kept for one target; more push out the oldest.", minimum=1, maximum=1_000_000
    )
