"""Members that become one, as others may name it."""

from __future__ import annotations

from uuid import UUID

from isthmus.kernel import Effect, Value, capability


class JoinMembers(Value):
    """Say that two members are one now, and which accounts in a programme are, where both had one."""

    member_id: UUID  # who stays
    other_id: UUID
    account_id: UUID | None = None  # which account stays
    other_account_id: UUID | None = None


class MembersJoined(Value):
    """How many uses were added to those of who stays."""

    uses: int


@capability("promotion.join-members", version="1.0", effect=Effect.WRITE, is_internal=True)
def join_members(ask: JoinMembers) -> MembersJoined:
    """Count what two members used together from now on, here and in their programme, also what is given back later.

    What is redeemed at the same moment is counted once, for who stays. Coupons of the other's own are theirs. Safe to
    repeat.
    """
    ...
