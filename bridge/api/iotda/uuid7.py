"""Message ids for applications that name none."""

import os
import time


def uuid7() -> str:
    """A UUIDv7 (RFC 9562, section 5.7): ids made one after the other stand side by side in the database index.

    48 bits of milliseconds, 12 bits of the fraction of one (section 6.2, method 3), 62 random bits.
    """
    milliseconds, rest = divmod(time.time_ns(), 1_000_000)
    random = int.from_bytes(os.urandom(8), "big") & 0x3FFF_FFFF_FFFF_FFFF
    value = milliseconds << 80 | 0x7000 << 64 | (rest << 12) // 1_000_000 << 64 | 0x8000_0000_0000_0000 | random
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
