"""Where adopted services may be: in a company's own networks; not on this machine, nor where clouds keep keys."""

from __future__ import annotations

import ipaddress
import socket
from typing import Any
from urllib.parse import urlsplit

import pytest

from isthmus.manifest.public_connections import OwnNetworks
from isthmus.runtime.adopt.request import Operation
from isthmus.runtime.adopt.service import Auth, Service, ServiceDown

from .test_adopt_carried import Old
from .test_adopt_carried import old as old

ITEM = Operation(
    method="GET", path="/items/{id}", places={"id": "path"}, joined=frozenset(), body="", is_wrapped=False
)  # fmt: skip


def _leads_to(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    """Have every name lead there, as whoever runs the name server can."""

    def found(host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        at = [host] if host[:1].isdigit() else addresses
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in at]

    monkeypatch.setattr(socket, "getaddrinfo", found)


async def _ask(url: str) -> bytes:
    service = Service(name="old", url=url, auth=Auth(kind="none"))
    return await service.call(ITEM, {"id": "1"}, "k", 5, "north")


@pytest.mark.parametrize("addresses", [("127.0.0.1",), ("169.254.169.254",), ("10.0.0.9", "127.0.0.1"), ("0.0.0.0",)])
async def test_a_name_that_leads_to_this_machine_or_to_credentials_is_not_called(
    old: tuple[Old, str], monkeypatch: pytest.MonkeyPatch, addresses: tuple[str, ...]
) -> None:
    _leads_to(monkeypatch, *addresses)
    with pytest.raises(ServiceDown, match="is not called: erp.example leads to"):
        await _ask(f"http://erp.example:{urlsplit(old[1]).port}")
    assert old[0].heads == []


async def test_an_address_that_settings_write_out_is_meant(old: tuple[Old, str]) -> None:
    assert await _ask(old[1]) == b"1"


@pytest.mark.parametrize("url", ["http://169.254.169.254/latest", "http://[fd00:ec2::254]/latest"])
async def test_credentials_of_a_cloud_are_fetched_by_no_address_either(url: str) -> None:
    with pytest.raises(ServiceDown, match="is not called"):
        await _ask(url)


@pytest.mark.parametrize(
    ("address", "is_called"),
    [
        ("10.1.2.3", True), ("192.168.7.7", True), ("fd12::1", True), ("93.184.216.34", True),
        ("::1", False), ("::ffff:127.0.0.1", False), ("64:ff9b::a9fe:a9fe", False), ("fe80::1", False),
        ("224.0.0.1", False), ("100.100.100.200", False),
    ],
)  # fmt: skip
def test_what_a_name_may_lead_to(address: str, is_called: bool) -> None:
    assert (OwnNetworks()._refused("erp.example", ipaddress.ip_address(address)) == "") == is_called


async def test_a_name_that_nobody_knows_is_a_service_that_is_down_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    def found(*_: Any, **__: Any) -> list[Any]:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", found)
    service = Service(name="old", url="http://erp.example", auth=Auth(kind="none"))
    with pytest.raises(ServiceDown):
        await service.call(ITEM, {"id": "1"}, "k", 1, "north")
    assert service._breakers[""].failures > 0
