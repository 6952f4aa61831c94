"""Section `[mqtt]` of the configuration."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bridge.model.setting import setting


@dataclass(frozen=True)
class ListenerSettings:
    """Table `[mqtt.listeners.NAME]`. None: as in section [mqtt]."""

    bind: str = setting("", "Address and port; port 0 takes a free one. Required.")
    type: str = setting("tcp", "MQTT as it is, or over WebSocket.", choices=("tcp", "ws"))
    path: str = setting("", "With ws: the path of the WebSocket; empty: /mqtt and /.")
    tls_certfile: str = setting("", "PEM file with the certificate, and those that vouch for it; empty: no TLS.")
    tls_keyfile: str = setting("", "PEM file with its private key, not encrypted.")
    tls_cafile: str = setting("", "PEM file with the authorities of client certificates, or with those certificates.")
    client_certificates: str = setting(
        "optional",
        "With tls_cafile: whether a client may show a certificate, or has to.",
        choices=("none", "optional", "required"),
    )
    max_connections: int | None = setting(
        None, "Connections this listener holds at once.", minimum=1, maximum=1_000_000
    )
    max_packet_size: int | None = setting(
        None, "Largest packet accepted from a client, in bytes.", minimum=1024, maximum=268_435_460
    )
    connect_timeout: float | None = setting(
        None,
        "Seconds a new connection has for its CONNECT, WebSocket included; for TLS before that as many more.",
        minimum=0.1,
        maximum=300,
    )
    allow_anonymous: bool | None = setting(None, "Whether clients without user name and password may connect.")


@dataclass(frozen=True)
class MqttSettings:
    bind: str = setting("127.0.0.1:1883", "Address and port of the MQTT listener; port 0 takes a free one.")
    tls_bind: str = setting(
        "", "Address and port of the TLS listener; empty: none. Devices with secure_access then have to use it."
    )
    websocket_bind: str = setting("", "Address and port of the listener for MQTT over WebSocket; empty: none.")
    websocket_tls_bind: str = setting("", "The same over TLS, with the certificate of the TLS listener.")
    tls_certfile: str = setting("", "PEM file with the certificate of the TLS listener, and those that vouch for it.")
    tls_keyfile: str = setting("", "PEM file with its private key, not encrypted.")
    tls_cafile: str = setting(
        "",
        "PEM file with the authorities whose client certificates are accepted, or with those certificates; empty: none "
        "are asked for.",
    )
    client_certificates: str = setting(
        "optional",
        "With tls_cafile: whether a client may show a certificate, or has to because its handshake fails otherwise.",
        choices=("none", "optional", "required"),
    )
    listeners: Mapping[str, ListenerSettings] = field(
        default_factory=dict,
        metadata={"about": "Further listeners, each a table with a name of its own and limits of its own."},
    )
    max_connections: int = setting(
        100_000,
        "Connections all listeners together hold at once, those in a TLS handshake and those about to end included.",
        minimum=1,
        maximum=1_000_000,
    )
    max_failed_logins: int = setting(
        20,
        "Failed logins a minute from one address that are answered at once; the answers to more are held back.",
        minimum=1,
        maximum=1_000_000,
    )
    connect_timeout: float = setting(10.0, "Seconds a new connection has for its CONNECT.", minimum=0.1, maximum=300)
    min_keep_alive: int = setting(
        0,
        "Shortest keep-alive in seconds of an MQTT 3 client, which is refused with less; 0 also admits those without.",
        minimum=0,
        maximum=65_535,
    )
    max_keep_alive: int = setting(
        3600,
        "Longest keep-alive in seconds. Whoever asks for more is watched with this, and an MQTT 5 client told so, also "
        "one that asks for none; a silent MQTT 3 client without any is probed by TCP.",
        minimum=5,
        maximum=65_535,
    )
    server_keep_alive: int = setting(
        0,
        "Keep-alive in seconds that every MQTT 5 client is told to use; 0: its own.",
        minimum=0,
        maximum=65_535,
    )
    max_inflight: int = setting(
        64, "QoS 1 and 2 messages on their way to one device that it has not acknowledged.", minimum=1, maximum=65_535
    )
    max_client_inflight: int = setting(
        256,
        "The same for a client that is no device: Home Assistant, Node-RED, the bridge of another broker.",
        minimum=1,
        maximum=65_535,
    )
    receive_maximum: int = setting(
        64,
        "QoS 1 and 2 messages that an MQTT 5 client may have open; more that it does not release (QoS 2) are an error.",
        minimum=1,
        maximum=65_535,
    )
    topic_alias_maximum: int = setting(
        16,
        "Topic aliases of one MQTT 5 connection, those of the client and as many of the broker's; 0: none.",
        minimum=0,
        maximum=65_535,
    )
    max_publish_rate: int = setting(
        0,
        "Messages a second that are read from one device, after a burst of one second; it is not read faster. "
        "0: no limit.",
        minimum=0,
        maximum=1_000_000,
    )
    max_client_publish_rate: int = setting(0, "The same for a client that is no device.", minimum=0, maximum=1_000_000)
    max_packet_size: int = setting(
        1_114_112, "Largest packet accepted from any client, in bytes.", minimum=1024, maximum=268_435_460
    )
    max_session_expiry: int = setting(
        86_400,
        "Longest time in seconds the session of any client is kept after its connection.",
        minimum=0,
        maximum=4_294_967_295,
    )
    max_sessions: int = setting(
        100_000,
        "Sessions kept for clients that are not connected, devices and others together.",
        minimum=0,
        maximum=10_000_000,
    )
    max_queued_messages: int = setting(
        1000,
        "Messages between clients that wait for one session of a device; those of applications wait in the store.",
        minimum=0,
        maximum=1_000_000,
    )
    max_queued_bytes: int = setting(1_048_576, "The same in bytes.", minimum=0, maximum=1_073_741_824)
    max_client_queued_messages: int = setting(
        10_000,
        "Messages that wait for one session of a client that is no device, and may hear what all devices say.",
        minimum=0,
        maximum=1_000_000,
    )
    max_client_queued_bytes: int = setting(16_777_216, "The same in bytes.", minimum=0, maximum=1_073_741_824)
    max_subscriptions: int = setting(
        100, "Topic filters of one session of a device; more are refused with 0x97.", minimum=1, maximum=100_000
    )
    max_client_subscriptions: int = setting(
        10_000, "The same for a client that is no device.", minimum=1, maximum=100_000
    )
    downlink_qos: int = setting(
        1, "QoS at which a device is subscribed to its own system topics without asking.", minimum=0, maximum=2
    )
    retain_available: bool = setting(
        True,
        "Whether messages are retained; if not, MQTT 5 clients are told so, and older ones get theirs passed on.",
    )
    max_retained_messages: int = setting(
        100_000,
        "Retained messages of all projects; what is over is refused or not retained.",
        minimum=1,
        maximum=10_000_000,
    )
    max_retained_bytes: int = setting(
        134_217_728,
        "Memory they may take, counted with what each takes besides its payload.",
        minimum=65_536,
        maximum=68_719_476_736,
    )
    allow_anonymous: bool = setting(
        False,
        "Clients without user name and password may connect, use every topic outside $oc/ and the other $ trees, and "
        "read $SYS/.",
    )
    device_publish: tuple[str, ...] = setting(
        ("#",), "Topic filters a device may publish to, besides its own tree $oc/devices/{device_id}/."
    )
    device_subscribe: tuple[str, ...] = setting(
        ("#", "$oc/broadcast/#"), "Topic filters a device may subscribe to, besides its own tree."
    )
    deny_publish: tuple[str, ...] = setting(
        (), "Topic filters that no client may publish to, whatever else it may; answered with 0x87 in MQTT 5."
    )
    deny_subscribe: tuple[str, ...] = setting(
        (),
        "Topic filters that no client may subscribe to; what matches them reaches no subscriber of a wider filter "
        "either.",
    )
    deny_subscribe_code: str = setting(
        "0x87",
        "What an MQTT 5 client is answered whose subscription is not allowed: not authorized, or unspecified error.",
        choices=("0x87", "0x80"),
    )
    reason_strings: bool = setting(
        True, "MQTT 5 clients are told in words why something is refused, unless they ask for no problem information."
    )
    plugins: Mapping[str, Any] = field(
        default_factory=dict,
        metadata={"about": "amqtt plug-ins by class path, each with its options."},
    )

    @property
    def encrypts(self) -> bool:
        """Whether there is a way in through TLS."""
        further = any(listener.tls_certfile for listener in self.listeners.values())
        return bool(self.tls_bind or self.websocket_tls_bind or further)
