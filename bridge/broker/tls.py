"""The TLS of a listener: what it shows, whose certificates it accepts, and new files without new connections."""

import ssl
from pathlib import Path
from typing import Any, NamedTuple


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
    """`context` is what a listener is opened with, and stays the same when the files have changed."""

    def __init__(self, papers: Papers) -> None:
        """Raises BadFile."""
        self.papers = papers
        self.context = self._current = server_context(papers)
        self.context.sni_callback = self._choose

    def reload(self) -> None:
        """Handshakes from now on use what the files hold now; connections go on. Raises BadFile, and then everything
        stays as it was."""
        self._current = server_context(self.papers)

    def _choose(self, handshake: Any, _name: str | None, _context: ssl.SSLContext) -> None:
        """Called in each handshake, also when the client names no server: certificate, key and authorities are those of
        the context set here."""
        if self._current is not self.context:
            handshake.context = self._current


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
