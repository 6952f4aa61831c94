"""The listeners as configured: where each is bound, what it speaks, and its limits."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass

from bridge.broker.settings import ListenerSettings, MqttSettings
from bridge.broker.tls import BadFile, Papers, Tls
from bridge.model.errors import BadSettings

_log = logging.getLogger(__name__)
_BINDS = {
    "mqtt": "mqtt.bind",
    "mqtts": "mqtt.tls_bind",
    "ws": "mqtt.websocket_bind",
    "wss": "mqtt.websocket_tls_bind",
}
_PATHS = ("/mqtt", "/")
"""Where WebSockets are accepted unless a path is configured; to MQTT it makes no difference."""


@dataclass(slots=True, eq=False)
class Listener:
    """One address, its limits, and how many connections it has."""

    name: str
    """`mqtt`, `mqtts`, `ws`, `wss` for those of section [mqtt] itself, or that of its table."""
    bind: str
    paths: tuple[str, ...]
    """Of the WebSockets it accepts; empty: it speaks MQTT without any."""
    tls: Tls | None
    max_connections: int
    max_packet_size: int
    connect_timeout: float
    allow_anonymous: bool
    connections: int = 0

    @property
    def setting(self) -> str:
        """The full key of the setting that says where it is bound."""
        return _BINDS.get(self.name, f"mqtt.listeners.{self.name}.bind")


def configured(settings: MqttSettings) -> list[Listener]:
    """Raises BadSettings when a certificate is no good."""
    return [*_usual(settings), *(_further(name, each, settings) for name, each in settings.listeners.items())]


def reload(listeners: list[Listener]) -> None:
    """Use what the certificate files hold now for new connections. Where they are no good, what was there stays."""
    for tls in {id(listener.tls): listener.tls for listener in listeners if listener.tls is not None}.values():
        names = ",".join(listener.name for listener in listeners if listener.tls is tls)
        try:
            tls.reload()
        except BadFile as bad:
            _log.error("certificate not reloaded", extra={"listener": names, "file": bad.path, "error": str(bad)})
        else:
            _log.info("certificate reloaded", extra={"listener": names, "file": tls.papers.certfile})


def _usual(settings: MqttSettings) -> Iterator[Listener]:
    """Those that have a setting of their own. The two with TLS show the same certificate."""
    yield _listener("mqtt", settings.bind, (), None, settings)
    if settings.websocket_bind:
        yield _listener("ws", settings.websocket_bind, _PATHS, None, settings)
    if settings.tls_bind or settings.websocket_tls_bind:
        tls = _tls("mqtt", settings)
        if settings.tls_bind:
            yield _listener("mqtts", settings.tls_bind, (), tls, settings)
        if settings.websocket_tls_bind:
            yield _listener("wss", settings.websocket_tls_bind, _PATHS, tls, settings)


def _further(name: str, own: ListenerSettings, settings: MqttSettings) -> Listener:
    paths = () if own.type == "tcp" else (own.path,) if own.path else _PATHS
    tls = _tls(f"mqtt.listeners.{name}", own) if own.tls_certfile else None
    listener = _listener(name, own.bind, paths, tls, settings)
    for limit in ("max_connections", "max_packet_size", "connect_timeout", "allow_anonymous"):
        if getattr(own, limit) is not None:
            setattr(listener, limit, getattr(own, limit))
    return listener


def _listener(name: str, bind: str, paths: tuple[str, ...], tls: Tls | None, settings: MqttSettings) -> Listener:
    return Listener(
        name,
        bind,
        paths,
        tls,
        settings.max_connections,
        settings.max_packet_size,
        settings.connect_timeout,
        settings.allow_anonymous,
    )


def _tls(key: str, own: MqttSettings | ListenerSettings) -> Tls:
    required = own.client_certificates == "required"
    try:
        return Tls(Papers(own.tls_certfile, own.tls_keyfile, own.tls_cafile, required))
    except BadFile as bad:
        names = ", ".join(f"{key}.{name}" for name in ("tls_certfile", "tls_keyfile", "tls_cafile"))
        raise BadSettings(f"{names}: {bad.path}: {bad}") from bad
