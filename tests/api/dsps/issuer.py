"""Somebody who issues JSON Web Tokens, with a secret and with a pair of keys."""

import base64
import json
import secrets
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.api.memory import NOW, PROJECT

ISSUER = "https://issuer.example.com"
AUDIENCE = "https://bridge.example.com"
SECOND = NOW // 1000


class Issuer:
    def __init__(self, folder: Path) -> None:
        self.secret = secrets.token_bytes(32)
        self.private = ec.generate_private_key(ec.SECP256R1())
        self.pem = self.private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        secret_file, public_file = folder / "secret", folder / "public.pem"
        secret_file.write_bytes(base64.b64encode(self.secret) + b"\n")
        public_file.write_bytes(self.pem)
        self.settings: dict[str, Any] = {
            "iss": [ISSUER],
            "aud": [AUDIENCE],
            "project": PROJECT,
            "leeway": 10,
            "keys": {"HS256": [str(secret_file)], "ES256": [str(public_file)]},
        }

    def token(self, algorithm: str = "HS256", key: Any = None, **claims: Any) -> str:
        """A good one, but for these claims; None leaves one out."""
        whole = {"iss": ISSUER, "aud": AUDIENCE, "exp": SECOND + 60, **claims}
        payload = json.dumps({name: value for name, value in whole.items() if value is not None}).encode()
        return jwt.api_jws.encode(payload, key or (self.private if algorithm == "ES256" else self.secret), algorithm)
