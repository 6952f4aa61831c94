import pytest

from bridge.model import failed_logins
from bridge.model.failed_logins import LONGEST_WAIT, MINUTE, FailedLogins, Failure
from tests.store.clock import HandClock

HERE = "192.0.2.1"


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def failures(clock: HandClock) -> FailedLogins:
    return FailedLogins(20, clock)


def waits(failures: FailedLogins, count: int, address: str = HERE) -> list[float]:
    return [round(failures.count(address).wait, 3) for _ in range(count)]


def test_the_first_are_free_and_the_next_wait_longer_each_time(failures: FailedLogins) -> None:
    assert waits(failures, 20) == [0] * 20
    assert failures.count(HERE) == Failure(0.1, first=True)
    assert failures.count(HERE) == Failure(0.2, first=False)
    assert waits(failures, 18)[-1] == LONGEST_WAIT
    assert waits(failures, 3) == [LONGEST_WAIT] * 3


def test_one_a_minute_is_the_least(clock: HandClock) -> None:
    assert waits(FailedLogins(1, clock), 3) == [0, LONGEST_WAIT, LONGEST_WAIT]


def test_time_heals(failures: FailedLogins, clock: HandClock) -> None:
    waits(failures, 100)
    clock.now += MINUTE // 20
    assert waits(failures, 1) == [LONGEST_WAIT]
    clock.now += MINUTE
    assert waits(failures, 1) == [0.1]
    clock.now += MINUTE
    assert waits(failures, 20) == [0.0] * 19 + [0.1]
    clock.now += 2 * MINUTE
    assert waits(failures, 21) == [0.0] * 20 + [0.1]
    assert waits(failures, 1) == [0.2]


def test_a_steady_trickle_is_never_slowed(failures: FailedLogins, clock: HandClock) -> None:
    for _ in range(1000):
        assert waits(failures, 1) == [0]
        clock.now += MINUTE // 20


def test_a_clock_that_is_set_back_heals_nothing(failures: FailedLogins, clock: HandClock) -> None:
    waits(failures, 20)
    clock.now -= 100 * MINUTE
    assert waits(failures, 2) == [0.1, 0.2]


def test_addresses_do_not_share(failures: FailedLogins) -> None:
    waits(failures, 30)
    assert waits(failures, 1, "192.0.2.2") == [0]
    assert waits(failures, 1, "") == [0]


@pytest.mark.parametrize(
    ("one", "other", "shared"),
    [
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:0:1::", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("fe80::1%eth0", "fe80::2", True),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("/run/socket", "/run/socket", True),
    ],
)
def test_a_network_of_ipv6_is_one_address(failures: FailedLogins, one: str, other: str, *, shared: bool) -> None:
    waits(failures, 30, one)
    assert (waits(failures, 1, other) != [0]) is shared


def test_memory_is_bounded(failures: FailedLogins, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failed_logins, "MOST_ADDRESSES", 3)
    for address in "abc":
        waits(failures, 30, address)
    assert waits(failures, 1, "a") != [0]
    waits(failures, 1, "d")
    assert waits(failures, 1, "a") != [0]
    assert waits(failures, 1, "b") == [0]


def test_few_wait_at_once(failures: FailedLogins, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failed_logins, "MOST_WAITING", 2)
    with failures.waiting() as first, failures.waiting() as second:
        with failures.waiting() as third:
            assert (first, second, third) == (True, True, False)
        with failures.waiting() as fourth:
            assert fourth is False
    with pytest.raises(RuntimeError), failures.waiting():
        raise RuntimeError
    with failures.waiting() as again, failures.waiting() as and_again:
        assert (again, and_again) == (True, True)
