"""Who may do what in which channel. In the order of DSPS: the channel's id, whether it is permitted, credentials."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from bridge.api.access import AccessCheck
from bridge.api.dsps.errors import INVALID_CHANNEL, invalid, rejected
from bridge.api.dsps.parse import check_id, parameters
from bridge.api.dsps.rules import Permission, Rules
from bridge.api.dsps.tokens import TokenCheck
from bridge.api.faults import NoCredentials
from bridge.api.resource import Call
from bridge.api.signature import is_signature
from bridge.model.device import DEFAULT_PROJECT, PROJECT
from bridge.model.principal import Principal

READ = "events:read"
WRITE = "events:write"
ADMIN = "admin"


class Caller(NamedTuple):
    principal: Principal
    claims: Mapping[str, Any] | None
    """Of a JSON Web Token; None: the caller has one of our credentials."""

    def may_use(self, permission: Permission) -> bool:
        """An admin may use whatever there is."""
        if self.claims is not None:
            return permission.admits_claims(self.claims)
        return permission.admits_token(self.principal.name) or self.principal.may(ADMIN)


class Place(NamedTuple):
    """A channel, for who may use it."""

    project: str
    channel: str


class Gate:
    """In front of every handler. A channel belongs to a project: that of the credentials, or for those that open every
    project the parameter `project`, which is the default project when it is not given."""

    def __init__(self, check: AccessCheck, rules: Rules, tokens: TokenCheck | None) -> None:
        self._check = check
        self._rules = rules
        self._tokens = tokens

    async def enter(self, call: Call, scope: str, token: str | None = None) -> Place:
        """`token` stands for the header field of a caller that cannot send one.

        Errors: Refusal, NoCredentials, Forbidden, TooManyFailures.
        """
        channel = check_id("channelID", call.path_params["channel"])
        permission = self._rules.permission(channel)
        if permission is None:
            raise invalid("channelID", INVALID_CHANNEL)
        caller = await self.caller(call, token)
        project = self.project(call, caller, scope)
        if not caller.may_use(permission):
            raise rejected("this channel is not for these credentials")
        return Place(project, channel)

    async def caller(self, call: Call, token: str | None = None) -> Caller:
        """Who is asking. Errors: NoCredentials, TooManyFailures."""
        if token and b"authorization" not in call.fields:
            call.fields[b"authorization"] = b"Bearer " + token.encode("latin-1", "replace")
        if principal := self._check.bearer(call.fields):
            return Caller(principal, None)
        reason: NoCredentials | None = None
        try:
            if found := self._web_token(call.fields.get(b"authorization", b"")):
                return found
        except NoCredentials as error:
            reason = error
        try:
            return Caller(await self._check.signer(call), None)
        except NoCredentials as error:
            raise reason or error from None

    def shows_token(self, call: Call) -> bool:
        """Whether a request that was let in showed a token, which can be looked at again. A signature is for one
        moment."""
        return not is_signature(call.fields.get(b"authorization", b"")) or self._check.bearer(call.fields) is not None

    def project(self, call: Call, caller: Caller, scope: str) -> str:
        """The project whose channels are meant. Errors: Refusal, Forbidden."""
        own, given = caller.principal.project, parameters(call.scope["query_string"]).get("project")
        if given is not None and not PROJECT.fullmatch(given):
            raise invalid("project")
        project = given or own or DEFAULT_PROJECT
        call.principal = caller.principal
        self._check.enter(call, project, scope)
        return project

    def may_see(self, caller: Caller, channel: str) -> bool:
        """Whether a channel is shown in a list."""
        permission = self._rules.permission(channel)
        return permission is not None and caller.may_use(permission)

    async def enter_admin(self, call: Call) -> None:
        caller = await self.caller(call)
        if not caller.principal.may(ADMIN):
            raise rejected("these credentials lack the scope admin")

    def _web_token(self, authorization: bytes) -> Caller | None:
        scheme, _, token = authorization.partition(b" ")
        if self._tokens is None or scheme.lower() != b"bearer":
            return None
        bearer = self._tokens.bearer(token.strip().decode("latin-1"))
        return None if bearer is None else Caller(*bearer)
