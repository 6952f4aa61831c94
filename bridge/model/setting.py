"""One setting of the configuration file: a dataclass field that carries its sentence and its bounds."""

import dataclasses
from typing import Any


def setting(
    default: Any,
    about: str,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    choices: tuple[str, ...] | None = None,
) -> Any:
    """A field of a settings class. `about` is the sentence shown in the configuration table; bounds are inclusive."""
    return dataclasses.field(
        default=default,
        metadata={"about": about, "minimum": minimum, "maximum": maximum, "choices": choices},
    )
