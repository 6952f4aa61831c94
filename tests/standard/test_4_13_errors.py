"""4.13 Errors: every packet that breaks the standard ends its connection, with the reason that the standard gives."""

from bridge.mqtt import Version
from tests.standard.peer import BOTH, Server, rows_of
from tests.standard.proves import proves


@BOTH
@proves("MQTT3-4.8.0-1")
async def test_mqtt_4_13_1_1_what_breaks_the_standard_ends_the_connection(server: Server, version: Version) -> None:
    rows = [row for row in rows_of(version) if row.versions]
    assert len(rows) > 250
    await server.refuses(version, rows)


async def test_mqtt_4_13_2_1_a_reason_of_0x80_and_above_ends_the_connection(server: Server) -> None:
    for reason in (0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99):
        client = await server.client("c")
        await client.disconnect(reason)
