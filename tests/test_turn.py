"""What is collected in a turn of the loop, and when it is handled."""

import asyncio
from typing import Any

from bridge.turn import Turn


async def next_turn() -> None:
    await asyncio.sleep(0)


async def test_once_a_turn_and_in_order() -> None:
    seen: list[int] = []
    turn = Turn(seen.append)
    for number in range(5):
        turn.add(number)
    assert seen == []
    await next_turn()
    assert seen == [0, 1, 2, 3, 4]
    turn.add(5)
    await next_turn()
    assert seen == [0, 1, 2, 3, 4, 5]


async def test_what_is_added_meanwhile_has_the_next_turn() -> None:
    seen: list[int] = []

    def handle(number: int) -> None:
        seen.append(number)
        if number < 3:
            turn.add(number + 1)

    turn = Turn(handle)
    turn.add(1)
    await next_turn()
    assert seen == [1]
    await next_turn()
    await next_turn()
    assert seen == [1, 2, 3]


async def test_more_than_may_wait() -> None:
    seen: list[int] = []
    turn = Turn(seen.append, at_most=10)
    turn.add(1, 6)
    turn.add(2, 4)
    assert seen == []
    turn.add(3, 1)
    assert seen == [1, 2, 3]
    turn.add(4, 10)
    assert seen == [1, 2, 3]
    await next_turn()
    await next_turn()
    assert seen == [1, 2, 3, 4]


async def test_a_defect_costs_only_its_own_item() -> None:
    told: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: told.append(context))
    seen: list[int] = []

    def handle(number: int) -> None:
        seen.append(10 // number)

    turn = Turn(handle)
    for number in (1, 0, 2):
        turn.add(number)
    await next_turn()
    assert seen == [10, 5]
    assert [type(context["exception"]) for context in told] == [ZeroDivisionError]
