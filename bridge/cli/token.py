"""`device-bridge token …`: access tokens of applications."""

from pathlib import Path

import click

from bridge.cli import credentials, options, output
from bridge.cli.database import opened
from bridge.cli.suggestions import SuggestingGroup


@click.group(cls=SuggestingGroup)
def token() -> None:
    """Create, list and revoke the access tokens of applications."""


@token.command()
@options.credential_name
@options.project_or_all
@options.scopes
@options.create
@options.data_dir
def create(*, name: str, project: str, scopes: frozenset[str], create: bool, data_dir: Path) -> None:
    """Create a token and print it, and nothing else, on stdout. It cannot be shown again."""
    with opened(data_dir, create=create) as admin:
        text = admin.add_token(name, credentials.named_project(project), scopes)
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
@options.data_dir
def revoke(name: str, data_dir: Path) -> None:
    """Make a token worthless, at once."""
    with opened(data_dir) as admin:
        admin.revoke_token(name)
