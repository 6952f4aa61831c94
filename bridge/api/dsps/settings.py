"""Section `[channels]` of the configuration."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bridge.events.settings import ChannelSettings as Lifetimes
from bridge.model.setting import setting

_PREFIX = re.compile(r"(/[A-Za-z0-9._~-]+)*")


@dataclass(frozen=True)
class ChannelSettings(Lifetimes):
    prefix: str = setting("", "What the paths of channels begin with, such as /dsps; empty: nothing.")
    max_wait: float = setting(
        30.0,
        "Longest time in seconds a poll may wait; one that asks for more waits this long.",
        minimum=0,
        maximum=3600,
    )
    heartbeat: float = setting(
        15.0, "Seconds without an event after which an event stream gets a comment.", minimum=1, maximum=300
    )
    rules: Mapping[str, Any] = field(
        default_factory=dict,
        metadata={
            "about": "Which channels there may be, by regular expression, and for whom; empty: all, and for everybody."
        },
    )
    jwt: Mapping[str, Any] = field(
        default_factory=dict,
        metadata={"about": "How JSON Web Tokens are checked; empty: none are accepted."},
    )


def check_prefix(prefix: str) -> None:
    """Error: ValueError, the second half of a sentence."""
    if not _PREFIX.fullmatch(prefix):
        raise ValueError("is no path: write /dsps or the like, without a slash at its end")
