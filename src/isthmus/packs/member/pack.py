"""The manifest of members."""

from __future__ import annotations

from uuid import UUID

from isthmus.kernel import Condition, Pack, ports
from isthmus.language import mark
from isthmus.manifest import DemoData, Every, Growing, Job, Keeps, Named, Page, Personal, Persons, Search, clear
from isthmus.sealing import Sealed, Seals

from . import api, entities, rules
from .service import members, points, programmes, sharing
from .storage import identities, sealing

EXPIRE_EVERY_S = 600  # points of a past day are spent by nobody meanwhile


def ask_segments(member_id: UUID, segments: tuple[str, ...], prefix: str) -> api.SetSegments:
    """Return the ask that replaces a member's segments of a prefix."""
    return api.SetSegments(member_id=member_id, segments=segments, prefix=prefix)


PERSONS = Persons(
    records=entities.RECORDS,
    resolved="member.resolved",
    entity="member.membership",
    erased=api.MemberErased,
    set_segments=api.set_segments,
    ask=ask_segments,
    opened=sealing.opened_records,
    segments="select segments from member.membership where front_end = $1 and member_id = $2",
    known_segments="select distinct unnest(segments) as name from member.membership where front_end = $1",
    consenting="""
        select member_id from member.membership
        where front_end = $1 and member_id = any ($2) and $3 = any (consents) and state = 'active'""",
    in_segment="""
        select member_id from member.membership
        where front_end = $1 and $2 = any (segments) and member_id > $3 and state = 'active'
        order by member_id limit $4""",
    person="select member_id, person_id from member.membership where front_end = $1 and member_id = any ($2)",
)

GONE = mark("until the member is erased")
PERSONAL = Personal(
    because="member.erase takes it out of what is kept here, and tells everybody else",
    purposes={
        "identifier": "to know a member again, by what was proved to be theirs",
        "name": "to address a member by name",
        "birth-date": "for what a front end gives on a birthday, or does not sell to the young",
        "address": "to deliver without asking for it each time",
        "free-text": "to say why two members are one",
    },
    keeps=(
        Keeps(
            table="member.person_identity",
            columns={"value": "identifier"},
            why="who is known by the same at two front ends is one person of the group",
            until=GONE,
            whose="""person_id::text = any($1)
                or kind = 'email' and (lower(value) = any($2) or substr(value, 2) = any($1))""",
            leads_to=("person_id::text",),
            addresses="case when kind = 'email' and value like '%@%' then value end",  # and no hash
            sealed=(identities.OF_PERSONS,),
        ),
        Keeps(
            table="member.membership",
            in_the_clear=clear.OWN,
            columns={"profile": "name", "attributes": "free-text", "consents": "free-text", "segments": "free-text"},
            why="what a front end knows of its member",
            until=GONE,
            whose="member_id::text = any($1) or person_id::text = any($1) or merged_into::text = any($1)",
            leads_to=("member_id::text", "merged_into::text", "person_id::text", "account_id::text"),
            sealed=(sealing.SEALED,),
        ),
        Keeps(
            table="member.consent_change",
            in_the_clear=clear.COUNTED,
            columns={"purpose": "free-text"},
            why="to show what somebody had consented to, and when",
            until=GONE,
            whose="member_id::text = any($1)",
        ),
        Keeps(
            table="member.identity",
            columns={"value": "identifier"},
            why="to know a member again",
            until=GONE,
            whose="member_id::text = any($1)",
            addresses="case when kind = 'email' and is_verified then value end",
            sealed=(identities.SEALED,),
        ),
        Keeps(
            table="member.address",
            in_the_clear=clear.OWN,
            columns={"label": "free-text", "address": "address"},
            why="to deliver without asking for it each time",
            until=GONE,
            whose="member_id::text = any($1)",
            sealed=(Sealed(column="address", into="sealed", subject="member_id::text", empty="'{}'"),),
        ),
        Keeps(
            table="member.profile_share",
            in_the_clear=clear.LEADS_NOWHERE,
            columns={"member_id": "identifier"},
            why="what a member lets other front ends read of what they said here",
            until=GONE,
            whose="member_id::text = any($1)",
        ),
        Keeps(
            table="member.points_movement",
            in_the_clear=clear.LEADS_NOWHERE,
            columns={"member_id": "identifier"},
            why="which points a member had, and what for",
            until="for good, as the books of a programme: the id leads to nobody once the member is erased",
            whose="member_id::text = any($1)",
        ),
    ),
)


async def find_named(session: ports.Session, front_end: str, ask: api.FindMember, seals: Seals) -> list[str]:
    """Return who is meant by what they are known by."""
    wanted = rules.normalised(api.Identity(kind=ask.kind, value=ask.value))
    return [str(await identities.find(session, front_end, wanted, seals))]


async def name_other(session: ports.Session, front_end: str, ask: api.Merge, seals: Seals) -> list[str]:
    """Return who is to go into another."""
    return [str(ask.other_id)]


NAMED = Named(
    kind="member",
    by="member_id",
    opens=api.get_member,
    attributes={"tier": "String", "segments": "Set<String>", "consents": "Set<String>", "state": "String"},
    rows="""
        select one.member_id::text as name, main.segments, main.consents, main.state,
            coalesce((select nullif(account.tier, '') from member.account
                where account.account_id = main.account_id), main.tier) as tier
        from member.membership asked
        join member.membership main on main.front_end = asked.front_end
            and main.member_id = coalesce(asked.merged_into, asked.member_id)
        join member.membership one on one.front_end = main.front_end
            and (one.member_id = main.member_id or one.merged_into = main.member_id)
        where asked.front_end = $1 and asked.member_id = any (array(select said::uuid from unnest($2::text[]) as said
            where said ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'))""",
    found={api.find_member: find_named, api.merge: name_other},
)

PACK = Pack(
    name="member",
    owner="members",
    api=api,
    service=(members, points, programmes, sharing),
    migrations="isthmus.packs.member:migrations",
    entities=entities.ENTITIES,
    metrics=entities.METRICS,
    brings=(
        PERSONS,
        Growing(totals=("member.members",)),
        PERSONAL,
        NAMED,
        Job(name="member.expire-points", when=Every(seconds=EXPIRE_EVERY_S), calls=api.expire_points),
        Page(
            path="/members",
            menu="Members",
            at="isthmus.packs.member.pages:show_list",
            template="members.html",
            needs=api.find_member,
        ),
        Page(
            path="/members/{front_end}/{member_id}",
            at="isthmus.packs.member.pages:show_one",
            template="member.html",
            needs=api.find_member,
        ),
        Page(
            path="/members/{front_end}/{member_id}/segments",
            at="isthmus.packs.member.pages:segments",
            template="member.html",
            needs=api.find_member,
            is_form=True,
        ),
        Search(at="isthmus.packs.member.pages:find", needs=api.find_member),
        DemoData(
            name="member.members",
            doc="Three members, each with a card.",
            at="isthmus.packs.member.demo:load_members",
            needs=(api.register_many,),
        ),
    ),
    conditions=(
        Condition(
            name="member.points-are-their-movements",
            sentence="A member's points are the sum of their movements, and never below zero.",
            sql="""select one.front_end, one.member_id, one.points, coalesce(moved.points, 0) as moved
                   from member.membership one left join (
                       select account.front_end, coalesce(merged_into, account.member_id) as member_id,
                              sum(movement.points) as points
                       from member.points_movement movement
                       join member.membership account using (front_end, member_id)
                       where movement.account_id is null group by 1, 2
                   ) moved using (front_end, member_id)
                   where one.points < 0 or one.points <> coalesce(moved.points, 0)""",
        ),
        Condition(
            name="member.accounts-are-their-movements",
            sentence="Points in a programme are the sum of movements at all front ends less what expired, lot by lot.",
            sql="""select one.account_id, one.points, lots.unspent, lots.expired, coalesce(moved.points, 0) as moved
                   from member.account one
                   cross join lateral (
                       select coalesce(sum(unspent), 0) as unspent, coalesce(sum(expired), 0) as expired
                       from member.points_lot where points_lot.account_id = one.account_id) lots
                   left join (select account_id, sum(points) as points from member.points_movement
                              where account_id is not null group by account_id) moved using (account_id)
                   where one.points <> lots.unspent or one.points <> coalesce(moved.points, 0) - lots.expired
                   limit 20""",
        ),
        Condition(
            name="member.gone-points-are-told",
            sentence="Points that are gone are told within a day to who gave them; let member.expire-points run there.",
            sql="""select front_end, programme, count(*) as lots, sum(points) as points from member.points_gone
                   where at < now() - interval '1 day' group by front_end, programme limit 20""",
        ),
        Condition(
            name="member.identities-in-one-form",
            sentence="What members are known by is written in one form; merge those who are known by the same.",
            sql="""select front_end, member_id, kind from member.identity
                   where kind <> 'phone' and value <> member.normal(kind, value) limit 20""",
        ),
        Condition(
            name="member.merged-lead-to-one",
            sentence="A merged membership leads to one that has not been merged itself, and keeps nothing.",
            sql="""select gone.front_end, gone.member_id from member.membership gone
                   left join member.membership one
                       on one.front_end = gone.front_end and one.member_id = gone.merged_into
                   where gone.state = 'merged'
                     and (one.state is null or one.state = 'merged' or gone.points <> 0
                          or exists (select from member.identity where identity.front_end = gone.front_end
                                     and identity.member_id = gone.member_id))""",
        ),
    ),
)
