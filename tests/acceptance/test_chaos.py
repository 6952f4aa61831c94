"""One device that connects, leaves, acknowledges and refuses at random, its sender, and a model of what must be true.

Nothing here waits: a PINGREQ after each step shows that the daemon has taken notice, and what it had sent until then.
"""

import random
from contextlib import ExitStack

import pytest

from bridge.mqtt import Disconnect, Packet, Properties, Puback, Pubcomp, Publish, Pubrec, Pubrel, Version
from tests.acceptance.account import Account
from tests.acceptance.conftest import NewDaemon, Operator, operator_of
from tests.acceptance.device import Device
from tests.acceptance.raw_device import RawDevice
from tests.acceptance.waiting import eventually

STEPS = 150
LIVES = 3
WINDOW = 64
REFUSAL = 0x97


class Chaos:
    """`status`: of each message, in the order of acceptance. `seen`: what came in this life of the daemon.

    Of the present connection: `here` came, `open` waits for an acknowledgement by packet identifier, `released` waits
    for PUBCOMP; `before` is what was released on an earlier connection of the session.
    """

    def __init__(self, pump: Account, operator: Device, seed: int) -> None:
        self.pump = pump
        self.operator = operator
        self.random = random.Random(seed)  # noqa: S311 - to be the same every time
        self.device: RawDevice | None = None
        self.kept = False
        self.window = WINDOW
        self.qos = 1
        self.status: dict[str, str] = {}
        self.uncached: set[str] = set()
        self.seen: set[str] = set()
        self.latest = -1
        self.here: set[str] = set()
        self.open: dict[int, Publish] = {}
        self.released: set[int] = set()
        self.before: set[int] = set()

    def run(self, steps: int) -> None:
        often = [self.post, self.acknowledge, self.complete]
        rarely = [self.connect, self.leave, self.subscribe, self.refuse, self.cancel, self.chat]
        for _ in range(steps):
            self.random.choice(3 * often + rarely)()
            self.look()

    # What happens

    def post(self) -> None:
        message_id = f"m{len(self.status)}"
        ttl = {"ttl": 0} if self.random.random() < 0.2 else {}
        self.status[message_id] = "PENDING"
        self.pump.send(message_id, message_id=message_id, payload_format="raw", **ttl)
        if ttl:
            self.uncached.add(message_id)
            if self.device is None:
                self.status[message_id] = "FAILED"

    def connect(self) -> None:
        version = self.random.choice(list(Version))
        clean = self.random.random() < 0.5
        properties = Properties()
        self.window = WINDOW
        if version is Version.V5:
            self.window = self.random.choice((1, 2, 5, WINDOW))
            properties = Properties(receive_maximum=self.window, session_expiry_interval=0 if clean else 3600)
        before, self.device = self.device, self.pump.raw(version).connect(clean_start=clean, properties=properties)
        if before is not None:
            self._ended(before)
        if clean or not self.kept:
            self.released.clear()
            self.qos = 1
        self.before = set(self.released)
        self.kept = not clean

    def leave(self) -> None:
        if self.device is not None:
            device, self.device = self.device, None
            if self.random.random() < 0.5:
                device.send(Disconnect())
            self._ended(device)

    def subscribe(self) -> None:
        if self.device is not None:
            self.qos = self.random.randrange(3)
            self.device.ask_to_subscribe(self.pump.inbox, self.qos)

    def acknowledge(self) -> None:
        if self.device is not None and self.open:
            packet_id, publish = self._taken_from_open()
            if publish.qos == 1:
                self.device.send(Puback(packet_id))
            else:
                self.device.send(Pubrec(packet_id))
                self.released.add(packet_id)
            self._decide(publish, "DELIVERED")

    def refuse(self) -> None:
        if self.device is not None and self.device.version is Version.V5 and self.open:
            packet_id, publish = self._taken_from_open()
            self.device.send((Puback if publish.qos == 1 else Pubrec)(packet_id, REFUSAL))
            self._decide(publish, "FAILED")

    def complete(self) -> None:
        if self.device is not None and self.released:
            packet_id = self.released.pop()
            self.before.discard(packet_id)
            self.device.send(Pubcomp(packet_id))

    def cancel(self) -> None:
        pending = [message_id for message_id, status in self.status.items() if status == "PENDING"]
        if pending:
            message_id = self.random.choice(pending)
            self.pump.cancel(message_id)
            self.look()  # it may have been sent before
            self.status[message_id] = "CANCELLED"

    def chat(self) -> None:
        """A message between clients uses the same window and the same packet identifiers."""
        if self.device is not None:
            self.operator.publish(f"{self.pump.tree}/sys/commands/request_id=1", b"chat", self.random.randrange(3))

    # What must be true

    def look(self) -> None:
        if self.device is not None:
            for packet in self.device.before_pong():
                self._came(packet)

    def _came(self, packet: Packet) -> None:
        if isinstance(packet, Pubrel):
            assert packet.packet_id in self.released
        if not isinstance(packet, Publish):
            return
        if packet.qos:
            assert packet.packet_id not in self.open.keys() | self.released
            self.open[packet.packet_id] = packet
            # What was released on an earlier connection does not count on this one [MQTT5 4.9].
            assert len(self.open) + len(self.released - self.before) <= self.window
        if packet.topic == self.pump.inbox:
            self._came_down(packet)

    def _came_down(self, publish: Publish) -> None:
        message_id = publish.payload.decode()
        number = int(message_id[1:])
        assert self.status[message_id] == "PENDING", f"{message_id} was {self.status[message_id]}"
        assert message_id not in self.here, f"{message_id} twice on one connection"
        self.here.add(message_id)
        if message_id in self.seen:
            assert publish.dup or not publish.qos
        else:
            assert number > self.latest, f"{message_id} after m{self.latest}"
            self.latest = number
            self.seen.add(message_id)
        if not publish.qos:
            self.status[message_id] = "DELIVERED"

    def _ended(self, device: RawDevice) -> None:
        """Take the last of a connection that is over."""
        for packet in device.until_ended():
            self._came(packet)
        device.close()
        self.here.clear()
        self.open.clear()
        self._uncached_end()

    def _uncached_end(self) -> None:
        for message_id in self.uncached:
            if self.status[message_id] == "PENDING":
                self.status[message_id] = "FAILED"

    def _decide(self, publish: Publish, status: str) -> None:
        if publish.topic == self.pump.inbox and self.status[publish.payload.decode()] == "PENDING":
            self.status[publish.payload.decode()] = status

    def _taken_from_open(self) -> tuple[int, Publish]:
        packet_id = self.random.choice(list(self.open))
        return packet_id, self.open.pop(packet_id)

    def begin_next_life(self, operator: Device, killed: bool) -> None:
        """After a restart nothing is left but what is stored. A crash may have forgotten what no application heard."""
        self.operator = operator
        if self.device is not None:
            self._ended(self.device)
        self.device, self.kept, self.latest = None, False, -1
        self.seen.clear()
        self.released.clear()
        self._uncached_end()
        if killed:
            self.status = {message_id: self._after_crash(message_id) for message_id in self.status}

    def _after_crash(self, message_id: str) -> str:
        before = self.status[message_id]
        if before not in ("DELIVERED", "FAILED"):
            return before
        after = self.pump.status(message_id)
        assert after in (before, "FAILED" if message_id in self.uncached else "PENDING")
        return after

    def finish(self) -> None:
        """A patient device takes all that is left."""
        self.connect()
        self.subscribe()
        eventually(self._all_taken)
        for message_id, status in self.status.items():
            if status == "CANCELLED":
                assert self.pump.api.show(self.pump.id, message_id).status == 404
            else:
                assert self.pump.final(message_id)["status"] == status, message_id

    def _all_taken(self) -> bool:
        self.look()
        while self.open:
            self.acknowledge()
        self.look()
        while self.released:
            self.complete()
        return "PENDING" not in self.status.values()


@pytest.mark.parametrize("seed", range(3))
def test_whatever_a_device_does_the_states_are_true(pump: Account, operator: Operator, seed: int) -> None:
    chaos = Chaos(pump, operator(), seed)
    chaos.run(STEPS)
    chaos.finish()


@pytest.mark.parametrize("killed", [False, True], ids=["stopped", "killed"])
def test_whatever_happens_to_the_daemon_the_states_are_true(
    new_daemon: NewDaemon, closing: ExitStack, killed: bool
) -> None:
    daemon = new_daemon()
    pump = Account(daemon, closing)
    chaos = Chaos(pump, operator_of(daemon, closing), 0)
    for _ in range(LIVES):
        chaos.run(STEPS // LIVES)
        if killed:
            daemon.kill()
        else:
            daemon.stop()
        daemon.start()
        pump.daemon_restarted()
        chaos.begin_next_life(operator_of(daemon, closing), killed)
    chaos.finish()
