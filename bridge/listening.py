"""Why an address cannot be listened on, and what to do about it."""

import contextlib
import errno
import socket
from collections.abc import Iterator
from pathlib import Path

_OPTIONS = {"http.bind": "--http", "mqtt.bind": "--mqtt"}
_LISTEN = "0A"
"""The state of a listening socket in /proc/net/tcp. Source: Linux, include/net/tcp_states.h."""


def refusal(setting: str, bind: str, error: OSError) -> OSError:
    """An error that says which setting asked for the address, what is wrong with it and how to mend that."""
    option = f" ({_OPTIONS[setting]})" if setting in _OPTIONS else ""
    return OSError(error.errno, f"cannot listen on {bind}: {_reason(bind, error)} {setting}{option}")


def _reason(bind: str, error: OSError) -> str:
    """What is wrong, up to the name of the setting."""
    if isinstance(error, socket.gaierror):
        return "no such host: correct"
    match error.errno:
        case errno.EADDRINUSE:
            user = port_user(int(bind.rpartition(":")[2]))
            return f"the port is in use{user and f' by {user}'}: end what uses it, or choose another port with"
        case errno.EACCES:
            return (
                "ports below 1024 need the capability CAP_NET_BIND_SERVICE (in the unit, AmbientCapabilities= and "
                "CapabilityBoundingSet=): grant it, or choose another port with"
            )
        case errno.EADDRNOTAVAIL:
            return "this machine does not have that address: correct"
    return f"{error.strerror or error}: see"


def port_user(port: int) -> str:
    """The process that listens on a TCP port, such as "mosquitto (process 312)"; empty when it cannot be seen."""
    wanted = {f"socket:[{inode}]" for inode in _listening(port)}
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended, or is another user's
            if any(str(descriptor.readlink()) in wanted for descriptor in (process / "fd").iterdir()):
                return f"{(process / 'comm').read_text(encoding='utf-8').strip()} (process {process.name})"
    return ""


def _listening(port: int) -> Iterator[str]:
    """The inodes of the sockets that listen on a port, on whatever address."""
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError):
            for line in Path(table).read_text(encoding="ascii").splitlines()[1:]:
                fields = line.split()
                if fields[3] == _LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
                    yield fields[9]
