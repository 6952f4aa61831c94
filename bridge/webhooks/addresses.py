"""Which addresses events may be pushed to. Pure."""

import ipaddress

NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
"""RFC 6052: stands for the IPv4 address in its last 32 bits."""
LOW_32 = 0xFFFF_FFFF


def is_public(text: str) -> bool:
    """Whether anybody on the internet may have this address: it is not private, loopback, link-local, site-local,
    multicast, unspecified or reserved, and no IPv6 address that stands for such an IPv4 address.

    Error: ValueError for what is no address."""
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        inner = _inner(address)
        if inner is not None:
            return is_public(str(inner))
        if address.is_site_local:
            return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def _inner(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    if address in NAT64:
        return ipaddress.IPv4Address(int(address) & LOW_32)
    return address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
