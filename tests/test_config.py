"""Defaults < TOML file < environment < flags; everything wrong is reported at once."""

import dataclasses
import tomllib
from pathlib import Path
from typing import Any

import pytest

from bridge import config
from bridge.config import SECTIONS, ConfigError, Settings

EXAMPLES = Path(__file__).parent.parent / "broker_config"
DATA_DIR = Path("data")


@pytest.fixture
def write(tmp_path: Path) -> Any:
    def write_file(text: str) -> Path:
        path = tmp_path / "bridge.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write_file


def load(
    file: Path | None = None, environ: dict[str, str] | None = None, flags: dict[str, Any] | None = None
) -> Settings:
    return config.load(DATA_DIR, file, environ or {}, flags or {})


def problems(*args: Any, **kwargs: Any) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(*args, **kwargs)
    return caught.value.problems


def test_nothing_given_means_defaults() -> None:
    assert load() == Settings(DATA_DIR)


def test_a_later_source_wins(write: Any) -> None:
    file = write("[mqtt]\nmax_inflight = 2\nmax_subscriptions = 2\nbind = '127.0.0.1:2'\nmax_sessions = 2")
    environ = {"DEVICE_BRIDGE_MQTT_MAX_SUBSCRIPTIONS": "3", "DEVICE_BRIDGE_MQTT_BIND": "127.0.0.1:3"}
    mqtt = load(file, environ, {"mqtt.bind": "127.0.0.1:4", "mqtt.max_sessions": None}).mqtt
    assert (mqtt.max_inflight, mqtt.max_subscriptions, mqtt.bind, mqtt.max_sessions) == (2, 3, "127.0.0.1:4", 2)


def test_values_get_the_type_of_their_setting(write: Any) -> None:
    settings = load(write('[mqtt]\nconnect_timeout = 3\ndevice_publish = ["a/#"]\n[mqtt.plugins."some.Plugin"]\nx = 1'))
    assert isinstance(settings.mqtt.connect_timeout, float)
    assert settings.mqtt.device_publish == ("a/#",)
    assert settings.mqtt.plugins == {"some.Plugin": {"x": 1}}


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("mqtt.max_inflight", "32", 32),
        ("delivery.ack_wait", "0.5", 0.5),
        ("mqtt.allow_anonymous", "Yes", True),
        ("mqtt.allow_anonymous", "0", False),
        ("mqtt.device_publish", "a/+, b/#", ("a/+", "b/#")),
        ("mqtt.device_publish", "", ()),
        ("log.level", "debug", "debug"),
    ],
)
def test_the_environment_spells_every_type(name: str, text: str, value: Any) -> None:
    section, key = name.split(".")
    settings = load(environ={config.variable(name): text})
    assert getattr(getattr(settings, section), key) == value


def test_variables_that_are_not_settings_of_the_daemon_are_left_alone() -> None:
    load(
        environ={
            "DEVICE_BRIDGE_DATA_DIR": "x",
            "DEVICE_BRIDGE_TOKEN": "x",
            "DEVICE_BRIDGE_SERVICE_HOST": "10.0.0.1",
            "DEVICE_BRIDGE_HTTP_SERVICE_PORT_WEB": "80",
            "DEVICE_BRIDGE_PORT_1883_TCP_ADDR": "10.0.0.1",
            "DEVICE_BRIDGE_PORT": "tcp://10.0.0.1:1883",
            "PATH": "x",
        }
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "[mqtt]\nmax_inflght = 3",
            "mqtt.max_inflght = 3 (in bridge.toml) is not a setting: did you mean mqtt.max_inflight?",
        ),
        (
            "[http]\nmax_inflight = 3",
            "http.max_inflight = 3 (in bridge.toml) is not a setting: did you mean mqtt.max_inflight?",
        ),
        ("[http]\nzzz = 3", "http.zzz = 3 (in bridge.toml) is not a setting: remove it."),
        ("[mqt]", "[mqt] (in bridge.toml) is not a section: did you mean mqtt?"),
        (
            "[zzz]",
            f"[zzz] (in bridge.toml) is not a section: use one of {', '.join(SECTIONS)}.",
        ),
        ("http = 3", "http = 3 (in bridge.toml) is not a section: write [http] above it."),
        (
            "[mqtt]\nmax_inflight = 0",
            "mqtt.max_inflight = 0 (in bridge.toml) is out of bounds: give a whole number, 1 to 65535.",
        ),
        (
            "[mqtt]\nmax_inflight = true",
            "mqtt.max_inflight = true (in bridge.toml) is not a whole number: give a whole number, 1 to 65535.",
        ),
        (
            "[mqtt]\nmax_inflight = 1.0",
            "mqtt.max_inflight = 1.0 (in bridge.toml) is not a whole number: give a whole number, 1 to 65535.",
        ),
        (
            "[delivery]\nack_wait = nan",
            "delivery.ack_wait = NaN (in bridge.toml) is not a number: give a number, 0 to 60.",
        ),
        (
            "[mqtt]\nallow_anonymous = 1",
            "mqtt.allow_anonymous = 1 (in bridge.toml) is not true or false: give true or false.",
        ),
        (
            "[mqtt]\ndevice_publish = 'a'",
            'mqtt.device_publish = "a" (in bridge.toml) is not a list of texts: give a list of texts.',
        ),
        (
            "[http]\ncors_origins = ['https://a.example/']",
            'http.cors_origins = ["https://a.example/"] (in bridge.toml) has "https://a.example/", which is no origin:'
            " write scheme://host or scheme://host:port, in lower case and with nothing behind it.",
        ),
        ("[mqtt]\nplugins = 3", "mqtt.plugins = 3 (in bridge.toml) is not a table: give a table."),
        (
            "[delivery]\nwhen_full = 'explode'",
            'delivery.when_full = "explode" (in bridge.toml) is not among the choices: use reject or drop_oldest.',
        ),
        (
            "[log]\nlevel = 1979-05-27",
            "log.level = 1979-05-27 (in bridge.toml) is not a text: use debug, info, warning or error.",
        ),
        (
            "[http]\nbind = '8080'",
            'http.bind = "8080" (in bridge.toml) is not HOST:PORT: end it with a port from 0 to 65535.',
        ),
        (
            "[http]\nbind = 'a:65536'",
            'http.bind = "a:65536" (in bridge.toml) is not HOST:PORT: end it with a port from 0 to 65535.',
        ),
        (
            "[http]\nbind = ':80'",
            'http.bind = ":80" (in bridge.toml) is not HOST:PORT: start it with a host name or an address, '
            "IPv6 in brackets.",
        ),
        (
            "[http]\nbind = '[::g]:80'",
            'http.bind = "[::g]:80" (in bridge.toml) is not HOST:PORT: the brackets do not hold an IPv6 address.',
        ),
        (
            "[mqtt]\ndevice_publish = ['a/#/b']",
            'mqtt.device_publish = ["a/#/b"] (in bridge.toml) has "a/#/b", which is no topic filter: '
            "# is the last level, + a whole level.",
        ),
        (
            "[log]\nformat = '" + "x" * 100 + "'",
            f'log.format = "{"x" * 58}… (in bridge.toml) is not among the choices: use logfmt or text.',
        ),
    ],
)
def test_what_is_wrong_in_the_file_is_explained(write: Any, text: str, problem: str) -> None:
    assert problems(write(text)) == [problem]


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        (
            "DEVICE_BRIDGE_MQTT_MAX_INFLIGHT",
            "many",
            'mqtt.max_inflight = "many" (from DEVICE_BRIDGE_MQTT_MAX_INFLIGHT) is not a whole number: '
            "give a whole number, 1 to 65535.",
        ),
        (
            "DEVICE_BRIDGE_MQTT_ALLOW_ANONYMOUS",
            "maybe",
            'mqtt.allow_anonymous = "maybe" (from DEVICE_BRIDGE_MQTT_ALLOW_ANONYMOUS) is not true or false: '
            "give true or false.",
        ),
        (
            "DEVICE_BRIDGE_MQTT_PLUGINS",
            "x",
            'mqtt.plugins = "x" (from DEVICE_BRIDGE_MQTT_PLUGINS) is not a table: write it in the configuration file.',
        ),
        (
            "DEVICE_BRIDGE_MQTT_MAX_INFLIHT",
            "1",
            'The environment variable DEVICE_BRIDGE_MQTT_MAX_INFLIHT = "1" is not a setting: '
            "did you mean DEVICE_BRIDGE_MQTT_MAX_INFLIGHT?",
        ),
        ("DEVICE_BRIDGE_Q", "1", 'The environment variable DEVICE_BRIDGE_Q = "1" is not a setting: unset it.'),
    ],
)
def test_what_is_wrong_in_the_environment_is_explained(name: str, text: str, problem: str) -> None:
    assert problems(environ={name: text}) == [problem]


def test_all_problems_are_reported_at_once(write: Any) -> None:
    found = problems(
        write("[mqtt]\nmax_inflight = 0\nx = 1\n[log]\nlevel = 'loud'"),
        {"DEVICE_BRIDGE_DELIVERY_ACK_WAIT": "x"},
        {"http.bind": "nowhere", "http.port": 3},
    )
    assert len(found) == 6
    assert "on the command line" in found[-1]


def test_a_wrong_value_is_reported_although_a_later_source_overrides_it(write: Any) -> None:
    assert len(problems(write("[mqtt]\nmax_inflight = 0"), {"DEVICE_BRIDGE_MQTT_MAX_INFLIGHT": "5"})) == 1


@pytest.mark.parametrize("content", [b"[mqtt", b"\xff"])
def test_a_file_that_is_not_toml(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bridge.toml"
    path.write_bytes(content)
    assert problems(path)[0].startswith(f"The configuration file {path} is not valid TOML: ")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "missing.toml"
    assert problems(path) == [
        f"The configuration file {path} cannot be read: No such file or directory. Correct its path or rights."
    ]


def test_a_queue_smaller_than_the_window_cannot_drop_its_oldest(write: Any) -> None:
    text = "[delivery]\nmax_pending_per_device = 10\nwhen_full = '{}'"
    assert load(write(text.format("reject"))).delivery.max_pending_per_device == 10
    (problem,) = problems(write(text.format("drop_oldest")))
    assert problem == (
        "delivery.max_pending_per_device = 10 is smaller than mqtt.max_inflight = 64 with delivery.when_full = "
        '"drop_oldest", so messages on their way would be pushed out: raise the first, lower the second, or choose '
        "reject."
    )


def test_a_contradiction_is_not_blamed_on_a_value_that_is_refused_anyway(write: Any) -> None:
    text = "[delivery]\nmax_pending_per_device = 10\nwhen_full = 'drop_oldest'\n[mqtt]\nmax_inflight = 0"
    assert len(problems(write(text))) == 1


@pytest.mark.parametrize(
    ("http", "mqtt", "collide"),
    [
        ("127.0.0.1:80", "127.0.0.1:80", True),
        ("0.0.0.0:80", "127.0.0.1:80", True),
        ("0.0.0.0:80", "[::]:80", False),
        ("127.0.0.1:80", "[::]:80", False),
        ("[::1]:80", "[::]:80", True),
        ("localhost:80", "[::]:80", True),
        ("127.0.0.1:80", "127.0.0.2:80", False),
        ("127.0.0.1:0", "127.0.0.1:0", False),
        ("127.0.0.1:80", "127.0.0.1:81", False),
    ],
)
def test_both_listeners_on_one_port(http: str, mqtt: str, collide: bool) -> None:
    flags = {"http.bind": http, "mqtt.bind": mqtt}
    if collide:
        assert problems(flags=flags) == [
            f'http.bind = "{http}" and mqtt.bind = "{mqtt}" are the same port: give one of them another.'
        ]
    else:
        load(flags=flags)


def test_every_setting_has_a_sentence_and_a_default_that_is_accepted() -> None:
    for key, spec in config.SPECS.items():
        assert spec.about.endswith("."), key
    load(
        flags={
            key: list(spec.default) if isinstance(spec.default, tuple) else spec.default
            for key, spec in config.SPECS.items()
        }
    )


def test_settings_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        load().mqtt.max_inflight = 3  # type: ignore[misc]


def test_the_table_has_a_row_for_every_setting() -> None:
    rows = config.configuration_table().splitlines()
    assert rows[:2] == ["| setting | default | meaning |", "|---|---|---|"]
    assert len(rows) == 2 + len(config.SPECS)
    assert (
        "| `mqtt.max_inflight` | `64` | "
        "QoS 1 and 2 messages on their way to one device that it has not acknowledged. (1 to 65535) |"
    ) in rows


@pytest.mark.parametrize("example", sorted(EXAMPLES.glob("*.toml")), ids=lambda path: path.name)
def test_examples_load(example: Path) -> None:
    load(example)


def test_the_main_example_is_the_documentation() -> None:
    text = (EXAMPLES / "device-bridge.toml").read_text(encoding="utf-8")
    document = tomllib.loads(text)
    named = {f"{section}.{name}" for section, content in document.items() for name in content}
    assert named == set(config.SPECS)
    assert load(EXAMPLES / "device-bridge.toml") == Settings(DATA_DIR)
    comments = " ".join(line.removeprefix("# ") for line in text.splitlines())
    for key, spec in config.SPECS.items():
        assert spec.about in comments, key
