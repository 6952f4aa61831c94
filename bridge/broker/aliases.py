"""Topic aliases: a number instead of a topic, for as long as a connection lives [MQTT5 3.3.2.3.4]."""

from bridge.broker.session import Line
from bridge.mqtt import Properties, ProtocolError, Publish, ReasonCode, encode

_SHORTEST = 4
"""Characters of a topic from which on an alias, three bytes, saves anything."""


class InboundAliases:
    """What a client calls its topics. Of one connection [MQTT-3.3.2-7]."""

    __slots__ = ("_maximum", "_topics")

    def __init__(self, maximum: int) -> None:
        """`maximum`: the Topic Alias Maximum that the client was told."""
        self._maximum = maximum
        self._topics: dict[int, str] = {}

    def resolve(self, publish: Publish) -> None:
        """Put the topic where the alias is. Raises ProtocolError."""
        alias = publish.properties.pop("topic_alias")
        if alias > self._maximum:  # 0 is refused where it is read [MQTT-3.3.2-8]
            raise ProtocolError(
                ReasonCode.TOPIC_ALIAS_INVALID,
                f"topic alias {alias} is above the Topic Alias Maximum of {self._maximum}",
                "MQTT-3.3.2-9",  # [MQTT-3.3.2-9] [MQTT-3.2.2-17] [MQTT-3.2.2-18]
            )
        if publish.topic:
            self._topics[alias] = publish.topic  # [MQTT-3.3.2-12]
            return
        topic = self._topics.get(alias)
        if topic is None:
            raise ProtocolError(
                ReasonCode.PROTOCOL_ERROR, f"topic alias {alias} was given no topic on this connection", "MQTT5 3.3.4"
            )
        publish.topic = topic


class OutboundAliases:
    """What the server calls topics towards a client that allows it. Of one connection [MQTT-3.3.2-7].

    Every topic gets an alias when it is sent; when all are taken, that of the topic whose last message is the longest
    ago.
    """

    __slots__ = ("_aliases", "_maximum")

    def __init__(self, maximum: int) -> None:
        """`maximum`: the smaller of the client's Topic Alias Maximum and ours; at least 1."""
        self._maximum = maximum
        self._aliases: dict[str, int] = {}
        """By topic, the least recently used first."""

    def send(self, line: Line, publish: Publish, packet_id: int = 0) -> bool:
        """Send the message in the shortest form that the client understands. False: larger than what it takes.

        An alias is established only by what is really sent. `packet_id`: if it is not in `publish`, which others share.
        Raises ProtocolError for what MQTT cannot express.
        """
        topic = publish.topic
        packet_id = publish.packet_id or packet_id
        alias = self._aliases.get(topic)
        if alias is not None:
            if not _write(line, publish, packet_id, "", {**publish.properties, "topic_alias": alias}):
                return False
            del self._aliases[topic]
            self._aliases[topic] = alias
            return True
        if len(topic) >= _SHORTEST:
            alias = self._free()
            if _write(line, publish, packet_id, topic, {**publish.properties, "topic_alias": alias}):
                self._establish(topic, alias)
                return True
        return _write(line, publish, packet_id, topic, publish.properties)  # it may fit without an alias

    def _free(self) -> int:
        """The alias for a new topic [MQTT-3.3.2-8] [MQTT-3.3.2-10]."""
        taken = len(self._aliases)
        return taken + 1 if taken < self._maximum else next(iter(self._aliases.values()))

    def _establish(self, topic: str, alias: int) -> None:
        if len(self._aliases) >= self._maximum:
            del self._aliases[next(iter(self._aliases))]
        self._aliases[topic] = alias


def _write(line: Line, publish: Publish, packet_id: int, topic: str, properties: Properties) -> bool:
    """The message with this topic and these properties, if the client takes it."""
    packet = Publish(topic, publish.payload, publish.qos, publish.retain, publish.dup, packet_id, properties)
    data = encode(packet, line.version)
    if not line.fits(len(data)):
        return False
    line.write(data)
    return True
