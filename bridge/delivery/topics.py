"""Which topic a message goes to. What a device is behind decides whose topics it may have, so only the core can say."""

from bridge.model.device import Device
from bridge.model.errors import ForeignTopic
from bridge.model.message import Draft
from bridge.model.topics import DEVICES, device_tree, user_topic


def settle_topic(draft: Draft, device: Device, line: Device) -> None:
    """Turn the suffix of a draft into its topic, below the user topics of `line`, whose connection carries the message:
    the device itself, or the outermost gateway that it is behind.

    Raises ForeignTopic when the topic lies in the tree of a device that is none of these, nor a gateway in between.
    """
    if draft.suffix is not None:
        draft.topic, draft.suffix = user_topic(line.device_id, draft.suffix), None
    elif draft.topic is not None and draft.topic.startswith(DEVICES):
        owners = (device.device_id, device.gateway_id or "", line.device_id)
        if not any(draft.topic.startswith(device_tree(owner)) for owner in owners if owner):
            raise ForeignTopic(draft.topic)
