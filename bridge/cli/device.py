"""`device-bridge device …`: the devices that may connect."""

import json
import secrets
from pathlib import Path
from typing import Any

import click

from bridge.cli import options, output
from bridge.cli.database import every_record, opened
from bridge.cli.errors import Failed
from bridge.cli.suggestions import SuggestingGroup
from bridge.data_dir import is_running
from bridge.model.device import AuthType, Device
from bridge.model.record import Activity, Record


@click.group(cls=SuggestingGroup)
def device() -> None:
    """Add, list, show, remove, freeze and unfreeze devices."""


@device.command()
@options.device_id
@options.secret
@options.project
@options.create
@options.data_dir
def add(*, device_id: str, secret: str | None, project: str, create: bool, data_dir: Path) -> None:
    """Add a device and print its secret, and nothing else, on stdout."""
    secret = secret or secrets.token_urlsafe(24)
    with opened(data_dir, create=create) as admin:
        admin.add_device(project, device_id, secret)
    click.echo(secret)
    output.hint(f"{device_id} may connect now: user name {device_id}, the secret above as password.")


@device.command("list")
@options.project
@options.as_json
@options.data_dir
def list_(project: str, as_json: bool, data_dir: Path) -> None:
    """List the devices of a project, who is connected, and since when."""
    with opened(data_dir) as admin:
        records = list(every_record(admin, project))
    if as_json:
        output.as_json([{**_public(each.device), **_connected(each.activity)} for each in records])
    else:
        output.columns(("ID", "STATE", "CONNECTION", "CREATED"), [_row(each) for each in records])
    if any(each.activity.online for each in records):
        _doubt_connections(data_dir)


@device.command()
@options.device_id
@options.project
@options.as_json
@options.data_dir
def show(device_id: str, project: str, as_json: bool, data_dir: Path) -> None:
    """Show one device; its secret stays secret."""
    with opened(data_dir) as admin:
        found = admin.record(project, device_id)
    if found is None:
        raise _unknown(project, device_id)
    if as_json:
        output.as_json(_details(found))
    else:
        output.fields(_lines(found))
    if found.activity.online:
        _doubt_connections(data_dir)


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


def _connected(activity: Activity) -> dict[str, Any]:
    return {"online": activity.online, "online_changed_at": _moment(activity.changed_at)}


def _row(record: Record) -> tuple[str, str, str, str]:
    device = record.device
    return device.device_id, _state(device.frozen), _connection(record.activity), output.moment(device.created_at)


def _doubt_connections(data_dir: Path) -> None:
    """Who is connected is what the daemon wrote down last, which is true only while it runs."""
    if not is_running(data_dir):
        click.echo(f"No daemon runs on {data_dir}: who was online is not any more.", err=True)


def _details(record: Record) -> dict[str, Any]:
    """Everything but the secrets; of a device that never said or did something, null."""
    device, profile, activity = record.device, record.profile, record.activity
    return {
        **_public(device),
        "node_id": profile.node_id,
        "product_id": profile.product_id,
        "device_name": profile.name,
        "description": profile.description,
        "app_id": profile.app_id,
        "gateway_id": device.gateway_id,
        "auth_type": device.auth_type,
        "fingerprint": device.fingerprint or None,
        "secondary_fingerprint": device.secondary_fingerprint or None,
        "secure_access": device.secure_access,
        "timeout": profile.timeout,
        "fw_version": profile.fw_version,
        "sw_version": profile.sw_version,
        "tags": dict(profile.tags),
        "extension_info": json.loads(profile.extension_info) if profile.extension_info else None,
        **_connected(activity),
        "active_at": _moment(activity.active_at),
    }


def _lines(record: Record) -> dict[str, str]:
    """What there is to say to people."""
    device, profile, activity = record.device, record.profile, record.activity
    lines = {
        "device": device.device_id,
        "project": device.project,
        "state": _state(device.frozen),
        "connection": _connection(activity),
        "node": profile.node_id,
        "product": profile.product_id,
        "name": profile.name,
        "description": profile.description,
        "app": profile.app_id,
        "gateway": device.gateway_id,
        "logs in with": "a secret" if device.auth_type is AuthType.SECRET else "a certificate",
        "fingerprint": device.fingerprint,
        "2nd fingerprint": device.secondary_fingerprint,
        "access": "TLS only" if device.secure_access else None,
        "firmware": profile.fw_version,
        "software": profile.sw_version,
        "tags": ", ".join(f"{key}={value}" for key, value in profile.tags),
        "extension": profile.extension_info,
        "activated": _moment(activity.active_at),
        "created": output.moment(device.created_at),
    }
    return {name: text for name, text in lines.items() if text}


def _connection(activity: Activity) -> str:
    """As the daemon wrote it down last."""
    if activity.changed_at is None:
        return "never"
    return f"{'online' if activity.online else 'offline'} since {output.moment(activity.changed_at)}"


def _moment(milliseconds: int | None) -> str | None:
    return None if milliseconds is None else output.moment(milliseconds)


def _state(frozen: bool) -> str:
    return "frozen" if frozen else "active"


def _unknown(project: str, device_id: str) -> Failed:
    return Failed(f"project {project} has no device {device_id}")
