"""Versions of a capability's contract: what was served when, what changed, who called which."""

from __future__ import annotations

from typing import Any

from playwright.async_api import Page, expect

from isthmus.console.pages.contract_history import ContractHistory
from isthmus.governance import served
from isthmus.governance.contracts import CapabilityContract, Contracts
from isthmus.store import Database

from .conftest import Served, eventually

TEXT: dict[str, Any] = {"type": "string"}
RECORDED = """
insert into runtime.recorded_call
    (call_id, front_end, capability, version, box, fingerprint, recorded_at, took_us, error, story)
select 'c' || n, case when n = 3 then 'south' else 'north' end, 'shop.buy', case when n = 3 then '2.0' else '1.0' end,
    'north', '', now(), 1, '', '{}' from generate_series(1, 3) n"""


def contracts(version: str, ask: dict[str, Any], *errors: str, other: str = "1.0") -> Contracts:
    def capability(version: str, ask: dict[str, Any], errors: tuple[str, ...]) -> CapabilityContract:
        schema = {"type": "object", "properties": ask, "required": list(ask)}
        return CapabilityContract(version=version, effect="write", ask=schema, answer={"type": "object"}, errors=errors)

    both = {"shop.buy": capability(version, ask, errors), "shop.look": capability(other, {}, ())}
    return Contracts(capabilities=both, points={}, events={}, schemas={})


async def test_each_edition_says_what_changed_and_who_called_its_version(database: Database) -> None:
    for one in (
        contracts("1.0", {"sku": TEXT}, "shop.sold-out"),
        contracts("1.0", {"sku": TEXT}, "shop.sold-out", other="1.1"),  # shop.buy is as it was
        contracts("1.1", {"sku": TEXT}, "shop.closed"),
        contracts("2.0", {"sku": TEXT, "reason": TEXT}, "shop.closed"),
    ):
        await served.remember(database, one)
    async with database.platform() as session:
        await session.execute(RECORDED)
    history = ContractHistory(database)
    second, more, first = await history.of("shop.buy")
    assert [one.version for one in (second, more, first)] == ["2.0", "1.1", "1.0"]
    assert first.is_first
    assert first.since < first.until < more.since
    assert (more.new_errors, more.lost_errors, more.changes) == (("shop.closed",), ("shop.sold-out",), ())
    assert [(one.rule, one.path, one.is_breaking, one.is_declared) for one in second.changes] == [
        ("ask-field-required", "$.reason", True, True)
    ]
    assert [(one.front_end, one.calls) for one in first.consumers] == [("north", 2)]
    assert [(one.front_end, one.calls) for one in second.consumers] == [("south", 1)]
    assert await history.of("shop.sell") == []
    assert [one.version for one in await history.of("shop.look")] == ["1.0", "1.1", "1.0"]


async def test_the_page_of_a_capability_has_its_versions_and_who_uses_which(page: Page, served: Served) -> None:
    await served.sell("tea")
    await page.goto(f"{served.address}/capabilities/checkout.place-order")
    versions = page.get_by_role("region", name="Versions of the contract")
    await eventually(page, versions.get_by_role("link").filter(has_text="north"))
    row = versions.locator("tbody tr")
    await expect(row).to_have_count(1)
    await expect(row).to_contain_text("live")
    await expect(row).to_contain_text("first kept")
