"""`[mqtt.listeners.NAME]`: what is right, and the sentence for each thing that is wrong."""

import json
from pathlib import Path

import pytest

from bridge import config, listener_tables, values
from bridge.broker.settings import ListenerSettings
from bridge.config import ConfigError

ROOT = Path(__file__).parent.parent


def load(folder: Path, text: str) -> config.Settings:
    file = folder / "bridge.toml"
    file.write_text(text, encoding="utf-8")
    return config.load(folder, file, {}, {})


def problems(folder: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(folder, text)
    return caught.value.problems


def table(*lines: str, name: str = "x") -> str:
    return "\n".join((f"[mqtt.listeners.{name}]", 'bind = "127.0.0.1:1"', *lines))


def test_several(tmp_path: Path) -> None:
    text = table(
        'type = "ws"',
        'path = "/devices"',
        'tls_certfile = "c.pem"',
        'tls_keyfile = "k.pem"',
        'tls_cafile = "ca.pem"',
        'client_certificates = "required"',
        "max_connections = 5",
        "max_packet_size = 2048",
        "connect_timeout = 3",
        "allow_anonymous = true",
    )
    own = ListenerSettings(
        "127.0.0.1:1", "ws", "/devices", "c.pem", "k.pem", "ca.pem", "required", 5, 2048, 3.0, allow_anonymous=True
    )
    six = '[mqtt.listeners.six-2]\nbind = "[::1]:1"'
    mqtt = load(tmp_path, f"{text}\n{six}").mqtt
    assert mqtt.listeners == {"x": own, "six-2": ListenerSettings("[::1]:1")}
    assert isinstance(mqtt.listeners["x"].connect_timeout, float)
    assert mqtt.encrypts


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            table("max_conections = 3"),
            "mqtt.listeners.x.max_conections = 3 (in bridge.toml) is not a setting: did you mean max_connections?",
        ),
        (
            table("zzz = 3"),
            "mqtt.listeners.x.zzz = 3 (in bridge.toml) is not a setting: "
            f"use some of {', '.join(listener_tables.SPECS)}.",
        ),
        (
            table("max_connections = 0"),
            "mqtt.listeners.x.max_connections = 0 (in bridge.toml) is out of bounds: "
            "give a whole number, 1 to 1000000.",
        ),
        (
            table('type = "udp"'),
            'mqtt.listeners.x.type = "udp" (in bridge.toml) is not among the choices: use tcp or ws.',
        ),
        (
            '[mqtt.listeners.x]\nbind = "1883"',
            'mqtt.listeners.x.bind = "1883" (in bridge.toml) is not HOST:PORT: end it with a port from 0 to 65535.',
        ),
        ("[mqtt.listeners.x]", "[mqtt.listeners.x] has no bind: give it an address and port."),
        (
            "[mqtt.listeners]\nx = 3",
            "mqtt.listeners.x = 3 (in bridge.toml) is not a listener: write [mqtt.listeners.x] above its settings.",
        ),
        ("[mqtt]\nlisteners = 3", "mqtt.listeners = 3 (in bridge.toml) is not a table: give a table."),
        (
            table(name="wss"),
            "[mqtt.listeners.wss] (in bridge.toml) is no name for a listener: use 1 to 64 of A-Z a-z 0-9 _ -, and not "
            "http, mqtt, mqtts, ws, wss.",
        ),
        (
            table(name='"a b"').replace("[mqtt.listeners.a b]", ""),
            "[mqtt.listeners.a b] (in bridge.toml) is no name for a listener: use 1 to 64 of A-Z a-z 0-9 _ -, and not "
            "http, mqtt, mqtts, ws, wss.",
        ),
        (
            table('path = "/x"'),
            'mqtt.listeners.x.path = "/x" has no effect without type = "ws": set that, or remove it.',
        ),
        (
            table('type = "ws"', 'path = "x"'),
            'mqtt.listeners.x.path = "x" is no path: begin it with /, without spaces.',
        ),
        (
            table('tls_certfile = "c"'),
            'mqtt.listeners.x.tls_certfile = "c" needs mqtt.listeners.x.tls_keyfile: name its file.',
        ),
        (
            table('tls_keyfile = "k"'),
            'mqtt.listeners.x.tls_keyfile = "k" needs mqtt.listeners.x.tls_certfile: name its file.',
        ),
        (
            table('tls_cafile = "ca"'),
            'mqtt.listeners.x.tls_cafile = "ca" needs mqtt.listeners.x.tls_certfile: name its file.',
        ),
        (
            table('client_certificates = "required"'),
            'mqtt.listeners.x.client_certificates = "required" needs mqtt.listeners.x.tls_cafile: name the file of '
            "their authorities.",
        ),
        (
            table('tls_certfile = "c"', 'tls_keyfile = "k"', 'tls_cafile = "ca"', 'client_certificates = "none"'),
            'mqtt.listeners.x.tls_cafile = "ca" has no effect with mqtt.listeners.x.client_certificates = "none": '
            "remove one of them.",
        ),
        (
            '[mqtt]\nclient_certificates = "required"',
            'mqtt.client_certificates = "required" needs mqtt.tls_cafile: name the file of their authorities.',
        ),
        (
            '[mqtt]\nwebsocket_tls_bind = "127.0.0.1:1"\ntls_keyfile = "k"',
            'mqtt.websocket_tls_bind = "127.0.0.1:1" needs mqtt.tls_certfile: name its file.',
        ),
        (
            '[mqtt.listeners.x]\nbind = "127.0.0.1:1883"',
            'mqtt.bind = "127.0.0.1:1883" and mqtt.listeners.x.bind = "127.0.0.1:1883" are the same port: give one of '
            "them another.",
        ),
        (
            '[mqtt]\nwebsocket_bind = "127.0.0.1:8080"',
            'http.bind = "127.0.0.1:8080" and mqtt.websocket_bind = "127.0.0.1:8080" are the same port: give one of '
            "them another.",
        ),
    ],
)
def test_what_is_wrong_is_explained(tmp_path: Path, text: str, problem: str) -> None:
    assert problems(tmp_path, text) == [problem]


def test_all_problems_are_reported_at_once(tmp_path: Path) -> None:
    tables = [table("zzz = 1", "max_connections = 0", name="a"), table(name="b"), table(name="c")]
    found = problems(tmp_path, "\n".join(["[mqtt]\nmax_inflight = 0", *tables]))
    assert len(found) == 4
    assert found[-1].startswith('mqtt.listeners.b.bind = "127.0.0.1:1" and mqtt.listeners.c.bind')


def test_the_readme_has_every_key() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for name, spec in listener_tables.SPECS.items():
        default = "that of `mqtt`" if spec.default is None else f"`{json.dumps(spec.default)}`"
        limits = values.limits(spec)
        about = f"{spec.about} ({limits})" if limits else spec.about
        assert f"| `{name}` | {default} | {about} |" in readme
