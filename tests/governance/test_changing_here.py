"""On a clone of this repository the tool lifts a branch, sinks a copy, brings a seam and takes a pack out.

What is lifted and sunk is planted: a branch of pricing that one front end alone takes and that names nobody, and a copy
of a product's answer under another name. All else is the repository's own.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parents[2]
BRANCH = """\
    if line.sku.startswith("wine"):  # the bottle is paid for, and comes back
        amount = amount + money(DEPOSIT, amount.currency)
"""
COPY = '''

@answers(pricing.adjust_unit_price, when={"channel": REMOTE})
def card_price(lines: Sequence[pricing.ListedLine], buyer: Buyer) -> Sequence[pricing.UnitPrice | Pass]:
    """Sell to who has a card of ours for less."""
    if buyer.tier == "":
        return [PASS for _ in lines]
    kept = {"silver": Fraction(97, 100), "gold": Fraction(92, 100)}.get(buyer.tier, Fraction(98, 100))
    found: list[pricing.UnitPrice | Pass] = []
    for line in lines:
        why = f"{buyer.tier} member"
        price = pricing.UnitPrice(amount=line.amount.times(kept), per=line.per, by="member price", reason=why)
        found.append(PASS if line.sale_amount is not None else price)
    return found
'''
SEAM = '''

@answers("pricing.round-shelf-amount", at="pricing.priced-line")
def whole_cents(shelf: Money, line: pricing.ListedLine) -> Money:
    """Show what stands on the shelf in steps of five: labels are printed so."""
    return Money(minor=shelf.minor // 5 * 5, currency=shelf.currency)
'''
RECORD = """
import asyncio
from datetime import UTC, datetime
from isthmus.app.config import load_config
from isthmus.app.platform import running
from isthmus.kernel import Caller
from isthmus.packs.pricing import api
from isthmus.values import Buyer

GOODS = ("tea", "milk", "wine-red")


async def main():
    async with running(load_config(), allowed="migrate") as at:
        for code in ("brand", "fresh", "market"):
            caller = Caller(front_end=code, client="office")
            since = datetime(2026, 1, 1, tzinfo=UTC)
            prices = [api.PriceEntry(sku=sku, currency="USD", amount=313, valid_from=since) for sku in GOODS]
            await at.platform.call(api.put_prices, api.PutPrices(prices=tuple(prices)), caller)
            for number in range(230):
                skus = ["tea", "milk", *(["wine-red"] if code == "fresh" and number % 3 == 0 else [])]
                lines = tuple(api.QuoteLine(sku=sku, quantity=1 + number % 7) for sku in skus)
                buyer = Buyer(tier=("gold", "silver", "regular")[number % 3])
                await at.platform.call(api.quote, api.QuoteLines(lines=lines, currency="USD", buyer=buyer), caller)


asyncio.run(main())
"""


class Clone:
    """A clone of the repository with what is planted, and its recorded calls."""

    def __init__(self, folder: Path, beside: Path, url: str) -> None:
        self.folder = folder
        self._environment = {
            **os.environ, "ISTHMUS_DATABASE_URL": url, "PYTHONPATH": f"{folder / 'src'}{os.pathsep}{folder}",
        }  # fmt: skip
        self._environment.pop("ISTHMUS_CONFIG", None)
        subprocess.run(["git", "clone", "-q", "--no-hardlinks", str(HERE), str(folder)], check=True)
        self._plant()
        record = beside / "record.py"
        record.write_text(RECORD)
        self.run(sys.executable, str(record))

    def run(self, *command: str) -> str:
        done = subprocess.run(
            command, cwd=self.folder, env=self._environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def isthmus(self, *arguments: str) -> str:
        return self.run(sys.executable, "-m", "isthmus.cli", *arguments)

    def shown(self, branch: str, commits: int = 1) -> str:
        return self.run("git", "log", "-p", f"-{commits}", branch)

    def checked(self, branch: str, *tests: str) -> None:
        """Run tests on a branch, and what looks at its style and types of imports."""
        self.run("git", "checkout", "-q", branch)
        self.run(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests)
        self.run(sys.executable, "-m", "ruff", "check", "-q", "src", "front_ends", "tests/packs/pricing")
        self.run("git", "checkout", "-q", "-")

    def _plant(self) -> None:
        rules = self.folder / "src/isthmus/packs/pricing/rules.py"
        begins = "    return api.PricedLine(\n        sku=line.sku,\n        quantity=line.quantity,\n        list_"
        text = rules.read_text().replace(begins, BRANCH + begins, 1)
        rules.write_text(text.replace("CHARGED_MAX =", "DEPOSIT = 25  # minor units\nCHARGED_MAX =", 1))
        market, fresh = self.folder / "front_ends/market", self.folder / "front_ends/fresh"
        _append(market / "answers.py", COPY)
        manifest = market / "front_end.py"
        text = manifest.read_text().replace(
            "        answers.wishes_are_kept,", "        answers.wishes_are_kept,\n        answers.card_price,"
        )
        text = text.replace(
            "import GROUP_BUY, best_one_only, from_one_place",
            "import GROUP_BUY, best_one_only, from_one_place, group_price",
        )
        text = text.replace(
            "from isthmus.packs.promotion",
            "from isthmus.packs.pricing import api as pricing\nfrom isthmus.packs.promotion",
            1,
        )
        manifest.write_text(
            text.replace(
                "    order={\n", "    order={\n        pricing.adjust_unit_price: (group_price, answers.card_price),\n"
            )
        )
        _append(fresh / "answers.py", SEAM)
        _append(self.folder / "isthmus.toml", "\n[record]\nshare = 1.0\n")
        self.run("git", "add", ".")
        self.run("git", "-c", "user.name=a", "-c", "user.email=a@localhost", "commit", "-qm", "Plant")


@pytest.fixture
def clone(database_url: str, tmp_path: Path) -> Clone:
    return Clone(tmp_path / "isthmus", tmp_path, database_url)


@pytest.mark.slow
def test_a_branch_that_names_nobody_is_found_lifted_and_answers_as_before(clone: Clone) -> None:
    line = next(
        at for at, text in enumerate((clone.folder / "src/isthmus/packs/pricing/rules.py").read_text().splitlines(), 1)
        if "wine" in text
    )  # fmt: skip
    place = f"isthmus/packs/pricing/rules.py:{line}"
    assert f"{place}: priced_line was called" in clone.isthmus("thin", "--all")
    said = clone.isthmus("thin", "lift", place, "--as", "pricing.charge-bottle")
    for code in ("brand", "fresh", "market"):
        assert f"{code}: 231 recorded calls, as before" in said
    patch = clone.shown("lift/pricing.charge-bottle")
    for wanted in (
        '-    if line.sku.startswith("wine"):  # the bottle is paid for, and comes back\n',
        "+    amount = charge_bottle(amount, line)\n",
        "+@answers(pricing.charge_bottle)\n",
        '+    """The bottle is paid for, and comes back."""\n',
        "+DEPOSIT = 25  # minor units\n",
        "-DEPOSIT = 25  # minor units\n",
        "+        answers.own_amount,\n",
        '+@extension_point("pricing.charge-bottle", combine=combine.first_answer)\n',
    ):
        assert wanted in patch, patch
    clone.checked("lift/pricing.charge-bottle", "front_ends/fresh", "tests/packs/pricing/test_rules.py")


@pytest.mark.slow
def test_a_copy_of_a_products_answer_is_proved_and_says_what_the_product_says(clone: Clone) -> None:
    found = clone.isthmus("thin", "sink")
    assert "sink: market.card_price says what member-price.member_price says on pricing.adjust-unit-price" in found
    said = clone.isthmus("thin", "sink", "pricing.adjust-unit-price")
    assert "market: 231 recorded calls, as before" in said
    patch = clone.shown("sink/card-price")
    assert "+    return member_price(lines, buyer)\n" in patch
    assert "+from isthmus.products.member_price import member_price\n" in patch
    assert '@answers(pricing.adjust_unit_price, when={"channel": REMOTE})' in patch
    assert sum(line.startswith("+") and not line.startswith("+++") for line in patch.splitlines()) == 2
    clone.checked("sink/card-price", "front_ends/market")


@pytest.mark.slow
def test_a_front_end_brings_its_own_seam_and_nobodys_result_changes(clone: Clone) -> None:
    said = clone.isthmus("seam", "fresh")
    before, after = said.split("Answer pricing.round-shelf-amount")
    assert "fresh: 231 recorded calls, as before" in before
    assert re.search(r"fresh: 231 recorded calls, \d+ come out otherwise", after)
    assert "market: 231 recorded calls, as before" in after
    patch = clone.shown("seam/pricing.round-shelf-amount", 2)
    assert "+    shelf = round_shelf_amount(shelf, line)\n" in patch
    assert "+@answers(pricing.round_shelf_amount)\n" in patch
    clone.checked("seam/pricing.round-shelf-amount", "tests/packs/pricing/test_rules.py", "front_ends/market")


@pytest.mark.slow
def test_pricing_leaves_this_platform_and_answers_every_recorded_call_as_before(clone: Clone) -> None:
    said = clone.isthmus("eject", "pricing", "--check", "--json")
    assert '"ended":"green","calls":600' in said, "two hundred of each front end"


def _append(file: Path, text: str) -> None:
    file.write_text(file.read_text() + text)
