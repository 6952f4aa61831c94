"""Wall time, which can be set, and steady time, which cannot."""

import logging

import pytest

from bridge.model.clock import (
    DOUBTED_FOR,
    JUMP,
    MOST_JUMPS,
    Clock,
    SystemTime,
    Timekeeper,
    system_clock,
)
from tests.model.machine import START, Machine
from tests.store.clock import HandClock

HOUR = 3_600_000
DAY = 24 * HOUR


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture
def time(machine: Machine) -> Timekeeper:
    return Timekeeper(machine)


def restarted(machine: Machine, time: Timekeeper) -> Timekeeper:
    """As it was saved, and resumed later."""
    state = time.state()
    again = Timekeeper(machine)
    again.resume(state)
    return again


def test_both_are_the_same_as_long_as_nobody_sets_the_clock(machine: Machine, time: Timekeeper) -> None:
    for _ in range(3):
        machine.pass_by(DAY)
        assert not time.look()
        assert time() == time.steady() == time.now_within(HOUR) == machine.now
        assert time.wall_of(time.steady_of(machine.now)) == machine.now


@pytest.mark.parametrize("by", [1000 * DAY, DAY, JUMP, -JUMP, -DAY])
def test_a_jump_is_noticed_once_and_is_none_of_steady_time(
    machine: Machine, time: Timekeeper, by: int, caplog: pytest.LogCaptureFixture
) -> None:
    machine.now += by
    assert time.steady() == START
    assert time.look()
    assert not time.look()
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert vars(caplog.records[0])["by"] == f"{by / 1000:+.1f} s"
    machine.pass_by(HOUR)
    assert time.steady() == START + HOUR
    assert time() == time.wall_of(time.steady()) == START + by + HOUR


def test_a_clock_that_is_set_by_less_is_followed(machine: Machine, time: Timekeeper) -> None:
    for _ in range(2):
        machine.now += JUMP // 2 - 1
        assert not time.look()
    machine.now += 2
    assert time.look()


def test_a_named_moment_is_as_far_away_as_it_was_when_it_was_named(machine: Machine, time: Timekeeper) -> None:
    machine.now -= DAY  # not noticed yet
    moment = time.steady_of(machine.now + 5000)
    assert moment == time.steady() + 5000
    machine.now += 3 * DAY
    time.look()
    assert moment == time.steady() + 5000
    assert time.wall_of(moment) == machine.now + 5000


@pytest.mark.parametrize("noticed", [True, False])
@pytest.mark.parametrize("by", [9 * DAY, -9 * DAY])
def test_no_stamp_becomes_old_by_a_jump(machine: Machine, time: Timekeeper, by: int, noticed: bool) -> None:
    """Neither one from before the jump, nor one from after it."""
    before = time()
    machine.pass_by(HOUR)
    machine.now += by
    after = time()
    if noticed:
        time.look()
    for stamp in (before, after):
        assert time.now_within(7 * DAY) - 7 * DAY <= stamp
    machine.pass_by(7 * DAY - HOUR)
    assert time.now_within(7 * DAY) - 7 * DAY <= min(before, after)


def test_after_the_age_in_question_a_jump_is_forgotten(machine: Machine, time: Timekeeper) -> None:
    machine.now += 9 * DAY
    time.look()
    stamp = time()
    assert time.now_within(DAY) == time() - 9 * DAY
    machine.pass_by(DAY + 1)
    assert time.now_within(DAY) == time()
    assert time.now_within(DAY) - DAY > stamp


def test_there_and_back_leaves_ages_as_they_are(machine: Machine, time: Timekeeper) -> None:
    machine.now += 9 * DAY
    time.look()
    machine.pass_by(70_000)
    assert time.now_within(7 * DAY) == START + 70_000
    machine.now -= 9 * DAY
    time.look()
    assert time() == time.steady() == time.now_within(7 * DAY) == START + 70_000


def test_of_many_jumps_the_most_careful_ones_are_remembered(machine: Machine, time: Timekeeper) -> None:
    machine.now -= 50 * DAY
    time.look()
    for _ in range(2 * MOST_JUMPS):
        machine.pass_by(HOUR)
        machine.now += DAY
        time.look()
    assert len(time.state().jumps) == MOST_JUMPS
    assert time.now_within(100 * DAY) == time.steady() - 50 * DAY


# From one start to the next


@pytest.mark.parametrize("by", [0, 1000 * DAY, -DAY])
def test_a_restart_goes_on_with_what_the_machine_has_counted(machine: Machine, time: Timekeeper, by: int) -> None:
    state = time.state()
    machine.pass_by(HOUR)
    machine.now += by
    again = Timekeeper(machine)
    again.resume(state)
    assert again.steady() == START + HOUR
    assert again.wall_of(again.steady()) == machine.now


def test_a_jump_is_remembered_by_the_next_start(machine: Machine, time: Timekeeper) -> None:
    machine.now += 9 * DAY
    time.look()
    again = restarted(machine, time)
    assert again.steady() == START
    assert again.now_within(DAY) == START


def test_while_the_machine_is_off_things_age_by_the_wall_clock(machine: Machine, time: Timekeeper) -> None:
    machine.now += 9 * DAY
    time.look()
    state = time.state()
    machine.reboot(off=2 * HOUR)
    again = Timekeeper(machine)
    again.resume(state)
    assert again.steady() == START + 2 * HOUR
    assert again() == again.steady() + 9 * DAY


def test_a_machine_that_boots_in_the_past_goes_on_from_where_it_was(machine: Machine, time: Timekeeper) -> None:
    state = time.state()
    machine.reboot(off=-1000 * DAY)
    again = Timekeeper(machine)
    again.resume(state)
    assert again.steady() == START
    machine.now += 1000 * DAY + HOUR
    again.look()
    assert again.steady() == START
    assert again.wall_of(again.steady()) == START + HOUR


def test_a_clock_that_was_certainly_wrong_says_nothing_about_the_time_that_passed() -> None:
    machine = Machine(wall=86_400_000)
    time = Timekeeper(machine)
    state = time.state()
    machine.reboot(off=START)
    again = Timekeeper(machine)
    again.resume(state)
    assert again.steady() == 86_400_000
    assert again.now_within(7 * DAY) == 86_400_000


def test_after_a_long_time_off_stamps_wait_for_the_clock_to_be_corrected(machine: Machine, time: Timekeeper) -> None:
    state = time.state()
    machine.reboot(off=9 * DAY)
    again = Timekeeper(machine)
    again.resume(state)
    assert again.steady() == START + 9 * DAY
    assert again.now_within(7 * DAY) == START
    machine.pass_by(70_000)
    assert restarted(machine, again).now_within(7 * DAY) == START + 70_000
    machine.now -= 9 * DAY
    again.look()
    machine.pass_by(DOUBTED_FOR)
    assert again.now_within(7 * DAY) == machine.now


def test_a_long_time_off_that_was_one_is_believed_after_an_hour(machine: Machine, time: Timekeeper) -> None:
    state = time.state()
    machine.reboot(off=9 * DAY)
    again = Timekeeper(machine)
    again.resume(state)
    machine.pass_by(DOUBTED_FOR)
    assert again.now_within(7 * DAY) == machine.now == START + 9 * DAY + DOUBTED_FOR


@pytest.mark.parametrize("boot", ["", "first"])
def test_without_a_count_since_the_same_boot_the_wall_clock_decides(boot: str) -> None:
    """A system that does not name its boots, or a container whose count began anew."""
    machine = Machine(boot=boot)
    state = Timekeeper(machine).state()
    machine.pass_by(HOUR)
    machine.counted = 5
    again = Timekeeper(machine)
    again.resume(state)
    assert again.steady() == START + HOUR


# Other clocks


def test_a_plain_clock_is_both() -> None:
    clock = HandClock()
    time = Timekeeper.of(clock)
    clock.now += DAY
    assert time() == time.steady() == time.now_within(HOUR) == clock.now
    clock.now -= 2 * DAY
    assert time.steady() == clock.now
    assert Timekeeper.of(time) is time
    assert not time.lasting


def test_the_clocks_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    source = SystemTime()
    first, second = source.read(), source.read()
    assert source.elapsed() >= second.elapsed >= first.elapsed
    assert abs(second.wall - system_clock()) < 60_000
    clock: Clock = source.wall
    assert abs(clock() - second.wall) < 60_000
