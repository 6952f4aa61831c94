"""`device-bridge token …`: access tokens of applications."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bridge.cli import options, output
from bridge.cli.database import opened
from bridge.model.principal import SCOPES

if TYPE_CHECKING:
    from bridge.store import Token


def _scopes(ctx: click.Context, param: click.Parameter, value: str) -> frozenset[str]:
    scopes = [scope.strip() for scope in value.split(",")]
    for scope in scopes:
        if scope not in SCOPES:
            raise click.BadParameter(f"{scope!r} is not a scope: use some of {', '.join(SCOPES)}.")
    return frozenset(scopes)


@click.group()
def token() -> None:
    """Create, list and revoke the access tokens of applications."""


@token.command()
@options.token_name
@options.project_or_all
@click.option(
    "--scopes",
    callback=_scopes,
    metavar="A,B",
    default="messages:send,messages:read",
    show_default=True,
    help=f"What the token may do, some of: {', '.join(SCOPES)}.",
)
@options.data_dir
def create(name: str, project: str, scopes: frozenset[str], data_dir: Path) -> None:
    """Create a token and print it, and nothing else, on stdout. It cannot be shown again."""
    with opened(data_dir) as admin:
        text = admin.add_token(name, None if project == "*" else project, scopes)
    click.echo(text)
    output.hint("Send it as X-Auth-Token, or as Authorization: Bearer. It is not shown again.")


@token.command("list")
@options.as_json
@options.data_dir
def list_(as_json: bool, data_dir: Path) -> None:
    """List the tokens: names, projects and scopes, never the tokens themselves."""
    with opened(data_dir) as admin:
        found = [_public(token) for token in admin.tokens()]
    if as_json:
        output.as_json(found)
    else:
        rows = [(row["name"], row["project"], ",".join(row["scopes"]), row["created_at"]) for row in found]
        output.columns(("NAME", "PROJECT", "SCOPES", "CREATED"), rows)


@token.command()
@options.token_name
@options.data_dir
def revoke(name: str, data_dir: Path) -> None:
    """Make a token worthless, at once."""
    with opened(data_dir) as admin:
        admin.revoke_token(name)


def _public(token: "Token") -> dict[str, Any]:
    return {
        "name": token.name,
        "project": "*" if token.project is None else token.project,
        "scopes": sorted(token.scopes),
        "created_at": output.moment(token.created_at),
    }
