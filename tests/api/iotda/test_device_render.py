"""What is shown of a device, field by field."""

import json
from typing import Any

import pytest

from bridge.api.iotda.device_render import (
    render_device,
    render_devices,
    render_fingerprint,
    render_secret,
)
from bridge.api.iotda.paging import record_id
from bridge.model.device import AuthType, Device, Slot
from bridge.model.record import Activity, Found, Profile, Record

CREATED = 1_776_675_755_123
"""20260420T090235Z and 123 ms."""
PRINT = "ab" * 32


def device(**fields: Any) -> Device:
    return Device(
        **{
            "key": 255,
            "project": "plant",
            "device_id": "lamp-1",
            "secret": "12345678",
            "frozen": False,
            "created_at": CREATED,
            **fields,
        }
    )


def shown(record: Record, **options: Any) -> Any:
    return json.loads(render_device(record, **options))


def test_the_least() -> None:
    assert shown(Record(device(), Profile("n1"), Activity())) == {
        "device_id": "lamp-1",
        "node_id": "n1",
        "gateway_id": "lamp-1",
        "node_type": "GATEWAY",
        "auth_info": {"auth_type": "SECRET", "secure_access": False, "timeout": 0},
        "product_id": "default",
        "status": "INACTIVE",
        "create_time": "20260420T090235Z",
        "tags": [],
    }


def test_everything() -> None:
    profile = Profile(
        "n1", "lamps", "Lamp", "over the door", "app-1", '{"n": 1.0e0}', (("room", "hall"),), "1.2", "3.4", 60
    )
    behind = device(
        auth_type=AuthType.CERTIFICATES,
        secret="",
        fingerprint=PRINT,
        secondary_fingerprint="cd" * 32,
        secure_access=True,
        gateway_id="hub-1",
        carrier=7,
    )
    text = render_device(Record(behind, profile, Activity(True, CREATED + 1, 5)), with_secret=True)
    assert b'"extension_info":{"n": 1.0e0}' in text
    assert json.loads(text) == {
        "app_id": "app-1",
        "device_id": "lamp-1",
        "node_id": "n1",
        "gateway_id": "hub-1",
        "device_name": "Lamp",
        "node_type": "ENDPOINT",
        "description": "over the door",
        "fw_version": "1.2",
        "sw_version": "3.4",
        "auth_info": {
            "auth_type": "CERTIFICATES",
            "fingerprint": PRINT,
            "secondary_fingerprint": "cd" * 32,
            "secure_access": True,
            "timeout": 60,
        },
        "product_id": "lamps",
        "status": "ONLINE",
        "create_time": "20260420T090235Z",
        "connection_status_update_time": "2026-04-20T09:02:35.124Z",
        "tags": [{"tag_key": "room", "tag_value": "hall"}],
        "extension_info": {"n": 1.0},
    }


def test_a_secret_is_shown_to_who_made_it() -> None:
    record = Record(device(secondary_secret="87654321"), Profile("n1"), Activity())
    assert shown(record, with_secret=True)["auth_info"]["secret"] == "12345678"
    for text in (render_device(record), render_devices(Found([record], 1))):
        assert b"12345678" not in text
        assert b"87654321" not in text


@pytest.mark.parametrize(
    ("frozen", "line", "status"),
    [
        (False, Activity(), "INACTIVE"),
        (False, Activity(True, 5, 5), "ONLINE"),
        (False, Activity(False, 5, 5), "OFFLINE"),
        (True, Activity(True, 5, 5), "FROZEN"),
        (True, Activity(), "FROZEN"),
    ],
)
def test_status(frozen: bool, line: Activity, status: str) -> None:
    assert shown(Record(device(frozen=frozen), Profile("n1"), line))["status"] == status


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (7, "1970-01-01T00:00:00.007Z"),
        (CREATED, "2026-04-20T09:02:35.123Z"),
        (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
    ],
)
def test_times(moment: int, text: str) -> None:
    answer = shown(Record(device(), Profile("n1"), Activity(False, moment, moment)))
    assert (answer["connection_status_update_time"], answer["active_time"]) == (text, text)


def test_a_list() -> None:
    records = [Record(device(key=key), Profile("n1", name="Lamp"), Activity(True, 5, 5)) for key in (255, 16)]
    assert json.loads(render_devices(Found(records, 7))) == {
        "devices": [
            {
                "device_id": "lamp-1",
                "node_id": "n1",
                "gateway_id": "lamp-1",
                "device_name": "Lamp",
                "node_type": "GATEWAY",
                "product_id": "default",
                "status": "ONLINE",
                "tags": [],
            }
        ]
        * 2,
        "page": {"count": 7, "marker": "000000000000000000000010"},
    }
    assert json.loads(render_devices(Found([], 0))) == {"devices": [], "page": {"count": 0}}


def test_resets() -> None:
    secret = json.loads(render_secret("lamp-1", "12345678", Slot.SECONDARY))
    assert secret == {"device_id": "lamp-1", "secret": "12345678", "secret_type": "SECONDARY"}
    fingerprint = json.loads(render_fingerprint("lamp-1", PRINT, Slot.PRIMARY))
    assert fingerprint == {"device_id": "lamp-1", "fingerprint": PRINT, "fingerprint_type": "PRIMARY"}


def test_record_ids() -> None:
    assert record_id(1) == "0" * 23 + "1"
    assert record_id(2**63 - 1) < "f" * 24
    assert record_id(15) < record_id(16)
