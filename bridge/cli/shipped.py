"""The files that are shipped beside the package: examples of the configuration, the systemd unit, versions."""

from collections.abc import Iterator
from importlib.metadata import distributions
from pathlib import Path

import bridge
from bridge.cli.errors import Failed

_CHECKOUT = Path(bridge.__file__).parents[1]
_FOLDERS = (".", "broker_config", "systemd", "scripts")
"""Of a checkout."""
_INSTALLED = ("share/device-bridge/", "share/doc/device-bridge/")
"""Below the prefix of the environment into which the package was installed, wherever that is."""


def path(name: str) -> Path:
    """Where the file is, in a checkout or where pip has put it. Error: Failed when it is in neither place."""
    found = next(_places(name), None)
    if found is None:
        raise Failed(f"{name} was not installed: it is in the source of device-bridge")
    return found


def _places(name: str) -> Iterator[Path]:
    if (_CHECKOUT / "pyproject.toml").exists():
        yield from (file for folder in _FOLDERS if (file := _CHECKOUT / folder / name).is_file())
        return
    for distribution in distributions(name="device-bridge"):
        if Path(str(distribution.locate_file("bridge/__init__.py"))) == Path(bridge.__file__):
            for entry in distribution.files or ():
                if any(entry.as_posix().endswith(folder + name) for folder in _INSTALLED):
                    yield Path(str(entry.locate())).resolve()
