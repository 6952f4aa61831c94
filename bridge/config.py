"""The configuration: frozen and strict. Defaults < TOML file < environment < flags.

Everything wrong is reported at once, each problem as a sentence that names the setting, its value and the fix.
What a setting means and which values it takes stands beside it in the `settings.py` of the part that uses it.
"""

import dataclasses
import itertools
import json
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from bridge import listener_tables, private_files, values
from bridge.api.cors import check_origins
from bridge.api.dsps.rules import parse_rules
from bridge.api.dsps.settings import ChannelSettings, check_prefix
from bridge.api.dsps.token_settings import SECRET_SIZES, parse_token_settings
from bridge.api.settings import HttpSettings
from bridge.batch.settings import BatchSettings
from bridge.broker.settings import MqttSettings
from bridge.delivery.settings import DeliverySettings
from bridge.events.settings import LONGEST
from bridge.inbox.settings import InboxSettings
from bridge.logs import LogSettings
from bridge.store.settings import StoreSettings
from bridge.webhooks.settings import WebhookSettings

SECTIONS: dict[str, type[Any]] = {
    "http": HttpSettings,
    "mqtt": MqttSettings,
    "delivery": DeliverySettings,
    "channels": ChannelSettings,
    "batch": BatchSettings,
    "inbox": InboxSettings,
    "webhooks": WebhookSettings,
    "store": StoreSettings,
    "log": LogSettings,
}
PREFIX = "DEVICE_BRIDGE_"
COMMAND_VARIABLES = {f"DEVICE_BRIDGE_{name}" for name in ("CONFIG", "DATA_DIR", "HTTP", "MQTT", "SECRET", "TOKEN")}
"""Read by the commands; not settings of the daemon."""
SERVICE_LINK = re.compile(r"DEVICE_BRIDGE_(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_\w+)?)")
"""What Kubernetes and Docker put into the environment beside a service called device-bridge."""
CHECKS: dict[str, Callable[[Any], None]] = {
    "http.bind": values.check_address,
    "http.cors_origins": values.refusing(check_origins),
    "mqtt.bind": values.check_address,
    "mqtt.tls_bind": values.check_address_if_any,
    "mqtt.websocket_bind": values.check_address_if_any,
    "mqtt.websocket_tls_bind": values.check_address_if_any,
    "mqtt.device_publish": values.check_topic_filters,
    "mqtt.device_subscribe": values.check_topic_filters,
    "mqtt.deny_publish": values.check_topic_filters,
    "mqtt.deny_subscribe": values.check_topic_filters,
    "channels.lifetimes": lambda value: values.check_rules(value, 0.01, LONGEST),
    "channels.prefix": values.refusing(check_prefix),
    "channels.rules": values.refusing(parse_rules),
    "channels.jwt": values.refusing(parse_token_settings),
}
"""Forms that a type and bounds cannot express."""


@dataclasses.dataclass(frozen=True)
class Settings:
    data_dir: Path
    """Holds the database and everything else that survives a restart."""
    http: HttpSettings = dataclasses.field(default_factory=HttpSettings)
    mqtt: MqttSettings = dataclasses.field(default_factory=MqttSettings)
    delivery: DeliverySettings = dataclasses.field(default_factory=DeliverySettings)
    channels: ChannelSettings = dataclasses.field(default_factory=ChannelSettings)
    batch: BatchSettings = dataclasses.field(default_factory=BatchSettings)
    inbox: InboxSettings = dataclasses.field(default_factory=InboxSettings)
    webhooks: WebhookSettings = dataclasses.field(default_factory=WebhookSettings)
    store: StoreSettings = dataclasses.field(default_factory=StoreSettings)
    log: LogSettings = dataclasses.field(default_factory=LogSettings)


class ConfigError(Exception):
    """The configuration is refused; `problems` holds one sentence for each thing that is wrong."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class _Given(NamedTuple):
    key: str
    value: Any
    origin: str
    text: bool = False
    """From the environment: text whatever the setting's type."""


def _specs() -> Iterator[tuple[str, values.Spec]]:
    for section, cls in SECTIONS.items():
        for name, spec in values.specs(cls).items():
            yield f"{section}.{name}", spec


SPECS: dict[str, values.Spec] = dict(_specs())
"""Every setting by its full key, such as `mqtt.max_inflight`."""


def variable(key: str) -> str:
    """The environment variable of a setting: `mqtt.max_inflight` is `DEVICE_BRIDGE_MQTT_MAX_INFLIGHT`."""
    return PREFIX + key.replace(".", "_").upper()


def load(data_dir: Path, config_file: Path | None, environ: Mapping[str, str], flags: Mapping[str, Any]) -> Settings:
    """The settings, or `ConfigError` with everything that is wrong. `flags` has full keys; None means: not given."""
    problems: list[str] = []
    accepted: dict[str, dict[str, Any]] = {section: {} for section in SECTIONS}
    bad: set[str] = set()
    sources = (_from_file(config_file, problems), _from_environment(environ, problems), _from_flags(flags, problems))
    for source in sources:
        for given in source:
            section, _, name = given.key.partition(".")
            try:
                accepted[section][name] = _checked(given)
            except values.Refused as refused:
                bad.add(given.key)
                problems.append(f"{given.key} = {values.shown(given.value)} ({given.origin}) {refused}.")
    settings = Settings(data_dir, **{section: cls(**accepted[section]) for section, cls in SECTIONS.items()})
    problems += [sentence for keys, sentence in _contradictions(settings) if not bad & keys]
    if problems:
        raise ConfigError(problems)
    return settings


def _checked(given: _Given) -> Any:
    """The value with the type of its setting; `Refused` when that, its bounds or its form do not fit."""
    spec = SPECS[given.key]
    value = values.from_text(spec, given.value) if given.text else given.value
    value = values.checked(spec, value)
    if given.key in CHECKS:
        CHECKS[given.key](value)
    return value


def _from_file(path: Path | None, problems: list[str]) -> Iterator[_Given]:
    if path is None:
        return
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        why = private_files.obstacle(path, to_read=True) or f"{error.strerror}. Correct its path or rights"
        problems.append(f"The configuration file {path} cannot be read: {why}.")
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        problems.append(f"The configuration file {path} is not valid TOML: {error}.")
    else:
        for section, content in document.items():
            yield from _from_section(section, content, f"in {path.name}", problems)


def _from_section(section: str, content: Any, origin: str, problems: list[str]) -> Iterator[_Given]:
    if section not in SECTIONS:
        fix = values.nearest(section, SECTIONS) or f"use one of {', '.join(SECTIONS)}."
        problems.append(f"[{section}] ({origin}) is not a section: {fix}")
    elif not isinstance(content, dict):
        problems.append(f"{section} = {values.shown(content)} ({origin}) is not a section: write [{section}] above it.")
    else:
        for name, value in content.items():
            yield from _known(f"{section}.{name}", value, origin, problems)


def _from_environment(environ: Mapping[str, str], problems: list[str]) -> Iterator[_Given]:
    variables = {variable(key): key for key in SPECS}
    for name, text in sorted(environ.items()):
        if not name.startswith(PREFIX) or name in COMMAND_VARIABLES or SERVICE_LINK.fullmatch(name):
            continue
        if name in variables:
            yield _Given(variables[name], text, f"from {name}", text=True)
        else:
            fix = values.nearest(name, variables, PREFIX) or "unset it."
            problems.append(f"The environment variable {name} = {values.shown(text)} is not a setting: {fix}")


def _from_flags(flags: Mapping[str, Any], problems: list[str]) -> Iterator[_Given]:
    for key, value in flags.items():
        if value is not None:
            yield from _known(key, value, "on the command line", problems)


def _known(key: str, value: Any, origin: str, problems: list[str]) -> Iterator[_Given]:
    if key == "mqtt.listeners" and isinstance(value, dict):
        yield _Given(key, listener_tables.read(key, value, origin, problems), origin)
    elif key in SPECS:
        yield _Given(key, value, origin)
    else:
        fix = values.nearest(key, SPECS) or "remove it."
        problems.append(f"{key} = {values.shown(value)} ({origin}) is not a setting: {fix}")


def _contradictions(settings: Settings) -> Iterator[tuple[set[str], str]]:
    """Settings that are fine alone and impossible together: their keys, and the sentence."""
    http, mqtt, delivery = settings.http, settings.mqtt, settings.delivery
    if delivery.when_full == "drop_oldest" and delivery.max_pending_per_device < mqtt.max_inflight:
        yield (
            {"delivery.max_pending_per_device", "delivery.when_full", "mqtt.max_inflight"},
            f"delivery.max_pending_per_device = {delivery.max_pending_per_device} is smaller than "
            f'mqtt.max_inflight = {mqtt.max_inflight} with delivery.when_full = "drop_oldest", so messages on their '
            "way would be pushed out: raise the first, lower the second, or choose reject.",
        )
    if mqtt.min_keep_alive > mqtt.max_keep_alive:
        yield (
            {"mqtt.min_keep_alive", "mqtt.max_keep_alive"},
            f"mqtt.min_keep_alive = {mqtt.min_keep_alive} is more than mqtt.max_keep_alive = {mqtt.max_keep_alive}, so "
            "no MQTT 3 client could stay: lower the first or raise the second.",
        )
    yield from _tls_contradictions(mqtt)
    webhooks = settings.webhooks
    if webhooks.first_wait > webhooks.longest_wait:
        yield (
            {"webhooks.first_wait", "webhooks.longest_wait"},
            f"webhooks.first_wait = {webhooks.first_wait:g} is more than webhooks.longest_wait = "
            f"{webhooks.longest_wait:g}: lower the first or raise the second.",
        )
    further = {f"mqtt.listeners.{name}.bind": listener.bind for name, listener in mqtt.listeners.items()}
    names = ("bind", "tls_bind", "websocket_bind", "websocket_tls_bind")
    binds = {"http.bind": http.bind, **{f"mqtt.{name}": getattr(mqtt, name) for name in names}, **further}
    for (one, bind), (other, other_bind) in itertools.combinations(binds.items(), 2):
        if values.collide(bind, other_bind):
            yield (
                {one, other},
                f'{one} = "{bind}" and {other} = "{other_bind}" are the same port: give one of them another.',
            )


def _tls_contradictions(mqtt: MqttSettings) -> Iterator[tuple[set[str], str]]:
    binds = {f"mqtt.{name}": getattr(mqtt, name) for name in ("tls_bind", "websocket_tls_bind")}
    files = {f"mqtt.{name}": getattr(mqtt, name) for name in ("tls_certfile", "tls_keyfile", "tls_cafile")}
    bind = next((key for key, address in binds.items() if address), "")
    for key, path in files.items():
        if bind and not path and key != "mqtt.tls_cafile":
            yield {bind, key}, f'{bind} = "{binds[bind]}" needs {key}: name its file.'
        if path and not bind:
            yield {*binds, key}, f'{key} = "{path}" has no effect without mqtt.tls_bind: name its address.'
    for sentence in listener_tables.client_certificates("mqtt", mqtt):
        yield {"mqtt.tls_cafile", "mqtt.client_certificates"}, sentence


def secret_files(settings: Settings) -> list[Path]:
    """The files named by the settings that only the daemon should be able to read."""
    mqtt, tokens = settings.mqtt, parse_token_settings(settings.channels.jwt)
    keys = [mqtt.tls_keyfile, *(listener.tls_keyfile for listener in mqtt.listeners.values())]
    signing = tokens.keys.items() if tokens else ()
    secrets = [file for algorithm, files in signing if algorithm in SECRET_SIZES for file in files]
    return [*(Path(key) for key in keys if key), *secrets]


def configuration_table() -> str:
    """Every setting as a Markdown table: key, default, meaning."""
    rows = ["| setting | default | meaning |", "|---|---|---|"]
    for key, spec in SPECS.items():
        limits = values.limits(spec)
        about = f"{spec.about} ({limits})" if limits else spec.about
        rows.append(f"| `{key}` | `{default_text(key)}` | {about} |".replace("||", "|"))
    return "\n".join(rows) + "\n"


def default_text(key: str) -> str:
    """The default of a setting as the TOML file writes it."""
    return json.dumps(SPECS[key].default, ensure_ascii=False)
