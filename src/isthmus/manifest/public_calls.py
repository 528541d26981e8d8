"""Calls to addresses that others gave: to public ones only, as resolved for this very connection, and no further.

The name is resolved here and the connection made to an address that was checked, so that no second look-up can lead
elsewhere. Redirects are not followed, and nothing of the answer's body is read.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Iterable, Sequence
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

import httpcore
import httpx

CONNECTIONS_MAX: Final = 100
KEEP_ALIVE_S: Final = 30.0

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
IP = ipaddress.IPv4Address | ipaddress.IPv6Address
_METADATA: Final = frozenset(map(ipaddress.ip_address, ("fd00:ec2::254", "100.100.100.200", "168.63.129.16")))
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")


class PrivateAddress(OSError):
    """A name leads to an address that is not called."""


class PublicOnly(httpcore.AsyncNetworkBackend):
    """Connects to what `refused_ip` lets through."""

    def __init__(self, scheme: str, allowed: Sequence[Network]) -> None:
        self._scheme = scheme
        self._allowed = allowed
        self._backend: Any = httpcore.AnyIOBackend()  # its class is another where anyio is not there

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = list(dict.fromkeys(str(one[4][0]) for one in found))
        for address in addresses:  # one that is refused spoils the name: who mixes them wants the wrong one called
            ip = ipaddress.ip_address(address.partition("%")[0])
            if because := self._refused(host, ip):
                raise PrivateAddress(f"{host} {because}")
        error: Exception = OSError(f"{host} has no address")
        for address in addresses[:3]:
            try:
                return await self._backend.connect_tcp(address, port, timeout, local_address, socket_options)
            except httpcore.ConnectError as failed:
                error = failed
        raise error

    def _refused(self, host: str, ip: IP) -> str:
        return refused_ip(ip, self._scheme, self._allowed)

    async def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore.AsyncNetworkStream:
        raise PrivateAddress("a socket of this machine is not called")

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class OwnNetworks(PublicOnly):
    """Connects to services of a company's own, wherever they are in its networks, by names of its settings.

    A name that leads to this machine, or to where clouds hand out credentials, was made to: whoever runs the name
    server would be given what only this machine may have. What settings write out as an address they mean, but for the
    latter.
    """

    def __init__(self) -> None:
        super().__init__("https", ())

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        try:
            return await super().connect_tcp(host, port, timeout, local_address, socket_options)
        except PrivateAddress:
            raise
        except OSError as failed:  # a name that nobody knows, most of all
            raise httpcore.ConnectError(str(failed)) from failed

    def _refused(self, host: str, ip: IP) -> str:
        inner = _inner(ip)
        if inner.is_link_local or inner in _METADATA or inner.is_multicast:
            return f"leads to {ip}, where no service is"
        is_meant = host == "localhost" or _is_address(host)
        return "" if is_meant or not (inner.is_loopback or inner.is_unspecified) else f"leads to {ip}, this machine"


def to_own_networks() -> httpx.AsyncHTTPTransport:
    """Return a transport to services of the settings, each connection to an address that was checked."""
    made = httpx.AsyncHTTPTransport()
    made._pool = httpcore.AsyncConnectionPool(  # pyright: ignore[reportPrivateUsage] - it takes no backend otherwise
        ssl_context=httpx.create_ssl_context(), max_connections=CONNECTIONS_MAX, keepalive_expiry=KEEP_ALIVE_S,
        network_backend=OwnNetworks(),
    )  # fmt: skip
    return made


class Caller:
    """Posts to addresses; keeps connections for a while."""

    def __init__(self, allowed: Sequence[Network], ssl_context: ssl.SSLContext | None = None) -> None:
        self.allowed = tuple(allowed)
        self._pools = {
            scheme: httpcore.AsyncConnectionPool(
                ssl_context=ssl_context,
                max_connections=CONNECTIONS_MAX,
                keepalive_expiry=KEEP_ALIVE_S,
                network_backend=PublicOnly(scheme, allowed),
            )
            for scheme in ("http", "https")
        }

    async def post(self, url: str, headers: dict[str, str], body: bytes, limit_s: float) -> tuple[int, str]:
        """Return the status of the answer, and its Retry-After. Raises OSError, httpcore's errors, TimeoutError."""
        pool = self._pools[url.partition(":")[0]]
        timeout = dict.fromkeys(("connect", "read", "write", "pool"), limit_s)
        async with (
            asyncio.timeout(limit_s),
            pool.stream(
                "POST", url, headers=[*headers.items()], content=body, extensions={"timeout": timeout}
            ) as answer,
        ):
            said = dict(answer.headers)
            return answer.status, said.get(b"retry-after", b"").decode("latin-1")

    async def close(self) -> None:
        for pool in self._pools.values():
            await pool.aclose()


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


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


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
