"""The manifest of the books."""

from isthmus.kernel import Condition, Pack
from isthmus.manifest import Commands, Every, Job, Page, Search

from . import api, entities
from .service import accounts, claims, entries, reports

PAGES = "isthmus.packs.ledger.pages"

PACK = Pack(
    name="ledger",
    owner="finance",
    api=api,
    service=(accounts, claims, entries, reports),
    migrations="isthmus.packs.ledger:migrations",
    entities=entities.ENTITIES,
    metrics=entities.METRICS,
    brings=(
        # a balance is summed from at most so many seconds of legs
        Job(name="ledger.fold", when=Every(seconds=5), calls=api.fold),
        Job(name="ledger.expire-pending", when=Every(seconds=15), calls=api.expire_pending),
        Job(name="ledger.take-claims", when=Every(seconds=15), calls=api.take_claims),
        Commands(
            name="ledger",
            help="The books of a front end.",
            at="isthmus.packs.ledger.commands:commands",
            over="platform",
        ),
        *(
            Page(path=path, menu=menu, group="Finance", at=f"{PAGES}:{make}", template=template, needs=needs)
            for path, menu, make, template, needs in (
                ("/accounts", "Accounts", "show_accounts", "accounts.html", api.list_accounts),
                ("/entries", "Entries", "show_entries", "entries.html", api.list_entries),
                ("/trial-balance", "Trial balance", "show_trial", "trial.html", api.trial_balance),
                ("/group-books", "Books of the group", "show_group", "group.html", api.trial_balance),
            )
        ),
        Search(at=f"{PAGES}:find", needs=api.list_entries),
    ),
    conditions=(
        Condition(
            name="ledger.claims-are-noted",
            sentence="What a front end has booked on accounts of another is noted there, where books are kept.",
            sql="""select claim.front_end, other, entry_id, account, currency, amount, claimed_at from ledger.claim
                   join ledger.book on book.front_end = other
                   where noted_at is null and claimed_at < now() - interval '1 hour' order by claimed_at limit 20""",
        ),
        Condition(
            name="ledger.entries-balance",
            sentence="The legs of each entry add up to zero, in each currency.",
            sql="""select front_end, entry_id, currency, sum(amount) as difference from ledger.leg
                   group by front_end, entry_id, currency, layer = '=' having sum(amount) <> 0 limit 20""",
        ),
        Condition(
            name="ledger.balances-are-sums",
            sentence="What stands on an account is the sum of its legs.",
            sql="""select account.front_end, code, owner, currency, summed, legs from ledger.account
                   join ledger.book on book.front_end = account.front_end cross join lateral (
                       select coalesce((select posted from ledger.balance
                               where balance.account_id = account.account_id), 0)
                           + coalesce(sum(amount) filter (where layer = '='
                               and (xid >= folded or xid = any (unsummed))), 0) as summed,
                           coalesce(sum(amount) filter (where layer = '='), 0) as legs
                       from ledger.leg where leg.account_id = account.account_id) as found
                   where summed <> legs limit 20""",
        ),
        Condition(
            name="ledger.numbers-go-on",
            sentence="What is summed up ends before transactions to come: see Restore in the guide for operators.",
            sql="""select front_end, folded, next from ledger.book cross join (
                       select pg_snapshot_xmax(pg_current_snapshot())::text::bigint as next) as server
                   where folded > next limit 20""",
        ),
        Condition(
            name="ledger.days-are-sums",
            sentence="What an account has by day is what stands on it.",
            sql="""select balance.front_end, account_id, posted, sum(debit - credit) as days from ledger.balance
                   left join ledger.day using (account_id) group by balance.front_end, account_id, posted
                   having posted <> coalesce(sum(debit - credit), 0) limit 20""",
        ),
        Condition(
            name="ledger.within-limits",
            sentence="No account is beyond its limits, whatever of the pending entries is posted.",
            sql="""select front_end, code, owner, currency, least, greatest, posted from ledger.account
                   join ledger.balance using (front_end, account_id) cross join lateral (
                       select case when sign > 0 then posted + pending_credit else -posted - pending_debit end as low,
                           case when sign > 0 then posted + pending_debit else -posted - pending_credit end as high
                       from (select ledger.natural_sign(code) as sign) as natural_direction) as reach
                   where low < least or high > greatest limit 20""",
        ),
        Condition(
            name="ledger.pending-ends-once",
            sentence="A pending entry holds what it asked for until it ends, and nothing after.",
            sql="""select entry.front_end, reference, state, held from ledger.entry cross join lateral (
                       select coalesce(sum(abs(held)), 0) as held, coalesce(sum(abs(done)), 0) as done from (
                           select sum(amount) filter (where layer <> '=') as held,
                               sum(amount) filter (where layer = '=') as done
                           from ledger.leg where leg.front_end = entry.front_end and leg.entry_id = entry.entry_id
                           group by account_id, layer) as by_account) as legs
                   where (state = 'pending') <> (held > 0) or (state in ('pending', 'voided', 'expired') and done > 0)
                   limit 20""",
        ),
        Condition(
            name="ledger.legs-are-whole",
            sentence="Each entry has the legs that it was booked with, on accounts of its front end and currency.",
            sql="""select entry.front_end, reference, legs, count(held.account_id) as found from ledger.entry
                   left join ledger.leg using (front_end, entry_id)
                   left join ledger.account held on held.account_id = leg.account_id
                       and held.front_end = leg.front_end and held.currency = leg.currency
                   where leg is null or leg.leg <= legs
                   group by entry.front_end, reference, legs having count(held.account_id) <> legs limit 20""",
        ),
    ),
)
