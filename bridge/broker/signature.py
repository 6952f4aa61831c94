"""The vendor's way to log in: the client identifier says how the password was made from the secret.

`{device_id}_0_{sign type}_{YYYYMMDDHH}`, the time in UTC; it counts when the sign type is 1. Password: HMAC-SHA256 with
the time as key and the secret as message, in lower-case hexadecimal digits. Source: IoTDA, "Authentication".
"""

import hashlib
import hmac
import re
from datetime import UTC, datetime
from typing import NamedTuple

_CLIENT_ID = re.compile(r"([A-Za-z0-9_-]{1,128})_0_([01])_([0-9]{10})")
"""Only its end has a fixed form: a device id may hold `_`."""
_HOUR = 3_600_000
"""Milliseconds."""


class SignedId(NamedTuple):
    device_id: str
    timed: bool
    """Whether the timestamp has to be the present time."""
    timestamp: str

    def opens(self, secret: str, password: bytes) -> bool:
        """Whether the password was made from this secret."""
        made = hmac.new(self.timestamp.encode(), secret.encode(), hashlib.sha256).hexdigest()
        return hmac.compare_digest(made.encode(), password)

    def hours_off(self, now: int) -> int:
        """How many hours lie between the timestamp and now. Raises ValueError when it is no time."""
        text = self.timestamp
        hour = datetime(int(text[:4]), int(text[4:6]), int(text[6:8]), int(text[8:]), tzinfo=UTC)
        return abs(now // _HOUR - int(hour.timestamp()) * 1000 // _HOUR)


def signed_id(client_id: str) -> SignedId | None:
    """None: a client identifier of another form."""
    found = _CLIENT_ID.fullmatch(client_id)
    return SignedId(found[1], found[2] == "1", found[3]) if found else None


def looks_signed(client_id: str, device_id: str) -> bool:
    """Whether the device meant it to be of that form."""
    return client_id.startswith(f"{device_id}_0_")
