"""The manifest of members."""

from isthmus.kernel import Condition, Pack

from . import api, entities, service

PACK = Pack(
    name="member",
    owner="members",
    api=api,
    service=(service,),
    migrations="isthmus.packs.member:migrations",
    entities=entities.ENTITIES,
    metrics=entities.METRICS,
    conditions=(
        Condition(
            name="member.points-are-their-movements",
            sentence="A member's points are the sum of their movements, and never below zero.",
            sql="""select membership.front_end, member_id, membership.points, coalesce(sum(moved.points), 0) as moved
                   from member.membership left join member.points_movement moved using (front_end, member_id)
                   group by membership.front_end, member_id, membership.points
                   having membership.points < 0 or membership.points <> coalesce(sum(moved.points), 0)""",
        ),
    ),
)
