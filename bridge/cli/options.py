"""Options that several commands share, and the checks of what is given."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from bridge.cli import installed
from bridge.model.device import DEFAULT_PROJECT, DEVICE_ID, PROJECT, SECRET, SECRET_RULE
from bridge.model.principal import APPLICATION_SCOPES, SCOPES, TOKEN_NAME

Callback = Callable[[click.Context, click.Parameter, str | None], str | None]
Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def matching(pattern: re.Pattern[str], rule: str, *also: str) -> Callback:
    """A check that what is given matches as a whole, or is one of `also`."""

    def check(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
        if value is None or value in also or pattern.fullmatch(value):
            return value
        raise click.BadParameter(f"{value!r} is not {rule}.")

    return check


_PROJECT_RULE = "1 to 64 letters, digits, _ or -"
data_dir: Decorator = click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="DEVICE_BRIDGE_DATA_DIR",
    default=installed.data_dir,
    show_default=installed.data_dir_help(),
    help="Folder of the daemon's database. Also DEVICE_BRIDGE_DATA_DIR.",
)
create: Decorator = click.option(
    "--create",
    is_flag=True,
    help="Make the database if there is none yet: before the daemon has run for the first time.",
)
project: Decorator = click.option(
    "--project",
    callback=matching(PROJECT, _PROJECT_RULE),
    default=DEFAULT_PROJECT,
    show_default=True,
    help="Project of the device.",
)
project_or_all: Decorator = click.option(
    "--project",
    callback=matching(PROJECT, f"{_PROJECT_RULE}, nor *", "*"),
    default=DEFAULT_PROJECT,
    show_default=True,
    help="Project it opens; '*' for every project.",
)
project_if_several: Decorator = click.option(
    "--project",
    callback=matching(PROJECT, f"{_PROJECT_RULE}, nor *", "*"),
    help="Project it opens, if several have one of that name; '*' for one that opens every project.",
)
as_json: Decorator = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
device_id: Decorator = click.argument(
    "device_id", metavar="ID", callback=matching(DEVICE_ID, "1 to 128 letters, digits, _ or -")
)
device_id_or_all: Decorator = click.argument(
    "device_id", metavar="[ID]", required=False, callback=matching(DEVICE_ID, "1 to 128 letters, digits, _ or -")
)
secret: Decorator = click.option(
    "--secret",
    callback=matching(SECRET, SECRET_RULE),
    help="The device's password.  [default: a new random one]",
)
credential_name: Decorator = click.argument(
    "name", callback=matching(TOKEN_NAME, "1 to 64 letters, digits, _, ., @ or -")
)


def _some_scopes(ctx: click.Context, param: click.Parameter, value: str) -> frozenset[str]:
    scopes = [scope.strip() for scope in value.split(",")]
    for scope in scopes:
        if scope not in SCOPES:
            raise click.BadParameter(f"{scope!r} is not a scope: use some of {', '.join(SCOPES)}.")
    return frozenset(scopes)


scopes: Decorator = click.option(
    "--scopes",
    callback=_some_scopes,
    metavar="A,B",
    default=",".join(APPLICATION_SCOPES),
    show_default="all but admin",
    help=f"What it may do, some of: {', '.join(SCOPES)}.",
)


http: Decorator = click.option(
    "--http",
    envvar="DEVICE_BRIDGE_HTTP",
    metavar="HOST:PORT|URL",
    help="The daemon's HTTP address. Also DEVICE_BRIDGE_HTTP.  [default: that of the running daemon]",
)
token_text: Decorator = click.option(
    "--token",
    envvar="DEVICE_BRIDGE_TOKEN",
    metavar="TOKEN",
    callback=matching(re.compile(r"[!-~]+"), "visible ASCII characters"),
    help="Access token. Also DEVICE_BRIDGE_TOKEN.  [default: the data folder's admin.token]",
)


def reaches_api(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of a command that talks to the HTTP API."""
    for option in (project, data_dir, token_text, http):
        command = option(command)
    return command
