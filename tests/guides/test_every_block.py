"""Each block of shell in the guides is walked, or says where it is tried."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from .test_demo_guides import ON_THE_DEMO, ON_THE_DEMO_IN_CHINESE
from .test_server_guides import BY_THEMSELVES, IN_CHINESE, ON_A_SERVER
from .walk import BLOCK, GUIDES, ROOT

PAGES = sorted(
    [ROOT / "README.md", ROOT / "docs" / "index.md", *GUIDES.glob("*.md"), *(ROOT / "docs/zh").rglob("*.md")]
)
WALKED = {
    *(f"docs/guides/{name}.md" for name in (*ON_THE_DEMO, *BY_THEMSELVES, "company", "closing")),
    *(f"docs/guides/{getattr(name, 'values', (name,))[0]}.md" for name in ON_A_SERVER),
    *(f"docs/zh/guides/{name}.md" for name in (*IN_CHINESE, *ON_THE_DEMO_IN_CHINESE)),
    *("README.md", "docs/zh/README.md"),
}
# How a block begins that no walk runs: what tries it, or why nothing does.
ELSEWHERE = {
    'export PATH="$PWD/.venv/bin:$PATH"': "the walk has commands of its own on the path",
    "make demo": "tests/flows/test_demo.py",
    "isthmus new platform acme && cd acme    #": "tests/app/test_company.py",
    "curl -s http://127.0.0.1:8080/docs/corner/openapi.json": "tests/flows/test_generated_clients.py",
    'pip install "isthmus[data]"': "tests/app/test_company.py lays out the wheel; the index has no Isthmus yet",
    "pip install beancount": "tests/packs/ledger/test_reports.py reads the export with Beancount where it is installed",
    "call invoices.issue-for-order": "tests/flows/test_invoices.py; ids of orders stand as …",
    "createuser isthmus": "tests/guides/test_operate.py; useradd and systemd need root",
    "isthmus client create GROUP": "tests/guides/test_operate.py, tests/gateway/test_prometheus.py; needs a Prometheus",
    "isthmus migrate                      # with the new release": "tests/guides/test_operate.py, tests/upgrade",
    "pg_dump": "tests/flows/test_restored.py",
    "# postgresql.conf": "tests/flows/test_restored.py",
    "createdb restored": "tests/flows/test_restored.py",
    "cp -r /backup/base": "tests/flows/test_restored.py",
    "pip install ./pricing-service": "tests/governance/test_exits.py builds, loads and serves it",
    "isthmus translate acme/packs/loyalty": "tests/cli/test_json.py and the catalogues of every pack",
}


def blocks(page: Path) -> Iterator[tuple[str, str]]:
    """Yield the blocks of shell of a page: what the walk does with it, and its text."""
    yield from ((what, body) for language, what, body in BLOCK.findall(page.read_text()) if language == "sh")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_each_block_of_a_page_is_walked_or_says_where_it_is_tried(page: Path) -> None:
    name = str(page.relative_to(ROOT))
    left = [body for what, body in blocks(page) if not (what and name in WALKED)]
    assert [body for body in left if not body.startswith(tuple(ELSEWHERE))] == []


def test_what_is_tried_elsewhere_is_still_in_a_guide_and_what_tries_it_is_there() -> None:
    every = [body for page in PAGES for _, body in blocks(page)]
    assert [start for start in ELSEWHERE if not any(body.startswith(start) for body in every)] == []
    named = {path for why in ELSEWHERE.values() for path in re.findall(r"tests/[\w/]+(?:\.py)?", why)}
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []
