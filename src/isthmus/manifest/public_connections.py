"""Connections to addresses that others gave, and to services of a company's own: to addresses that were checked.

The name is resolved here and the connection made to an address that was checked, so that no second look-up can lead
elsewhere.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Iterable, Sequence
from typing import Any, Final

import httpcore
import httpx

from .public_addresses import IP, METADATA, Network, PrivateAddress, inner_ip, is_address, refused_ip

CONNECTIONS_MAX: Final = 100
KEEP_ALIVE_S: Final = 30.0


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
        inner = inner_ip(ip)
        if inner.is_link_local or inner in METADATA or inner.is_multicast:
            return f"leads to {ip}, where no service is"
        is_meant = host == "localhost" or is_address(host)
        return "" if is_meant or not (inner.is_loopback or inner.is_unspecified) else f"leads to {ip}, this machine"


def to_own_networks() -> httpx.AsyncHTTPTransport:
    """Return a transport to services of the settings, each connection to an address that was checked."""
    made = httpx.AsyncHTTPTransport()
    made._pool = httpcore.AsyncConnectionPool(  # pyright: ignore[reportPrivateUsage] - it takes no backend otherwise
        ssl_context=httpx.create_ssl_context(), max_connections=CONNECTIONS_MAX, keepalive_expiry=KEEP_ALIVE_S,
        network_backend=OwnNetworks(),
    )  # fmt: skip
    return made


def public_only(
    scheme: str, allowed: Sequence[Network], ssl_context: ssl.SSLContext | None
) -> httpcore.AsyncConnectionPool:
    """Return connections to public addresses, and to those that are allowed all the same."""
    return httpcore.AsyncConnectionPool(
        ssl_context=ssl_context,
        max_connections=CONNECTIONS_MAX,
        keepalive_expiry=KEEP_ALIVE_S,
        network_backend=PublicOnly(scheme, allowed),
    )
