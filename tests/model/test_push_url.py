"""What may stand in the URL of an action, as a table."""

import pytest

from bridge.model.push_url import MAX_URL, check_push_url

LABEL = "a" * 63


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com",
        "https://example.com/",
        "HTTPS://EXAMPLE.com./hook",
        "http://localhost:8080/a/b?c=d&e=%2F",
        "http://sink_1:9000",
        "http://xn--bcher-kva.example/?q",
        "http://example.com?q=a@b:c",
        "http://example.com/@user:pw/~x!$&'()*+,;=",
        "http://192.0.2.1:65535/",
        "http://[2001:db8::1]:1/x",
        "http://[::ffff:192.0.2.1]",
        "http://127.0.0.1/",
        f"http://{LABEL}.{LABEL}.{LABEL}.{'a' * 61}/",
        "http://example.com/" + "a" * (MAX_URL - 19),
        "http://1a.example",
        "http://123.example",
    ],
)
def test_addresses(url: str) -> None:
    check_push_url(url)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", "http"),
        ("example.com", "http"),
        ("//example.com", "http"),
        ("ftp://example.com", "http"),
        ("file:///etc/passwd", "http"),
        (" http://example.com", "http"),
        ("http:/example.com", "http"),
        ("http:example.com", "http"),
        ("javascript:alert(1)", "http"),
        ("http://user@example.com", "user name"),
        ("http://user:password@example.com", "user name"),
        ("http://@example.com", "user name"),
        ("http://:@example.com", "user name"),
        ("http://example.com:80:90", "http"),
        ("http://", "host"),
        ("http:///path", "host"),
        ("http://:80", "host"),
        ("http://?q", "host"),
        ("http://exa mple.com", "host"),
        ("http://example.com\n", "host"),
        ("http://example.com\\@evil.example/", "user name"),
        ("http://example.com\\evil", "host"),
        ("http://exämple.com", "host"),
        ("http://example%2ecom", "host"),
        ("http://-example.com", "host"),
        ("http://example-.com", "host"),
        ("http://a..b", "host"),
        ("http://.", "host"),
        (f"http://{LABEL}a.example", "host"),
        (f"http://{LABEL}.{LABEL}.{LABEL}.{'a' * 62}/", "host"),
        ("http://127.1", "host"),
        ("http://2130706433", "host"),
        ("http://0x7f000001", "host"),
        ("http://0x7f.0.0.1", "host"),
        ("http://127.0.0.0x1", "host"),
        ("http://127.0.0.01", "host"),
        ("http://127.0.0.1.", "host"),
        ("http://256.0.0.1", "host"),
        ("http://1.2.3.4.5", "host"),
        ("http://example.0x", "host"),
        ("http://[::1", "http"),
        ("http://::1", "http"),
        ("http://[]", "host"),
        ("http://[::g]", "host"),
        ("http://[fe80::1%25eth0]", "host"),
        ("http://[fe80::1%eth0]", "host"),
        ("http://[127.0.0.1]", "host"),
        ("http://[v1.x]", "host"),
        ("http://[::1]x", "http"),
        ("http://example.com:", "port"),
        ("http://example.com:0", "port"),
        ("http://example.com:65536", "port"),
        ("http://example.com:-1", "port"),
        ("http://example.com:8O", "port"),
        ("http://example.com:٨٠", "port"),
        ("http://example.com:000080", "port"),
        ("http://example.com/#part", "fragment"),
        ("http://example.com#part", "host"),
        ("http://example.com/a b", "RFC 3986"),
        ("http://example.com/\r\nHost: other", "RFC 3986"),
        ("http://example.com/\x00", "RFC 3986"),
        ("http://example.com/ä", "RFC 3986"),
        ("http://example.com/%", "RFC 3986"),
        ("http://example.com/%zz", "RFC 3986"),
        ("http://example.com/a\\b", "RFC 3986"),
        ("http://example.com/{x}", "RFC 3986"),
        ('http://example.com/"', "RFC 3986"),
        ("http://example.com/" + "a" * (MAX_URL - 18), "2048"),
    ],
)
def test_what_is_none(url: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        check_push_url(url)
