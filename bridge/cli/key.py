"""`device-bridge key …`: access keys, with which applications sign their requests as the vendor's SDKs do."""

from pathlib import Path

import click

from bridge.cli import credentials, options, output
from bridge.cli.database import opened
from bridge.cli.suggestions import SuggestingGroup


@click.group(cls=SuggestingGroup)
def key() -> None:
    """Create, list and revoke the access keys (AK/SK) of applications."""


@key.command()
@options.credential_name
@options.project_or_all
@options.scopes
@options.create
@options.data_dir
def create(*, name: str, project: str, scopes: frozenset[str], create: bool, data_dir: Path) -> None:
    """Create an access key and print "AK SK", and nothing else, on stdout. The SK cannot be shown again."""
    with opened(data_dir, create=create) as admin:
        made = admin.add_access_key(name, credentials.named_project(project), scopes)
    click.echo(f"{made.ak} {made.sk}")
    output.hint("Give both to the vendor's SDK: BasicCredentials(ak, sk, project). The second one is not shown again.")


@key.command("list")
@options.as_json
@options.data_dir
def list_(as_json: bool, data_dir: Path) -> None:
    """List the access keys: AKs, names, projects and scopes, never the SKs."""
    with opened(data_dir) as admin:
        found = [{"ak": made.ak, **credentials.public(made)} for made in admin.access_keys()]
    credentials.show(found, ("ak", "name", "project", "scopes", "created_at"), as_json=as_json)


@key.command()
@options.credential_name
@options.data_dir
def revoke(name: str, data_dir: Path) -> None:
    """Make an access key worthless, at once."""
    with opened(data_dir) as admin:
        admin.revoke_access_key(name)
