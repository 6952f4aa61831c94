"""The TLS listener, and devices that show a certificate."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bridge.broker import MqttBroker
from bridge.broker.tls import Papers as Files
from bridge.broker.tls import Tls, server_context
from bridge.model.device import AuthType, Device, Slot
from bridge.model.errors import BadSettings
from bridge.model.record import Enrolment, Profile
from bridge.mqtt import Version
from tests.broker.certificates import HOST, Certificate, client_context
from tests.broker.client import RawClient
from tests.broker.conftest import NewSite
from tests.broker.site import SECRET, Site, mqtt


@dataclass
class Papers:
    authority: Certificate
    server: Certificate
    pump: Certificate
    stranger: Certificate
    """Of an authority nobody knows."""


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    folder = tmp_path_factory.mktemp("papers")
    authority = Certificate.make(folder, "authority", authority=True)
    other = Certificate.make(folder, "other", authority=True)
    return Papers(
        authority,
        Certificate.make(folder, "server", authority),
        Certificate.make(folder, "pump", authority),
        Certificate.make(folder, "stranger", other),
    )


def settings(papers: Papers, **changes: Any) -> Any:
    return mqtt(
        **{
            "tls_bind": "127.0.0.1:0",
            "tls_certfile": str(papers.server.path),
            "tls_keyfile": str(papers.server.key_path),
            "tls_cafile": str(papers.authority.path),
            **changes,
        }
    )


@pytest.fixture
async def site(new_site: NewSite, papers: Papers) -> Site:
    return await new_site(settings(papers))


Open = Callable[..., Awaitable[RawClient]]


@pytest.fixture
async def open_tls(papers: Papers) -> AsyncIterator[Open]:
    """`await open_tls(site, the certificate that is shown, version)`."""
    clients: list[RawClient] = []

    async def open_client(site: Site, shown: Certificate | None = None, version: Version = Version.V5) -> RawClient:
        context = client_context(papers.authority, shown)
        _, client = await asyncio.get_running_loop().create_connection(
            lambda: RawClient(version), *site.broker.tls_address, ssl=context, server_hostname=HOST
        )
        clients.append(client)
        return client

    yield open_client
    for client in clients:
        client.abort()


def add(site: Site, fingerprint: str, device_id: str = "pump-1", project: str = "default") -> Device:
    enrolment = Enrolment(device_id, Profile(device_id), AuthType.CERTIFICATES, fingerprint=fingerprint)
    return site.store.enrol(project, enrolment).device


@pytest.mark.parametrize("version", [Version.V31, Version.V311, Version.V5])
async def test_a_secret_works_as_ever(site: Site, open_tls: Open, version: Version) -> None:
    pump = site.add_device()
    client = await open_tls(site, None, version)
    await client.log_in(pump)
    message = await site.submit(pump)
    await client.take()
    await client.quiet()
    assert await site.stored_as(message) == "DELIVERED"


@pytest.mark.parametrize("version", [Version.V311, Version.V5])
@pytest.mark.parametrize(
    ("client_id", "username"),
    [
        ("pump-1", "pump-1"),
        ("anything", "pump-1"),
        ("", "pump-1"),
        ("pump-1", None),
        ("pump-1_0_0_2000010100", "pump-1"),
        ("pump-1_0_0_2000010100", None),
    ],
)
async def test_a_certificate(
    site: Site, open_tls: Open, papers: Papers, version: Version, client_id: str, username: str | None
) -> None:
    pump = add(site, papers.pump.fingerprint)
    client = await open_tls(site, papers.pump, version)
    assert (await client.connect(client_id, username)).reason_code == 0
    await site.submit(pump)
    await client.take()


@pytest.mark.parametrize("slot", Slot)
async def test_either_fingerprint_opens(site: Site, open_tls: Open, papers: Papers, slot: Slot) -> None:
    pump = add(site, "00" * 32)
    client = await open_tls(site, papers.pump)
    assert (await client.connect("pump-1", "pump-1")).reason_code == 0x86
    site.store.set_fingerprint(pump.project, pump.device_id, papers.pump.fingerprint, slot)
    client = await open_tls(site, papers.pump)
    assert (await client.connect("pump-1", "pump-1")).reason_code == 0


@pytest.mark.parametrize("password", [None, "", SECRET])
async def test_without_a_certificate(site: Site, open_tls: Open, papers: Papers, password: str | None) -> None:
    add(site, papers.pump.fingerprint)
    for client in (await open_tls(site), await site.client()):
        assert (await client.connect("pump-1", "pump-1", password)).reason_code == 0x86


async def test_the_certificate_of_another_device(site: Site, open_tls: Open, papers: Papers) -> None:
    add(site, papers.pump.fingerprint)
    add(site, "00" * 32, "pump-2")
    client = await open_tls(site, papers.pump)
    assert (await client.connect("pump-2", "pump-2")).reason_code == 0x86


async def test_a_certificate_is_no_secret(site: Site, open_tls: Open, papers: Papers) -> None:
    """A device that logs in with a secret needs it, whatever it shows besides."""
    pump = site.add_device()
    client = await open_tls(site, papers.pump)
    assert (await client.connect("pump-1", "pump-1")).reason_code == 0x86
    client = await open_tls(site, papers.pump)
    await client.log_in(pump)


async def test_the_project_whose_certificate_it_is(site: Site, open_tls: Open, papers: Papers) -> None:
    add(site, "00" * 32)
    there = add(site, papers.pump.fingerprint, project="other")
    client = await open_tls(site, papers.pump)
    assert (await client.connect("pump-1", "pump-1")).reason_code == 0
    await site.heard.wait("connected", there.key)


async def test_frozen(site: Site, open_tls: Open, papers: Papers) -> None:
    add(site, papers.pump.fingerprint)
    site.store.set_frozen("default", "pump-1", frozen=True)
    client = await open_tls(site, papers.pump)
    assert (await client.connect("pump-1", "pump-1")).reason_code == 0x8A


async def test_an_authority_nobody_knows(site: Site, open_tls: Open, papers: Papers) -> None:
    """The connection ends before anything of MQTT, and the others go on."""
    add(site, papers.stranger.fingerprint)
    client = await open_tls(site, papers.stranger)
    assert await client.ended() is None
    await (await open_tls(site)).connect("x")


async def test_a_certificate_that_is_known_by_itself(new_site: NewSite, open_tls: Open, papers: Papers) -> None:
    site = await new_site(settings(papers, tls_cafile=str(papers.stranger.path)))
    add(site, papers.stranger.fingerprint)
    client = await open_tls(site, papers.stranger)
    assert (await client.connect("pump-1", "pump-1")).reason_code == 0


async def test_no_authority_no_certificates(new_site: NewSite, open_tls: Open, papers: Papers) -> None:
    site = await new_site(settings(papers, tls_cafile=""))
    add(site, papers.pump.fingerprint)
    client = await open_tls(site, papers.pump)
    assert (await client.connect("pump-1", "pump-1")).reason_code == 0x86


@pytest.mark.parametrize("version", [Version.V311, Version.V5])
async def test_secure_access(site: Site, open_tls: Open, version: Version) -> None:
    enrolment = Enrolment("pump-1", Profile("pump-1"), secret=SECRET, secure_access=True)
    pump = site.store.enrol("default", enrolment).device
    plain = await site.client(version)
    reason = (await plain.connect("pump-1", "pump-1", SECRET)).reason_code
    assert reason == (0x87 if version is Version.V5 else 5)
    await (await open_tls(site, None, version)).log_in(pump)


async def test_secure_access_without_a_tls_listener(new_site: NewSite) -> None:
    site = await new_site()
    enrolment = Enrolment("pump-1", Profile("pump-1"), secret=SECRET, secure_access=True)
    await site.log_in(site.store.enrol("default", enrolment).device)


async def test_a_handshake_that_does_not_come(site: Site) -> None:
    client = await RawClient.open(site.broker.tls_address)
    await site.let_pass(11)
    assert await client.ended() is None


async def test_a_client_that_does_not_speak_tls(site: Site) -> None:
    reader, writer = await asyncio.open_connection(*site.broker.tls_address)
    writer.write(b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x00\x00\x00")
    answer = await reader.read()
    assert answer[:1] in {b"", b"\x15"}  # at most an alert
    writer.close()


def test_old_versions_of_tls(papers: Papers) -> None:
    context = server_context(Files(str(papers.server.path), str(papers.server.key_path)))
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2


async def test_stopped(site: Site, open_tls: Open) -> None:
    client = await open_tls(site)
    await client.log_in(site.add_device())
    await site.broker.stop()
    assert await client.ended() == 0x8B
    await site.broker.start()


@pytest.mark.parametrize("spoiled", ["tls_certfile", "tls_keyfile", "tls_cafile"])
@pytest.mark.parametrize("how", ["missing", "empty", "folder"])
async def test_files_that_are_no_good(site: Site, tmp_path: Path, papers: Papers, spoiled: str, how: str) -> None:
    path = tmp_path / "file"
    if how == "empty":
        path.touch()
    elif how == "folder":
        path.mkdir()
    refused(site, papers, **{spoiled: str(path)})


async def test_a_key_of_another_certificate(site: Site, papers: Papers) -> None:
    refused(site, papers, tls_keyfile=str(papers.pump.key_path))


async def test_a_key_that_needs_a_password(site: Site, tmp_path: Path, papers: Papers) -> None:
    locked = Certificate.make(tmp_path, "locked", papers.authority, passphrase=b"secret")
    refused(site, papers, tls_certfile=str(locked.path), tls_keyfile=str(locked.key_path))


def refused(site: Site, papers: Papers, **changes: Any) -> None:
    with pytest.raises(BadSettings, match=r"^mqtt.tls_certfile, mqtt.tls_keyfile, mqtt.tls_cafile: \S"):
        MqttBroker(settings(papers, **changes), site.store, site.clock)


def test_no_session_is_resumed_behind_a_reload(papers: Papers) -> None:
    """A client whose authority is gone now would get in without showing its certificate again."""
    files = Files(str(papers.server.path), str(papers.server.key_path), str(papers.authority.path))
    tls = Tls(files)
    trusting = client_context(papers.authority, papers.pump)
    first = shaken(tls.context, trusting)
    assert shaken(tls.context, trusting, first.session).session_reused
    tls.reload()
    assert not shaken(tls.context, trusting, first.session).session_reused


def shaken(ours: ssl.SSLContext, theirs: ssl.SSLContext, session: ssl.SSLSession | None = None) -> ssl.SSLObject:
    """The client's side of a connection, with what it needs to resume its session."""
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = ours.wrap_bio(there, back, server_side=True)
    client = theirs.wrap_bio(back, there, server_hostname=HOST, session=session)
    for side in (client, server, client, server):
        with contextlib.suppress(ssl.SSLWantReadError):
            side.do_handshake()
    server.write(b"!")
    assert client.read(1) == b"!"
    return client
