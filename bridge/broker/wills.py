"""Will messages: when they are due, and their sending [MQTT-3.1.2-8]."""

from bridge.broker.keeping import packed, unpacked
from bridge.broker.router import Router
from bridge.broker.session import Session
from bridge.broker.wheel import Wheel
from bridge.model.session import StoredSession
from bridge.mqtt import Properties, Publish, Will


class Wills:
    def __init__(self, wheel: Wheel, router: Router) -> None:
        self._wheel = wheel
        self._router = router
        self._left: list[tuple[Session, Will]] = []

    def schedule(self, session: Session, since: float = 0.0) -> bool:
        """The client went away, `since` seconds ago. Whether its will is due by now [MQTT-3.1.3-9]."""
        if session.will is None:
            session.will_tick = 0
            return False
        # Whichever comes first, the end of the delay or of the session [MQTT5 3.1.3.2.2].
        left = min(delay_of(session.will), session.expiry) - since
        session.will_tick = self._wheel.after(max(0.0, left))
        return left <= 0

    def send(self, session: Session) -> None:
        """If there is one. It is gone then [MQTT-3.1.2-10]."""
        will, session.will = session.will, None
        if will is not None:
            self._publish(session, will)

    def hold(self, session: Session) -> None:
        """The daemon is about to stop: nobody who is still connected hears of it."""
        will, session.will = session.will, None
        if will is not None:
            self._left.append((session, will))

    def send_held(self) -> None:
        left, self._left = self._left, []
        for session, will in left:
            self._publish(session, will)

    def _publish(self, session: Session, will: Will) -> None:
        # [MQTT-3.1.2-14] [MQTT-3.1.2-15] [MQTT-3.1.3-10]
        publish = Publish(will.topic, will.payload, will.qos, will.retain, properties=will.properties)
        self._router.publish(session.identity.project, publish, session)


def delay_of(will: Will | None) -> int:
    """Seconds."""
    return will.properties.get("will_delay_interval", 0) if will is not None else 0


def row_of(session: Session, key: int, left_at: int | None) -> StoredSession:
    """The session as the store keeps it, its will included [MQTT-3.1.2-7]."""
    identity, will = session.identity, session.will
    return StoredSession(
        key,
        identity.project,
        session.client_id,
        identity.device_key,
        identity.unrestricted,
        session.expiry,
        left_at,
        delay_of(will),
        None if will is None else packed(_message_of(will)),
    )


def stored_will(row: StoredSession) -> Will | None:
    if row.will is None:
        return None
    publish = unpacked(row.will)
    properties = publish.properties
    if row.will_delay:
        properties["will_delay_interval"] = row.will_delay
    return Will(publish.topic, publish.payload, publish.qos, publish.retain, properties)


def _message_of(will: Will) -> Publish:
    properties = Properties(**will.properties)
    properties.pop("will_delay_interval", None)
    return Publish(will.topic, will.payload, will.qos, will.retain, properties=properties)
