"""Times as the vendor writes them, from milliseconds since the epoch."""

import time
from functools import lru_cache


def compact(milliseconds: int) -> str:
    """`yyyyMMdd'T'HHmmss'Z'`, UTC."""
    return _compact(milliseconds // 1000)


def precise(milliseconds: int) -> str:
    """`yyyy-MM-dd'T'HH:mm:ss.SSS'Z'`, UTC."""
    return f"{_long(milliseconds // 1000)}.{milliseconds % 1000:03d}Z"


@lru_cache(maxsize=1024)
def _compact(seconds: int) -> str:
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(seconds))


@lru_cache(maxsize=1024)
def _long(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
