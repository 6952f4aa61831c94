"""Who is asking, and may they. The only place that reads credentials."""

import asyncio
import logging
from collections.abc import Mapping

from bridge.api.base import Access
from bridge.api.body import read_body
from bridge.api.faults import BadSignature, Forbidden, NoCredentials, TooManyFailures
from bridge.api.resource import Call
from bridge.api.signature import (
    SignedRequest,
    check_date,
    is_signature,
    parse_authorization,
    signed_fields,
    verify,
)
from bridge.model.access_key import AK
from bridge.model.clock import Clock
from bridge.model.failed_logins import FailedLogins
from bridge.model.principal import Principal

log = logging.getLogger(__name__)
sleep = asyncio.sleep
"""Holds an answer back. A name of its own, so that tests need not wait."""

CREDENTIALS = {b"x-auth-token", b"authorization"}


class AccessCheck:
    """One check in front of every handler: `bearer` and `signer` say who is asking, `enter` whether they may.

    A valid X-Auth-Token decides before Authorization is looked at: users of the vendor's SDK set it beside a dummy
    access key. Wrong credentials are counted for their address, and held back when there are many.
    """

    def __init__(self, access: Access, failures: FailedLogins, clock: Clock, *, max_body: int) -> None:
        self._access = access
        self._principal = access.principal
        self._failures = failures
        self._clock = clock
        self._max_body = max_body

    def with_max_body(self, max_body: int) -> "AccessCheck":
        """The same check for paths whose requests may be larger; failures are counted together."""
        return AccessCheck(self._access, self._failures, self._clock, max_body=max_body)

    def enter(self, call: Call, project: str, scope: str) -> Principal:
        """Whoever sent this request, if they may do that there. Errors: Forbidden; NoCredentials if nobody looked."""
        principal = call.principal
        if principal is None:
            raise NoCredentials
        if not principal.may_enter(project):
            raise Forbidden("these credentials belong to another project")
        if not principal.may(scope):
            raise Forbidden(f"these credentials lack the scope {scope}")
        return principal

    def bearer(self, fields: Mapping[bytes, bytes]) -> Principal | None:
        """Who has shown a token with these header fields; None: nobody."""
        token = fields.get(b"x-auth-token")
        if token and (principal := self._principal(token.decode("latin-1"))):
            return principal
        scheme, _, token = fields.get(b"authorization", b"").partition(b" ")
        if scheme.lower() == b"bearer":
            return self._principal(token.strip().decode("latin-1"))
        return None

    async def signer(self, call: Call) -> Principal:
        """Who has signed this request, which has no valid token. Its body is read: the signature covers that, too.

        Errors: NoCredentials, TooManyFailures, BodyTooLarge, ClientGone.
        """
        try:
            return await self._verified(call)
        except NoCredentials:
            if CREDENTIALS & call.fields.keys():
                await self._hold_back(call)
            raise

    async def _verified(self, call: Call) -> Principal:
        """Whatever needs neither the key nor the body is checked first."""
        authorization = call.fields.get(b"authorization", b"")
        if not is_signature(authorization):
            raise NoCredentials
        scope = call.scope
        request = SignedRequest(scope["method"], scope["path"], scope["query_string"], scope["headers"])
        credentials = parse_authorization(authorization)
        signed = signed_fields(credentials, request.fields)
        check_date(credentials, signed, self._clock())
        key = self._access.access_key(credentials.ak) if AK.fullmatch(credentials.ak) else None
        if key is None:
            raise BadSignature
        verify(credentials, key.sk, request, signed, await read_body(call, self._max_body))
        return key.principal

    async def _hold_back(self, call: Call) -> None:
        """Returns when the refusal may be sent. Error: TooManyFailures."""
        address = call.scope["client"][0] if call.scope.get("client") else ""
        failure = self._failures.count(address)
        if failure.first:
            log.warning("many failed logins", extra={"peer": address})
        if failure.wait:
            with self._failures.waiting() as may_wait:
                if not may_wait:
                    raise TooManyFailures
                await sleep(failure.wait)
