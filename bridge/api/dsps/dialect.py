"""All paths of the dialect, below the prefix of the configuration."""

from collections.abc import Callable
from dataclasses import dataclass

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
from bridge.api.resource import NoResource, Resource
from bridge.model.clock import Clock

FAMILIES = ("/channel", "/probe", "/admin")
"""What the paths of the dialect begin with. What is below them and nothing else is not found in its form."""


@dataclass(frozen=True)
class Dsps:
    """What the dialect needs of the rest of the daemon."""

    channels: Channels
    revocations: Revocations
    set_log_level: SetLogLevel
    settings: ChannelSettings

    def routes(self, check: AccessCheck, ready: Callable[[], bool], clock: Clock, *, max_body: int) -> list[BaseRoute]:
        """Error: BadSettings, when a key of `channels.jwt` cannot be used."""
        token_settings = parse_token_settings(self.settings.jwt)
        tokens = TokenCheck(token_settings, self.revocations.is_revoked, clock) if token_settings else None
        gate = Gate(check, parse_rules(self.settings.rules), tokens)
        groups = (
            PollingSubscribers(self.channels, gate, self.settings, ready),
            ChannelMessages(self.channels, gate, max_body=max_body),
            Administration(gate, self.revocations, self.set_log_level, ready),
        )
        prefix, nothing = self.settings.prefix, NoResource(answer_error)
        return [
            *(
                Route(prefix + path, Resource(answer_error, handlers))
                for group in groups
                for path, handlers in group.handlers().items()
            ),
            *(Route(f"{prefix}{family}{{rest:path}}", nothing) for family in ([""] if prefix else FAMILIES)),
        ]
