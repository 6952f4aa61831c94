"""Enhanced authentication [MQTT-4.12]: client and plug-in exchange data before the CONNACK, and again when the client
asks for it.

A plug-in that implements a method is any class that `mqtt.plugins` loads, so a subclass of amqtt's `BasePlugin`, with
what `AuthenticationPlugin` shows:

    class Pin(BasePlugin[BrokerContext]):
        authentication_method = "PIN"

        def start(self, session: Session) -> "PinExchange":
            return PinExchange(session)

    class PinExchange:
        async def step(self, data: bytes | None) -> Continue | Success | Failure:
            ...
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from bridge.broker.identity import Identity
from bridge.broker.plugin_session import PluginSession
from bridge.broker.refused import Refused
from bridge.broker.session import Line
from bridge.model.device import DEFAULT_PROJECT, PROJECT
from bridge.model.errors import BridgeError
from bridge.mqtt import Auth, Disconnect, Packet, PacketType, Properties, ReasonCode, Version, encode, is_allowed

_log = logging.getLogger(__name__)
_MOST_STEPS = 16
"""Of one exchange; SCRAM takes two, Kerberos three."""


@dataclass(frozen=True, slots=True)
class Continue:
    """The client has to answer this."""

    data: bytes | None = None
    """Authentication Data, at most 65,535 bytes; None: the packet has none."""


@dataclass(frozen=True, slots=True)
class Success:
    """The client is who it says."""

    username: str = ""
    """Which it proved. A registered device of that name in `project` connects as that device, everybody else as a
    client that a plug-in vouched for. When the client authenticates again it has to be the same."""
    data: bytes | None = None
    project: str = DEFAULT_PROJECT


@dataclass(frozen=True, slots=True)
class Failure:
    """The client is refused."""

    reason: str = "authentication failed"
    """For the log."""
    reason_code: ReasonCode = ReasonCode.BAD_USER_NAME_OR_PASSWORD
    """0x80 or above, one that a CONNACK may have. The default counts as a failed login of the client's address."""


Outcome: TypeAlias = Continue | Success | Failure


class Exchange(Protocol):
    async def step(self, data: bytes | None) -> Outcome:
        """`data`: what the client sent, None for nothing; first that of its CONNECT, or of the AUTH with which it
        authenticates again. Has `mqtt.connect_timeout` to decide. What it raises is logged and refuses this client."""


class AuthenticationPlugin(Protocol):
    authentication_method: str
    """The Authentication Method, for example SCRAM-SHA-256."""

    def start(self, session: Any) -> Exchange:
        """One exchange with one client, of which the `amqtt.session.Session` tells as much as its CONNECT did."""


class Authentication:
    """Of one connection, whose CONNECT named a method. `prove` tells who a Success is and raises Refused; `connected`
    is called once, with what the first exchange came to: a Success, or why the client is Refused."""

    __slots__ = (
        "_connected",
        "_exchange",
        "_expiry",
        "_known",
        "_largest",
        "_line",
        "_patience",
        "_plugin",
        "_prove",
        "_proved",
        "_start",
        "_steps",
        "_thinking",
    )

    def __init__(
        self,
        plugin: AuthenticationPlugin,
        line: Line,
        known: PluginSession,
        *,
        prove: Callable[[Success, Line], Identity],
        start: Callable[[Coroutine[Any, Any, None]], None],
        connected: Callable[[Success | Refused], None],
        patience: float,
        largest: int,
    ) -> None:
        """`start` runs a coroutine. `patience`: seconds. `largest`: packet that the client takes, 0 for any."""
        self._plugin = plugin
        self._line = line
        self._known = known
        self._prove = prove
        self._start = start
        self._connected = connected
        self._patience = patience
        self._largest = largest
        self._exchange: Exchange | None = None
        self._steps = 0
        self._thinking = False
        self._proved: Success | None = None
        self._expiry: asyncio.TimerHandle | None = None

    @property
    def method(self) -> str:
        return self._plugin.authentication_method

    def begin(self, data: bytes | None) -> None:
        """With the data of the CONNECT."""
        self._step(data)

    def received(self, packet: Packet) -> None:
        """Before the CONNACK any packet, afterwards each AUTH."""
        if not isinstance(packet, Auth):
            if isinstance(packet, Disconnect):
                self._line.end(ReasonCode.SUCCESS, "DISCONNECT before CONNACK")
            else:  # [MQTT-3.1.2-30]
                message = f"{type(packet).__name__} before CONNACK"
                self._line.refuse(ReasonCode.PROTOCOL_ERROR, message, clause="MQTT-3.1.2-30")
            return
        again = self._proved is not None and self._exchange is None
        wanted = ReasonCode.REAUTHENTICATE if again else ReasonCode.CONTINUE_AUTHENTICATION
        if packet.properties.get("authentication_method") != self.method:  # [MQTT-4.12.0-5] [MQTT-4.12.1-1]
            self._line.refuse(ReasonCode.PROTOCOL_ERROR, "another authentication method", clause="MQTT-4.12.0-5")
        elif packet.reason_code != wanted or self._thinking:  # [MQTT-4.12.0-3] [MQTT-4.12.1-1]
            message = f"AUTH 0x{packet.reason_code:02x} not allowed now"
            self._line.refuse(ReasonCode.PROTOCOL_ERROR, message, clause="MQTT-4.12.0-3")
        else:
            if again:
                self._expiry = asyncio.get_running_loop().call_later(self._patience, self._expire)
            self._step(packet.properties.get("authentication_data"))

    def _step(self, data: bytes | None) -> None:
        self._thinking = True
        if self._proved is None:  # once it is connected its other packets go on as before [MQTT5 4.12.1]
            self._line.hold()
        self._start(self._ask(data))

    async def _ask(self, data: bytes | None) -> None:
        outcome = await self._outcome(data)
        self._thinking = False
        if self._line.closing:
            self._stop_waiting()
            return
        if isinstance(outcome, Continue):
            self._say(ReasonCode.CONTINUE_AUTHENTICATION, outcome.data)  # [MQTT-4.12.0-2]
            if self._proved is None:
                self._line.release()
            return
        self._exchange = None
        self._steps = 0
        self._stop_waiting()
        if isinstance(outcome, Failure):
            sayable = outcome.reason_code >= 0x80 and is_allowed(outcome.reason_code, PacketType.CONNACK)
            self._refuse(Refused(outcome.reason_code if sayable else ReasonCode.NOT_AUTHORIZED, outcome.reason))
        elif self._proved is None:
            self._proved = outcome
            self._known.username = outcome.username or self._known.username
            self._connected(outcome)
        else:
            self._renew(outcome)

    async def _outcome(self, data: bytes | None) -> Outcome:
        if self._steps == _MOST_STEPS:
            return Failure(f"more than {_MOST_STEPS} steps")
        self._steps += 1
        try:
            if self._exchange is None:
                self._exchange = self._plugin.start(self._known)
            async with asyncio.timeout(self._patience):
                return _checked(await self._exchange.step(data))
        except Exception:  # a plug-in is foreign code: its failure refuses one client and is logged, nothing else
            _log.exception("authentication plug-in failed", extra={"peer": self._line.peer})
            return Failure("authentication plug-in failed", ReasonCode.SERVER_UNAVAILABLE)

    def _renew(self, success: Success) -> None:
        """The client has authenticated again, as the same [MQTT5 4.12.1]."""
        before, session = self._proved, self._line.session
        try:
            identity = self._prove(success, self._line)
        except Refused as refusal:
            self._refuse(refusal)
            return
        except BridgeError as error:
            self._refuse(Refused(ReasonCode.SERVER_UNAVAILABLE, str(error)))
            return
        same = before is not None and (success.project, success.username) == (before.project, before.username)
        if not same or session is None or not identity.is_same(session.identity):
            self._refuse(Refused(ReasonCode.NOT_AUTHORIZED, "authenticated again as somebody else"))
            return
        self._say(ReasonCode.SUCCESS, success.data)

    def _refuse(self, refusal: Refused) -> None:
        if self._proved is None:  # [MQTT-4.12.0-4]
            self._connected(refusal)
            return
        reason = refusal.reason_code  # [MQTT-4.12.1-2]
        if reason is ReasonCode.SERVER_UNAVAILABLE:
            reason = ReasonCode.SERVER_BUSY
        elif not is_allowed(reason, PacketType.DISCONNECT):
            reason = ReasonCode.NOT_AUTHORIZED
        self._line.refuse(reason, f"authenticating again: {refusal}")

    def _expire(self) -> None:
        if not self._line.closing:
            self._line.refuse(ReasonCode.NOT_AUTHORIZED, "authenticating again took too long")

    def _stop_waiting(self) -> None:
        if self._expiry is not None:
            self._expiry.cancel()
            self._expiry = None

    def _say(self, reason: ReasonCode, data: bytes | None) -> None:
        packet = Auth(reason, self.properties(data))
        if self._largest and len(encode(packet, Version.V5)) > self._largest:  # [MQTT-3.1.2-24]
            self._line.refuse(ReasonCode.PACKET_TOO_LARGE, "the client does not take the AUTH it needs")
            return
        self._line.send(packet)

    def properties(self, data: bytes | None) -> Properties:
        """[MQTT-4.12.0-5]"""
        properties = Properties(authentication_method=self.method)
        if data is not None:
            properties["authentication_data"] = data
        return properties


def _checked(outcome: Any) -> Outcome:
    """What the plug-in answered. Raises TypeError or ValueError when that is no answer."""
    if isinstance(outcome, Failure):
        return outcome
    if not isinstance(outcome, Continue | Success):
        raise TypeError(f"the exchange answered {outcome!r}")
    if outcome.data is not None and len(outcome.data) > 0xFFFF:
        raise ValueError(f"authentication data of {len(outcome.data):,} bytes")
    if isinstance(outcome, Success) and not PROJECT.fullmatch(outcome.project):
        raise ValueError(f"{outcome.project!r} is not a project")
    return outcome
