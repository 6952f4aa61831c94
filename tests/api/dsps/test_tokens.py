"""JSON Web Tokens: what is accepted, and what each of the others is told."""

import base64
import json
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization

from bridge.api.dsps.token_settings import parse_token_settings
from bridge.api.dsps.tokens import TokenCheck
from bridge.api.faults import NoCredentials
from bridge.model.errors import BadSettings
from tests.api.dsps.issuer import AUDIENCE, ISSUER, SECOND, Issuer
from tests.api.memory import NOW, PROJECT
from tests.store.clock import HandClock


@pytest.fixture
def issuer(tmp_path: Path) -> Issuer:
    return Issuer(tmp_path)


def check(settings: dict[str, Any], revoked: frozenset[str] = frozenset()) -> TokenCheck:
    parsed = parse_token_settings(settings)
    assert parsed is not None
    return TokenCheck(parsed, revoked.__contains__, HandClock(NOW))


@pytest.mark.parametrize("algorithm", ["HS256", "ES256"])
def test_a_token_opens_the_channels_of_its_project(issuer: Issuer, algorithm: str) -> None:
    bearer = check(issuer.settings).bearer(issuer.token(algorithm, sub="ann", room=7))
    assert bearer is not None
    assert (bearer.principal.name, bearer.principal.project) == ("ann", PROJECT)
    assert bearer.principal.scopes == {"events:read", "events:write"}
    assert bearer.claims["room"] == 7


@pytest.mark.parametrize(
    ("scope", "scopes"),
    [
        ("events:read", {"events:read"}),
        ("openid events:write admin", {"events:write"}),
        ("admin messages:send", set()),
        ("", set()),
        (7, set()),
    ],
)
def test_a_scope_limits_and_never_adds(issuer: Issuer, scope: Any, scopes: set[str]) -> None:
    bearer = check(issuer.settings).bearer(issuer.token(scope=scope))
    assert bearer is not None
    assert bearer.principal.scopes == scopes


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": SECOND - 9},
        {"exp": SECOND + 0.5},
        {"nbf": SECOND + 10},
        {"nbf": SECOND},
        {"aud": ["x", AUDIENCE]},
        {"jti": "other", "sub": 7, "iat": SECOND + 1000},
    ],
)
def test_what_is_just_accepted(issuer: Issuer, claims: dict[str, Any]) -> None:
    assert check(issuer.settings, frozenset({"gone"})).bearer(issuer.token(**claims))


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"exp": SECOND - 10}, "has expired"),
        ({"exp": None}, "has no exp"),
        ({"exp": "9999999999"}, "has no exp"),
        ({"exp": True}, "has no exp"),
        ({"exp": float("inf")}, "has no exp"),
        ({"exp": float("nan")}, "has no exp"),
        ({"exp": [1]}, "has no exp"),
        ({"exp": -1}, "has expired"),
        ({"exp": -(10**400)}, "has expired"),
        ({"nbf": SECOND + 11}, "not valid yet"),
        ({"nbf": 10**400}, "not valid yet"),
        ({"nbf": "x"}, "not valid yet"),
        ({"iss": None}, "another iss"),
        ({"iss": ISSUER + "/"}, "another iss"),
        ({"iss": [ISSUER]}, "another iss"),
        ({"aud": None}, "another aud"),
        ({"aud": "x"}, "another aud"),
        ({"aud": [["x"], 7]}, "another aud"),
        ({"jti": "gone"}, "revoked"),
        ({"jti": 7}, "revoked"),
    ],
)
def test_what_is_refused(issuer: Issuer, claims: dict[str, Any], reason: str) -> None:
    with pytest.raises(NoCredentials, match=reason):
        check(issuer.settings, frozenset({"gone", "7"})).bearer(issuer.token(**claims))


def test_an_audience_is_not_looked_at_unless_it_is_asked_for(issuer: Issuer) -> None:
    assert check({**issuer.settings, "aud": []}).bearer(issuer.token(aud="x"))


def b64(text: str | bytes) -> str:
    data = text.encode() if isinstance(text, str) else text
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def test_what_is_not_signed_is_refused(issuer: Issuer, tmp_path: Path) -> None:
    stranger = tmp_path / "stranger"
    stranger.mkdir()
    good = issuer.token()
    head, claims, signature = good.split(".")
    deep = "[" * 40_000
    for token in (
        Issuer(stranger).token(),
        Issuer(stranger).token("ES256"),
        issuer.token("HS512", b"x" * 64),
        jwt.encode({"iss": ISSUER, "aud": AUDIENCE, "exp": SECOND + 60}, "", algorithm="none"),
        f"{head}.{claims}.",
        f"{head}.{claims}.{signature[:-2]}",
        f"{head}.{claims[:-2]}.{signature}",
        *(
            f"{b64(header)}.{claims}.{signature}"
            for header in (
                *('{"alg":"ES256"}', '{"alg":["HS256"]}', '{"alg":null}', "[]", "hello", b"\xff", deep),
                *('{"alg":"HS256","x":' + deep, '{"alg":"HS256","crit":["b64"],"b64":false}'),
            )
        ),
        "..",
        "é.é.é",
        "a.b.c",
    ):
        with pytest.raises(NoCredentials, match=r"malformed|not signed"):
            check(issuer.settings).bearer(token)


def test_claims_that_are_no_object_are_refused(issuer: Issuer) -> None:
    for payload in (b"[]", b"hello", b"\xff", b"[" * 40_000, b'{"exp":1e400}'):
        token = jwt.api_jws.encode(payload, issuer.secret, "HS256")
        with pytest.raises(NoCredentials):
            check(issuer.settings).bearer(token)


def test_another_kind_of_token_is_left_to_others(issuer: Issuer) -> None:
    for token in ("", "hello", "a.b", "a.b.c.d"):
        assert check(issuer.settings).bearer(token) is None


def test_a_public_key_does_not_serve_as_a_secret(issuer: Issuer) -> None:
    header, claims = b64('{"alg":"HS256"}'), b64(json.dumps({"iss": ISSUER, "aud": AUDIENCE, "exp": SECOND + 60}))
    algorithm = jwt.get_algorithm_by_name("HS256")
    signature = b64(algorithm.sign(f"{header}.{claims}".encode(), issuer.pem))
    with pytest.raises(NoCredentials, match="not signed"):
        check(issuer.settings).bearer(f"{header}.{claims}.{signature}")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"issuer": 1}, 'has "issuer"'),
        ({"iss": []}, "names no issuer"),
        ({"iss": "x"}, "has an iss that is no list"),
        ({"aud": [1]}, "has an aud that is no list"),
        ({"project": "a/b"}, "a project that is no project"),
        ({"project": 1}, "a project that is no project"),
        ({"leeway": -1}, "leeway that is out of bounds"),
        ({"leeway": float("nan")}, "leeway that is out of bounds"),
        ({"leeway": True}, "leeway that is out of bounds"),
        ({"keys": {}}, "names no keys"),
        ({"keys": {"none": []}}, 'has keys for "none"'),
        ({"keys": {"HS256": "file"}}, "has an HS256 that is no list"),
    ],
)
def test_settings_that_cannot_be_are_refused(issuer: Issuer, change: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        parse_token_settings({**issuer.settings, **change})


def test_no_section_means_no_tokens() -> None:
    assert parse_token_settings({}) is None


def test_a_key_that_cannot_be_used_is_refused_at_the_start(issuer: Issuer, tmp_path: Path) -> None:
    private = issuer.private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    for algorithm, content, problem in (
        ("HS256", base64.b64encode(b"x" * 31), "has 31 bytes after decoding its Base64, and needs 32"),
        ("HS512", base64.b64encode(b"x" * 63), "needs 64"),
        ("HS256", b"not Base64!", "cannot be used"),
        ("ES256", b"hello", "cannot be used"),
        ("RS256", issuer.pem, "cannot be used"),
        ("ES256", private, "is a private key"),
        ("ES256", None, "No such file or directory"),
    ):
        file = tmp_path / "key"
        file.unlink(missing_ok=True)
        if content is not None:
            file.write_bytes(content)
        with pytest.raises(BadSettings, match=problem):
            check({**issuer.settings, "keys": {algorithm: [str(file)]}})
