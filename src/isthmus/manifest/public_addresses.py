"""Addresses that others gave: which of them are called, and which lead to where nobody was meant to look."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Final
from urllib.parse import SplitResult, urlsplit

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
IP = ipaddress.IPv4Address | ipaddress.IPv6Address
METADATA: Final = frozenset(map(ipaddress.ip_address, ("fd00:ec2::254", "100.100.100.200", "168.63.129.16")))
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")


class PrivateAddress(OSError):
    """A name leads to an address that is not called."""


def refused_url(url: str, allowed: Sequence[Network]) -> str:
    """Return why an address can never be called, as far as it says so itself; nothing where it may be."""
    parts = urlsplit(url)
    if not parts.hostname or _port(parts) is None:
        return "has no host, or no port that there is"
    try:
        ip = ipaddress.ip_address(parts.hostname)
    except ValueError:
        if parts.scheme != "https" and not allowed:
            return "is not https"
        return ""
    return refused_ip(ip, parts.scheme, allowed)


def refused_ip(ip: IP, scheme: str, allowed: Sequence[Network]) -> str:
    """Return why nothing is sent to an IP address: inside somebody's network, or in clear text outside one's own."""
    inner = inner_ip(ip)
    if any(one.version == network.version and one in network for one in (ip, inner) for network in allowed):
        return ""
    if not inner.is_global or inner.is_multicast or inner.is_reserved:
        return f"leads to {ip}, which is no public address"
    return "" if scheme == "https" else "is not https"


def is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def inner_ip(ip: IP) -> IP:
    """Return the IPv4 address that an IPv6 address stands for, where it is one of those."""
    if isinstance(ip, ipaddress.IPv6Address):
        if found := ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None):
            return found
        if ip in _NAT64:
            return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip


def _port(parts: SplitResult) -> int | None:
    try:
        return parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        return None
