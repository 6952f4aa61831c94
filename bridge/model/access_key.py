"""An access key: what an application signs its requests with, instead of showing a token."""

import re
from dataclasses import dataclass, field

from bridge.model.principal import Principal

AK = re.compile(r"[A-Z0-9]{20}")
"""What every AK of this daemon looks like. Use with `fullmatch`."""


@dataclass(frozen=True, slots=True)
class AccessKey:
    ak: str
    """Names the key in every request; no secret."""
    sk: str = field(repr=False)
    """The secret. It never travels: requests carry an HMAC made with it."""
    name: str
    project: str | None
    """None: every project."""
    scopes: frozenset[str]

    @property
    def principal(self) -> Principal:
        """Who has signed when this key has."""
        return Principal(self.name, self.project, self.scopes)
