"""Probes, for whatever watches the daemon, and what only admins may do."""

import logging
from collections.abc import Callable

from starlette.responses import Response

from bridge.api.base import Revocations
from bridge.api.dsps.describe import LOG_LEVEL, REVOCATION, operation
from bridge.api.dsps.errors import invalid, missing
from bridge.api.dsps.gate import ADMIN, Gate
from bridge.api.dsps.parse import parameters, parse_revocation
from bridge.api.dsps.render import ProbeNotReady, ProbeOk, Revoked, render_json
from bridge.api.health import reason_of
from bridge.api.operation import Operation
from bridge.api.resource import Call, Handler

log = logging.getLogger(__name__)

SetLogLevel = Callable[[str, str], None]
"""(category, level). Errors: LookupError for an unknown category, ValueError for an unknown level."""


LIVENESS = "/probe/liveness"
READINESS = "/probe/readiness"
LEVEL = "/admin/log/level"
REVOKE = "/admin/jwt/revoke"


class Administration:
    def __init__(
        self,
        gate: Gate,
        revocations: Revocations,
        set_log_level: SetLogLevel,
        ready: Callable[[], bool],
        refusal: Callable[[], str | None],
    ) -> None:
        self._gate = gate
        self._revocations = revocations
        self._set_log_level = set_log_level
        self._ready = ready
        self._refusal = refusal

    def handlers(self) -> dict[str, dict[str, Handler]]:
        return {
            LIVENESS: {"GET": self.liveness},
            READINESS: {"GET": self.readiness},
            LEVEL: {"PUT": self.log_level},
            REVOKE: {"PUT": self.revoke},
        }

    def operations(self) -> list[Operation]:
        return [*_about_probes(), *_about_settings()]

    async def liveness(self, _call: Call) -> Response:
        return _json({"status": "ok"})

    async def readiness(self, _call: Call) -> Response:
        if not self._ready():
            return _json(ProbeNotReady("not ready"), 503)
        refusal = self._refusal()
        return _json(ProbeOk("ok")) if refusal is None else _json(ProbeNotReady("not ready", reason_of(refusal)), 503)

    async def log_level(self, call: Call) -> Response:
        await self._gate.enter_admin(call)
        given = parameters(call.scope["query_string"])
        for name in ("category", "level"):
            if not given.get(name):
                raise missing(name)
        try:
            self._set_log_level(given["category"], given["level"])
        except LookupError:
            raise invalid("category") from None
        except ValueError:
            raise invalid("level") from None
        log.info("log level changed", extra={"category": given["category"], "to": given["level"]})
        return Response(status_code=204)

    async def revoke(self, call: Call) -> Response:
        await self._gate.enter_admin(call)
        revocation = parse_revocation(parameters(call.scope["query_string"]))
        await self._revocations.revoke_jwt(revocation.jti, revocation.exp)
        log.info("JSON Web Token revoked", extra={"jti": revocation.jti})
        return _json({"jti": revocation.jti, "exp": revocation.exp})


def _about_probes() -> list[Operation]:
    return [
        operation("GET", LIVENESS, "ProbeLiveness", "Whether the process answers.", scope=None, answers={200: ProbeOk}),
        operation(
            "GET",
            READINESS,
            "ProbeReadiness",
            "Whether messages are accepted and devices can connect.",
            scope=None,
            answers={200: ProbeOk, 503: ProbeNotReady},
        ),
    ]


def _about_settings() -> list[Operation]:
    return [
        operation(
            "PUT",
            LEVEL,
            "SetLogLevel",
            "Change what is logged, until the daemon ends.",
            scope=ADMIN,
            parameters=LOG_LEVEL,
            answers={204: None},
            errors=[refuse(name) for name in ("category", "level") for refuse in (missing, invalid)],
        ),
        operation(
            "PUT",
            REVOKE,
            "RevokeJwt",
            "Do not accept a JSON Web Token any more.",
            scope=ADMIN,
            parameters=REVOCATION,
            answers={200: Revoked},
            errors=(missing("jti"), invalid("jti"), invalid("exp")),
        ),
    ]


def _json(content: object, status: int = 200) -> Response:
    return Response(render_json(content), status, media_type="application/json")
