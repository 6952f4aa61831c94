"""A client that is a stranger to the project: it has no device, and sees the bytes that come."""

import itertools
from dataclasses import replace
from typing import Any

import pytest

from bridge.mqtt import (
    Connack,
    Properties,
    Puback,
    Pubcomp,
    Publish,
    Pubrec,
    Pubrel,
    Side,
    Suback,
    Subscribe,
    Subscription,
    Version,
    Will,
)
from tests.broker.client import RawClient
from tests.broker.site import Site
from tests.mqtt.packets_table import INVALID, Invalid

V311, V5 = Version.V311, Version.V5
BOTH = pytest.mark.parametrize("version", [V311, V5], ids=lambda version: version.name)
KEPT: Properties = {"session_expiry_interval": 1000}
"""For a session of version 5 that outlives its connection; version 3.1.1 has nothing but `clean=False`."""


_names = itertools.count(1)


class Peer(RawClient):
    connack: Connack

    def __init__(self, version: Version = V5) -> None:
        super().__init__(version)
        self.raw = bytearray()

    def data_received(self, data: bytes) -> None:
        self.raw += data
        super().data_received(data)

    @property
    def frames(self) -> list[bytes]:
        """The packets that came, as bytes."""
        frames, pos = [], 0
        while pos < len(self.raw):
            end = pos + 1
            while self.raw[end] >= 0x80:
                end += 1
            length = sum((byte & 0x7F) << 7 * i for i, byte in enumerate(self.raw[pos + 1 : end + 1]))
            frames.append(bytes(self.raw[pos : end + 1 + length]))
            pos = end + 1 + length
        return frames

    async def published(
        self,
        topic: str,
        payload: bytes = b"x",
        qos: int = 1,
        *,
        retain: bool = False,
        properties: Properties | None = None,
    ) -> int:
        """Publish and see the exchange through. The reason code of the first acknowledgement."""
        packet_id = self.packet_id() if qos else 0
        self.send(Publish(topic, payload, qos, retain, packet_id=packet_id, properties=properties or Properties()))
        if qos == 0:
            await self.quiet()
            return 0
        answer: Puback | Pubrec = await self.receive(Puback if qos == 1 else Pubrec)
        assert answer.packet_id == packet_id
        if qos == 2 and answer.reason_code < 0x80:
            self.send(Pubrel(packet_id))
            assert await self.receive(Pubcomp) == Pubcomp(packet_id)
        return answer.reason_code

    async def granted(self, *subscriptions: Subscription, identifier: int = 0) -> list[int]:
        """Subscribe with all options; the codes of the SUBACK."""
        packet_id = self.packet_id()
        properties = Properties(subscription_identifiers=[identifier]) if identifier else Properties()
        self.send(Subscribe(packet_id, list(subscriptions), properties))
        suback = await self.receive(Suback)
        assert suback.packet_id == packet_id
        return suback.reason_codes

    async def refused(self) -> int:
        """The answer is a CONNACK that refuses, and the connection ends: its reason code."""
        connack = await self.receive(Connack)
        assert not connack.session_present
        assert await self._next() is None
        return connack.reason_code

    async def break_off(self) -> None:
        """The connection ends other than with a good-bye, and the server knows."""
        self.send_bytes(b"\0\0")
        assert await self.ended() == (0x82 if self.version is V5 else None)


class Server:
    """A broker and those who connect to it."""

    def __init__(self, site: Site) -> None:
        self.site = site

    async def peer(self, version: Version = V5) -> Peer:
        """A connection that has said nothing yet."""
        peer = await Peer.open(self.site.broker.address, version)
        self.site._clients.append(peer)
        return peer

    async def client(self, client_id: str = "", version: Version = V5, **options: Any) -> Peer:
        """A connection that was accepted. `options`: those of `connect`."""
        peer = await self.peer(version)
        peer.connack = await peer.connect(client_id, **options)
        assert peer.connack.reason_code == 0
        return peer

    async def kept(self, client_id: str, version: Version = V5, *, will: Will | None = None, **properties: Any) -> Peer:
        """One whose session outlives its connection, as it is found there."""
        return await self.client(
            client_id,
            version,
            clean=False,
            will=will,
            properties=Properties(**{**KEPT, **properties}),  # type: ignore[typeddict-item]
        )

    async def subscribed(self, topic_filter: str, qos: int = 2, version: Version = V5) -> Peer:
        """A new client with a subscription."""
        peer = await self.client(version=version)
        assert await peer.subscribe(topic_filter, qos) == qos
        return peer

    async def admin(self, version: Version = V5) -> Peer:
        """One who may use the topics that begin with $."""
        peer = await self.peer(version)
        name = f"ops-{next(_names)}"
        token = self.site.store.add_token(name, None, frozenset(("admin",)))
        assert (await peer.connect(name, "default", token)).reason_code == 0
        return peer

    async def let_pass(self, seconds: float) -> None:
        await self.site.let_pass(seconds)

    # Packets that break the standard

    async def refuses(self, version: Version, rows: list[Invalid]) -> None:
        """Each of the packets ends its connection, with its reason where the version has one."""
        assert rows
        for row in rows:
            if row.versions:
                peer = await self.client(version=version)
                peer.send_bytes(row.raw)
                assert await peer.ended() == (row.reason if version is V5 else None), row.name
            else:
                await self._refuses_first(version, row)

    async def _refuses_first(self, version: Version, row: Invalid) -> None:
        peer = await self.peer(version)
        peer.send_bytes(row.raw)
        packet = await peer._next()
        if packet is not None:
            assert version is V5, row.name
            assert isinstance(packet, Connack), row.name
            assert (packet.session_present, packet.reason_code) == (False, row.reason), row.name
            assert await peer._next() is None, row.name

    async def refuses_clause(self, version: Version, clause: str, start: str = "") -> None:
        """All packets of the table that break this clause, or those of them whose name starts like this."""
        await self.refuses(
            version, [row for row in rows_of(version) if row.clause == clause and row.name.startswith(start)]
        )

    async def refuses_named(self, version: Version, start: str) -> None:
        """All packets of the table whose name starts like this."""
        await self.refuses(version, [row for row in rows_of(version) if row.name.startswith(start)])


def rows_of(version: Version) -> list[Invalid]:
    """Invalid packets of a client of this version, also those that come first."""
    return [row for row in INVALID if row.side is Side.SERVER and (version in row.versions or _asks_for(row, version))]


def _asks_for(row: Invalid, version: Version) -> bool:
    """A CONNECT of this version that came first."""
    return not row.versions and row.raw[0] == 0x10 and row.raw.find(b"\0\4MQTT" + bytes([version]), 2, 9) > 0


def in_version(subscription: Subscription, version: Version) -> Subscription:
    """Without the options that version 3.1.1 does not have."""
    return (
        subscription
        if version is V5
        else replace(subscription, no_local=False, retain_as_published=False, retain_handling=0)
    )
