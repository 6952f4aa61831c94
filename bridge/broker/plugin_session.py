"""A client as amqtt's plug-ins know it."""

from typing import TYPE_CHECKING, Any

from amqtt.session import Session as AmqttSession

from bridge.mqtt import Connect

if TYPE_CHECKING:
    from bridge.broker.session import Line, Session


class PluginSession(AmqttSession):
    """What plug-ins read of a client, and `attributes`, where they keep what they know of it. The original builds a
    state machine and four queues for each."""

    def __init__(self, client_id: str | None, username: str | None, password: str | None) -> None:
        self.client_id = client_id
        self.username = username
        self.password = password
        self.attributes: dict[str, Any] = {}
        self.is_anonymous = False
        self.clean_session = None
        self.keep_alive = 0
        self.ssl_object = None
        self.remote_address = None
        self.remote_port = None
        self.session: Session | None = None
        """The engine's, once there is one."""

    @classmethod
    def of_connect(cls, connect: Connect, line: "Line") -> "PluginSession":
        """A client that wants to come in."""
        password = None if connect.password is None else connect.password.decode("utf-8", "replace")
        known = cls(connect.client_id, connect.username, password)
        known.clean_session = connect.clean_start
        known.keep_alive = connect.keep_alive
        known.ssl_object = line.ssl_object
        known.remote_address, _, port = line.peer.rpartition(":")
        known.remote_port = int(port) if port.isdecimal() else None
        return known

    @classmethod
    def of_session(cls, session: "Session") -> "PluginSession":
        """The client of this session, known or not; a device goes by its id."""
        known = session.plugin_session
        if known is None:
            device = session.identity.device
            known = cls(session.client_id, device.device_id if device else None, None)
            known.belong(session)
        return known

    def belong(self, session: "Session") -> None:
        """The client is taken in."""
        self.session = session
        self.client_id = session.client_id
        if session.identity.device is not None:
            self.username = session.identity.device.device_id
        session.plugin_session = self

    @property
    def inflight_in_count(self) -> int:
        return len(self.session.incoming) if self.session else 0

    @property
    def inflight_out_count(self) -> int:
        return len(self.session.flights) if self.session else 0

    @property
    def retained_messages_count(self) -> int:
        """amqtt's word for messages that wait for the client."""
        return self.session.queued if self.session else 0

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)

    def __repr__(self) -> str:
        return f"PluginSession(client_id={self.client_id!r})"
