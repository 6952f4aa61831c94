"""`device-bridge config …`: what an administrator needs to set the daemon up."""

import os
import sys
from pathlib import Path

import click

from bridge import welcome
from bridge.cli import shipped
from bridge.cli.errors import Failed
from bridge.cli.suggestions import SuggestingGroup

EXAMPLES = ("device-bridge", "lan", "plugins")
_PROGRAM = "/opt/device-bridge/.venv/bin/device-bridge"
_MANUAL = "/opt/device-bridge/README.md"


@click.group(cls=SuggestingGroup)
def config() -> None:
    """Print examples of the configuration and the systemd unit, and check a configuration."""


@config.command()
@click.argument("name", type=click.Choice(EXAMPLES), default=EXAMPLES[0])
def example(name: str) -> None:
    """Print a commented configuration file.

    device-bridge has every setting with its default; lan is for devices of a local network; plugins has users that
    are no devices.
    """
    click.echo(shipped.path(f"{name}.toml").read_text(encoding="utf-8"), nl=False)


@config.command()
def unit() -> None:
    """Print the systemd unit, for the program as it is installed here."""
    text = shipped.path("device-bridge.service").read_text(encoding="utf-8")
    program = welcome.script(sys.argv[0], sys.executable)
    if program is None:
        raise Failed("the command device-bridge is not installed beside this Python")
    text = text.replace(_PROGRAM, _quoted(program)).replace(_MANUAL, str(shipped.path("README.md")))
    click.echo(text, nl=False)


@config.command()
def constraints() -> None:
    """Print the versions of other packages that this version is tested with, as constraints for pip."""
    click.echo(shipped.path("constraints.txt").read_text(encoding="utf-8"), nl=False)


@config.command()
@click.argument("file", type=click.Path(path_type=Path))
def check(file: Path) -> None:
    """Check the configuration FILE, together with the environment, without starting the daemon."""
    from bridge.config import ConfigError, load

    try:
        load(Path(), file, os.environ, {})
    except ConfigError as error:
        raise Failed("\n  ".join(["the configuration is refused:", *error.problems])) from None
    click.echo(f"{file} is fine.")


def _quoted(program: Path) -> str:
    """As ExecStart= wants a path. Source: systemd.service(5), "Command lines"; systemd.unit(5), "Specifiers"."""
    text = str(program).replace("%", "%%")
    return f'"{text}"' if any(char.isspace() for char in text) else text
