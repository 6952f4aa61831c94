"""Certificates for one test: an authority, a server, devices."""

import datetime
import hashlib
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = datetime.timedelta(days=1)
HOST = "bridge.test"


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


@dataclass
class Certificate:
    """A certificate with its key, each in a PEM file. `issuer` None: self-signed."""

    path: Path
    key_path: Path
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @classmethod
    def make(
        cls,
        folder: Path,
        name: str,
        issuer: "Certificate | None" = None,
        *,
        authority: bool = False,
        passphrase: bytes | None = None,
        uri: str = "",
    ) -> Self:
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.datetime.now(datetime.UTC)
        names: list[x509.GeneralName] = [x509.DNSName(HOST)]
        if uri:
            names.append(x509.UniformResourceIdentifier(uri))
        certificate = (
            x509.CertificateBuilder()
            .subject_name(_name(name))
            .issuer_name(issuer.certificate.subject if issuer else _name(name))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - DAY)
            .not_valid_after(now + DAY)
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .sign(issuer.key if issuer else key, hashes.SHA256())
        )
        made = cls(folder / f"{name}.pem", folder / f"{name}.key", certificate, key)
        made.path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        protection = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
        form = serialization.PrivateFormat.PKCS8
        made.key_path.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, protection))
        return made

    @property
    def fingerprint(self) -> str:
        """As `openssl x509 -fingerprint -sha256` says, without colons and in lower case."""
        return hashlib.sha256(self.certificate.public_bytes(serialization.Encoding.DER)).hexdigest()


def client_context(authority: Certificate, shown: Certificate | None = None) -> ssl.SSLContext:
    """What a client trusts, and the certificate it shows."""
    context = ssl.create_default_context(cafile=str(authority.path))
    if shown is not None:
        context.load_cert_chain(shown.path, shown.key_path)
    return context
