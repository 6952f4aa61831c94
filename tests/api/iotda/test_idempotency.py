import pytest

from bridge.api.iotda.errors import Refusal
from bridge.api.iotda.idempotency import parse_key


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("a", "a"),
        ('"a"', "a"),
        ("8e03978e-40d5-43e8-bc93-6894a57f9324", "8e03978e-40d5-43e8-bc93-6894a57f9324"),
        ('"8e03978e-40d5-43e8-bc93-6894a57f9324"', "8e03978e-40d5-43e8-bc93-6894a57f9324"),
        (r'"a\"b\\c"', r'a"b\c'),
        (r"a\b", r"a\b"),
        ('a"b', 'a"b'),
        ("!~,;=", "!~,;="),
        ("x" * 255, "x" * 255),
        (f'"{"x" * 255}"', "x" * 255),
        (f'"{chr(92) * 510}"', "\\" * 255),
    ],
)
def test_keys(text: str, key: str) -> None:
    assert parse_key(text) == key


@pytest.mark.parametrize(
    "text",
    ["", '""', '"', '"a', '"a"b', '"a";x=1', r'"a\b"', "a b", '"a b"', "é", "\x7f", "a\t", "x" * 256, f'"{"x" * 256}"'],
)
def test_no_keys(text: str) -> None:
    with pytest.raises(Refusal) as caught:
        parse_key(text)
    assert (caught.value.status, caught.value.code) == (400, "IOTDA.000006")
    assert "Idempotency-Key" in caught.value.text
