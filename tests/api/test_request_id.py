import pytest

from bridge.api.request_id import new_request_id, request_id_of


def test_no_two_are_alike() -> None:
    assert len({new_request_id() for _ in range(10_000)}) == 10_000


@pytest.mark.parametrize("given", [b"a", b"A-b_c.9", b"x" * 128])
def test_the_callers_own(given: bytes) -> None:
    assert request_id_of({b"x-request-id": given}) == given.decode()


@pytest.mark.parametrize("given", [b"", b"x" * 129, b"a b", b"a\n", "é".encode(), b"a;b", b"\xff"])
def test_what_is_not_well_formed_is_replaced(given: bytes) -> None:
    assert request_id_of({b"x-request-id": given}).encode() != given
    assert request_id_of({}) != request_id_of({})
