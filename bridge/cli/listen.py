"""`device-bridge listen`: be a device, and print what it receives."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from bridge.cli import api_client, options, output
from bridge.cli.errors import Failed
from bridge.values import split_address

if TYPE_CHECKING:
    from bridge.broker.device_client import DeviceClient, Received

VERSIONS = {"5": 5, "3.1.1": 4, "3.1": 3}


@click.command()
@options.device_id
@click.option(
    "--secret", required=True, envvar="DEVICE_BRIDGE_SECRET", help="The device's secret. Also DEVICE_BRIDGE_SECRET."
)
@click.option(
    "--mqtt",
    envvar="DEVICE_BRIDGE_MQTT",
    metavar="HOST:PORT",
    help="The daemon's MQTT address. Also DEVICE_BRIDGE_MQTT.  [default: that of the running daemon]",
)
@click.option("--protocol", type=click.Choice(list(VERSIONS)), default="5", show_default=True, help="Version of MQTT.")
@click.option("--count", type=click.IntRange(min=1), metavar="N", help="Exit after N messages.")
@click.option("--quiet", is_flag=True, help="Print payloads only.")
@options.data_dir
def listen(
    *, device_id: str, secret: str, mqtt: str | None, protocol: str, count: int | None, quiet: bool, data_dir: Path
) -> None:
    """Be a device and print what it receives.

    Connects as the device ID, acknowledges and answers every message, comes back by itself when the connection is
    lost. Ctrl-C ends it.
    """
    from bridge.broker.device_client import DeviceClient

    host, port = _split(mqtt or api_client.address(data_dir, "mqtt", "127.0.0.1:1883"))
    client = DeviceClient(
        host,
        port,
        device_id,
        secret,
        version=VERSIONS[protocol],
        on_message=_print_payload if quiet else _print_message,
        on_notice=lambda sentence: None if quiet else click.echo(sentence, err=True),
    )
    _run(client, f"{host}:{port}", count)


def _run(client: "DeviceClient", address: str, count: int | None) -> None:
    from bridge.broker.device_client import DeviceRefused

    try:
        try:
            client.connect()
        except OSError as error:
            raise Failed(f"the daemon at {address} cannot be reached: {error.strerror or error}") from None
        client.wait(count)
    except DeviceRefused as error:
        raise Failed(str(error)) from None
    except KeyboardInterrupt:
        pass
    finally:
        client.close()


def _split(address: str) -> tuple[str, int]:
    try:
        return split_address(address)
    except ValueError as error:
        raise click.BadParameter(f"{address!r} {error}.", param_hint="--mqtt") from None


def payload_text(payload: bytes) -> str:
    """The payload as text on one line, or in hexadecimal when it is not text."""
    try:
        return output.clean(payload.decode())
    except UnicodeDecodeError:
        return f"0x{payload.hex()}"


def described(received: "Received") -> list[str]:
    """What a device received, a line each."""
    lines = [f"{received.topic}  qos={received.qos}{' dup' if received.dup else ''}"]
    if received.correlation_data is not None:
        lines.append(f"  correlation data: {payload_text(received.correlation_data)}")
    if received.response_topic is not None:
        lines.append(f"  response topic: {output.clean(received.response_topic)}")
    if received.expires_in is not None:
        lines.append(f"  expires in: {received.expires_in} s")
    lines += [f"  {output.clean(name)} = {output.clean(value)}" for name, value in received.user_properties]
    return [*lines, f"  {payload_text(received.payload)}"]


def _print_message(received: "Received") -> None:
    click.echo("\n".join(described(received)))


def _print_payload(received: "Received") -> None:
    click.echo(payload_text(received.payload))
