"""Why a client that was connected is not any more."""

import logging
import ssl
from typing import NamedTuple

from bridge.broker.complaints import shortened
from bridge.broker.session import Line, Session
from bridge.broker.tls import words
from bridge.mqtt import Disconnect, ReasonCode

_log = logging.getLogger(__name__)

_ROUTINE = frozenset(
    (
        ReasonCode.SESSION_TAKEN_OVER,
        ReasonCode.KEEP_ALIVE_TIMEOUT,
        ReasonCode.SERVER_SHUTTING_DOWN,
        ReasonCode.ADMINISTRATIVE_ACTION,
    )
)
"""Reasons for which a connection ends without anybody's fault."""


class Departure(NamedTuple):
    """The end of one connection that had a session."""

    reason: str
    code: int | None = None
    """The reason code that the client gave, or that it was given."""
    clause: str = ""
    """Of the standard, if the client broke it."""
    normal: bool = False
    """The client said good-bye and wants no will sent [MQTT-3.14.4-3]."""
    refusal: bool = False
    """The connection was ended for a fault of the client, or of the daemon."""


def by_client(packet: Disconnect) -> Departure:
    """The client sent a DISCONNECT."""
    code = packet.reason_code
    return Departure("DISCONNECT of the client", code, normal=code == ReasonCode.SUCCESS)


def by_us(code: ReasonCode, reason: str, clause: str = "") -> Departure:
    """The connection was ended here."""
    return Departure(reason, code, clause, refusal=code not in _ROUTINE)


def by_loss(error: Exception | None, *, ended: bool) -> Departure:
    """The connection is gone. `ended`: the client had closed its side of it."""
    if isinstance(error, ssl.SSLError):
        return Departure(f"TLS error: {words(error)}")
    if isinstance(error, ConnectionResetError):
        return Departure("connection reset by the client")
    if isinstance(error, OSError):
        return Departure(f"connection lost: {error.strerror or error}")
    return Departure("closed by the client without DISCONNECT" if ended else "connection aborted")


def tell(line: Line, session: Session, leaving: Departure) -> None:
    """Log the end of the connection."""
    extra = {
        "client": shortened(session.client_id),
        "device": session.identity.name,
        "project": session.identity.project,
        "peer": line.peer,
        "listener": line.listener.name,
        "reason": leaving.reason,
    }
    if leaving.code is not None:
        extra["code"] = f"0x{leaving.code:02x}"
    _log.info("client disconnected", extra=extra)
