"""The options of a plug-in: what a TOML file can write, as the types that the plug-in declares."""

import contextlib
import typing
from collections.abc import Mapping
from enum import Enum
from typing import Any

from amqtt.utils import import_string


def typed_options(path: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """amqtt takes no text for an enumeration (`response_mode = "status"`). Everything else, and what is not right, is
    left to amqtt, which says so."""
    typed = dict(options)
    with contextlib.suppress(ImportError, AttributeError, NameError, TypeError):
        for name, kind in typing.get_type_hints(import_string(path).Config).items():
            if isinstance(kind, type) and issubclass(kind, Enum) and isinstance(typed.get(name), str):
                with contextlib.suppress(ValueError):
                    typed[name] = kind(typed[name])
    return typed
