"""Rules of webhooks: how a message is signed, what may be called, and when it is tried again. Pure.

Signatures are those of the Standard Webhooks specification 1.0: HMAC-SHA256 over `id.timestamp.body`, in base64.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
from collections.abc import Sequence
from typing import Final
from urllib.parse import SplitResult, urlsplit

PREFIX: Final = "whsec_"
SECRET_BYTES: Final = 32  # the specification asks for 24 to 64
RETRY_S: Final = (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)  # of the specification: some three days
ENDPOINT_RETRY_FIRST_S: Final = 1.0
ENDPOINT_RETRY_LAST_S: Final = 300.0
RETRY_AFTER_MAX_S: Final = 3_600
GONE: Final = 410

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
IP = ipaddress.IPv4Address | ipaddress.IPv6Address
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")


def written_secret(key: bytes) -> str:
    """Return a secret as the specification writes it."""
    return PREFIX + base64.b64encode(key).decode()


def signatures(secrets: Sequence[str], message_id: str, timestamp: int, body: bytes) -> str:
    """Return the header `webhook-signature`: a signature by each secret, the newest first."""
    signed = b"%b.%d.%b" % (message_id.encode(), timestamp, body)
    keys = [base64.b64decode(one.removeprefix(PREFIX)) for one in secrets]
    return " ".join("v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode() for key in keys)


def retry_s(attempts: int, randomness: float) -> float | None:
    """Return after how many seconds an event is sent again that has failed so often; None where it is not.

    randomness: from 0 to 1, for jitter of a fifth: what failed together does not come again together.
    """
    return None if attempts > len(RETRY_S) else RETRY_S[attempts - 1] * (0.9 + 0.2 * randomness)


def endpoint_retry_s(failures: int, randomness: float) -> float:
    """Return for how long an address is left alone that has not answered so often."""
    pause = min(ENDPOINT_RETRY_FIRST_S * 2.0 ** min(failures - 1, 16), ENDPOINT_RETRY_LAST_S)
    return pause * (0.9 + 0.2 * randomness)


def is_of_address(status: int) -> bool:
    """True where an answer says something of the address, and not of the event that was sent."""
    return status == 0 or status in (408, 429) or status >= 500


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
    inner = _inner(ip)
    if any(one.version == network.version and one in network for one in (ip, inner) for network in allowed):
        return ""
    if not inner.is_global or inner.is_multicast or inner.is_reserved:
        return f"leads to {ip}, which is no public address"
    return "" if scheme == "https" else "is not https"


def _inner(ip: IP) -> IP:
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
