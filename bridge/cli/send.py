"""`device-bridge send`: leave a message for a device, through the HTTP API."""

import json
import re
import sys
import time
from pathlib import Path
from typing import Any

import click

from bridge.cli import api_client, options
from bridge.cli.api_client import ApiClient

_KEY = re.compile(r"[!-~]{1,255}")
POLL = 0.2
"""Seconds between two looks at a message that is still PENDING."""


def _pairs(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> list[dict[str, str]]:
    pairs = []
    for value in values:
        name, equals, content = value.partition("=")
        if not equals or not name:
            raise click.BadParameter(f"{value!r} is not NAME=VALUE.")
        pairs.append({"prop_key": name, "prop_value": content})
    return pairs


@click.command()
@options.device_id
@click.argument("message")
@click.option("--topic", metavar="SUFFIX", help="Topic below $oc/devices/ID/user/.")
@click.option("--topic-full", "topic_full_name", metavar="NAME", help="Full topic name.")
@click.option("--property", "user_properties", metavar="K=V", multiple=True, callback=_pairs, help="May be repeated.")
@click.option("--correlation-data", metavar="TEXT", help="MQTT 5 Correlation Data.")
@click.option("--response-topic", metavar="TOPIC", help="MQTT 5 Response Topic.")
@click.option("--ttl", type=int, metavar="MINUTES", help="Give up after this time; 0: only if the device is connected.")
@click.option("--at", "send_at", metavar="TIME", help="Not before: 2026-11-22T09:00:00Z, at most 7 days ahead.")
@click.option("--name", help="Name of the message.")
@click.option("--encoding", type=click.Choice(["none", "base64"]), help="base64: MESSAGE is the payload in Base64.")
@click.option("--payload-format", type=click.Choice(["standard", "raw"]), help="raw: the payload without envelope.")
@click.option("--message-id", metavar="ID", help="Id of the message.  [default: a new one]")
@click.option(
    "--idempotency-key",
    metavar="KEY",
    callback=options.matching(_KEY, "1 to 255 visible ASCII characters"),
    help="Try again with the same key: it is sent once, for 24 hours.",
)
@click.option("--json", "is_json", is_flag=True, help="MESSAGE is JSON: an object, or a string in quotes.")
@click.option("--wait", is_flag=True, help="Wait for the outcome; exit code 0 only when it is DELIVERED.")
@options.reaches_api
def send(
    *,
    device_id: str,
    message: str,
    is_json: bool,
    wait: bool,
    idempotency_key: str | None,
    http: str | None,
    token: str | None,
    data_dir: Path,
    project: str,
    **fields: Any,
) -> None:
    """Send a message to a device.

    MESSAGE goes to the device ID; '-' reads it from stdin. Prints the message's id and state.
    """
    text = _json_text(sys.stdin.read() if message == "-" else message, is_json)
    client = api_client.opened(http, token, data_dir, project)
    accepted = client.send(device_id, text, _body(fields), idempotency_key)
    if wait:
        _report_outcome(client, device_id, accepted["message_id"])
    else:
        click.echo(f"{accepted['message_id']} {accepted['result']['status']}")


def _json_text(message: str, is_json: bool) -> str:
    """The message as JSON text; what is JSON already stays as it is."""
    if not is_json:
        return json.dumps(message)
    try:
        document = json.loads(message)
        message.encode()
    except ValueError as error:
        raise click.BadParameter(f"it is not JSON: {error}.", param_hint="MESSAGE") from None
    if not isinstance(document, dict | str):
        raise click.BadParameter("it must be a JSON object or string.", param_hint="MESSAGE")
    return message


def _body(fields: dict[str, Any]) -> dict[str, Any]:
    """The other fields of the request, without those that were not given."""
    names = ("correlation_data", "response_topic", "user_properties")
    properties = {name: value for name in names if (value := fields.pop(name))}
    given = {name: value for name, value in fields.items() if value is not None}
    return given | {"properties": properties} if properties else given


def _report_outcome(client: ApiClient, device_id: str, message_id: str) -> None:
    """Wait until the message is final, print its state and error, and exit accordingly."""
    record: dict[str, Any] = client.message(device_id, message_id)
    while record["status"] == "PENDING":
        time.sleep(POLL)
        record = client.message(device_id, message_id)
    click.echo(f"{message_id} {record['status']}{api_client.error_text(record)}")
    if record["status"] != "DELIVERED":
        raise SystemExit(1)
