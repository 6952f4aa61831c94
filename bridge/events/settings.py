"""Section `[channels]` of the configuration."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bridge.model.setting import setting

LONGEST = 525_600
MINUTE = 60_000


@dataclass(frozen=True)
class ChannelSettings:
    lifetime: float = setting(
        30.0,
        "Minutes for which an event is kept, and a subscriber that does not come.",
        minimum=0.01,
        maximum=LONGEST,
    )
    max_size: int = setting(
        1_073_741_824,
        "Characters of content in one channel; of more the oldest events go early, and are counted.",
        minimum=1_048_576,
        maximum=1_099_511_627_776,
    )
    max_subscribers: int = setting(
        100_000, "Subscribers of all channels together; more are refused.", minimum=1, maximum=10_000_000
    )
    lifetimes: Mapping[str, Any] = field(
        default_factory=dict,
        metadata={
            "about": "The same for channels whose whole name matches a regular expression; the first that does counts."
        },
    )

    def lifetime_of(self, channel: str) -> int:
        """Milliseconds."""
        found = (minutes for pattern, minutes in self.lifetimes.items() if re.fullmatch(pattern, channel))
        return int(next(found, self.lifetime) * MINUTE)
