"""Many clients say many things to the MQTT port, for `FUZZ_SECONDS` (5 unless the environment says otherwise).

A failure names the seed of the conversation: `FUZZ_SEED` begins there.
"""

import asyncio
import os
import re
import time
from collections import Counter
from pathlib import Path

from bridge.mqtt import Decoder, Side
from tests.acceptance.account import SECRET
from tests.acceptance.babble import Babble
from tests.acceptance.conftest import NewDaemon
from tests.acceptance.daemon import Daemon
from tests.acceptance.device import Device, Login
from tests.acceptance.waiting import eventually

SECONDS = float(os.environ.get("FUZZ_SECONDS", "5"))
FIRST_SEED = int(os.environ.get("FUZZ_SEED", "1"))
AT_ONCE = 40
DEVICES = 8
ENDS_WITHIN = 60.0
GROWTH = 48 * 1024 * 1024
"""Bytes the daemon may grow by, with what sessions and retained messages may hold."""
QUIET = {"log.level": "warning", "mqtt.max_failed_logins": 1_000_000}
ENDED = re.compile(r'msg="connection (?:refused|ended)" (.*)')
BROKEN = re.compile(r"code=0x8[12]\b")
"""The standard was broken: malformed packet, protocol error."""
PEER = re.compile(r"peer=\S+:(\d+)")


def _logins(daemon: Daemon) -> list[Login]:
    """Devices that take over from each other, an admin, and somebody who is not let in."""
    with daemon.admin() as admin:
        for number in range(DEVICES):
            admin.add_device("default", f"babble-{number}", SECRET)
        admin.add_device("default", "honest", SECRET)
    devices = [Login(f"babble-{number}", SECRET, f"babble-{number}") for number in range(DEVICES)]
    return [*devices, *(Login("default", daemon.token, f"admin-{number}") for number in range(4)), Login("x", "y", "z")]


async def _talk(address: tuple[str, int], babble: Babble, ports: Counter[int]) -> None:
    """What the server answers is well formed, and it lets go of a client that has said all."""
    reader, writer = await asyncio.open_connection(*address)
    ports[writer.get_extra_info("sockname")[1]] += 1
    decoder = Decoder(version=babble.version, side=Side.CLIENT)
    try:
        for piece in babble.pieces():
            writer.write(piece)
            await writer.drain()
        if not babble.leaves_at_once:
            writer.write_eof()
            async with asyncio.timeout(ENDS_WITHIN):
                while data := await reader.read(65_536):
                    if babble.introduces_itself:
                        list(decoder.feed(data))
    except OSError:
        pass  # the server ended the connection while something was still on its way
    finally:
        writer.close()


async def _talk_for(seconds: float, address: tuple[str, int], logins: list[Login]) -> Counter[int]:
    """Returns how often each local port was used."""
    ports: Counter[int] = Counter()
    end = time.monotonic() + seconds
    seeds = iter(range(FIRST_SEED, 1 << 60))

    async def one_after_another() -> None:
        while time.monotonic() < end:
            seed = next(seeds)
            try:
                await _talk(address, Babble(seed, logins), ports)
            except Exception as error:
                raise AssertionError(f"conversation {seed}") from error

    async with asyncio.TaskGroup() as talks:
        for _ in range(AT_ONCE):
            talks.create_task(one_after_another())
    return ports


def _files(daemon: Daemon) -> int:
    return len(list(Path(f"/proc/{daemon.pid}/fd").iterdir()))


def test_whatever_clients_say_harms_nobody(new_daemon: NewDaemon) -> None:
    daemon = new_daemon(QUIET)
    logins = _logins(daemon)
    asyncio.run(_talk_for(1.0, daemon.mqtt, logins))
    before, files = daemon.memory, _files(daemon)
    honest = Device(daemon.mqtt, Login("honest", SECRET, "honest")).connect()
    ports = asyncio.run(_talk_for(SECONDS, daemon.mqtt, logins))
    with daemon.api() as api:
        assert api.post("honest", "still there", payload_format="raw").body["result"]["status"] == "DELIVERED"
    assert honest.next().payload == b"still there"
    assert not honest.is_lost
    honest.close()
    eventually(lambda: _files(daemon) <= files)
    assert daemon.memory - before < GROWTH
    assert sum(ports.values()) > SECONDS * 20
    _check_log(daemon, ports)


def _check_log(daemon: Daemon, ports: Counter[int]) -> None:
    """Every connection that was refused or ended for a reason has one line, with all that is known."""
    lines = ENDED.findall(daemon.log)
    assert lines
    for line in lines:
        assert re.search(r"client=\S+", line), line
        assert re.search(r"reason=(\S|\"[^\"]+\")", line), line
        if BROKEN.search(line):
            assert re.search(r"clause=\S", line), line
    told = Counter(int(port) for line in lines for port in PEER.findall(line))
    more_than_once = {port for port, count in told.items() if port in ports and count > ports[port] + 1}
    assert not more_than_once
