"""`device-bridge run`: the daemon in the foreground."""

import logging
import os
from pathlib import Path

import click

from bridge import private_files
from bridge.cli import installed, options
from bridge.cli.errors import Failed
from bridge.model.errors import BridgeError


@click.command()
@options.data_dir
@click.option("--http", metavar="HOST:PORT", help="Listen here for HTTP.  [default: 127.0.0.1:8080]")
@click.option("--mqtt", metavar="HOST:PORT", help="Listen here for MQTT.  [default: 127.0.0.1:1883]")
@click.option(
    "--config",
    "config_file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    envvar="DEVICE_BRIDGE_CONFIG",
    show_default=installed.config_file_help(),
    help="Configuration file (TOML). The environment (DEVICE_BRIDGE_SECTION_KEY) and options override it. "
    "Also DEVICE_BRIDGE_CONFIG.",
)
@click.pass_context
def run(
    context: click.Context, /, *, data_dir: Path, http: str | None, mqtt: str | None, config_file: Path | None
) -> None:
    """Run the daemon until SIGTERM or SIGINT.

    SIGHUP (systemctl reload device-bridge) reads the TLS certificates of the MQTT listeners again; connections go on.
    """
    from bridge import config, logs

    data_dir, config_file = _places(context, data_dir, config_file)
    try:
        settings = config.load(data_dir, config_file, os.environ, {"http.bind": http, "mqtt.bind": mqtt})
    except config.ConfigError as error:
        raise Failed("\n  ".join(["the configuration is refused:", *error.problems])) from None
    private_files.make_folder(data_dir)
    logs.configure(settings.log)
    from bridge import daemon

    try:
        daemon.run(settings)
    except (OSError, BridgeError):
        raise  # an address in use, a disk that refuses: one line says it all
    except Exception:
        logging.getLogger("bridge").critical("the daemon failed", exc_info=True)
        raise SystemExit(1) from None


def _places(context: click.Context, data_dir: Path, config_file: Path | None) -> tuple[Path, Path | None]:
    """The data folder and the configuration file. Those of the installed service go together: who gives one of them
    runs a daemon of his own."""
    if context.get_parameter_source("data_dir") is not click.core.ParameterSource.DEFAULT:
        return data_dir, config_file
    if config_file is not None:
        return installed.LOCAL_DATA_DIR, config_file
    return data_dir, installed.CONFIG_FILE if installed.is_there() else None
