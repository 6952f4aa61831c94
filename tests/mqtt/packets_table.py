"""All named raw packets: valid ones with the packet they mean, invalid ones with what is wrong with them.

For every test that needs packets; `valid(name)` and `invalid(name)` pick one.
"""

from tests.mqtt.invalid_packets import INVALID_PACKETS
from tests.mqtt.property_packets import INVALID_PROPERTIES, VALID_PROPERTIES
from tests.mqtt.raw import Invalid, Valid
from tests.mqtt.valid_packets import VALID_PACKETS

__all__ = ["INVALID", "VALID", "Invalid", "Valid", "invalid", "valid"]

VALID = (*VALID_PACKETS, *VALID_PROPERTIES)
INVALID = (*INVALID_PACKETS, *INVALID_PROPERTIES)


def valid(name: str) -> Valid:
    return next(row for row in VALID if row.name == name)


def invalid(name: str) -> Invalid:
    return next(row for row in INVALID if row.name == name)
