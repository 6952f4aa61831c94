"""Names of the topics below `$oc/devices/{device_id}/`, the vendor's tree. Source: IoTDA, "Topics"."""

BROADCAST = "$oc/broadcast/"
DEVICES = "$oc/devices/"


def device_tree(device_id: str) -> str:
    """The prefix that belongs to one device alone."""
    return f"$oc/devices/{device_id}/"


def default_downlink(device_id: str) -> str:
    """Where messages go when the application names no topic."""
    return f"$oc/devices/{device_id}/sys/messages/down"


def uplink(device_id: str) -> str:
    """Where a device reports messages."""
    return f"$oc/devices/{device_id}/sys/messages/up"


def response_topic(device_id: str) -> str:
    """Ours: where a device replies to a message whose sender waits for that and named no topic. In its own tree, so no
    other device may publish there; not its uplink, because a reply is for the one who waits and not a report."""
    return f"$oc/devices/{device_id}/sys/messages/response"


def user_topic(device_id: str, suffix: str) -> str:
    return f"$oc/devices/{device_id}/user/{suffix}"


def device_of(topic: str) -> str:
    """The id of the device whose tree the topic lies in; empty for other topics."""
    return topic.split("/", 3)[2] if topic.startswith("$oc/devices/") else ""


_SYSTEM_DOWNLINKS = (
    "commands/request_id=",
    "properties/set/request_id=",
    "properties/get/request_id=",
    "shadow/get/response/request_id=",
    "events/down",
)


def is_system_downlink(device_id: str, topic: str) -> bool:
    """Topics every device is subscribed to without asking: the vendor's device SDK never does."""
    tree = f"$oc/devices/{device_id}/sys/"
    if not topic.startswith(tree):
        return False
    rest = topic[len(tree) :]
    return rest == "messages/down" or rest.startswith(_SYSTEM_DOWNLINKS)


def is_uplink(topic: str) -> bool:
    """Where a device sends messages when it names no topic of its own."""
    return topic == f"{device_tree(device_of(topic))}sys/messages/up"


_REPORTS = ("sys/messages/up", "sys/properties/report", "sys/events/up")


def is_report(topic: str) -> bool:
    """Topics on which a device tells applications something; the others are between it and the platform."""
    if not topic.startswith("$oc/devices/"):
        return False
    rest = topic.split("/", 3)[3:]
    return bool(rest) and (rest[0].startswith("user/") or rest[0] in _REPORTS)
