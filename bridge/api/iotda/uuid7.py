"""Message ids for applications that name none."""

import os
import random
import time

_random_bits = random.Random(os.urandom(32)).getrandbits  # noqa: S311  unlike any other, not secret


def uuid7() -> str:
    """A UUIDv7 (RFC 9562, section 5.7): ids made one after the other stand side by side in the database index.

    48 bits of milliseconds, 12 bits of the fraction of one (section 6.2, method 3), 62 random bits.
    """
    milliseconds, rest = divmod(time.time_ns(), 1_000_000)
    fraction = (rest << 12) // 1_000_000
    value = milliseconds << 80 | 0x7000 << 64 | fraction << 64 | 0x8000_0000_0000_0000 | _random_bits(62)
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
