from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from bridge.model.push import Waiting
from bridge.webhooks.lanes import Lanes


def waiting(position: int, device: str = "a", due: int = 0) -> Waiting:
    return Waiting(1, position, device, 0, due=due)


def lanes_of(*pushes: Waiting) -> Lanes:
    lanes = Lanes()
    for push in pushes:
        lanes.add(push)
    return lanes


def taken(lanes: Lanes, now: int = 0) -> Waiting:
    push = lanes.take(now)
    assert push is not None
    return push


def test_one_of_a_device_at_a_time_and_devices_take_turns() -> None:
    lanes = lanes_of(waiting(1), waiting(2), waiting(3, "b"), waiting(4, "b"))
    first, second = taken(lanes), taken(lanes)
    assert (first.position, second.position, lanes.take(0)) == (1, 3, None)
    lanes.done(second)
    assert taken(lanes).position == 4
    lanes.done(first)
    assert taken(lanes).position == 2
    assert len(lanes) == 2


def test_what_fails_holds_back_its_own_device_only() -> None:
    lanes = lanes_of(waiting(1), waiting(2), waiting(3, "b"))
    lanes.failed(replace(taken(lanes), attempts=1, due=50))
    assert taken(lanes).position == 3
    lanes.add(waiting(4))
    assert (lanes.take(49), lanes.next_due()) == (None, 50)
    again = taken(lanes, 50)
    assert (again.position, again.attempts, lanes.next_due()) == (1, 1, None)
    lanes.done(again)
    assert taken(lanes, 50).position == 2


def test_a_store_is_taken_up_where_it_was() -> None:
    lanes = lanes_of(waiting(1, due=9), waiting(2), waiting(3, "b"), waiting(1, due=9))
    assert (len(lanes), taken(lanes).position, lanes.take(0), taken(lanes, 9).position) == (3, 3, None, 1)


def test_haste() -> None:
    lanes = lanes_of(waiting(1, due=9), waiting(2, "b"))
    lanes.hasten()
    assert {taken(lanes).position, taken(lanes).position} == {1, 2}
    assert lanes.next_due() is None


def test_the_oldest_goes_that_is_not_on_its_way() -> None:
    lanes = lanes_of(waiting(1), waiting(2, "b", due=9), waiting(3), waiting(4))
    sending = taken(lanes)
    dropped = [lanes.drop_oldest() for _ in range(4)]
    assert [push and push.position for push in dropped] == [2, 3, 4, None]
    assert len(lanes) == 1
    assert lanes.take(9) is None
    lanes.done(sending)
    assert (len(lanes), lanes.take(9)) == (0, None)
    lanes.add(waiting(5, "b"))
    assert taken(lanes).position == 5


def test_one_in_the_middle_can_be_the_oldest() -> None:
    """A dead letter that is replayed comes last and goes first."""
    lanes = lanes_of(waiting(5), waiting(6), waiting(2))
    assert [lanes.drop_oldest(), taken(lanes)] == [waiting(5), waiting(2)]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(("add", "take", "done", "fail", "drop", "wait")))))
def test_order_of_each_device_whatever_happens(steps: list[tuple[str, str]]) -> None:
    lanes, now, position = Lanes(), 0, 0
    sending: dict[str, Waiting] = {}
    there: dict[str, list[int]] = {device: [] for device in "abc"}
    for device, step in steps:
        if step == "add":
            position += 1
            lanes.add(waiting(position, device))
            there[device].append(position)
        elif step == "take" and (push := lanes.take(now)) is not None:
            assert push.device not in sending
            assert there[push.device][0] == push.position
            sending[push.device] = push
        elif step == "done" and device in sending:
            lanes.done(sending.pop(device))
            there[device].pop(0)
        elif step == "fail" and device in sending:
            lanes.failed(replace(sending.pop(device), due=now + 2))
        elif step == "drop" and (dropped := lanes.drop_oldest()) is not None:
            assert sending.get(dropped.device) != dropped
            there[dropped.device].remove(dropped.position)
        elif step == "wait":
            now += 1
        assert len(lanes) == sum(map(len, there.values()))
