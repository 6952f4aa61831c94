"""What a client speaks that is at the wrong port, told by its first bytes."""

import re
from enum import Enum, auto

_HTTP = re.compile(rb"[A-Z]{3,10} [/*a-zA-Z0-9]")
_CONNECT = re.compile(rb"\x10[\x80-\xff]{0,3}[\x00-\x7f]\x00[\x04\x06]MQ", re.DOTALL)


class Port(Enum):
    """What a port is for."""

    PLAIN = auto()
    TLS = auto()
    WEBSOCKET = auto()


_SENTENCES = {
    (Port.PLAIN, "TLS"): "TLS on a port without it",
    (Port.PLAIN, "HTTP"): "HTTP on a port for MQTT; WebSocket has ports of its own",
    (Port.TLS, "MQTT"): "MQTT without TLS on a port for TLS",
    (Port.TLS, "HTTP"): "HTTP without TLS on a port for TLS",
    (Port.WEBSOCKET, "TLS"): "TLS on a port without it",
    (Port.WEBSOCKET, "MQTT"): "MQTT without WebSocket on a port for WebSocket",
}


def misplaced(first: bytes, port: Port) -> str:
    """The sentence about a client that begins with these bytes; empty if it took the right port."""
    return _SENTENCES.get((port, _spoken(first)), "")


def _spoken(first: bytes) -> str:
    if first[:1] == b"\x16" and first[1:2] in {b"", b"\x03"}:  # a record of type handshake, SSL 3.0 or later
        return "TLS"
    if _CONNECT.match(first):
        return "MQTT"
    return "HTTP" if _HTTP.match(first) else ""
