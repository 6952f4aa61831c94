"""Scenarios that clients and servers of other makes are tried with, where one statement alone is not the point."""

import pytest

from bridge.mqtt import Properties, Puback, Publish, Subscription
from tests.standard.conftest import NewServer
from tests.standard.peer import Server


async def test_a_request_and_its_response_on_one_topic(server: Server) -> None:
    """Neither side hears itself, and the answer goes where the request said."""
    asking, answering = await server.client(), await server.client()
    for client in (asking, answering):
        assert await client.granted(Subscription("talk", 2, no_local=True)) == [2]
    about = Properties(response_topic="talk", correlation_data=b"334")
    assert await asking.published("talk", b"request", properties=about) == 0
    request = await answering.take()
    assert (request.payload, request.properties) == (b"request", about)
    await asking.quiet()
    await answering.published(request.properties["response_topic"], b"response", properties=request.properties)
    assert (await asking.take()).properties["correlation_data"] == b"334"
    await answering.quiet()


async def test_one_alias_for_a_topic_at_every_qos(server: Server) -> None:
    """The first message says the topic, the others only the alias."""
    reader = await server.client(properties=Properties(topic_alias_maximum=1))
    await reader.subscribe("plant/1", 2)
    sender = await server.client()
    came = []
    for qos in (0, 1, 2):
        await sender.published("plant/1", qos=qos)
        came.append(await reader.take())
    assert [(each.qos, each.topic, each.properties["topic_alias"]) for each in came] == [
        (0, "plant/1", 1),
        (1, "", 1),
        (2, "", 1),
    ]


@pytest.mark.parametrize("qos", [1, 2])
async def test_what_waited_and_did_not_expire(server: Server, qos: int) -> None:
    await (away := await server.kept("away")).subscribe("a", 2)
    await away.break_off()
    sender = await server.client()
    for payload, seconds in ((b"short", 1), (b"long", 6)):
        await sender.published("a", payload, qos, properties=Properties(message_expiry_interval=seconds))
    await server.let_pass(3)
    message = await (await server.kept("away")).take()
    assert (message.payload, message.properties["message_expiry_interval"]) == (b"long", 3)


async def test_a_client_that_takes_two_at_a_time(server: Server) -> None:
    reader = await server.client(properties=Properties(receive_maximum=2))
    await reader.subscribe("a", 2)
    sender = await server.client()
    for payload in (b"1", b"2", b"3"):
        await sender.published("a", payload)
    first, second = [await reader.receive(Publish) for _ in range(2)]
    await reader.quiet()
    reader.send(Puback(first.packet_id))
    third = await reader.receive(Publish)
    assert [first.payload, second.payload, third.payload] == [b"1", b"2", b"3"]


async def test_every_client_is_told_the_keep_alive_of_the_server(new_server: NewServer) -> None:
    server = await new_server(max_keep_alive=60)
    client = await server.client(keep_alive=120)
    assert client.connack.properties["server_keep_alive"] == 60


async def test_a_filter_that_nobody_may_subscribe_to(new_server: NewServer) -> None:
    server = await new_server(deny_subscribe=("test/nosubscribe",), deny_subscribe_code="0x80")
    client = await server.client()
    assert await client.granted(Subscription("test/nosubscribe", 2), Subscription("test/other", 2)) == [0x80, 2]
