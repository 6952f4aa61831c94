"""A device that may connect and for which applications leave messages."""

import re
from dataclasses import dataclass, field

DEVICE_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
"""Use with `fullmatch`. The vendor's rule (`device_id`: up to 128 letters, digits, `_`, `-`)."""
PROJECT = re.compile(r"[A-Za-z0-9_-]{1,64}")
SECRET = re.compile(r"[\x21-\x7e]{1,256}")
"""What a secret that an admin chooses must look like: printable ASCII, no spaces."""
SECURE_LENGTH = 8
"""Shorter secrets are accepted from an admin, who may have reasons, with a warning."""
DEFAULT_PROJECT = "default"


@dataclass(frozen=True, slots=True)
class Device:
    key: int
    """Identifies the device everywhere inside the daemon; never used again after the device is removed."""
    project: str
    device_id: str
    """Unique in its project."""
    secret: str = field(repr=False)
    frozen: bool
    """A frozen device may not connect."""
    created_at: int
    """Milliseconds since the epoch."""
