"""Which topic a message goes to."""

import pytest

from bridge.delivery.topics import settle_topic
from bridge.model.device import Device
from bridge.model.errors import ForeignTopic
from tests.broker.site import draft

LAMP = Device(1, "default", "lamp-1", "", False, 0)
HUB = Device(2, "default", "hub", "", False, 0)
NEAR = Device(3, "default", "near", "", False, 0, gateway_id="hub", carrier=2)
FAR = Device(4, "default", "far", "", False, 0, gateway_id="near", carrier=2)


@pytest.mark.parametrize(("device", "line"), [(LAMP, LAMP), (NEAR, HUB), (FAR, HUB)])
def test_a_suffix_goes_below_the_user_topics_of_the_connection(device: Device, line: Device) -> None:
    asked = draft("m", suffix="a/b")
    settle_topic(asked, device, line)
    assert asked == draft("m", topic=f"$oc/devices/{line.device_id}/user/a/b")


@pytest.mark.parametrize(
    ("device", "line", "owners"),
    [(LAMP, LAMP, ["lamp-1"]), (NEAR, HUB, ["near", "hub"]), (FAR, HUB, ["far", "near", "hub"])],
)
def test_a_full_topic_is_of_the_device_or_of_what_it_is_behind(device: Device, line: Device, owners: list[str]) -> None:
    for topic in (None, "news", "$oc/broadcast/x", *(f"$oc/devices/{owner}/sys/x" for owner in owners)):
        asked = draft("m", topic=topic)
        settle_topic(asked, device, line)
        assert asked.topic == topic
    strangers = {"lamp-1", "hub", "near", "far", "lamp-10", ""} - {*owners}
    for topic in (
        *(f"$oc/devices/{name}/user/x" for name in strangers),
        f"$oc/devices/{device.device_id}",
        "$oc/devices/",
    ):
        with pytest.raises(ForeignTopic):
            settle_topic(draft("m", topic=topic), device, line)
