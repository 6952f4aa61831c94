"""A device that may connect, itself or behind a gateway, and for which applications leave messages."""

import re
from dataclasses import dataclass, field
from enum import StrEnum

DEVICE_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
"""Use with `fullmatch`. The vendor's rule (`device_id`: up to 128 letters, digits, `_`, `-`)."""
PROJECT = re.compile(r"[A-Za-z0-9_-]{1,64}")
SECRET = re.compile(r"[A-Za-z0-9_-]{8,32}")
"""A secret that somebody chooses for a device, over HTTP or at the command line; the vendor's rule."""
SECRET_RULE = "8 to 32 letters, digits, _ and -"  # noqa: S105
DEFAULT_PROJECT = "default"


class AuthType(StrEnum):
    """How a device shows who it is."""

    SECRET = "SECRET"  # noqa: S105
    CERTIFICATES = "CERTIFICATES"


class Slot(StrEnum):
    """A device has two of what it logs in with, so that one can be replaced while the other is in use."""

    PRIMARY = "PRIMARY"
    SECONDARY = "SECONDARY"


@dataclass(frozen=True, slots=True)
class Device:
    """What the daemon itself needs of a device, all the time; `bridge.model.record` has the rest."""

    key: int
    """Identifies the device everywhere inside the daemon; never used again after the device is removed."""
    project: str
    device_id: str
    """Unique in its project."""
    secret: str = field(repr=False)
    """Empty: none, and then nobody logs in with it."""
    frozen: bool
    """A frozen device may not connect."""
    created_at: int
    """Milliseconds since the epoch."""
    secondary_secret: str = field(default="", repr=False)
    """As good as `secret`. Empty: none."""
    auth_type: AuthType = AuthType.SECRET
    fingerprint: str = ""
    """SHA-256 of the client certificate, 64 lower-case hexadecimal digits. Empty: none."""
    secondary_fingerprint: str = ""
    """As good as `fingerprint`. Empty: none."""
    secure_access: bool = False
    """Connects through TLS only, where the daemon has a TLS listener."""
    gateway_id: str | None = None
    """The device it is behind; None: it connects itself."""
    carrier: int | None = None
    """`Device.key` of the gateway whose connection carries its messages, the outermost one; None: it connects
    itself."""
