"""Who is asking: the bearer of an access token."""

import re
from dataclasses import dataclass

SCOPES = (
    "messages:send",
    "messages:read",
    "devices:read",
    "devices:write",
    "events:read",
    "events:write",
    "admin",
)
"""Every right a token can carry. `admin` includes all others."""
APPLICATION_SCOPES = tuple(scope for scope in SCOPES if scope != "admin")
"""What an application gets unless told otherwise: everything in its project, as with the vendor's credentials."""
TOKEN_NAME = re.compile(r"[A-Za-z0-9_.@-]{1,64}")


ADMIN_NAME = "admin"
"""The token of this name, for every project and with the scope `admin`, is the one whose text is kept in the data
folder, for the commands on the daemon's own machine."""


@dataclass(frozen=True, slots=True)
class Principal:
    name: str
    project: str | None
    """None: every project."""
    scopes: frozenset[str]

    def may_enter(self, project: str) -> bool:
        return self.project is None or self.project == project

    def may(self, scope: str) -> bool:
        return scope in self.scopes or "admin" in self.scopes
