"""Who is asking, and may they. The only place that reads credentials."""

from collections.abc import Mapping

from bridge.api.base import Access
from bridge.api.faults import Forbidden, NoCredentials
from bridge.model.principal import Principal


class AccessCheck:
    """One check in front of every handler. A valid X-Auth-Token decides before Authorization is looked at."""

    def __init__(self, access: Access) -> None:
        self._principal = access.principal

    def enter(self, fields: Mapping[bytes, bytes], project: str, scope: str) -> Principal:
        """The principal of a request with these header fields. Errors: NoCredentials, Forbidden."""
        principal = self._identify(fields)
        if not principal.may_enter(project):
            raise Forbidden("these credentials belong to another project")
        if not principal.may(scope):
            raise Forbidden(f"these credentials lack the scope {scope}")
        return principal

    def _identify(self, fields: Mapping[bytes, bytes]) -> Principal:
        token = fields.get(b"x-auth-token")
        if token and (principal := self._principal(token.decode("latin-1"))):
            return principal
        scheme, _, token = fields.get(b"authorization", b"").partition(b" ")
        if scheme.lower() == b"bearer" and (principal := self._principal(token.strip().decode("latin-1"))):
            return principal
        raise NoCredentials
