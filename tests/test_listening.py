"""What is said when an address cannot be listened on."""

import errno
import os
import socket

import pytest

from bridge import listening


def test_who_uses_a_port() -> None:
    for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        with socket.create_server((host, 0), family=family) as server:
            port = server.getsockname()[1]
            assert listening.port_user(port).endswith(f"(process {os.getpid()})")
        assert listening.port_user(port) == ""


@pytest.mark.parametrize(
    ("error", "bind", "words"),
    [
        (OSError(errno.EADDRINUSE, "x"), "127.0.0.1:1", "the port is in use: end what uses it, or choose another port"),
        (OSError(errno.EACCES, "x"), "127.0.0.1:80", "CAP_NET_BIND_SERVICE"),
        (OSError(errno.EADDRNOTAVAIL, "x"), "192.0.2.1:80", "this machine does not have that address: correct"),
        (socket.gaierror(-2, "Name or service not known"), "nowhere.invalid:80", "no such host: correct"),
        (OSError(errno.EMFILE, "Too many open files"), "127.0.0.1:80", "Too many open files: see"),
        (OSError("odd"), "127.0.0.1:80", "odd: see"),
    ],
)
@pytest.mark.parametrize(
    ("setting", "named"),
    [("http.bind", "http.bind (--http)"), ("mqtt.listeners.field.bind", "mqtt.listeners.field.bind")],
)
def test_the_sentence_names_the_address_the_setting_and_what_to_do(
    error: OSError, bind: str, words: str, setting: str, named: str
) -> None:
    refusal = listening.refusal(setting, bind, error)
    assert refusal.errno == error.errno
    sentence = refusal.strerror or str(refusal)
    assert sentence.startswith(f"cannot listen on {bind}: ")
    assert words in sentence
    assert sentence.endswith(f" {named}")
