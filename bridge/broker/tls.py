"""The TLS of a listener: what it shows, and whose certificates it accepts."""

import ssl


def server_context(certfile: str, keyfile: str, cafile: str) -> ssl.SSLContext:
    """`cafile`: whoever has a certificate of these authorities, or one that stands here itself, may show it; empty:
    nobody is asked for one. Who the client is, is decided later.

    Raises OSError, of which ssl.SSLError is one.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certfile, keyfile, password="")  # an encrypted key is refused, not asked a password for
    if cafile:
        context.load_verify_locations(cafile)
        context.verify_mode = ssl.CERT_OPTIONAL
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context
