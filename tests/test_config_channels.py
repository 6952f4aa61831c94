"""[channels]: its tables are checked at the start."""

from pathlib import Path

import pytest

from bridge import config
from bridge.config import ConfigError


def load(tmp_path: Path, text: str) -> config.Settings:
    file = tmp_path / "bridge.toml"
    file.write_text(text, encoding="utf-8")
    return config.load(Path("data"), file, {}, {})


def test_rules_and_tokens(tmp_path: Path) -> None:
    settings = load(
        tmp_path,
        """
        [channels]
        prefix = "/dsps"
        [channels.rules.'room-(?P<id>[0-9]+)']
        tokens = ["chat"]
        claims = { room = "{id}" }
        [channels.rules.news]
        [channels.jwt]
        iss = ["https://issuer.example.com"]
        [channels.jwt.keys]
        RS256 = ["/etc/issuer.pem"]
        """,
    )
    assert settings.channels.prefix == "/dsps"
    assert list(settings.channels.rules) == ["room-(?P<id>[0-9]+)", "news"]
    assert settings.channels.jwt["keys"] == {"RS256": ["/etc/issuer.pem"]}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("prefix = 'dsps'", "is no path: write /dsps or the like"),
        ("prefix = '/dsps/'", "is no path"),
        ("prefix = '/'", "is no path"),
        ("prefix = '/{a}'", "is no path"),
        ('prefix = "/a\\n"', "is no path"),
        ("rules = { '(' = {} }", 'has "(", which is no regular expression'),
        ("jwt = { iss = ['x'] }", "names no keys"),
        ("rules = 3", "is not a table"),
    ],
)
def test_what_is_wrong_is_explained(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, "[channels]\n" + text)
    assert len(caught.value.problems) == 1
    assert problem in caught.value.problems[0]
