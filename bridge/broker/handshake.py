"""From CONNECT to CONNACK [MQTT-3.1.4]."""

import asyncio
import contextlib
import logging
import uuid
from collections.abc import Coroutine, Iterator
from functools import partial
from typing import Any, NamedTuple

from bridge.broker.authentication import Authentication, Success
from bridge.broker.complaints import shortened
from bridge.broker.identity import Identity, TopicAccess
from bridge.broker.login import Login
from bridge.broker.plugin_session import PluginSession
from bridge.broker.plugins import Plugins
from bridge.broker.refused import Refused
from bridge.broker.session import Line, Session
from bridge.broker.sessions import Sessions
from bridge.broker.settings import MqttSettings
from bridge.model.clock import Clock
from bridge.model.errors import BridgeError
from bridge.model.failed_logins import FailedLogins
from bridge.model.topics import user_topic
from bridge.mqtt import Connack, Connect, Properties, ReasonCode, Version, is_as_indicated

_log = logging.getLogger(__name__)


class _Accepted(NamedTuple):
    """Who may connect, as soon as an earlier session of the name is out of the way."""

    line: Line
    connect: Connect
    client_id: str
    identity: Identity
    known: PluginSession | None
    proof: Properties | None


class Handshake:
    def __init__(
        self,
        settings: MqttSettings,
        login: Login,
        access: TopicAccess,
        sessions: Sessions,
        clock: Clock,
        *,
        plugins: Plugins,
    ) -> None:
        self._settings = settings
        self._login = login
        self._access = access
        self._sessions = sessions
        self._plugins = plugins
        self._failures = FailedLogins(settings.max_failed_logins, clock)
        self._waiting: set[asyncio.Task[None]] = set()

    def begin(self, line: Line, connect: Connect) -> None:
        """Accept or refuse. Only a client that a plug-in has to judge is kept waiting."""
        with self._refusing(line, connect):
            self._check(connect)
            known = self._plugins.meet(connect, line)
            if "authentication_method" in connect.properties:
                self._authenticate(line, connect, known)
                return
            identity = self._login.known(connect, line)
            if known is not None and self._plugins_decide(connect, identity):
                line.hold()
                self._start(self._ask(line, connect, known, identity))
                return
            self._finish(line, connect, identity, known)

    @contextlib.contextmanager
    def _refusing(self, line: Line, connect: Connect) -> Iterator[None]:
        """Who cannot be accepted within is refused."""
        try:
            yield
        except Refused as refusal:
            self._refuse(line, connect, refusal)
        except BridgeError as error:
            line.refuse(ReasonCode.SERVER_UNAVAILABLE, str(error), client=connect.client_id)

    def _start(self, step: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(step)
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)

    def _plugins_decide(self, connect: Connect, identity: Identity | None) -> bool:
        """About the client, or about the topic of its will."""
        if identity is None:
            return self._login.waits
        topics = self._plugins.topics
        return topics is not None and connect.will is not None and topics.decide(identity, connect.will.topic)

    async def _ask(self, line: Line, connect: Connect, known: PluginSession, identity: Identity | None) -> None:
        with self._refusing(line, connect):
            try:
                identity = identity or await self._login.with_plugins(known)
                await self._ask_about_will(connect, known, identity)
            except Exception as error:  # a plug-in is foreign code: its failure refuses one client, nothing else
                if isinstance(error, Refused):
                    raise
                _log.exception("authentication plug-in failed", extra={"peer": line.peer})
                raise Refused(ReasonCode.SERVER_UNAVAILABLE, "authentication plug-in failed") from None
            if not line.closing:
                self._finish(line, connect, identity, known)
                line.release()

    async def _ask_about_will(self, connect: Connect, known: PluginSession, identity: Identity | None) -> None:
        topics, will = self._plugins.topics, connect.will
        if topics is None or will is None or identity is None or not topics.decide(identity, will.topic):
            return
        if not await topics.allow(known, will.topic, "publish"):
            raise Refused(ReasonCode.NOT_AUTHORIZED, "the will's topic is not open to this client")

    def _authenticate(self, line: Line, connect: Connect, known: PluginSession | None) -> None:
        """[MQTT-4.12.0-1]"""
        method = connect.properties["authentication_method"]
        plugin = self._plugins.methods.get(method)
        if plugin is None or known is None:
            raise Refused(ReasonCode.BAD_AUTHENTICATION_METHOD, f"unknown authentication method {method!r}")

        def connected(outcome: Success | Refused) -> None:
            self._start(self._authenticated(line, connect, known, outcome))

        line.authentication = Authentication(
            plugin,
            line,
            known,
            prove=self._login.proved,
            start=self._start,
            connected=connected,
            patience=self._settings.connect_timeout,
            largest=connect.properties.get("maximum_packet_size", 0),
        )
        line.authentication.begin(connect.properties.get("authentication_data"))

    async def _authenticated(
        self, line: Line, connect: Connect, known: PluginSession, outcome: Success | Refused
    ) -> None:
        with self._refusing(line, connect):
            if isinstance(outcome, Refused):
                raise outcome
            identity = self._login.proved(outcome, line)
            await self._ask_about_will(connect, known, identity)
            if not line.closing and line.authentication is not None:
                self._finish(line, connect, identity, known, line.authentication.properties(outcome.data))
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
        line.refuse(refusal.reason_code, str(refusal), client=connect.client_id)  # [MQTT-3.1.4-2]

    async def _refuse_later(self, line: Line, connect: Connect, refusal: Refused, wait: float) -> None:
        with self._failures.waiting() as may_wait:
            if may_wait:
                await asyncio.sleep(wait)
        # also when it has not waited for its answer: guessing leaves lines in the log
        line.refuse(refusal.reason_code, str(refusal), client=connect.client_id)

    def _check(self, connect: Connect) -> None:
        nameless = connect.client_id == ""
        if nameless and (
            connect.version is Version.V31 or (connect.version is Version.V311 and not connect.clean_start)
        ):
            # [MQTT-3.1.3-8]; in 3.1 the identifier is never empty [MQTT3-3.1.3-8]
            raise Refused(ReasonCode.CLIENT_IDENTIFIER_NOT_VALID, "empty client identifier")
        if connect.version is not Version.V5 and connect.keep_alive < self._settings.min_keep_alive:
            # Older clients cannot be told another value, and the vendor has no other answer for them than 0x02.
            raise Refused(ReasonCode.CLIENT_IDENTIFIER_NOT_VALID, f"keep-alive of {connect.keep_alive} s")
        if connect.will is not None and not is_as_indicated(connect.will.payload, connect.will.properties):
            raise Refused(ReasonCode.PAYLOAD_FORMAT_INVALID, "the will's payload is not UTF-8, as it says it is")
        if connect.will is not None and connect.will.retain and not self._settings.retain_available:
            if connect.version is Version.V5:  # [MQTT-3.2.2-13]
                raise Refused(ReasonCode.RETAIN_NOT_SUPPORTED, "retained messages are not available")
            connect.will.retain = False

    def _finish(
        self,
        line: Line,
        connect: Connect,
        identity: Identity | None,
        known: PluginSession | None,
        proof: Properties | None = None,
    ) -> None:
        if identity is None:
            nobody = connect.username is None and connect.password is None
            reason = ReasonCode.NOT_AUTHORIZED if nobody else ReasonCode.BAD_USER_NAME_OR_PASSWORD
            raise Refused(reason, "no credentials" if nobody else "unknown user")
        # [MQTT-3.1.3-5] [MQTT-3.1.3-7] [MQTT-3.2.2-16]
        given = connect.client_id or f"auto-{uuid.uuid4().hex}"  # [MQTT-3.1.3-6]
        client_id = self._login.client_id(identity, given)
        if connect.will is not None and not self._access.may_publish(identity, connect.will.topic):
            raise Refused(ReasonCode.NOT_AUTHORIZED, "the will's topic is not open to this client")
        accepted = _Accepted(line, connect, client_id, identity, known, proof)
        if not self._admit(accepted):
            line.hold()

    def _admit(self, accepted: _Accepted) -> bool:
        """False: it goes on when an earlier session of the name is gone. Raises StoreUnavailable."""
        _, connect, client_id, identity, _, _ = accepted
        self._sessions.make_way(client_id, identity, connect)  # [MQTT-3.1.4-4]
        ready = self._sessions.when_ready(client_id, identity, partial(self._go_on, accepted))
        if ready:
            self._open(accepted)
        return ready

    def _go_on(self, accepted: _Accepted) -> None:
        line = accepted.line
        if line.closing:
            return
        with self._refusing(line, accepted.connect):
            if self._admit(accepted):
                line.release()

    def _open(self, accepted: _Accepted) -> None:
        line, connect, client_id, identity, known, proof = accepted
        session, present = self._sessions.open(client_id, identity, connect)
        if known is not None:
            known.belong(session)
        keep_alive = self._keep_alive(connect)
        line.begin(session, connect, keep_alive)
        properties = self._properties(line, connect, session, keep_alive)
        properties.update(proof or {})  # [MQTT-4.12.0-5] [MQTT-4.12.0-6]
        # [MQTT-3.1.4-5] [MQTT-3.2.0-1] [MQTT-3.2.2-2] [MQTT-3.2.2-3]
        line.send(Connack(present and connect.version is not Version.V31, ReasonCode.SUCCESS, properties))
        if line.closing:  # it takes no CONNACK of that size
            return
        _log.info(
            "client connected",
            extra={
                "client": shortened(client_id),
                "device": identity.name,
                "project": identity.project,
                "peer": line.peer,
                "listener": line.listener.name,
                "mqtt": connect.version.name,
                "resumed": present,
            },
        )
        self._sessions.attach(line, session)

    def _keep_alive(self, connect: Connect) -> int:
        """The seconds that the client is watched with. MQTT 5 clients are told when that is not what they asked for
        [MQTT-3.2.2-21] [MQTT-3.2.2-22]. Others may be ended for their silence whatever they asked for, but with 0 they
        turn the mechanism off and will never send a PINGREQ [MQTT3 3.1.2.10]."""
        asked, longest = connect.keep_alive, self._settings.max_keep_alive
        if connect.version is Version.V5:
            return self._settings.server_keep_alive or (asked if 0 < asked <= longest else longest)
        return min(asked, longest)

    def _properties(self, line: Line, connect: Connect, session: Session, keep_alive: int) -> Properties:
        """What this server can do, where that differs from what an MQTT 5 client must assume [MQTT-3.2.2.3]."""
        if connect.version is not Version.V5:
            return Properties()
        settings = self._settings
        properties = Properties()
        if settings.topic_alias_maximum:
            properties["topic_alias_maximum"] = settings.topic_alias_maximum
        properties["maximum_packet_size"] = line.listener.max_packet_size
        properties["receive_maximum"] = settings.receive_maximum
        if connect.properties.get("request_response_information") and session.identity.device is not None:
            # [MQTT-3.1.2-28] below this nobody but the platform and the device itself may publish
            properties["response_information"] = user_topic(session.identity.device.device_id, "")
        if not settings.retain_available:
            properties["retain_available"] = 0
        if not connect.client_id:
            properties["assigned_client_identifier"] = session.client_id
        if keep_alive != connect.keep_alive:
            properties["server_keep_alive"] = keep_alive
        if session.expiry != connect.properties.get("session_expiry_interval", 0):
            properties["session_expiry_interval"] = session.expiry
        return properties
