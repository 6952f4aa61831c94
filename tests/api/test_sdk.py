"""The vendor's own SDK, unmodified but for its endpoint."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.exceptions.exceptions import ClientRequestException
from huaweicloudsdkcore.region.region import Region
from huaweicloudsdkdataartsstudio.v1 import DataArtsStudioClient
from huaweicloudsdkiotda import v5 as iotda

from bridge.api.app import create_app
from bridge.api.base import Rules
from bridge.api.server import HttpServer
from bridge.api.settings import HttpSettings
from tests.api.memory import DEVICE, PROJECT, MemoryAccess, MemoryMessages, NoReplies
from tests.api.no_devices import NoDevices
from tests.api.signing import AK, READER_AK, READER_SK, REGION, SK

pytestmark = pytest.mark.slow


@pytest.fixture
async def endpoint(messages: MemoryMessages, rules: Rules, settings: HttpSettings) -> AsyncIterator[str]:
    """A server with the real time: the SDK signs with it."""
    app = create_app(
        messages=messages,
        replies=NoReplies(),
        devices=NoDevices(),
        rules=rules,
        access=MemoryAccess(),
        ready=lambda: True,
        settings=settings,
        max_ttl=1440,
    )
    server = HttpServer(app, settings)
    await server.start()
    yield f"http://127.0.0.1:{server.address[1]}"
    await server.stop()


def plain(endpoint: str, ak: str = AK, sk: str = SK) -> Any:
    credentials = BasicCredentials(ak, sk, PROJECT)
    return iotda.IoTDAClient.new_builder().with_credentials(credentials).with_endpoint(endpoint).build()


def derived(endpoint: str, ak: str = AK, sk: str = SK) -> Any:
    credentials = BasicCredentials(ak, sk, PROJECT)
    credentials.with_derived_predicate(BasicCredentials.get_default_derived_predicate())
    builder = iotda.IoTDAClient.new_builder().with_credentials(credentials)
    return builder.with_region(Region(REGION, endpoint)).build()


def with_token(endpoint: str, ak: str = "app", sk: str = "dummy") -> Any:
    """`ak` is the token, too."""
    client = plain(endpoint, ak, sk)
    client.preset_headers["X-Auth-Token"] = ak
    return client


@contextlib.contextmanager
def closing(client: Any) -> Iterator[Any]:
    try:
        yield client
    finally:
        client.get_http_client().executor.shutdown()
        client.close()


def create(client: Any, **fields: Any) -> Any:
    body = iotda.DeviceMessageRequest(**fields)
    return client.create_message(iotda.CreateMessageRequest(device_id=DEVICE, body=body))


def use(client: Any) -> None:
    """Each operation once, and what it has to answer."""
    made = create(client, message_id="m-1", name="灯", message={"brightness": 7, "text": "héllo"}, ttl=5)
    assert (made.status_code, made.message_id, made.result.status) == (201, "m-1", "PENDING")
    create(client, message_id="m-2", message="plain text")
    listed = client.list_device_messages(iotda.ListDeviceMessagesRequest(device_id=DEVICE))
    assert [message.message_id for message in listed.messages] == ["m-2", "m-1"]
    request = iotda.ShowDeviceMessageRequest(device_id=DEVICE, message_id="m-1")
    shown = client.show_device_message(request)
    assert (shown.name, shown.message, shown.status) == ("灯", {"brightness": 7, "text": "héllo"}, "PENDING")
    gone = client.delete_device_message(iotda.DeleteDeviceMessageRequest(device_id=DEVICE, message_id="m-1"))
    assert gone.status_code == 204
    with pytest.raises(ClientRequestException) as caught:
        client.show_device_message(request)
    assert (caught.value.status_code, caught.value.error_code) == (404, "IOTDA.014131")
    assert caught.value.request_id


@pytest.mark.parametrize("connect", [plain, derived, with_token])
async def test_every_operation_on_messages(endpoint: str, connect: Any) -> None:
    with closing(connect(endpoint)) as client:
        await asyncio.to_thread(use, client)


async def test_instance_and_agent_are_signed_too(endpoint: str, messages: MemoryMessages) -> None:
    with closing(plain(endpoint)) as client:
        body = iotda.DeviceMessageRequest(message="hello")
        request = iotda.CreateMessageRequest(instance_id="i-1", device_id=DEVICE, body=body)
        assert (await asyncio.to_thread(client.create_message, request)).status_code == 201


@pytest.mark.parametrize("connect", [plain, derived])
@pytest.mark.parametrize(
    ("ak", "sk", "status", "code"),
    [
        (AK, "wrong", 401, "IOTDA.000002"),
        ("AKOFNOBODY0000000000", SK, 401, "IOTDA.000002"),
        (READER_AK, READER_SK, 403, "IOTDA.000021"),
    ],
)
async def test_refusals_reach_the_caller(endpoint: str, connect: Any, ak: str, sk: str, status: int, code: str) -> None:
    with closing(connect(endpoint, ak, sk)) as client:
        with pytest.raises(ClientRequestException) as caught:
            await asyncio.to_thread(create, client, message="hello")
        assert (caught.value.status_code, caught.value.error_code) == (status, code)


async def test_a_wrong_token_beside_a_dummy_key(endpoint: str) -> None:
    with closing(with_token(endpoint, "of-nobody")) as client:
        with pytest.raises(ClientRequestException) as caught:
            await asyncio.to_thread(create, client, message="hello")
        assert caught.value.status_code == 401


async def test_the_sibling_sdk_signs_alike(endpoint: str) -> None:
    """A GET with a query that the server ignores, through the generic entry of the other SDK."""
    credentials = BasicCredentials(AK, SK, PROJECT)
    client = DataArtsStudioClient.new_builder().with_credentials(credentials).with_endpoint(endpoint).build()
    with closing(client):
        answer = await asyncio.to_thread(
            client.do_http_request,
            "GET",
            "/v5/iot/{project_id}/devices/{device_id}/messages",
            path_params={"device_id": DEVICE},
            query_params=[("z", "灯 +~*/"), ("limit", 10), ("a", ["y", "x"]), ("flag", True)],
            header_params={"workspace": "w-1", "Dlm-Type": "SHARED"},
            collection_formats={"a": "multi"},
            response_type="ConfirmMessageResponse",
        )
        assert answer.status_code == 200
