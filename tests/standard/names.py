"""Names of tests that carry the number of a statement."""

import re

_NAMED = re.compile(r"test_mqtt(3?)_(\d+)_(\d+)_(\d+)_(\d+)(?:_|$)")


def named(function: str) -> str | None:
    """The statement in the name of a test."""
    found = _NAMED.match(function)
    if found is None:
        return None
    version, chapter, section, part, number = found.groups()
    return f"MQTT{version}-{chapter}.{section}.{part}-{number}"
