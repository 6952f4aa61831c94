"""The admin's token: its text is a file in the data folder, and whether it opens anything is up to the store.

The first start of a daemon makes the file and registers the token, or registers the text that it finds there. After
that only commands change either: what was revoked stays revoked, whatever the file holds.
"""

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from bridge import private_files
from bridge.model.principal import Principal
from bridge.store.tokens import Token, new_token

_log = logging.getLogger("bridge")
_MENDED_BY = "device-bridge token rotate admin"
_MADE_BY = "device-bridge token create admin --project '*' --scopes admin"


class Tokens(Protocol):
    """What is needed of the store."""

    def has_registered_admin(self) -> bool: ...

    def register_admin(self, token: str) -> None: ...

    def principal(self, token: str) -> Principal | None: ...

    def tokens(self) -> list[Token]: ...


def settle(file: Path, store: Tokens) -> bool:
    """Register the admin's token if that never happened; otherwise log when the file does not hold it. Returns whether
    this is the first start.

    Raises OSError when the file cannot be read or made, StoreUnavailable.
    """
    if store.has_registered_admin():
        _compare(file, store)
        return False
    text = read(file)
    if not text:
        text = new_token()
        private_files.write(file, text + "\n")
    store.register_admin(text)
    return True


def read(file: Path) -> str:
    """The text of the token; empty when there is none. Raises OSError."""
    try:
        return file.read_text(encoding="utf-8", errors="replace").strip()
    except FileNotFoundError:
        return ""


@contextlib.contextmanager
def following(file: Path, token: Token, text: str) -> Iterator[None]:
    """While the store gives `token` a new text: if it is the admin's, the file gets it, too, when the block succeeds.

    It is on the disk before the block begins, so that the old text is not lost for one that cannot be written.
    """
    if not token.is_admins:
        yield
        return
    with private_files.replacing(file, text + "\n"):
        yield


def drop_revoked(file: Path, store: Tokens) -> bool:
    """Remove the file if its token opens nothing any more. Returns whether it was removed. Raises OSError."""
    text = read(file)
    if not text or store.principal(text) is not None:
        return False
    file.unlink()
    return True


def _compare(file: Path, store: Tokens) -> None:
    """Say what the commands of this machine will meet that look for the token in the file."""
    try:
        text = read(file)
    except OSError as error:
        _log.warning("admin.token cannot be read", extra={"error": error.strerror})
        return
    principal = store.principal(text) if text else None
    if principal is not None and principal.may("admin"):
        return
    registered = any(token.is_admins for token in store.tokens())
    remedy = {"remedy": _MENDED_BY if registered else _MADE_BY}
    if not text:
        _log.info("there is no admin.token", extra={"registered": registered, **remedy})
    else:
        _log.warning("admin.token holds no token of an admin", extra={"registered": registered, **remedy})
