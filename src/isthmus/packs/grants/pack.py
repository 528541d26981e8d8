"""The manifest of grants."""

from isthmus.kernel import Condition, Pack
from isthmus.manifest import Guide

from . import api, service

PACK = Pack(
    name="grants",
    owner="platform",
    api=api,
    service=(service,),
    brings=(Guide(title="Sharing", file="isthmus.packs.grants:guide.md"),),
    conditions=(
        Condition(
            name="grants.one-stands",
            sentence="Of one thing at most one grant stands for each front end, and nobody grants to himself.",
            sql="""
                select owner, kind, name, part, to_front_end, count(*) as standing from isthmus.row_grant
                where withdrawn_at is null or owner = to_front_end
                group by owner, kind, name, part, to_front_end
                having count(*) > 1 or owner = to_front_end limit 20""",
        ),
    ),
)
