"""The acknowledgement handle: "everything up to here", for one subscriber of one channel. Pure.

A position, and a checksum over it and over whose it is, in URL-safe Base64. It names no state of the daemon, so it
outlives every restart. It is no secret and needs no key: a subscriber may acknowledge whatever it likes of its own. The
checksum is there so that a handle of somebody else, or what is left of one, is noticed and not taken for a position.
"""

import base64
import hashlib
import re

from bridge.api.dsps.errors import malformed_handle

_POSITION_SIZE = 8
_CHECKSUM_SIZE = 10
HANDLE = re.compile(r"[A-Za-z0-9_-]{24}", re.ASCII)
"""18 bytes are 24 digits without a bit to spare, so no two handles mean the same."""


class Handles:
    """Handles of one subscriber."""

    __slots__ = ("_whose",)

    def __init__(self, project: str, channel: str, subscriber: str) -> None:
        whose = f"{project}/{channel}/{subscriber}".encode()  # none of the names has a slash
        self._whose = hashlib.blake2b(whose, digest_size=_CHECKSUM_SIZE, person=b"dsps ackHandle")

    def encode(self, position: int) -> str:
        number = position.to_bytes(_POSITION_SIZE)
        return base64.urlsafe_b64encode(number + self._checksum(number)).decode()

    def decode(self, handle: str) -> int:
        """The position. Refuses what is not a handle of this subscriber."""
        if HANDLE.fullmatch(handle):
            data = base64.urlsafe_b64decode(handle)
            number = data[:_POSITION_SIZE]
            if data[_POSITION_SIZE:] == self._checksum(number):
                return int.from_bytes(number)
        raise malformed_handle()

    def _checksum(self, number: bytes) -> bytes:
        checksum = self._whose.copy()
        checksum.update(number)
        return checksum.digest()
