"""Products as CSV: what is exported is imported as it was, and each line is answered."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.packs.catalog import api
from isthmus.packs.catalog.rules import csv_lines

from .conftest import Shop, category, product

HEADER = "code,title,category,sku,weight_grams,is_returnable,product.origin,sku.size\n"


async def imported(shop: Shop, text: str) -> api.CsvReport:
    return await shop.platform.call(api.import_csv, api.ImportCsv(csv=text), shop.caller)


async def exported(shop: Shop, limit: int = 1000) -> list[str]:
    pages: list[str] = []
    cursor = None
    while True:
        page = await shop.platform.call(api.export_csv, api.ExportCsv(limit=limit, cursor=cursor), shop.caller)
        pages.append(page.csv)
        if (cursor := page.next_cursor) is None:
            return pages


async def test_each_line_is_answered_and_what_is_wrong_keeps_none_of_the_others(shop: Shop) -> None:
    await shop.categories(category("rings", None, api.AttributeRule(name="size", is_required=True)))
    await shop.imports(product("old"), product("other"))
    report = await imported(
        shop,
        HEADER
        + 'a,"Green, fine",tea,a-1,100,,China,S\n'
        + 'a,"Green, fine",tea,a-2,250,,China,L\n'
        + "b,Ring,rings,b-1,5,no,,\n"  # its category demands a size
        + "c,Lost,nowhere,c-1,5,,,\n"
        + "d,Heavy,tea,d-1,much,,,\n"
        + "e,One,tea,e-1,1,,,\n"
        + "e,Two,tea,e-2,1,,,\n"
        + "f,Foreign,tea,other,1,,,\n"  # the SKU is another product's
        + "old,Old,tea,old,0,,,\n"
        + "g,Last,tea,g-1,1,,,\n",
    )
    assert [(one.line, one.code, one.outcome) for one in report.lines] == [
        (2, "a", "created"),
        (3, "a", "created"),
        (4, "b", "refused"),
        (5, "c", "refused"),
        (6, "d", "refused"),
        (7, "e", "refused"),
        (8, "e", "refused"),
        (9, "f", "refused"),
        (10, "old", "unchanged"),
        (11, "g", "created"),
    ]
    assert (report.created, report.replaced, report.unchanged, report.refused) == (2, 0, 1, 5)
    reasons = {one.code: one.reason for one in report.lines}
    assert "size" in reasons["b"]
    assert "there is no category 'nowhere'" in reasons["c"]
    assert "weight_grams is 'much', and not a whole number" in reasons["d"]
    assert "line 8 says another title of the product than line 7" in reasons["e"]
    assert "SKU 'other' belongs to another product" in reasons["f"]
    await shop.publish("a-1", "a-2", "g-1")
    assert await shop.found() == ["a-1", "a-2", "g-1"]


async def test_what_is_exported_page_by_page_is_imported_without_a_change(shop: Shop) -> None:
    await shop.imports(
        product("assam", attributes={"origin": "India"}, description='He said "hot",\nand left.', is_returnable=False),
        product(
            "sencha", variants=(api.Variant(sku="s-1", attributes={"size": "S"}), api.Variant(sku="s-2", unit="gram"))
        ),
        product("zwieback", title="Zwieback, süß", brand="Größe"),
    )
    pages = await exported(shop, limit=2)
    assert len(pages) == 2
    for page in pages:
        report = await imported(shop, page)
        assert {one.outcome for one in report.lines} == {"unchanged"}
    again = await imported(shop, pages[0].replace("India", "Nepal"))
    assert (again.replaced, again.unchanged) == (1, 1)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "its header has no code, title, category, sku"),
        ("code;title;category;sku\n", "its header has no code"),
        ("code,title,category,sku,colour\n", "its header has 'colour'"),
        ('code,title,category,sku\na,"Tea,tea,a\n', "cannot be read"),
    ],
)
async def test_what_is_no_csv_of_products_is_refused_as_a_whole(shop: Shop, text: str, reason: str) -> None:
    with pytest.raises(api.BadCsv, match=reason):
        await imported(shop, text)


words = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=12).map(str.strip)


@given(
    st.lists(
        st.builds(
            lambda code, title, brand, returnable, own: product(
                code, title=title, brand=brand, is_returnable=returnable, attributes=own
            ),
            st.from_regex(r"[a-z][a-z0-9-]{0,6}", fullmatch=True),
            words.filter(bool),
            words,
            st.booleans(),
            st.dictionaries(st.sampled_from(["origin", "taste"]), words.filter(bool), max_size=2),
        ),
        max_size=5,
        unique_by=lambda one: one.code,
    )
)
def test_any_products_are_read_from_what_was_written_of_them(drafts: list[api.ProductDraft]) -> None:
    found = csv_lines.read(csv_lines.written(drafts))
    assert [one.draft for one in found.values()] == drafts
