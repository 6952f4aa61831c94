"""Several listeners at once, each with limits of its own; client certificates; certificates that are renewed."""

import asyncio
import shutil
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bridge.broker.settings import ListenerSettings
from bridge.model.errors import BadSettings
from bridge.model.record import Enrolment, Profile
from bridge.mqtt import Version
from tests.broker.certificates import HOST, Certificate, client_context
from tests.broker.client import RawClient
from tests.broker.conftest import NewSite
from tests.broker.site import SECRET, Site, mqtt
from tests.broker.times import turn
from tests.broker.websocket_client import WebSocketClient

FREE = "127.0.0.1:0"


def has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no ::1")


@dataclass
class Papers:
    folder: Path
    authority: Certificate
    server: Certificate

    def make(self, name: str, authority: Certificate | None = None) -> Certificate:
        return Certificate.make(self.folder, name, authority or self.authority)

    @property
    def files(self) -> dict[str, Any]:
        """Settings of a TLS listener."""
        return {"tls_certfile": str(self.server.path), "tls_keyfile": str(self.server.key_path)}

    def renew(self, certificate: Certificate) -> None:
        """In place of the server's."""
        shutil.copy(certificate.path, self.server.path)
        shutil.copy(certificate.key_path, self.server.key_path)


@pytest.fixture
def papers(tmp_path: Path) -> Papers:
    authority = Certificate.make(tmp_path, "authority", authority=True)
    return Papers(tmp_path, authority, Certificate.make(tmp_path, "server", authority))


class Visitors:
    """Connections to the listeners of a site, by name."""

    def __init__(self) -> None:
        self._clients: list[RawClient] = []

    async def open(self, site: Site, name: str, context: ssl.SSLContext | None = None) -> RawClient:
        address = site.broker.addresses[name]
        if name.startswith("ws"):
            client: RawClient = await WebSocketClient.dial(address, context=context)
        else:
            name = HOST if context else ""
            _, client = await asyncio.get_running_loop().create_connection(
                RawClient, *address, ssl=context, server_hostname=name or None
            )
        self._clients.append(client)
        return client

    def leave(self) -> None:
        for client in self._clients:
            client.abort()


@pytest.fixture
async def visitors() -> AsyncIterator[Visitors]:
    async with AsyncExitStack() as leaving:
        visitors = Visitors()
        leaving.callback(visitors.leave)
        yield visitors


def table(**settings: Any) -> ListenerSettings:
    return ListenerSettings(**{"bind": FREE, **settings})


def shown(client: RawClient) -> bytes:
    """The server's certificate."""
    certificate = client.transport.get_extra_info("ssl_object").getpeercert(binary_form=True)
    assert isinstance(certificate, bytes)
    return certificate


def der(certificate: Certificate) -> bytes:
    return ssl.PEM_cert_to_DER_cert(certificate.path.read_text(encoding="ascii"))


# Several at once


async def test_all_kinds_at_once(new_site: NewSite, papers: Papers, visitors: Visitors) -> None:
    """A message that comes in through any of them reaches the subscribers at all of them."""
    listeners = {"field": table(**papers.files), "ws-field": table(type="ws")}
    usual = {"tls_bind": FREE, "websocket_bind": FREE, "websocket_tls_bind": FREE}
    site = await new_site(mqtt(allow_anonymous=True, listeners=listeners, **usual, **papers.files))
    names = ["mqtt", "ws", "mqtts", "wss", "field", "ws-field"]
    assert list(site.broker.addresses) == names
    assert len(set(site.broker.addresses.values())) == len(names)
    trusting = client_context(papers.authority)
    clients = []
    for name in names:
        client = await visitors.open(site, name, trusting if name in {"mqtts", "wss", "field"} else None)
        await client.connect(name)
        await client.subscribe("all", 1)
        clients.append(client)
    for sender in clients:
        sender.publish("all", b"hello", 0)
        for client in clients:
            assert (await client.take()).payload == b"hello"


@ipv6
@pytest.mark.parametrize(("bind", "host"), [("[::1]:0", "::1"), ("[::]:0", "::")])
async def test_ipv6(new_site: NewSite, visitors: Visitors, bind: str, host: str) -> None:
    site = await new_site(mqtt(bind=bind, websocket_bind=bind))
    assert {address[0] for address in site.broker.addresses.values()} == {host}
    pump = site.add_device()
    for name in ("mqtt", "ws"):
        await (await visitors.open(site, name)).log_in(pump)


@ipv6
async def test_all_of_ipv4_and_all_of_ipv6_on_one_port(new_site: NewSite) -> None:
    with socket.create_server(("::", 0), family=socket.AF_INET6) as found:
        port = found.getsockname()[1]
    site = await new_site(mqtt(bind=f"0.0.0.0:{port}", listeners={"six": table(bind=f"[::]:{port}")}))
    assert [address[1] for address in site.broker.addresses.values()] == [port, port]


async def test_an_address_in_use(site: Site, new_site: NewSite) -> None:
    host, port = site.broker.address
    with pytest.raises(OSError, match=rf"cannot listen on {host}:{port}: .*in use .* mqtt.listeners.other.bind"):
        await new_site(mqtt(listeners={"other": table(bind=f"{host}:{port}")}))


# Limits


async def test_each_has_its_own_number_of_connections(new_site: NewSite, visitors: Visitors) -> None:
    listeners = {"narrow": table(max_connections=1), "wide": table()}
    site = await new_site(mqtt(allow_anonymous=True, max_connections=3, listeners=listeners))
    first = await visitors.open(site, "narrow")
    await first.connect("1")
    assert await (await visitors.open(site, "narrow")).ended() is None
    for number in ("2", "3"):
        await (await visitors.open(site, "wide")).connect(number)
    assert await (await visitors.open(site, "mqtt")).ended() is None  # all together
    await first.disconnect()
    await (await visitors.open(site, "narrow")).connect("1")


async def test_the_largest_packet(new_site: NewSite, visitors: Visitors) -> None:
    site = await new_site(mqtt(allow_anonymous=True, listeners={"small": table(max_packet_size=1024)}))
    for name, largest in (("small", 1024), ("mqtt", mqtt().max_packet_size)):
        client = await visitors.open(site, name)
        assert (await client.connect(name)).properties["maximum_packet_size"] == largest
        client.publish("a", b"x" * 1024, 0)
        if name == "small":
            assert await client.ended() == 0x95
        else:
            await client.quiet()


async def test_the_time_for_connect(new_site: NewSite, visitors: Visitors) -> None:
    site = await new_site(mqtt(allow_anonymous=True, listeners={"hasty": table(connect_timeout=1)}))
    hasty, patient = await visitors.open(site, "hasty"), await visitors.open(site, "mqtt")
    await site.let_pass(3)
    assert await hasty.ended() is None
    await patient.connect("c")


@pytest.mark.parametrize(("everywhere", "there"), [(True, False), (False, True)])
async def test_anonymous_clients(new_site: NewSite, visitors: Visitors, everywhere: bool, there: bool) -> None:
    site = await new_site(mqtt(allow_anonymous=everywhere, listeners={"other": table(allow_anonymous=there)}))
    for name, allowed in (("mqtt", everywhere), ("other", there)):
        assert (await (await visitors.open(site, name)).connect("c")).reason_code == (0 if allowed else 0x87)


async def test_a_path(new_site: NewSite) -> None:
    site = await new_site(mqtt(listeners={"ws-own": table(type="ws", path="/devices")}))
    for path, accepted in (("/devices", True), ("/mqtt", False)):
        client = await WebSocketClient.dial(site.broker.addresses["ws-own"], path=path)
        assert client.accepted is accepted
        client.abort()


# TLS


@pytest.mark.parametrize("name", ["mqtts", "wss", "field"])
async def test_a_client_certificate_that_is_required(
    new_site: NewSite, papers: Papers, visitors: Visitors, name: str
) -> None:
    """Without one, or with one of somebody else, the handshake fails."""
    files = {**papers.files, "tls_cafile": str(papers.authority.path), "client_certificates": "required"}
    binds = {"tls_bind": FREE, "websocket_tls_bind": FREE}
    site = await new_site(mqtt(**binds, **files, listeners={"field": table(**files)}))
    pump = site.add_device()
    stranger = papers.make("stranger", Certificate.make(papers.folder, "other", authority=True))
    for certificate in (None, stranger):
        client = await hesitant(visitors, site, name, client_context(papers.authority, certificate))
        if client is not None:
            assert await client.ended() is None
    while site.hub._lines:
        await turn()
    client = await visitors.open(site, name, client_context(papers.authority, papers.make("pump")))
    assert (await client.connect("pump-1", "pump-1", SECRET)).reason_code == 0
    assert site.hub.connected(pump.key)


async def hesitant(visitors: Visitors, site: Site, name: str, context: ssl.SSLContext) -> RawClient | None:
    """In TLS 1.3 a client learns later that its handshake was refused."""
    try:
        return await visitors.open(site, name, context)
    except (ssl.SSLError, ConnectionError):
        return None


@pytest.mark.parametrize("where", ["wss", "field"])
async def test_secure_access_counts_every_way_through_tls(
    new_site: NewSite, papers: Papers, visitors: Visitors, where: str
) -> None:
    own = {"websocket_tls_bind": FREE, **papers.files} if where == "wss" else {}
    site = await new_site(mqtt(**own, listeners={} if own else {"field": table(**papers.files)}))
    enrolment = Enrolment("pump-1", Profile("pump-1"), secret=SECRET, secure_access=True)
    pump = site.store.enrol("default", enrolment).device
    plain = await site.client()
    assert (await plain.connect("pump-1", "pump-1", SECRET)).reason_code == 0x87
    await (await visitors.open(site, where, client_context(papers.authority))).log_in(pump)


async def test_a_bad_file_of_a_table(new_site: NewSite, papers: Papers) -> None:
    with pytest.raises(BadSettings, match=r"^mqtt.listeners.field.tls_certfile, .*missing.pem: No such file"):
        await new_site(mqtt(listeners={"field": table(**{**papers.files, "tls_certfile": "missing.pem"})}))


# Renewal


@pytest.fixture
async def tls_site(new_site: NewSite, papers: Papers) -> Site:
    files = {**papers.files, "tls_cafile": str(papers.authority.path)}
    return await new_site(
        mqtt(allow_anonymous=True, tls_bind=FREE, websocket_tls_bind=FREE, **files, listeners={"field": table(**files)})
    )


@pytest.mark.parametrize("name", ["mqtts", "wss", "field"])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_renewed_certificate(
    tls_site: Site, papers: Papers, visitors: Visitors, name: str, version: ssl.TLSVersion
) -> None:
    """New connections see it; those that are there go on to publish and to hear."""
    context = client_context(papers.authority)
    context.maximum_version = version
    old, before = await visitors.open(tls_site, name, context), der(papers.server)
    await old.connect("old")
    await old.subscribe("a", 1)
    papers.renew(papers.make("renewed"))
    unaware = await visitors.open(tls_site, name, context)
    assert shown(old) == shown(unaware) == before
    tls_site.broker.reload()
    new = await visitors.open(tls_site, name, context)
    assert shown(new) == der(papers.server) != before
    await new.connect("new")
    new.publish("a", b"1")
    assert (await old.take()).payload == b"1"
    old.publish("a", b"2")
    assert (await old.take()).payload == b"2"
    for _ in range(2):  # and again
        papers.renew(papers.make(f"again-{_}"))
        tls_site.broker.reload()
        assert shown(await visitors.open(tls_site, name, context)) == der(papers.server)
    await old.quiet()


@pytest.mark.parametrize("spoiled", ["server.pem", "server.key", "authority.pem"])
@pytest.mark.parametrize("content", [None, b"", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
async def test_files_that_are_no_good_change_nothing(
    tls_site: Site,
    papers: Papers,
    visitors: Visitors,
    caplog: pytest.LogCaptureFixture,
    spoiled: str,
    content: bytes | None,
) -> None:
    before, context = der(papers.server), client_context(papers.authority)
    path = papers.folder / spoiled
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    tls_site.broker.reload()
    errors = [record for record in caplog.records if record.levelname == "ERROR"]
    assert [(record.getMessage(), vars(record)["listener"]) for record in errors] == [
        ("certificate not reloaded", "mqtts,wss"),
        ("certificate not reloaded", "field"),
    ]
    assert all(str(path) in vars(record)["file"] for record in errors)
    client = await visitors.open(tls_site, "mqtts", context)
    assert shown(client) == before
    await client.connect("c")


async def test_a_certificate_without_its_key_changes_nothing(
    tls_site: Site, papers: Papers, visitors: Visitors, caplog: pytest.LogCaptureFixture
) -> None:
    before = der(papers.server)
    shutil.copy(papers.make("half").path, papers.server.path)
    tls_site.broker.reload()
    assert "certificate not reloaded" in caplog.text
    assert shown(await visitors.open(tls_site, "mqtts", client_context(papers.authority))) == before


async def test_renewed_authorities(new_site: NewSite, papers: Papers, visitors: Visitors) -> None:
    """Whose certificates are accepted changes, too: one is added, the other taken away."""
    accepted = papers.folder / "accepted.pem"
    shutil.copy(papers.authority.path, accepted)
    files = {**papers.files, "tls_cafile": str(accepted), "client_certificates": "required"}
    site = await new_site(mqtt(allow_anonymous=True, tls_bind=FREE, **files))
    other = Certificate.make(papers.folder, "other", authority=True)
    ours, theirs = papers.make("ours"), papers.make("theirs", other)

    async def enters(certificate: Certificate) -> bool:
        client = await hesitant(visitors, site, "mqtts", client_context(papers.authority, certificate))
        if client is None:
            return False
        try:
            return (await client.connect("c")).reason_code == 0
        except AssertionError:
            return False

    assert (await enters(ours), await enters(theirs)) == (True, False)
    shutil.copy(other.path, accepted)
    site.broker.reload()
    assert (await enters(ours), await enters(theirs)) == (False, True)


async def test_reload_without_tls(site: Site) -> None:
    site.broker.reload()
    await (await site.client(Version.V311)).log_in(site.add_device())
