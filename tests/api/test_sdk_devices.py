"""Every operation on devices with the vendor's own SDK, unmodified but for its endpoint."""

import asyncio
from typing import Any

import pytest
from huaweicloudsdkcore.exceptions.exceptions import ClientRequestException
from huaweicloudsdkiotda import v5 as iotda

from bridge.api.server import HttpServer
from bridge.model.clock import system_clock
from tests.api.signing import MANAGER_AK
from tests.api.test_devices import devices, managed
from tests.api.test_sdk import closing, derived, plain, with_token
from tests.store.clock import HandClock

pytestmark = pytest.mark.slow

__all__ = ["devices", "managed"]
"""Fixtures."""

PRINT = "ab" * 32


@pytest.fixture
def clock() -> HandClock:
    """The real time: the SDK signs with it."""
    return HandClock(system_clock())


def add(client: Any, **fields: Any) -> Any:
    return client.add_device(iotda.AddDeviceRequest(body=iotda.AddDevice(**fields)))


def show(client: Any, device_id: str) -> Any:
    return client.show_device(iotda.ShowDeviceRequest(device_id=device_id))


def refused(call: Any, *arguments: Any, **fields: Any) -> str:
    with pytest.raises(ClientRequestException) as caught:
        call(*arguments, **fields)
    return str(caught.value.error_code)


def register(client: Any) -> None:
    auth_info = iotda.AuthInfo(auth_type="SECRET", secret="12345678", secure_access=False, timeout=0)
    made = add(
        client,
        node_id="n1",
        product_id="lamps",
        device_name="Lamp",
        description="over the door",
        auth_info=auth_info,
        extension_info={"floor": 2},
    )
    assert (made.status_code, made.device_id, made.gateway_id) == (201, "lamps_n1", "lamps_n1")
    assert (made.auth_info.secret, made.auth_info.timeout, made.status) == ("12345678", 0, "INACTIVE")
    shown = show(client, "lamps_n1")
    assert (shown.status_code, shown.device_name, shown.extension_info) == (200, "Lamp", {"floor": 2})
    assert (shown.auth_info.secret, shown.auth_info.auth_type, shown.node_type) == (None, "SECRET", "GATEWAY")
    assert refused(add, client, node_id="n1", product_id="lamps") == "IOTDA.014031"


def change(client: Any) -> None:
    body = iotda.UpdateDevice(
        description="new", auth_info=iotda.AuthInfoWithoutSecret(secure_access=True), extension_info={}
    )
    changed = client.update_device(iotda.UpdateDeviceRequest(device_id="lamps_n1", body=body))
    assert (changed.description, changed.device_name, changed.auth_info.secure_access) == ("new", "Lamp", True)
    reset = client.reset_device_secret(
        iotda.ResetDeviceSecretRequest(
            device_id="lamps_n1",
            action_id="resetSecret",
            body=iotda.ResetDeviceSecret(secret_type="SECONDARY", force_disconnect=True),
        )
    )
    assert (reset.device_id, reset.secret_type, len(reset.secret)) == ("lamps_n1", "SECONDARY", 32)
    assert client.freeze_device(iotda.FreezeDeviceRequest(device_id="lamps_n1")).status_code == 204
    assert show(client, "lamps_n1").status == "FROZEN"
    assert client.unfreeze_device(iotda.UnfreezeDeviceRequest(device_id="lamps_n1")).status_code == 204


def certify(client: Any) -> None:
    auth_info = iotda.AuthInfo(auth_type="CERTIFICATES", fingerprint=PRINT)
    add(client, device_id="cert", node_id="n2", gateway_id="lamps_n1", auth_info=auth_info)
    body = iotda.ResetFingerprint(fingerprint="cd" * 32, fingerprint_type="SECONDARY")
    reset = client.reset_fingerprint(iotda.ResetFingerprintRequest(device_id="cert", body=body))
    assert (reset.fingerprint, reset.fingerprint_type) == ("cd" * 32, "SECONDARY")
    shown = show(client, "cert")
    assert (shown.auth_info.fingerprint, shown.auth_info.secondary_fingerprint) == (PRINT, "cd" * 32)
    assert (shown.gateway_id, shown.node_type) == ("lamps_n1", "ENDPOINT")


def find(client: Any) -> None:
    listed = client.list_devices(iotda.ListDevicesRequest(limit=1, start_time="20200101T000000Z"))
    assert ([device.device_id for device in listed.devices], listed.page.count) == (["cert"], 2)
    listed = client.list_devices(iotda.ListDevicesRequest(limit=1, marker=listed.page.marker))
    assert [device.device_id for device in listed.devices] == ["lamps_n1"]
    request = iotda.ListDevicesRequest(gateway_id="lamps_n1", is_cascade_query=True, device_name=None, offset=0)
    assert [device.device_id for device in client.list_devices(request).devices] == ["cert"]


def remove(client: Any) -> None:
    gateway = iotda.DeleteDeviceRequest(device_id="lamps_n1")
    assert refused(client.delete_device, gateway) == "IOTDA.014024"
    for device_id in ("cert", "lamps_n1"):
        assert client.delete_device(iotda.DeleteDeviceRequest(device_id=device_id)).status_code == 204
    assert refused(show, client, "lamps_n1") == "IOTDA.014000"


@pytest.mark.parametrize(("connect", "name"), [(with_token, "manager"), (plain, MANAGER_AK), (derived, MANAGER_AK)])
async def test_every_operation_on_devices(server: HttpServer, connect: Any, name: str) -> None:
    with closing(connect(f"http://127.0.0.1:{server.address[1]}", name)) as client:
        for step in (register, change, certify, find, remove):
            await asyncio.to_thread(step, client)
