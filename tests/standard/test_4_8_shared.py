"""4.8.2 Shared subscriptions."""

import pytest

from bridge.mqtt import Puback, Pubcomp, Publish, Pubrec, Pubrel, Subscription
from tests.standard.peer import V5, Peer, Server
from tests.standard.proves import proves

SHARE = "$share/team/a"


async def members(server: Server, *granted: int) -> list[Peer]:
    """Clients with kept sessions, m0, m1, …, each with its QoS of one share."""
    clients = []
    for number, qos in enumerate(granted):
        client = await server.kept(f"m{number}")
        assert await client.granted(Subscription(SHARE, qos)) == [qos]
        clients.append(client)
    return clients


async def who_got_it(clients: list[Peer]) -> tuple[Peer, Publish, list[Peer]]:
    """The member that was sent the message, the message, and the others."""
    came = [(client, packet) for client in clients for packet in await client.before_pong()]
    ((client, publish),) = came
    assert isinstance(publish, Publish)
    return client, publish, [each for each in clients if each is not client]


async def test_mqtt_4_8_2_1_a_share_has_a_name(server: Server) -> None:
    await server.refuses_clause(V5, "MQTT-4.8.2-1")


async def test_mqtt_4_8_2_2_a_share_has_a_filter_and_no_wildcards_in_its_name(server: Server) -> None:
    await server.refuses_clause(V5, "MQTT-4.8.2-2")


@pytest.mark.parametrize("qos", [0, 1, 2])
async def test_mqtt_4_8_2_3_each_member_at_its_own_qos(server: Server, qos: int) -> None:
    clients = await members(server, 0, 1, 2)
    sender = await server.client()
    for _ in range(9):
        await sender.published("a", qos=qos)
        member, publish, _ = await who_got_it(clients)
        assert publish.qos == min(qos, clients.index(member))
        await member.acknowledge(publish)


async def test_mqtt_4_8_2_4_a_delivery_at_qos_2_is_completed(server: Server) -> None:
    clients = await members(server, 2, 2)
    sender = await server.client()
    await sender.published("a", qos=2)
    member, publish, (other,) = await who_got_it(clients)
    await member.break_off()
    await other.quiet()
    member = await server.kept(f"m{clients.index(member)}")
    again = await member.receive(Publish)
    assert (again.packet_id, again.dup, again.payload) == (publish.packet_id, True, b"x")
    member.send(Pubrec(again.packet_id))
    assert await member.receive(Pubrel) == Pubrel(again.packet_id)
    member.send(Pubcomp(again.packet_id))
    await member.quiet()
    await other.quiet()


async def test_mqtt_4_8_2_5_nobody_else_is_sent_a_delivery_at_qos_2(server: Server) -> None:
    clients = await members(server, 2, 2)
    sender = await server.client()
    await sender.published("a", qos=2)
    member, _, (other,) = await who_got_it(clients)
    await member.break_off()
    fresh = await server.client(f"m{clients.index(member)}")  # a clean start ends the session
    await fresh.quiet()
    await other.quiet()
    await server.let_pass(2000)
    await other.quiet()


@pytest.mark.parametrize("qos", [1, 2])
async def test_mqtt_4_8_2_6_what_a_member_refuses_is_over(server: Server, qos: int) -> None:
    clients = await members(server, 2, 2)
    sender = await server.client()
    await sender.published("a", qos=qos)
    member, publish, (other,) = await who_got_it(clients)
    member.send((Puback if qos == 1 else Pubrec)(publish.packet_id, 0x80))
    await member.quiet()
    await other.quiet()
    await member.break_off()
    await other.quiet()
    member = await server.kept(f"m{clients.index(member)}")
    await member.quiet()


@proves("MQTT-4.8.2-3")
async def test_shares_and_others_are_independent(server: Server) -> None:
    """Each share has the message once, whoever subscribed without a share has it besides."""
    team = await members(server, 1, 1)
    another = await server.client()
    await another.granted(Subscription("$share/another/+", 1))
    plain = await server.subscribed("a", 1)
    sender = await server.client()
    await sender.published("a")
    member, publish, _ = await who_got_it(team)
    assert publish.topic == "a"
    await member.acknowledge(publish)
    for client in (another, plain):
        assert (await client.take()).topic == "a"
        await client.quiet()
