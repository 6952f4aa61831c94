"""The Prefer header field. Cases of RFC 7240, and what else may come."""

import time

import pytest

from bridge.api.preferences import preferences


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        ([b"wait=10"], {"wait": "10"}),
        ([b"respond-async, wait=10"], {"respond-async": "", "wait": "10"}),
        ([b"respond-async", b"wait=10"], {"respond-async": "", "wait": "10"}),
        ([b"Wait = 10 ;a=b; c"], {"wait": "10"}),
        ([b'wait="10"'], {"wait": "10"}),
        ([b"wait=1, wait=2", b"wait=3"], {"wait": "1"}),
        ([b'foo; bar="x, wait=5", wait=6'], {"foo": "", "wait": "6"}),
        ([b'foo="a\\", wait=5, \\"b", wait=6'], {"foo": "", "wait": "6"}),
        ([b"wait"], {"wait": ""}),
        ([b'wait=""'], {"wait": ""}),
        ([b"wait==10"], {"wait": "=10"}),
        ([b"wait=\xff"], {"wait": "\xff"}),
        ([b'wait=5, foo="open'], {"wait": "5", "foo": "open"}),
        ([b'foo="open\\'], {"foo": "open"}),
        ([b'foo="op en\\'], {"foo": ""}),
    ],
)
def test_what_is_preferred(lines: list[bytes], found: dict[str, str]) -> None:
    fields = [(b"host", b"x, wait=9"), *((b"prefer", line) for line in lines)]
    assert preferences(fields) == found


def test_nothing_is_preferred() -> None:
    assert not preferences([(b"host", b"wait=1")]).get("wait")


@pytest.mark.parametrize("part", [b'"', b'"\\', b",", b"=", b";", b'a="b",'])
def test_the_time_is_proportional_to_the_size(part: bytes) -> None:
    start = time.perf_counter()
    preferences([(b"prefer", part * (65_536 // len(part)))])
    assert time.perf_counter() - start < 1
