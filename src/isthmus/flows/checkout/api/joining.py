"""Members that become one, as the checkout has it."""

from __future__ import annotations

from isthmus.kernel import Effect, flow
from isthmus.packs.member import api as member
from isthmus.packs.promotion import api as promotion


@flow("checkout.join-uses", version="1.0", effect=Effect.WRITE, uses=[promotion.join_members], is_internal=True)
def join_uses(ask: member.MembersMerged) -> promotion.MembersJoined:
    """Count together what two members used of promotions, in the transaction in which they become one."""
    ...
