"""What staff do at the console's pages is in the audit log, where an auditor reads it; what they were refused too."""

from __future__ import annotations

import httpx

from tests.waiting import until

from .conftest import Served
from .test_dead_letters import DEAD


async def test_acts_of_no_single_front_end_are_seen_on_the_audit_log_page(served: Served) -> None:
    async with served.shop.database.platform() as session:
        await session.execute(DEAD)
    async with httpx.AsyncClient(base_url=f"{served.address}/", timeout=30, follow_redirects=True) as owner:
        await served.sign_in(owner)
        assert (await owner.post("dead-letters", data={"front_end": "north"})).status_code == 200
        assert (await owner.post("quality/land", data={})).status_code == 200
    async with httpx.AsyncClient(base_url=f"{served.address}/", timeout=30) as support:
        await served.sign_in(support, "support")
        assert (await support.post("dead-letters", data={"front_end": "north"})).status_code == 403
    async with httpx.AsyncClient(base_url=f"{served.address}/", timeout=30) as auditor:
        await served.sign_in(auditor, "auditor")
        for query in ("capability=events.resend&outcome=done", "capability=data.write", "outcome=refused"):
            await _is_read(auditor, query)


async def _is_read(auditor: httpx.AsyncClient, query: str) -> None:
    """Wait until the entry is sealed, a moment after the act."""

    async def look() -> bool:
        page = await auditor.get(f"audit?front_end=*&{query}")
        return page.status_code == 200 and "<td>console" in page.text

    await until(look, query)


async def test_an_entry_shows_what_a_field_was_before_and_is_after(served: Served) -> None:
    for name in ("Drinks", "Hot drinks"):
        await served.call("catalog.put-categories", {"categories": [{"code": "drinks", "name": name}]})
    async with httpx.AsyncClient(base_url=f"{served.address}/", timeout=30) as auditor:
        await served.sign_in(auditor, "auditor")

        async def look() -> bool:
            page = await auditor.get("audit?front_end=north&capability=catalog.put-categories")
            return '<dt>name</dt><dd><code>"Drinks"</code> → <code>"Hot drinks"</code></dd>' in page.text

        await until(look, "what the name was and is")


async def test_who_has_a_role_at_one_front_end_only_reads_nothing_of_all(served: Served) -> None:
    async with httpx.AsyncClient(base_url=f"{served.address}/", timeout=30) as auditor:
        await served.sign_in(auditor, "auditor", "north")
        assert (await auditor.get("audit?front_end=*")).status_code == 403
        assert (await auditor.get("audit?front_end=north")).status_code == 200
