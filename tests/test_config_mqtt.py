"""Settings of MQTT that are fine alone and impossible together."""

from pathlib import Path
from typing import Any

import pytest

from bridge.config import ConfigError, load

TLS = {"mqtt.tls_bind": "127.0.0.1:8883", "mqtt.tls_certfile": "c.pem", "mqtt.tls_keyfile": "k.pem"}


def problems(**flags: Any) -> list[str]:
    try:
        load(Path("data"), None, {}, {f"mqtt.{name}": value for name, value in flags.items()})
    except ConfigError as error:
        return error.problems
    return []


def tls(**changes: str) -> dict[str, str]:
    return {**{key.removeprefix("mqtt."): value for key, value in TLS.items()}, **changes}


@pytest.mark.parametrize(
    "flags",
    [
        {},
        tls(),
        tls(tls_cafile="ca.pem"),
        tls(bind="127.0.0.2:8883"),
        {"min_keep_alive": 3600},
        {"min_keep_alive": 30, "max_keep_alive": 1200},
    ],
)
def test_fine(flags: dict[str, Any]) -> None:
    assert problems(**flags) == []


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (tls(tls_certfile=""), ['mqtt.tls_bind = "127.0.0.1:8883" needs mqtt.tls_certfile: name its file.']),
        (tls(tls_keyfile=""), ['mqtt.tls_bind = "127.0.0.1:8883" needs mqtt.tls_keyfile: name its file.']),
        (
            {"tls_cafile": "ca.pem"},
            ['mqtt.tls_cafile = "ca.pem" has no effect without mqtt.tls_bind: name its address.'],
        ),
        (
            {"tls_certfile": "c.pem"},
            ['mqtt.tls_certfile = "c.pem" has no effect without mqtt.tls_bind: name its address.'],
        ),
        (
            tls(bind="127.0.0.1:8883"),
            [
                'mqtt.bind = "127.0.0.1:8883" and mqtt.tls_bind = "127.0.0.1:8883" are the same port: '
                "give one of them another."
            ],
        ),
        (
            tls(tls_bind="127.0.0.1:8080"),
            [
                'http.bind = "127.0.0.1:8080" and mqtt.tls_bind = "127.0.0.1:8080" are the same port: '
                "give one of them another."
            ],
        ),
        (
            {"min_keep_alive": 30, "max_keep_alive": 20},
            [
                "mqtt.min_keep_alive = 30 is more than mqtt.max_keep_alive = 20, so no MQTT 3 client could stay: "
                "lower the first or raise the second."
            ],
        ),
    ],
)
def test_contradictions(flags: dict[str, Any], expected: list[str]) -> None:
    assert problems(**flags) == expected


def test_an_address_that_is_none() -> None:
    assert problems(**tls(tls_bind="8883"))[0].startswith('mqtt.tls_bind = "8883"')
