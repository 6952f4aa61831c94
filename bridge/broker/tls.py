"""The TLS of a listener: what it shows, whose certificates it accepts, and new files without new connections."""

import ssl
from pathlib import Path
from typing import NamedTuple


class BadFile(Exception):
    """`path` cannot be used; the text says why."""

    def __init__(self, path: str, error: OSError) -> None:
        super().__init__(error.strerror or str(error))
        self.path = path


class Papers(NamedTuple):
    """PEM files. `cafile`: the authorities whose client certificates are accepted, or such certificates themselves;
    empty: nobody is asked for one."""

    certfile: str
    keyfile: str
    cafile: str = ""
    required: bool = False
    """Who shows no certificate does not get through the handshake."""


class Tls:
    """`context` is that of new connections; another one after `reload`."""

    def __init__(self, papers: Papers) -> None:
        """Raises BadFile."""
        self.papers = papers
        self.context = server_context(papers)

    def reload(self) -> None:
        """Handshakes from now on use what the files hold now; connections go on. Raises BadFile, and then everything
        stays as it was."""
        self.context = server_context(self.papers)


def server_context(papers: Papers) -> ssl.SSLContext:
    """Who the client is, is decided later. Raises BadFile."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        # An encrypted key is refused, not asked a password for.
        context.load_cert_chain(papers.certfile, papers.keyfile, password="")
    except OSError as error:  # ssl.SSLError is one
        raise BadFile(_unusable(papers), error) from error
    if papers.cafile:
        try:
            context.load_verify_locations(papers.cafile)
        except OSError as error:
            raise BadFile(papers.cafile, error) from error
        context.verify_mode = ssl.CERT_REQUIRED if papers.required else ssl.CERT_OPTIONAL
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


def _unusable(papers: Papers) -> str:
    """Which of the two it was, as far as that can be told."""
    for path, holds in ((papers.certfile, b"CERTIFICATE-----"), (papers.keyfile, b"PRIVATE KEY-----")):
        try:
            if holds not in Path(path).read_bytes():
                return path
        except OSError:
            return path
    return f"{papers.certfile} with {papers.keyfile}"


_SENTENCES = {
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "the client showed no certificate",
    "UNSUPPORTED_PROTOCOL": "the client offers no version of TLS that is accepted here",
    "UNKNOWN_PROTOCOL": "the client offers no version of TLS that is accepted here",
    "VERSION_TOO_LOW": "the client offers no version of TLS that is accepted here",
    "NO_SHARED_CIPHER": "no cipher in common with the client",
    "NO_SHARED_SIGNATURE_ALGORITHMS": "no signature algorithm in common with the client",
    "TLSV1_ALERT_UNKNOWN_CA": "the client does not trust the authority of this server's certificate",
    "SSLV3_ALERT_BAD_CERTIFICATE": "the client does not accept this server's certificate",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "the client does not accept this server's certificate",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "the client says that this server's certificate has expired",
    "TLSV1_ALERT_PROTOCOL_VERSION": "the client accepts no version of TLS that is offered here",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "the client found nothing acceptable in the handshake",
}
"""OpenSSL's reasons that people meet. An alert is what the peer said."""


def words(error: ssl.SSLError) -> str:
    """The reason in words, without the file and line of the library that OpenSSL adds."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the client's certificate is not accepted: {error.verify_message}"
    reason = error.reason or "unknown"
    return _SENTENCES.get(reason) or reason.lower().replace("_", " ")
