"""What somebody reads who has just started the daemon: where it listens, and commands that work when pasted."""

import os
import shlex
import shutil
from pathlib import Path
from typing import NamedTuple

from bridge import __version__, values

_COMMAND = "device-bridge"


class Running(NamedTuple):
    """The daemon that says it."""

    program: str
    """How a shell calls its command line (`program`)."""
    data_dir: Path
    token_file: Path
    http: str
    """Where it listens, `HOST:PORT`."""
    mqtt: str


def program(argv0: str, executable: str) -> str:
    """How a shell calls the command that this process is, whatever its working directory. `argv0`: sys.argv[0];
    `executable`: the path of the interpreter."""
    path = script(argv0, executable)
    if path is None:
        return f"{shlex.quote(executable)} -m bridge"
    found = shutil.which(path.name)
    if found and Path(found).samefile(path):
        return shlex.quote(path.name)
    return shlex.quote(str(path))


def script(argv0: str, executable: str) -> Path | None:
    """The file of the command, absolute; None when the package was not installed with one."""
    called = Path(argv0).absolute()
    if called.name != "__main__.py" and os.access(called, os.X_OK):
        return called
    beside = Path(executable).with_name(_COMMAND)  # python -m bridge
    return beside if beside.exists() else None


def first_steps(running: Running) -> str:
    """Everything that somebody needs who has never done it, after the first start."""
    command, token = running.program, shlex.quote(str(running.token_file.absolute()))
    messages = f"http://{values.reachable(running.http)}/v5/iot/default/devices/my-device/messages"
    return f"""
{_ready(running)}

Add a device, let it listen, and send it a message, in another terminal:
  export DEVICE_BRIDGE_DATA_DIR={shlex.quote(str(running.data_dir.absolute()))}
  secret=$({command} device add my-device)
  {command} listen my-device --secret "$secret" &
  {command} send my-device hello --wait
  curl -sS {shlex.quote(messages)} \\
       -H "X-Auth-Token: $(cat {token})" -H 'Content-Type: application/json' -d '{{"message": "hello"}}'
"""


def reminder(running: Running) -> str:
    """For somebody who starts it again."""
    folder = shlex.quote(str(running.data_dir.absolute()))
    return f"{_ready(running)}\nIts commands are called like this: {running.program} device list --data-dir {folder}\n"


def _ready(running: Running) -> str:
    http, mqtt = values.reachable(running.http), values.reachable(running.mqtt)
    return f"{_COMMAND} {__version__} is ready.  HTTP http://{http}   MQTT {mqtt}"
