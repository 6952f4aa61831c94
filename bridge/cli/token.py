"""`device-bridge token …`: access tokens of applications, and of the admin."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from bridge.cli import credentials, options, output
from bridge.cli.database import opened
from bridge.cli.errors import Failed
from bridge.cli.suggestions import SuggestingGroup
from bridge.data_dir import DataDir
from bridge.model.errors import UnknownToken

if TYPE_CHECKING:
    from bridge.store import Admin
    from bridge.store.tokens import Token


@click.group(cls=SuggestingGroup)
def token() -> None:
    """Create, list, rotate and revoke access tokens."""


@token.command()
@options.credential_name
@options.project_or_all
@options.scopes
@options.create
@options.data_dir
def create(*, name: str, project: str, scopes: frozenset[str], create: bool, data_dir: Path) -> None:
    """Create a token and print it, and nothing else, on stdout. It cannot be shown again.

    The text of the token admin for every project with the scope admin is also kept in the data folder, in admin.token.
    """
    from bridge import admin_token
    from bridge.store.tokens import Token, new_token

    text, owner = new_token(), credentials.named_project(project)
    added = Token(name, owner, scopes, 0)
    with opened(data_dir, create=create) as admin, admin_token.following(DataDir(data_dir).admin_token, added, text):
        admin.add_token(name, owner, scopes, text)
    click.echo(text)
    output.hint("Send it as X-Auth-Token, or as Authorization: Bearer. It is not shown again.")


@token.command("list")
@options.as_json
@options.data_dir
def list_(as_json: bool, data_dir: Path) -> None:
    """List the tokens: names, projects and scopes, never the tokens themselves."""
    with opened(data_dir) as admin:
        found = [credentials.public(token) for token in admin.tokens()]
    credentials.show(found, ("name", "project", "scopes", "created_at"), as_json=as_json)


@token.command()
@options.credential_name
@options.project_if_several
@options.data_dir
def rotate(name: str, project: str | None, data_dir: Path) -> None:
    """Replace the text of a token and print the new one, and nothing else, on stdout.

    The old text is worthless at once; project and scopes stay. That of the admin is also put into admin.token, so
    this is the way back in when it was lost: device-bridge token rotate admin.
    """
    from bridge import admin_token
    from bridge.store.tokens import new_token

    text = new_token()
    with opened(data_dir) as admin:
        found = _only(admin, name, project)
        with admin_token.following(DataDir(data_dir).admin_token, found, text):
            admin.rotate_token(found.name, found.project, text)
    click.echo(text)
    output.hint("The token before it opens nothing any more.")


@token.command()
@options.credential_name
@options.data_dir
def revoke(name: str, data_dir: Path) -> None:
    """Make a token worthless, at once, and for good: no start of the daemon brings it back."""
    from bridge import admin_token

    with opened(data_dir) as admin:
        admin.revoke_token(name)
        if admin_token.drop_revoked(DataDir(data_dir).admin_token, admin):
            output.hint("admin.token held it, and is removed.")


def _only(admin: "Admin", name: str, project: str | None) -> "Token":
    """The token of that name; of several, that of the project, which is given as on the command line."""
    named = [each for each in admin.tokens() if each.name == name]
    found = [each for each in named if project is None or each.project == credentials.named_project(project)]
    if not found:
        raise UnknownToken(f"there is no token {name}{'' if project is None else f' in project {project}'}")
    if len(found) > 1:
        projects = ", ".join("*" if each.project is None else each.project for each in found)
        raise Failed(f"several projects have a token {name}: give --project, one of {projects}")
    return found[0]
