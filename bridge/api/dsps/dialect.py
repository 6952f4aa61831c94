"""All paths of the dialect, below the prefix of the configuration."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from starlette.routing import BaseRoute, Route

from bridge.api.access import AccessCheck
from bridge.api.base import Channels, Revocations
from bridge.api.dsps.admin import Administration, SetLogLevel
from bridge.api.dsps.channels import ChannelMessages
from bridge.api.dsps.errors import answer_error
from bridge.api.dsps.gate import Gate
from bridge.api.dsps.polling import PollingSubscribers
from bridge.api.dsps.rules import parse_rules
from bridge.api.dsps.settings import ChannelSettings
from bridge.api.dsps.token_settings import parse_token_settings
from bridge.api.dsps.tokens import TokenCheck
from bridge.api.health import store_takes_all
from bridge.api.operation import Operation, RouteGroup
from bridge.api.resource import Handler, NoResource, Resource
from bridge.model.clock import Clock

FAMILIES = ("/channel", "/probe", "/admin")
"""What the paths of the dialect begin with. What is below them and nothing else is not found in its form."""


class Handling(Protocol):
    """Some paths without the prefix."""

    def handlers(self) -> dict[str, dict[str, Handler]]: ...

    def operations(self) -> list[Operation]:
        """One for each method of each path."""


@dataclass(frozen=True)
class Below:
    """What `handling` has, below a prefix."""

    prefix: str
    handling: Handling

    def routes(self) -> list[BaseRoute]:
        return [
            Route(self.prefix + path, Resource(answer_error, handlers))
            for path, handlers in self.handling.handlers().items()
        ]

    def operations(self) -> list[Operation]:
        return [replace(each, path=self.prefix + each.path) for each in self.handling.operations()]


@dataclass(frozen=True)
class Dsps:
    """What the dialect needs of the rest of the daemon."""

    channels: Channels
    revocations: Revocations
    set_log_level: SetLogLevel
    settings: ChannelSettings

    def groups(
        self,
        check: AccessCheck,
        ready: Callable[[], bool],
        clock: Clock,
        refusal: Callable[[], str | None] = store_takes_all,
        *,
        max_body: int,
    ) -> Sequence[RouteGroup]:
        """Error: BadSettings, when a key of `channels.jwt` cannot be used."""
        token_settings = parse_token_settings(self.settings.jwt)
        tokens = TokenCheck(token_settings, self.revocations.is_revoked, clock) if token_settings else None
        gate = Gate(check, parse_rules(self.settings.rules), tokens)
        groups = (
            PollingSubscribers(self.channels, gate, self.settings, ready),
            ChannelMessages(self.channels, gate, max_body=max_body),
            Administration(gate, self.revocations, self.set_log_level, ready, refusal),
        )
        return [Below(self.settings.prefix, group) for group in groups]

    def nothing(self) -> list[BaseRoute]:
        """Every other path of the dialect."""
        prefix, nothing = self.settings.prefix, NoResource(answer_error)
        return [Route(f"{prefix}{family}{{rest:path}}", nothing) for family in ([""] if prefix else FAMILIES)]
