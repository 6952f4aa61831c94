"""`device-bridge device …`: the devices that may connect."""

import secrets
from pathlib import Path
from typing import Any

import click

from bridge.cli import options, output
from bridge.cli.database import every_device, opened
from bridge.cli.errors import Failed
from bridge.model.device import SECURE_LENGTH, Device


@click.group()
def device() -> None:
    """Add, list, show, remove, freeze and unfreeze devices."""


@device.command()
@options.device_id
@options.secret
@options.project
@options.data_dir
def add(device_id: str, secret: str | None, project: str, data_dir: Path) -> None:
    """Add a device and print its secret, and nothing else, on stdout."""
    secret = secret or secrets.token_urlsafe(24)
    if len(secret) < SECURE_LENGTH:
        click.echo(f"Warning: a secret of less than {SECURE_LENGTH} characters is easily guessed.", err=True)
    with opened(data_dir) as admin:
        admin.add_device(project, device_id, secret)
    click.echo(secret)
    output.hint(f"{device_id} may connect now: user name {device_id}, the secret above as password.")


@device.command("list")
@options.project
@options.as_json
@options.data_dir
def list_(project: str, as_json: bool, data_dir: Path) -> None:
    """List the devices of a project."""
    with opened(data_dir) as admin:
        devices = [_public(found) for found in every_device(admin, project)]
    if as_json:
        output.as_json(devices)
    else:
        rows = [(row["device_id"], _state(row["frozen"]), row["created_at"]) for row in devices]
        output.columns(("ID", "STATE", "CREATED"), rows)


@device.command()
@options.device_id
@options.project
@options.as_json
@options.data_dir
def show(device_id: str, project: str, as_json: bool, data_dir: Path) -> None:
    """Show one device; its secret stays secret."""
    with opened(data_dir) as admin:
        found = admin.device(project, device_id)
    if found is None:
        raise _unknown(project, device_id)
    row = _public(found)
    if as_json:
        output.as_json(row)
    else:
        state = _state(found.frozen)
        output.fields({"device": device_id, "project": project, "state": state, "created": row["created_at"]})


@device.command()
@options.device_id
@options.project
@options.data_dir
def remove(device_id: str, project: str, data_dir: Path) -> None:
    """Remove a device and its messages."""
    with opened(data_dir) as admin:
        admin.remove_device(project, device_id)


@device.command()
@options.device_id
@options.project
@options.data_dir
def freeze(device_id: str, project: str, data_dir: Path) -> None:
    """Forbid a device to connect; its messages wait."""
    with opened(data_dir) as admin:
        admin.set_frozen(project, device_id, frozen=True)


@device.command()
@options.device_id
@options.project
@options.data_dir
def unfreeze(device_id: str, project: str, data_dir: Path) -> None:
    """Allow a frozen device to connect again."""
    with opened(data_dir) as admin:
        admin.set_frozen(project, device_id, frozen=False)


def _public(device: Device) -> dict[str, Any]:
    return {
        "project": device.project,
        "device_id": device.device_id,
        "frozen": device.frozen,
        "created_at": output.moment(device.created_at),
    }


def _state(frozen: bool) -> str:
    return "frozen" if frozen else "active"


def _unknown(project: str, device_id: str) -> Failed:
    return Failed(f"project {project} has no device {device_id}")
