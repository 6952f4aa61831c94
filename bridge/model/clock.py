"""Time as a parameter: the wall clock says when something was, and steady time how long ago.

The wall clock can be set while the daemon runs: a machine boots in the past and is corrected by years, an operator
mistypes a date. Steady time cannot. It begins as wall time with the first start on a store, goes on at the pace of the
machine's own counter (CLOCK_BOOTTIME, in which a suspended machine ages), and is carried on by the next start.

What is stored as a stamp, in wall time: when something happened, as the clock said then.

| stamp | its age is asked by | with |
|---|---|---|
| message.created_at, finished_at | retention of messages | `now_within(store.retention_days)` |
| notification.at | retention of notifications | `now_within(inbox.retention_days)` |
| batch_task.created_at, finished_at | retention of tasks | `now_within(batch.retention_days)` |
| event.at | lifetime of events | `now_within(channels.lifetime)` |
| idempotency_key.created_at | how long a key is remembered | `now_within(REMEMBERED)` |
| removed_message.removed_at | how long the place of a removed message is known | `now_within(REMEMBERED)` |
| revoked_jwt.until | how long a revocation is kept | `now_within(GRACE)` |
| change.at | how long changes are kept for other processes | the wall clock: they are read within a second |
| device, token, access_key, rule: created_at; device.changed_at, active_at; times in events; uuid7 | nobody | |
| notification.confirmed_at, processed_at; dead_letter.failed_at, push_record.failed_at | nobody | |

What is stored in steady time: when something is due, or was seen.

| moment | what it decides |
|---|---|
| message.expires_at | TIMEOUT, Message Expiry Interval of downlinks |
| message.send_at, batch_task.starts_at, notification.process_at | when it is sent, begun, processed (see below) |
| subscriber.seen | when a polling subscriber has been away for too long |
| retained.expires_at, session_message.expires_at | Message Expiry Interval of retained and queued messages |
| session.left_at | end of a session, will delay |
| push.queued_at, due | back-off of webhooks, when they are given up |
| batch_target.retry_at | when a target of a batch task is tried again |

People name the last three in wall time. When one is accepted it becomes a distance from now (`steady_of`); it is shown
as the moment at which it will come by the wall clock of that time (`wall_of`).

In memory alone: failed logins leak in steady time; keep-alive, timers, quotas, polls and latencies use the loop's
monotonic time. Wall time that others name and that is not stored: dates of signed requests, hours in signed MQTT
passwords, `exp` and `nbf` of JSON Web Tokens, the timestamp in the signature of a webhook, dates in Retry-After.
"""

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple, Protocol, TypeAlias

_log = logging.getLogger(__name__)

Clock: TypeAlias = Callable[[], int]
"""Returns now: whole milliseconds since the epoch, UTC."""

JUMP = 1000
"""Milliseconds by which the wall clock has to leave steady time to have been set."""
EARLIEST = 1_767_225_600_000
"""2026-01-01: a wall clock before this moment is wrong, the program is younger."""
DOUBTFUL = 86_400_000
"""Milliseconds. The machine was off for so long, or its clock is wrong and about to be corrected."""
DOUBTED_FOR = 3_600_000
"""Milliseconds after such a start in which stamps do not age by the time in doubt."""
MOST_JUMPS = 32
"""Jumps remembered."""
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_COUNTER = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
_TOGETHER = 10_000_000
"""Nanoseconds within which two clocks are read to be compared."""
_TRIES = 10


def system_clock() -> int:
    return time.time_ns() // 1_000_000


class Reading(NamedTuple):
    """Two clocks at the same moment, in milliseconds."""

    wall: int
    """Since the epoch."""
    elapsed: int
    """Since some moment before the boot; never set."""


class TimeSource(Protocol):
    """The clocks of a machine."""

    @property
    def boot(self) -> str:
        """Names the boot since which `elapsed` counts; empty when that is not known."""

    def wall(self) -> int: ...

    def elapsed(self) -> int: ...

    def read(self) -> Reading: ...


class SystemTime:
    """The clocks of this machine."""

    def __init__(self) -> None:
        self.boot = ""
        with suppress(OSError):  # not Linux: steady time is carried on from the wall clock
            self.boot = _BOOT_ID.read_text(encoding="ascii").strip()

    def wall(self) -> int:
        return system_clock()

    def elapsed(self) -> int:
        return time.clock_gettime_ns(_COUNTER) // 1_000_000

    def read(self) -> Reading:
        for _ in range(_TRIES):
            before = time.clock_gettime_ns(_COUNTER)
            wall = time.time_ns()
            if time.clock_gettime_ns(_COUNTER) - before <= _TOGETHER:
                break
        return Reading(wall // 1_000_000, before // 1_000_000)


class Jump(NamedTuple):
    at: int
    """Steady time."""
    offset: int
    """Milliseconds from steady to wall time, from then on."""


@dataclass(frozen=True, slots=True)
class ClockState:
    """What the next start has to know."""

    boot: str
    elapsed: int
    steady: int
    wall: int
    jumps: tuple[Jump, ...]
    """Oldest first, at least one: how wall time was related to steady time."""
    floor: int
    """An offset that stamps may have been made with, for all that is known until `floor_until`, steady time."""
    floor_until: int


class Timekeeper:
    """A `Clock` that says wall time when it is called, and knows steady time. All methods belong to one thread but for
    the call, `steady`, `wall_of` and `now_within`."""

    def __init__(self, source: TimeSource, *, lasting: bool = True) -> None:
        self._source = source
        self.lasting = lasting
        """Whether steady time is to be carried on by the next start."""
        reading = source.read()
        self._base = reading.wall - reading.elapsed
        self._jumps: tuple[Jump, ...] = (Jump(reading.wall, 0),)
        self._floor = 0
        self._floor_until = 0

    @classmethod
    def of(cls, clock: Clock) -> "Timekeeper":
        """`clock` itself if it is one. Around a plain clock, which nobody sets, both times are the same."""
        return clock if isinstance(clock, Timekeeper) else cls(_Plain(clock), lasting=False)

    def __call__(self) -> int:
        return self._source.wall()

    def steady(self) -> int:
        """Now, for what is due: milliseconds that no setting of a clock changes."""
        return self._source.elapsed() + self._base

    def now_within(self, age: int) -> int:
        """Now, for who asks whether a stamp is older than `age` milliseconds: by the clock as far back as it has been
        set within that time. What is younger never seems older; what is older may seem younger for a while."""
        wall, elapsed = self._source.read()
        steady = elapsed + self._base
        offset = min(wall - steady, self._jumps[-1].offset)
        since = steady
        for jump in reversed(self._jumps):
            if since < steady - age:  # another one came before the time in question
                break
            offset, since = min(offset, jump.offset), jump.at
        if steady < self._floor_until:
            offset = min(offset, self._floor)
        return steady + offset

    def wall_of(self, moment: int) -> int:
        """A moment of steady time as the wall clock shows it."""
        return moment + self._jumps[-1].offset

    def steady_of(self, moment: int) -> int:
        """A moment of wall time as steady time: as far from now as it is."""
        self.look()
        return moment - self._jumps[-1].offset

    def look(self) -> bool:
        """Compare the clocks. Whether the wall clock was set since the last look."""
        wall, elapsed = self._source.read()
        steady = elapsed + self._base
        before = self._jumps[-1].offset
        if abs(wall - steady - before) < JUMP:
            return False
        self._note(Jump(steady, wall - steady))
        _log.warning(
            "the clock was set; ages and timers go on as if it was not",
            extra={"from": _text(steady + before), "to": _text(wall), "by": _duration(wall - steady - before)},
        )
        return True

    # From one start to the next

    def state(self) -> ClockState:
        wall, elapsed = self._source.read()
        jumps, floor = self._jumps, self._floor
        return ClockState(self._source.boot, elapsed, elapsed + self._base, wall, jumps, floor, self._floor_until)

    def resume(self, last: ClockState) -> None:
        """Go on where an earlier run was. To be called before anything asks for the time.

        Since the same boot the machine has counted itself. After another one only the wall clock says how long the
        machine was off: time never goes back, and none has passed that anybody knows of if the clock was certainly
        wrong.
        """
        wall, elapsed = self._source.read()
        self._jumps, self._floor, self._floor_until = last.jumps, last.floor, last.floor_until
        if last.boot and last.boot == self._source.boot and elapsed >= last.elapsed:
            self._base = last.steady - last.elapsed
        else:
            off = 0 if last.wall < EARLIEST <= wall else max(0, wall - last.wall)
            self._base = last.steady + off - elapsed
            if off >= DOUBTFUL:
                steady = last.steady + off
                self._floor, self._floor_until = wall - steady - off, steady + DOUBTED_FOR
        self.look()

    def _note(self, jump: Jump) -> None:
        jumps = (*self._jumps, jump)
        if len(jumps) > MOST_JUMPS:  # the two oldest become one, which is the more careful of them
            first, second, *rest = jumps
            jumps = (Jump(first.at, min(first.offset, second.offset)), *rest)
        self._jumps = jumps


class _Plain:
    boot = ""

    def __init__(self, clock: Clock) -> None:
        self.wall = self.elapsed = clock

    def read(self) -> Reading:
        now = self.wall()
        return Reading(now, now)


def _text(milliseconds: int) -> str:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def _duration(milliseconds: int) -> str:
    return f"{milliseconds / 1000:+.1f} s"
