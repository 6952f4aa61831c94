"""Where the service of this machine has its configuration and its data, for commands that are not told."""

from pathlib import Path

CONFIG_FILE = Path("/etc/device-bridge/device-bridge.toml")
DATA_DIR = Path("/var/lib/device-bridge")
LOCAL_DATA_DIR = Path("var")
"""Where there is no service: a folder of the working directory."""


def is_there() -> bool:
    """Whether the service is installed: its configuration file exists, readable or not."""
    try:
        return CONFIG_FILE.exists()
    except PermissionError:  # its folder is closed to this user
        return True


def data_dir() -> Path:
    """The data folder of a command that is given none."""
    return DATA_DIR if is_there() else LOCAL_DATA_DIR


def data_dir_help() -> str:
    """The same for a help text, with the reason."""
    return f"{data_dir()}, as there is {'a' if is_there() else 'no'} {CONFIG_FILE}"


def config_file_help() -> str:
    """The configuration file of a daemon that is given neither one nor a data folder, for a help text."""
    return str(CONFIG_FILE) if is_there() else f"none, as there is no {CONFIG_FILE}"
