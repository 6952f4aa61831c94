"""Topic names and topic filters [MQTT5 4.7], shared subscriptions [MQTT5 4.8.2].

What cannot be read as a topic name or filter is Malformed Packet, a filter that can and still is no shared subscription
is Protocol Error. 0x8F and 0x90 are for topics that are correctly formed and still not accepted.
"""

from typing import Final

from bridge.mqtt.datatypes import malformed, violation, write_name

SHARED: Final = "$share/"


def check_topic_name(name: str) -> None:
    """Raise ProtocolError unless a message can be published to `name`."""
    _check_text(name)
    if "+" in name or "#" in name:
        raise malformed("topic name contains a wildcard", "MQTT-3.3.2-2")  # [MQTT-3.3.2-2] [MQTT-4.7.0-1]


def check_topic_filter(topic_filter: str) -> None:
    """Raise ProtocolError unless `topic_filter`, shared or not, can be subscribed to."""
    _check_text(topic_filter)
    *parents, last = topic_filter.split("/")
    if any("#" in level for level in parents) or ("#" in last and last != "#"):
        raise malformed("'#' is not the last level of the topic filter", "MQTT-4.7.1-1")  # [MQTT-4.7.1-1]
    if any("+" in level and level != "+" for level in (*parents, last)):
        raise malformed("'+' is not a whole level of the topic filter", "MQTT-4.7.1-2")  # [MQTT-4.7.1-2]
    split_shared(topic_filter)


def split_shared(topic_filter: str) -> tuple[str | None, str]:
    """`$share/name/filter` → (name, filter), any other filter → (None, filter).

    Raises ProtocolError if a filter starts with `$share/` and does not go on like that.
    """
    if not topic_filter.startswith(SHARED):
        return None, topic_filter
    name, _, plain = topic_filter.removeprefix(SHARED).partition("/")
    if not name:
        raise violation("share name is empty", "MQTT-4.8.2-1")  # [MQTT-4.8.2-1]
    if "+" in name or "#" in name:
        raise violation("share name contains a wildcard", "MQTT-4.8.2-2")  # [MQTT-4.8.2-2]
    if not plain:
        raise violation("no topic filter behind the share name", "MQTT-4.8.2-2")  # [MQTT-4.8.2-2]
    return name, plain


def matches(topic_filter: str, name: str) -> bool:
    """Whether the filter matches the topic name. The filter is valid and without its `$share/name/`."""
    if name.startswith("$") and topic_filter.startswith(("+", "#")):
        return False  # [MQTT-4.7.2-1]
    if topic_filter == name:
        return True
    wanted, given = topic_filter.split("/"), name.split("/")
    if wanted[-1] == "#":  # the parent level too [MQTT5 4.7.1.2]
        wanted.pop()
        given = given[: len(wanted)]
    return len(wanted) == len(given) and all(a in ("+", b) for a, b in zip(wanted, given, strict=True))


def covers(rule: str, topic_filter: str) -> bool:
    """Whether `rule` matches every topic name that the filter matches. Both are valid and without `$share/name/`."""
    if topic_filter.startswith("$") and rule.startswith(("+", "#")):
        return False  # [MQTT-4.7.2-1]
    if topic_filter == "#":
        return rule in ("#", "+/#")  # a name has at least one level
    allowed, asked = rule.split("/"), topic_filter.split("/")
    open_ended = asked[-1] == "#"
    if open_ended:
        asked.pop()
    if allowed[-1] == "#":
        allowed.pop()
        asked = asked[: len(allowed)]
    elif open_ended:
        return False
    return len(allowed) == len(asked) and all(a in ("+", b) for a, b in zip(allowed, asked, strict=True))


def _check_text(value: str) -> None:
    if not value:
        raise malformed("topic is empty", "MQTT-4.7.3-1")  # [MQTT-4.7.3-1]
    write_name(value)  # [MQTT-4.7.3-2] [MQTT-4.7.3-3]
