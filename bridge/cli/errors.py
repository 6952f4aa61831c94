"""Errors for the person at the terminal: one line on stderr, exit code 1. A wrong command line is 2."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from bridge import private_files
from bridge.model.errors import BridgeError


class Failed(click.ClickException):
    """What went wrong, in one sentence."""


@contextmanager
def reported() -> Iterator[None]:
    """Turn the errors that a command has to expect into `Failed`."""
    try:
        yield
    except BridgeError as error:
        raise Failed(str(error) or _words(type(error).__name__)) from None
    except BrokenPipeError:
        raise  # who read the output has enough of it, which click ends in silence
    except UnicodeError:
        raise Failed("what was given is not text in UTF-8") from None
    except OSError as error:
        raise Failed(_os_error(error)) from None


def _os_error(error: OSError) -> str:
    reason = error.strerror or str(error) or type(error).__name__
    if not error.filename:
        return reason
    why = private_files.obstacle(Path(error.filename)) if isinstance(error, PermissionError) else ""
    return f"{error.filename}: {reason}{why and f' ({why})'}"


def _words(name: str) -> str:
    """`UnknownDevice` as "unknown device"."""
    return "".join(f" {char.lower()}" if char.isupper() else char for char in name).strip()
