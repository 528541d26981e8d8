"""Members that become one, and guests who become members, as the checkout has it."""

from __future__ import annotations

from isthmus.kernel import Effect, flow
from isthmus.packs.member import api as member
from isthmus.packs.order import api as order
from isthmus.packs.promotion import api as promotion


@flow("checkout.join-uses", version="1.0", effect=Effect.WRITE, uses=[promotion.join_members], is_internal=True)
def join_uses(ask: member.MembersMerged) -> promotion.MembersJoined:
    """Count together what two members used of promotions, in the transaction in which they become one."""
    ...


@flow("checkout.claim-orders", version="1.0", effect=Effect.WRITE, uses=[member.get_member, order.claim_orders])
def claim_orders(ask: member.GetMember) -> order.Claimed:
    """Give a member what they ordered as a guest, by addresses of theirs that were verified; each order once.

    A shop calls it when somebody has signed in. An address that was only typed in claims nothing.
    """
    ...
