"""`device-bridge messages …`: what became of the messages for a device, through the HTTP API."""

import json
from pathlib import Path
from typing import Any

import click

from bridge.cli import api_client, options, output
from bridge.cli.field_names import as_options
from bridge.cli.suggestions import SuggestingGroup
from bridge.model.device import DEVICE_ID

PREVIEW = 40
_PERIOD = {"from": "--from", "start_time": "--from", "to": "--to", "end_time": "--to"}
"""What the API calls the options: of all devices, and of one."""


@click.group(cls=SuggestingGroup)
def messages() -> None:
    """List and show messages."""


@messages.command("list")
@options.device_id_or_all
@click.option("--status", type=click.Choice(["PENDING", "DELIVERED", "FAILED", "TIMEOUT"]), help="Only in this state.")
@click.option("--from", "from_", metavar="TIME", help="Accepted then or later: 2026-11-22T09:00:00Z.")
@click.option("--to", metavar="TIME", help="Accepted then or earlier.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="At most so many.")
@options.as_json
@options.reaches_api
@click.pass_context
def list_(
    context: click.Context,
    /,
    *,
    device_id: str | None,
    status: str | None,
    from_: str | None,
    to: str | None,
    limit: int,
    as_json: bool,
    http: str | None,
    token: str | None,
    data_dir: Path,
    project: str,
) -> None:
    """List the messages of device ID, or of all devices, newest first; with --json, as the daemon writes them."""
    query = {"status": status, "from": from_, "to": to}
    client = api_client.opened(http, token, data_dir, project)
    with as_options(context, _PERIOD):
        if as_json:
            click.echo(client.messages_text(device_id, limit, query))
        else:
            _table(client.messages(device_id, limit, query), of_all=device_id is None)


@messages.command()
@options.device_id
@click.argument(
    "message_id", metavar="MESSAGE_ID", callback=options.matching(DEVICE_ID, "1 to 128 letters, digits, _ or -")
)
@options.as_json
@options.reaches_api
def show(
    *,
    device_id: str,
    message_id: str,
    as_json: bool,
    http: str | None,
    token: str | None,
    data_dir: Path,
    project: str,
) -> None:
    """Show one message of device ID with everything that is known of it."""
    client = api_client.opened(http, token, data_dir, project)
    if as_json:
        click.echo(client.message_text(device_id, message_id))
    else:
        output.fields(dict(_flat(client.message(device_id, message_id))))


def _table(records: list[dict[str, Any]], *, of_all: bool) -> None:
    columns = {"device_id": "DEVICE", "message_id": "ID", "status": "STATE", "created_time": "CREATED"}
    if not of_all:
        del columns["device_id"]
    rows = [(*(row[name] for name in columns), _preview(row)) for row in records]
    output.columns((*columns.values(), "MESSAGE"), rows)


def _preview(record: dict[str, Any]) -> str:
    text = _text(record.get("message", ""))
    return text if len(text) <= PREVIEW else f"{text[: PREVIEW - 1]}…"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _flat(record: dict[str, Any]) -> list[tuple[str, str]]:
    """The fields of a record; those of an object inside it get its name in front."""
    pairs = []
    for name, value in record.items():
        if name in ("properties", "error_info") and isinstance(value, dict):
            pairs += [(f"{name}.{inner}", _text(content)) for inner, content in value.items()]
        else:
            pairs.append((name, _text(value)))
    return pairs
