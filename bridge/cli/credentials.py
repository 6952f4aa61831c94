"""What tokens and access keys have in common: both have a name, a project and scopes, and neither is shown again."""

from collections.abc import Sequence
from typing import Any, Protocol

from bridge.cli import output


class Credential(Protocol):
    """A token or an access key as a list shows it."""

    @property
    def name(self) -> str: ...
    @property
    def project(self) -> str | None: ...
    @property
    def scopes(self) -> frozenset[str]: ...
    @property
    def created_at(self) -> int: ...


def named_project(option: str) -> str | None:
    """The project that `options.project_or_all` was given; None: every project."""
    return None if option == "*" else option


def public(credential: Credential) -> dict[str, Any]:
    """What a list shows of it, in the order of its columns."""
    return {
        "name": credential.name,
        "project": "*" if credential.project is None else credential.project,
        "scopes": sorted(credential.scopes),
        "created_at": output.moment(credential.created_at),
    }


def show(rows: Sequence[dict[str, Any]], columns: Sequence[str], *, as_json: bool) -> None:
    """Print what `public` made of the credentials; `columns` are its keys."""
    if as_json:
        output.as_json(rows)
        return
    table = [[_cell(row[column]) for column in columns] for row in rows]
    output.columns([column.removesuffix("_at").upper() for column in columns], table)


def _cell(value: str | list[str]) -> str:
    return value if isinstance(value, str) else ",".join(value)
