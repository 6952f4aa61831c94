"""What survives."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bridge.model.message import Status
from bridge.store import Store
from tests.store.asking import added, finish, ids, remove
from tests.store.clock import HandClock

ADDING = """
import asyncio, sys
from bridge.store import Store
from tests.store.asking import a_message
from tests.store.clock import HandClock

async def main():
    store = Store.open(sys.argv[1], clock=HandClock())
    device = store.add_device("home", "lamp", "secret-of-lamp").key
    def add(number):
        def done(error):
            assert error is None
            print(number, flush=True)
            add(number + 50)
        store.add(a_message(device, f"m{number}"), done)
    for number in range(50):
        add(number)
    await asyncio.get_running_loop().create_future()

asyncio.run(main())
"""


def acknowledged_until_killed(path: Path) -> list[int]:
    with subprocess.Popen([sys.executable, "-c", ADDING, str(path)], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        acknowledged = [int(next(child.stdout)) for _ in range(500)]
        child.send_signal(signal.SIGKILL)
        return acknowledged + [int(line) for line in child.stdout if line.endswith("\n")]


def mode(path: Path) -> str:
    return oct(path.stat().st_mode & 0o777)


@pytest.mark.slow
async def test_no_acknowledged_message_is_lost_by_kill(path: Path, clock: HandClock) -> None:
    acknowledged = await asyncio.to_thread(acknowledged_until_killed, path)
    store = Store.open(path, clock=clock)
    [lamp] = store.devices("home")
    found = {message.draft.message_id for message in store.pending(lamp.key, after=0, limit=10**6)}
    assert found >= {f"m{number}" for number in acknowledged}
    [more] = await added(store, lamp.key, "after the restart")
    assert more.seq > len(acknowledged)
    await store.close()


async def test_states_survive(path: Path, clock: HandClock) -> None:
    store = Store.open(path, clock=clock)
    device = store.add_device("home", "lamp", "secret-of-lamp").key
    messages = await added(store, device, "m1", "m2", "m3")
    await finish(store, messages[0].seq)
    await remove(store, messages[2].seq)
    await store.close()

    store = Store.open(path, clock=clock)
    found = store.messages(device, limit=10)
    assert ids(found) == ["m2", "m1"]
    assert [message.status for message in found] == [Status.PENDING, Status.DELIVERED]
    [again] = await added(store, device, "m3")
    assert again.seq > found[0].seq
    await store.close()


async def test_files_are_their_owners_alone(missing: Path, clock: HandClock) -> None:
    store = Store.open(missing, clock=clock)
    store.add_device("home", "lamp", "secret-of-lamp")
    files = [missing, *(missing.with_name(missing.name + end) for end in ("-wal", "-shm"))]
    assert [mode(file) for file in files] == [oct(0o600)] * 3
    await store.close()


async def test_the_mode_of_a_file_that_exists_is_its_admins_choice(missing: Path, clock: HandClock) -> None:
    os.close(os.open(missing, os.O_CREAT, 0o640))
    await Store.open(missing, clock=clock).close()
    assert mode(missing) == oct(0o640)


async def test_memory_leaves_nothing(clock: HandClock) -> None:
    store = Store.open(":memory:", clock=clock)
    assert store.path.exists()
    await store.close()
    assert not store.path.parent.exists()
