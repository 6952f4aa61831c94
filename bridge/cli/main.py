"""The command `device-bridge`."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

import click

from bridge import __version__
from bridge.cli.errors import reported
from bridge.cli.suggestions import SuggestingGroup

COMMANDS = {
    "run": "bridge.cli.run:run",
    "device": "bridge.cli.device:device",
    "config": "bridge.cli.config:config",
    "token": "bridge.cli.token:token",
    "key": "bridge.cli.key:key",
    "send": "bridge.cli.send:send",
    "messages": "bridge.cli.messages:messages",
    "listen": "bridge.cli.listen:listen",
    "demo": "bridge.cli.demo:demo",
}
"""Imported when called: a command does not wait for the libraries of the others."""


class _Commands(SuggestingGroup):
    """Finds commands by name, and reports what goes wrong in one line."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        found: click.Command = getattr(import_module(module), name)
        return found

    def invoke(self, ctx: click.Context) -> Any:
        with reported():
            return super().invoke(ctx)


@click.command(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="device-bridge")
def cli() -> None:
    """Deliver messages to MQTT devices durably, and tell the truth about it."""


def main() -> None:
    """Entry point of the command."""
    run: Callable[..., Any] = cli.main
    run(prog_name="device-bridge")
