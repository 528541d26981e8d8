"""The manifest of settlement."""

from isthmus.kernel import Condition, Pack
from isthmus.manifest import Idempotent, Page, Personal, Within

from . import api, entities
from .service import payees, settlements

PAGES = "isthmus.packs.settlement.pages"

PACK = Pack(
    name="settlement",
    owner="finance",
    api=api,
    service=(payees, settlements),
    migrations="isthmus.packs.settlement:migrations",
    entities=entities.ENTITIES,
    metrics=entities.METRICS,
    brings=(
        Within(
            kind="seller",
            capabilities=(
                api.list_settlements,
                api.get_settlement,
                api.get_statement,
                api.list_items,
                api.list_payees,
            ),
        ),
        Idempotent(
            calls=(api.note_due,), because="an item is known by its reference, and one that is known stays as it is"
        ),
        Personal(because="payees are businesses, and an item names an order and no person"),
        Page(
            path="/settlements",
            menu="Settlements",
            group="Finance",
            at=f"{PAGES}:show_list",
            template="settlements.html",
            needs=api.list_settlements,
        ),
        Page(
            path="/settlements",
            at=f"{PAGES}:draw_up",
            template="settlements.html",
            needs=api.list_settlements,
            is_form=True,
        ),
        Page(
            path="/settlements/{front_end}/{settlement_id}",
            at=f"{PAGES}:show_one",
            template="settlement.html",
            needs=api.list_settlements,
        ),
        Page(
            path="/settlements/{front_end}/{settlement_id}",
            at=f"{PAGES}:act",
            template="settlement.html",
            needs=api.list_settlements,
            is_form=True,
        ),
    ),
    conditions=(
        Condition(
            name="settlement.items-add-up",
            sentence="A settlement is the sum of its items, and of what was carried into it.",
            sql="""select s.front_end, s.settlement_id, credit_minor + debit_minor as said, summed, carried_in_minor,
                       carried from settlement.settlement s cross join lateral (
                       select coalesce(sum(amount_minor), 0) as summed, count(*) as found from settlement.item i
                       where i.front_end = s.front_end and i.settlement_id = s.settlement_id) as own
                   cross join lateral (
                       select coalesce(sum(carried_minor), 0) as carried from settlement.settlement b
                       where b.front_end = s.front_end and b.carried_to = s.settlement_id) as before
                   where s.state <> 'cancelled' and (credit_minor + debit_minor, items, carried_in_minor)
                       is distinct from (summed, found, carried) limit 20""",
        ),
        Condition(
            name="settlement.cancelled-settles-nothing",
            sentence="A settlement that was cancelled has no items, and carries nothing.",
            sql="""select s.front_end, s.settlement_id from settlement.settlement s where state = 'cancelled' and (
                       exists (select from settlement.item i
                               where i.front_end = s.front_end and i.settlement_id = s.settlement_id)
                       or exists (select from settlement.settlement b
                               where b.front_end = s.front_end and b.carried_to = s.settlement_id))
                   limit 20""",
        ),
        Condition(
            name="settlement.files-are-what-was-sent",
            sentence="A payout file has each settlement that was sent with it, and no more than that.",
            sql="""select f.front_end, f.file_id, f.total_minor, sum(s.payout_minor) as sent
                   from settlement.payout_file f left join settlement.settlement s
                       on s.front_end = f.front_end and s.file_id = f.file_id
                   group by f.front_end, f.file_id, f.total_minor, f.payouts
                   having (f.total_minor, f.payouts::bigint) is distinct from (sum(s.payout_minor), count(s))
                   limit 20""",
        ),
    ),
)
