"""`device-bridge send`: leave a message for a device, through the HTTP API."""

import json
import re
import sys
from pathlib import Path
from typing import Any

import click

from bridge.cli import api_client, options, output
from bridge.cli.field_names import as_options

_KEY = re.compile(r"[!-~]{1,255}")


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
@click.option("--json", "is_json", is_flag=True, help="MESSAGE is JSON: anything but null, such as an object.")
@click.option("--wait", is_flag=True, help="Wait for the reply and print it; exit code 0 only if DELIVERED or replied.")
@click.option(
    "--timeout", type=click.IntRange(1, 3600), metavar="SECONDS", default=10, show_default=True, help="Of --wait."
)
@options.reaches_api
@click.pass_context
def send(
    context: click.Context,
    /,
    *,
    device_id: str,
    message: str,
    is_json: bool,
    wait: bool,
    timeout: int,
    idempotency_key: str | None,
    http: str | None,
    token: str | None,
    data_dir: Path,
    project: str,
    **fields: Any,
) -> None:
    """Send a message to a device.

    MESSAGE goes to the device ID; '-' reads it from stdin. Prints the message's id and state; with
    --wait also what the device replies, or the state when it has not by then.
    """
    text = _json_text(sys.stdin.read() if message == "-" else message, is_json)
    client = api_client.opened(http, token, data_dir, project)
    if wait and idempotency_key is not None:
        raise click.UsageError("--idempotency-key and --wait do not go together: the reply is not kept.")
    body = _body(fields)
    with as_options(context):
        answer = (
            client.ask(device_id, text, body, timeout) if wait else client.send(device_id, text, body, idempotency_key)
        )
    if wait:
        _report(answer, timeout)
    else:
        click.echo(_state(answer))


def _json_text(message: str, is_json: bool) -> str:
    """The message as JSON text; what is JSON already stays as it is."""
    message.encode()  # bytes that are no UTF-8 are refused, not sent as something else
    if not is_json:
        return json.dumps(message)
    try:
        document = json.loads(message, parse_int=str, parse_float=str, parse_constant=_no_constant)
        message.encode()
    except ValueError as error:
        raise click.BadParameter(f"it is not JSON: {error}.", param_hint="MESSAGE") from None
    if document is None:
        raise click.BadParameter("it must not be null.", param_hint="MESSAGE")
    return message


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no number")


def _body(fields: dict[str, Any]) -> dict[str, Any]:
    """The other fields of the request, without those that were not given."""
    names = ("correlation_data", "response_topic", "user_properties")
    properties = {name: value for name in names if (value := fields.pop(name))}
    given = {name: value for name, value in fields.items() if value is not None}
    return given | {"properties": properties} if properties else given


def _state(answer: dict[str, Any]) -> str:
    return f"{answer['message_id']} {answer['result']['status']}{api_client.error_text(answer)}"


def _report(answer: dict[str, Any], timeout: int) -> None:
    """Print the state of the message and the reply, and exit accordingly."""
    click.echo("\n".join([_state(answer), *replied(answer)]))
    if "reply" in answer:
        return
    status = answer["result"]["status"]
    if status in {"PENDING", "DELIVERED"}:
        click.echo(f"no reply within {timeout} s", err=True)
    if status != "DELIVERED":
        raise SystemExit(1)


def replied(answer: dict[str, Any]) -> list[str]:
    """What the device replied, a line each; nothing when it did not."""
    reply = answer.get("reply")
    if reply is None:
        return []
    lines = [f"reply after {reply['latency_ms']} ms: {output.clean(reply['payload'])}"]
    if reply["encoding"] != "none":
        lines.append(f"  encoding: {reply['encoding']}")
    if "content_type" in reply:
        lines.append(f"  content type: {output.clean(reply['content_type'])}")
    pairs = reply.get("user_properties", ())
    return [*lines, *(f"  {output.clean(pair['prop_key'])} = {output.clean(pair['prop_value'])}" for pair in pairs)]
