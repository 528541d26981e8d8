"""What the settings plug in: all that ships, some of it, packs of one's own; what does not fit is said at once."""

from __future__ import annotations

import dataclasses
import importlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from isthmus.app.broken import install
from isthmus.app.config import Config, WrongConfig, load_config
from isthmus.app.forgetting import NAME
from isthmus.app.packs import plugged
from isthmus.app.platform import composed
from isthmus.cli import main_app
from isthmus.data.model.model import read_packs
from isthmus.kernel import FrontEnd, errors
from isthmus.manifest import Headlines
from isthmus.manifest.figures import figure_problems
from tests import shipped

SRC = Path(__file__).resolve().parents[2] / "src" / "isthmus"
PACKS = tuple(sorted(path.parent.name.replace("_", "-") for path in SRC.glob("packs/*/pack.py")))
FLOWS = tuple(sorted(path.parent.name.replace("_", "-") for path in SRC.glob("flows/*/pack.py")))

LOYALTY_API = '''"""Stamps for those who come back."""

from isthmus.kernel import Effect, Value, capability


class Stamp(Value):
    """Ask for a stamp."""

    card: str


class Stamped(Value):
    """How many there are."""

    stamps: int


@capability("stamps.stamp", version="1.0", effect=Effect.READ)
def stamp(ask: Stamp) -> Stamped:
    """Put a stamp on a card."""
    ...
'''
LOYALTY_SERVICE = """from isthmus.kernel import implements

from . import api


@implements(api.stamp)
async def stamp(ask, ctx):
    return api.Stamped(stamps=1)
"""
LOYALTY_PACK = """from isthmus.kernel import Pack

from . import api, service

PACK = Pack(name="stamps", owner="loyalty", api=api, service=(service,), brings=({brings}))
"""


@pytest.fixture
def company(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give a company's folder with a pack of its own in `acmepacks/stamps`."""
    folder = tmp_path / "acmepacks" / "stamps"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").write_text("")
    (folder / "__init__.py").write_text("")
    (folder / "api.py").write_text(LOYALTY_API)
    (folder / "service.py").write_text(LOYALTY_SERVICE)
    (folder / "pack.py").write_text(LOYALTY_PACK.format(brings=""))
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield tmp_path
    for name in [name for name in sys.modules if name.partition(".")[0] == "acmepacks"]:
        del sys.modules[name]


def settings(folder: Path, text: str) -> Config:
    """Return the settings of a file with this text."""
    file = folder / "isthmus.toml"
    file.write_text(text)
    return load_config(file)


def names(config: Config) -> list[str]:
    return sorted(pack.name for pack in plugged(config))


def problems(config: Config) -> list[str]:
    with pytest.raises(errors.BuildProblems) as wrong:
        plugged(config)
    return list(wrong.value.problems)


def test_settings_that_name_no_pack_plug_in_all_that_ships(tmp_path: Path) -> None:
    assert names(settings(tmp_path, "")) == sorted((*PACKS, *FLOWS, NAME))


def test_a_pack_of_ones_own_lies_beside_the_settings_and_is_named_by_its_manifest(company: Path) -> None:
    config = settings(company, '[platform]\npacks = ["isthmus.packs", "acmepacks.stamps.pack:PACK"]')
    packs, release = composed(config, [FrontEnd(code="north", name="N", owner="n", uses=("stamps.*",))])
    assert {pack.name for pack in packs} == {*PACKS, *FLOWS, NAME, "stamps"}
    assert release.line("north").permitted == {"stamps.stamp"}


def test_a_package_stands_for_every_pack_below_it(company: Path) -> None:
    config = settings(company, '[platform]\npacks = ["acmepacks"]\nflows = []')
    assert names(config) == ["stamps"]


def test_shipped_packs_are_named_one_by_one_as_others_are(tmp_path: Path) -> None:
    text = '[platform]\npacks = ["isthmus.packs.catalog.pack:PACK", "isthmus.packs.tax.pack:PACK"]\nflows = []'
    assert names(settings(tmp_path, text)) == ["catalog", "tax"]


LACKING = """
import importlib.abc, os, sys

class Lacking(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in os.environ["LACKING"].split(","):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Lacking())
from isthmus.cli import main
main()
"""


def lacking(folder: Path, library: str) -> str:
    """Return what a command says where a library is not installed."""
    variables = {**os.environ, "LACKING": library, "ISTHMUS_CONFIG": str(folder / "isthmus.toml")}
    command = [sys.executable, "-c", LACKING, "compat"]
    return subprocess.run(command, cwd=folder, env=variables, text=True, capture_output=True, check=False).stderr


def test_a_library_that_is_missing_is_one_sentence_with_the_packs_and_both_lines_to_write(tmp_path: Path) -> None:
    (tmp_path / "isthmus.toml").write_text("")
    assert lacking(tmp_path, "joserfc").splitlines()[1:] == [
        "  1. packs 'account', 'messaging', 'ventures' need the library 'joserfc', which is not installed; "
        'run `pip install joserfc`, or write leave_out = ["account", "messaging", "ventures", "sign-in-mail"] '
        "in [platform]"
    ]
    (tmp_path / "isthmus.toml").write_text(
        '[platform]\nleave_out = ["account", "messaging", "ventures", "sign-in-mail"]'
    )
    assert "joserfc" not in lacking(tmp_path, "joserfc")


def test_a_pack_of_ones_own_that_lacks_a_library_or_does_not_import_takes_no_other_with_it(company: Path) -> None:
    rules = company / "acmepacks" / "stamps" / "rules.py"
    (company / "acmepacks" / "stamps" / "service.py").write_text("from . import rules\n" + LOYALTY_SERVICE)
    rules.write_text("import nosuchlib.inner\n")
    config = settings(company, '[platform]\npacks = ["isthmus.packs", "acmepacks"]')
    assert problems(config) == [
        "pack 'stamps' needs the library 'nosuchlib', which is not installed; run `pip install nosuchlib`, "
        'or write leave_out = ["stamps"] in [platform]'
    ]
    for wrong, said in (
        ("LIMIT = tne\n", "NameError: name 'tne' is not defined"),
        ("def of(:\n", "SyntaxError"),
        ("from . import nothing\n", "cannot import name 'nothing'"),
    ):
        rules.write_text(wrong)
        importlib.invalidate_caches()
        (problem,) = problems(config)
        assert problem.startswith("pack 'stamps' cannot be imported: ")
        assert said in problem
        assert f"{rules}:1" in problem
        assert problem.endswith('fix it, or write leave_out = ["stamps"] in [platform]')
    without = settings(company, '[platform]\npacks = ["isthmus.packs", "acmepacks"]\nleave_out = ["stamps"]')
    assert "stamps" not in names(without)


def test_the_library_of_an_extra_is_installed_by_its_extra() -> None:
    assert install("fpdf") == "`pip install 'isthmus[finance]'`"
    assert install("nosuchlib") == "`pip install nosuchlib`"


def test_flows_that_lack_a_pack_are_refused_with_the_line_to_write(tmp_path: Path) -> None:
    config = settings(tmp_path, '[platform]\nleave_out = ["promotion"]')
    of_budgets, of_checkout, *of_others = problems(config)
    said = (
        "and 'promotion' is not plugged in; take 'promotion' out of leave_out, "
        'or write leave_out = ["promotion", "budgets", "checkout", "renewals", "risk-checks"]'
    )
    uses = "promotion.get-promotion, promotion.hold-promotion, promotion.list-promotions"
    assert of_budgets == f"'budgets' uses {uses}, {said}"
    uses = "promotion.evaluate, promotion.join-members, promotion.redeem, promotion.return-uses"
    assert of_checkout == f"'checkout' uses {uses}, {said}"
    assert [one.partition(" uses checkout.")[0] for one in of_others] == ["'renewals'", "'risk-checks'"]
    left = '[platform]\nleave_out = ["promotion", "budgets", "checkout", "renewals", "risk-checks"]'
    assert "checkout" not in names(settings(tmp_path, left))


def test_all_that_is_wrong_is_said_at_once_front_ends_included(company: Path) -> None:
    text = """
        [platform]
        packs = ["isthmus.packs", "acmepacks.nothing:PACK", "acmepacks.stamps.api:stamp"]
        leave_out = ["tax", "promotions"]
        [settings.order]
        number_block = 0
        [settings.orders]
        number_block = 1
        [providers.payments.acme]
        use = "acmepacks.pay:PAY"
    """
    front_end = FrontEnd(code="north", name="N", owner="n", uses=("tax.*",))
    with pytest.raises(errors.BuildProblems) as wrong:
        composed(settings(company, text), [front_end])
    problems = "\n".join(wrong.value.problems)
    for said in (
        "'acmepacks.nothing:PACK' cannot be plugged in: No module named 'acmepacks.nothing'",
        "'acmepacks.stamps.api:stamp' holds no pack; name a manifest as module:NAME",
        "leave_out names 'promotions', which is not among the packs and flows (did you mean 'promotion'?)",
        "'checkout' uses tax.assess, tax.calculate, and 'tax' is not plugged in",
        "[settings.order]: Expected `int` >= 1 - at `$.number_block`",
        "[settings.orders] is of no pack that has settings (did you mean 'order'?)",
        "[providers.payments] is of nobody (did you mean 'payment'?)",
        "front end 'north' uses 'tax.*', which nobody offers",
    ):
        assert said in problems


COMMANDS = '''import typer


def commands(session):
    app = typer.Typer()

    @app.command()
    def count():
        """Count cards."""
        typer.echo("7 cards")

    @app.command()
    def forget():
        """Forget a card."""

    return app
'''


def test_a_pack_brings_commands_that_stand_beside_the_platforms_own(
    company: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = company / "acmepacks" / "stamps"
    (folder / "commands.py").write_text(COMMANDS)
    brings = 'Commands(name="stamps", help="Cards of stamps.", at="acmepacks.stamps.commands:commands"),'
    text = LOYALTY_PACK.format(brings=brings).replace(
        "from isthmus.kernel import Pack", "from isthmus.kernel import Pack\nfrom isthmus.manifest import Commands"
    )
    (folder / "pack.py").write_text(text)
    settings(company, '[platform]\npacks = ["acmepacks"]\nflows = []')
    monkeypatch.setenv("ISTHMUS_CONFIG", str(company / "isthmus.toml"))
    said = CliRunner().invoke(main_app, ["stamps", "count"])
    assert (said.exit_code, said.output) == (0, "7 cards\n")
    assert "Cards of stamps." in CliRunner(env={"COLUMNS": "150"}).invoke(main_app, ["--help"]).output
    (company / "isthmus.toml").write_text("[platform]\nflows = []")
    assert CliRunner().invoke(main_app, ["stamps", "count"]).exit_code == 2


def test_commands_that_a_manifest_does_not_write_out_are_refused(company: Path) -> None:
    brings = 'Commands(name="stamps", help="Cards of stamps.", at=PLACE),'
    imports = 'from isthmus.kernel import Pack\nfrom isthmus.manifest import Commands\n\nPLACE = "a:b"'
    text = LOYALTY_PACK.format(brings=brings).replace("from isthmus.kernel import Pack", imports)
    (company / "acmepacks" / "stamps" / "pack.py").write_text(text)
    (problem,) = problems(settings(company, '[platform]\npacks = ["acmepacks"]\nflows = []'))
    assert problem.startswith("no manifest writes out the commands 'stamps' at 'a:b', and help reads manifests as text")


def test_a_manifest_that_brings_what_nothing_reads_is_refused(company: Path) -> None:
    (company / "acmepacks" / "stamps" / "pack.py").write_text(LOYALTY_PACK.format(brings='"a page",'))
    (problem,) = problems(settings(company, '[platform]\npacks = ["acmepacks"]\nflows = []'))
    assert problem.startswith("pack 'stamps' brings a str, which nothing reads; what is read is ")


@pytest.mark.parametrize("text", ['packs = "isthmus.packs"', "leave_out = [1]", "pack = []"])
def test_settings_of_another_shape_are_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(WrongConfig):
        settings(tmp_path, f"[platform]\n{text}")


def test_a_reference_to_what_a_plugged_pack_does_not_have_is_still_a_mistake() -> None:
    order = next(pack for pack in shipped.PACKS if pack.name == "order")
    member = next(pack for pack in shipped.PACKS if pack.name == "member")
    with pytest.raises(errors.BuildProblems, match="which is no entity"):
        read_packs([order, dataclasses.replace(member, entities=())])


@pytest.mark.parametrize("given", ["0", '"many"', "1.5", "true", "70000"])
def test_how_many_connections_an_address_may_have_is_a_number_or_refused(tmp_path: Path, given: str) -> None:
    file = tmp_path / "isthmus.toml"
    file.write_text(f"[server]\nconnections_per_address = {given}\n")
    with pytest.raises(WrongConfig, match=r"connections_per_address = .*; give a whole number from 1 to 65536"):
        load_config(file)
    file.write_text("[server]\nconnections_per_address = 64\n")
    assert load_config(file).connections_per_address == 64


def test_a_headline_that_is_no_metric_of_its_pack_is_refused_with_the_nearest() -> None:
    (sold,) = (pack for pack in shipped.PACKS if pack.name == "order")
    assert list(figure_problems(sold)) == []
    wrong = dataclasses.replace(sold, brings=(Headlines(metrics=("order.orders", "order.sale")),))
    assert list(figure_problems(wrong)) == [
        "headline 'order.sale' of 'order' is none of its metrics (did you mean 'order.sales'?); correct it"
    ]


FRONT_END = """from isthmus.kernel import FrontEnd
from isthmus.products.{module} import {name}

FRONT_END = FrontEnd(code="north", name="N", owner="n", uses=("catalog.*",), products=({name},))
"""


def with_product(folder: Path, module: str, products: str) -> Config:
    """Return settings that name products, beside a front end that switches one on."""
    place = folder / "front_ends" / "north"
    place.mkdir(parents=True)
    (place / "front_end.py").write_text(FRONT_END.format(module=module, name=module.upper()))
    return settings(folder, f"[platform]\n{products}")


@pytest.mark.parametrize("products", ["", 'products = ["isthmus.products"]', 'products = ["isthmus.products.presale"]'])
def test_a_front_end_switches_on_products_that_the_settings_name_or_any_where_they_name_none(
    tmp_path: Path, products: str
) -> None:
    _, release = composed(with_product(tmp_path, "presale", products))
    assert [one.name for one in release.lines["north"].front_end.products] == ["presale"]


def test_a_product_that_the_settings_do_not_name_is_refused_with_what_to_write(tmp_path: Path) -> None:
    config = with_product(tmp_path, "presale", 'products = ["isthmus.products.wholesale:WHOLESALE"]')
    with pytest.raises(errors.BuildProblems) as wrong:
        composed(config)
    assert list(wrong.value.problems) == [
        "front end 'north' switches on product 'presale', which products in [platform] does not name; "
        "add 'isthmus.products.presale' there, or take the product out of the front end's manifest"
    ]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("isthmus.products.nothing", "No module named 'isthmus.products.nothing'"),
        ("isthmus.products.presale:NOTHING", "has no attribute 'NOTHING'"),
        ("isthmus.products.presale:answers", "is no product; name one as module:NAME"),
        ("isthmus.values", "is no product; name one as module:NAME"),
    ],
)
def test_a_product_that_is_not_there_is_said_at_start(tmp_path: Path, name: str, said: str) -> None:
    (problem,) = problems(settings(tmp_path, f'[platform]\nproducts = ["{name}"]'))
    assert said in problem


def test_a_misspelt_product_is_said_beside_the_front_end_that_needs_it(tmp_path: Path) -> None:
    config = with_product(tmp_path, "presale", 'products = ["isthmus.products.pressale"]')
    with pytest.raises(errors.BuildProblems) as wrong:
        composed(config)
    missing, unnamed = wrong.value.problems
    assert "product 'isthmus.products.pressale' cannot be plugged in" in missing
    assert "add 'isthmus.products.presale' there" in unnamed
