"""What a load generator is told, and what it reports."""

import os
from dataclasses import dataclass

SECRET = "bench-secret"  # noqa: S105  of devices that live as long as the measurement
SIZE = 64
"""Characters of a message."""
NUMBER = 8
"""Those at its start: a counter."""
POST, COLLECT, HOLD, FAN_OUT, FAN_IN = "post", "collect", "hold", "fan-out", "fan-in"


def device_name(index: int) -> str:
    return f"bench-{index:06d}"


def content(number: int) -> str:
    """The JSON string a message consists of: its number among those of the device, and filler."""
    return f'"{number:0{NUMBER}d}{"x" * (SIZE - NUMBER)}"'


@dataclass(frozen=True)
class Plan:
    """Work for one load generator. Addresses are HOST:PORT.

    `post`     connect the devices, then send to them over HTTP, warm up, measure.
    `collect`  connect the devices and wait until all of them have what is stored for them.
    `hold`     connect the devices and keep them until stdin ends.
    `fan-out`  connect so many anonymous subscribers, and publish messages one after the other to all of them.
    `fan-in`   connect so many anonymous publishers and one subscriber; all publish a message at once, and again.
    """

    job: str
    http: str = ""
    mqtt: str = ""
    """Empty: no devices, only senders."""
    token: str = ""
    expected: str = "DELIVERED"
    """What the body of every answer has to contain."""
    devices: int = 200
    subscribe: bool = False
    """Each device subscribes to its user topics."""
    senders: int = 128
    """Keep-alive connections, each with one request at a time."""
    warm: float = 1.0
    seconds: float = 4.0
    messages: int = 0
    """collect: what is stored for each device; fan-out, fan-in: how often all get one or send one."""
    pid: int = 0
    """The server, whose CPU time is read when measuring starts and ends."""
    database: str = ""
    """collect: wait until no message in this file is PENDING."""


@dataclass(frozen=True)
class Report:
    answered: int = 0
    """Requests answered as expected, warm-up included."""
    unexpected: int = 0
    count: int = 0
    """Messages in the measured time."""
    seconds: float = 0.0
    settled: float = 0.0
    """collect: seconds until no message was PENDING any more."""
    server_cpu: float = 0.0
    """Seconds of user and system time."""
    own_cpu: float = 0.0
    others_cpu: float = 0.0
    problems: tuple[str, ...] = ()
    """What is wrong with what the devices received."""

    @property
    def rate(self) -> float:
        """Messages a second."""
        return self.count / self.seconds

    @property
    def cpu(self) -> float:
        """Microseconds of the server for each message."""
        return self.server_cpu / self.count * 1e6

    @property
    def others(self) -> float:
        """Per cent of the machine that neither the server nor the load generator had: the less, the better."""
        return self.others_cpu / self.seconds / (os.cpu_count() or 1) * 100

    @property
    def load(self) -> float:
        """Microseconds of the load generator for each message."""
        return self.own_cpu / self.count * 1e6
