"""From CONNECT to CONNACK [MQTT-3.1.4]."""

import asyncio
import logging
import uuid
from collections.abc import Coroutine
from typing import Any

from bridge.broker.identity import Identity, TopicAccess
from bridge.broker.login import Login, Refused
from bridge.broker.session import Line, Session
from bridge.broker.sessions import Sessions
from bridge.broker.settings import MqttSettings
from bridge.model.clock import Clock
from bridge.model.errors import BridgeError
from bridge.model.failed_logins import FailedLogins
from bridge.mqtt import Connack, Connect, Properties, ReasonCode, Version

_log = logging.getLogger(__name__)


class Handshake:
    def __init__(
        self, settings: MqttSettings, login: Login, access: TopicAccess, sessions: Sessions, clock: Clock
    ) -> None:
        self._settings = settings
        self._login = login
        self._access = access
        self._sessions = sessions
        self._failures = FailedLogins(settings.max_failed_logins, clock)
        self._waiting: set[asyncio.Task[None]] = set()

    def begin(self, line: Line, connect: Connect) -> None:
        """Accept or refuse. Only a client that a plug-in has to judge is kept waiting."""
        try:
            self._check(connect)
            identity = self._login.known(connect, line)
            if identity is None and self._login.waits:
                self._ask_plugins(line, connect)
                return
            self._finish(line, connect, identity)
        except Refused as refusal:
            self._refuse(line, connect, refusal)
        except BridgeError as error:
            line.refuse(ReasonCode.SERVER_UNAVAILABLE, str(error), client=connect.client_id)

    def _ask_plugins(self, line: Line, connect: Connect) -> None:
        line.hold()
        self._start(self._ask(line, connect))

    def _start(self, step: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(step)
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)

    async def _ask(self, line: Line, connect: Connect) -> None:
        try:
            identity = await self._login.with_plugins(connect, line.peer)
            if line.closing:
                return
            self._finish(line, connect, identity)
        except Refused as refusal:
            self._refuse(line, connect, refusal)
        except BridgeError as error:
            line.refuse(ReasonCode.SERVER_UNAVAILABLE, str(error), client=connect.client_id)
        except Exception:  # a plug-in is foreign code: its failure refuses one client and is logged, nothing else
            _log.exception("authentication plug-in failed", extra={"peer": line.peer})
            line.refuse(ReasonCode.SERVER_UNAVAILABLE, "authentication plug-in failed", client=connect.client_id)
        else:
            line.release()

    def _refuse(self, line: Line, connect: Connect, refusal: Refused) -> None:
        """Wrong credentials are counted for their address, and held back when there are many."""
        if refusal.reason_code is ReasonCode.BAD_USER_NAME_OR_PASSWORD:
            failure = self._failures.count(line.peer.rpartition(":")[0])
            if failure.first:
                _log.warning("many failed logins", extra={"peer": line.peer})
            if failure.wait:
                line.hold()
                self._start(self._refuse_later(line, connect, refusal, failure.wait))
                return
        line.refuse(refusal.reason_code, str(refusal), client=connect.client_id)

    async def _refuse_later(self, line: Line, connect: Connect, refusal: Refused, wait: float) -> None:
        with self._failures.waiting() as may_wait:
            if may_wait:
                await asyncio.sleep(wait)
        if not line.closing:
            line.refuse(refusal.reason_code, str(refusal), client=connect.client_id)

    def _check(self, connect: Connect) -> None:
        if "authentication_method" in connect.properties:  # [MQTT-4.12.0-1]
            raise Refused(ReasonCode.BAD_AUTHENTICATION_METHOD, "no enhanced authentication")
        nameless = connect.client_id == ""
        if nameless and (
            connect.version is Version.V31 or (connect.version is Version.V311 and not connect.clean_start)
        ):
            # [MQTT-3.1.3-8]; in 3.1 the identifier is never empty
            raise Refused(ReasonCode.CLIENT_IDENTIFIER_NOT_VALID, "empty client identifier")
        if connect.version is not Version.V5 and not self._tolerates(connect.keep_alive):
            raise Refused(ReasonCode.CLIENT_IDENTIFIER_NOT_VALID, f"keep-alive of {connect.keep_alive} s")
        if connect.will is not None and connect.will.retain and connect.version is Version.V5:  # [MQTT-3.2.2-13]
            raise Refused(ReasonCode.RETAIN_NOT_SUPPORTED, "retained messages are not available")

    def _finish(self, line: Line, connect: Connect, identity: Identity | None) -> None:
        if identity is None:
            nobody = connect.username is None and connect.password is None
            reason = ReasonCode.NOT_AUTHORIZED if nobody else ReasonCode.BAD_USER_NAME_OR_PASSWORD
            raise Refused(reason, "no credentials" if nobody else f"unknown user {connect.username!r}")
        given = connect.client_id or f"auto-{uuid.uuid4().hex}"  # [MQTT-3.1.3-6]
        client_id = self._login.client_id(identity, given)
        if connect.will is not None and not self._access.may_publish(identity, connect.will.topic):
            raise Refused(ReasonCode.NOT_AUTHORIZED, "the will's topic is not open to this client")
        session, present = self._sessions.open(client_id, identity, connect)
        keep_alive = self._keep_alive(connect)
        line.begin(session, connect, keep_alive)
        properties = self._properties(connect, session, keep_alive)
        line.send(Connack(present and connect.version is not Version.V31, ReasonCode.SUCCESS, properties))
        _log.info(
            "client connected",
            extra={
                "client": client_id,
                "device": identity.name,
                "project": identity.project,
                "peer": line.peer,
                "mqtt": connect.version.name,
                "resumed": present,
            },
        )
        self._sessions.attach(line, session)

    def _tolerates(self, keep_alive: int) -> bool:
        """Older clients cannot be told another value, and the vendor has no other answer for them than 0x02."""
        return self._settings.min_keep_alive <= keep_alive <= self._settings.max_keep_alive

    def _keep_alive(self, connect: Connect) -> int:
        """Only MQTT 5 clients can be told another value [MQTT-3.2.2-21]."""
        longest = self._settings.max_keep_alive
        if connect.version is Version.V5 and not 0 < connect.keep_alive <= longest:
            return longest
        return connect.keep_alive

    def _properties(self, connect: Connect, session: Session, keep_alive: int) -> Properties:
        """What this server can do, where that differs from what an MQTT 5 client must assume [MQTT-3.2.2.3]."""
        if connect.version is not Version.V5:
            return Properties()
        settings = self._settings
        properties = Properties(
            receive_maximum=settings.receive_maximum,
            maximum_packet_size=settings.max_packet_size,
            retain_available=0,
        )
        if not connect.client_id:
            properties["assigned_client_identifier"] = session.client_id
        if keep_alive != connect.keep_alive:
            properties["server_keep_alive"] = keep_alive
        if session.expiry != connect.properties.get("session_expiry_interval", 0):
            properties["session_expiry_interval"] = session.expiry
        return properties
