"""Members, as others may name them: one person of the group, a membership for each front end.

A person is found again by an identity that was verified, such as an e-mail address or the number of a card, so
who joins a second front end is the same person there. A membership is a front end's own: its tier, its points,
its addresses are seen nowhere else.

    membership:  register ──▶ active ──erase──▶ erased
                                └──merge──▶ merged (into another membership, which keeps everything)

The id of a merged membership goes on to mean the one that it went into, wherever an ask names it.
"""

# pyright: reportUnusedImport=false

from .members import (
    ADDRESSES_MAX,
    IDENTITIES_MAX,
    REGISTER_MAX,
    AnotherPerson,
    Erase,
    Erased,
    FindMember,
    GetMember,
    Identity,
    IdentityKind,
    IdentityTaken,
    IdentityValue,
    Member,
    MemberAttributes,
    MemberErased,
    MemberRegistered,
    MembersMerged,
    Merge,
    MergeConflict,
    Name,
    Profile,
    PutAddress,
    PutIdentity,
    Register,
    Registered,
    RegisteredMany,
    RegisterMany,
    Registration,
    RegistrationRefused,
    RemoveAddress,
    RemoveIdentity,
    SetSegments,
    StoredAddress,
    UpdateMember,
    erase,
    find_member,
    get_buyer,
    get_member,
    merge,
    put_address,
    put_identity,
    register,
    register_many,
    remove_address,
    remove_identity,
    set_segments,
    update_member,
    validate_registration,
)
from .points import (
    POINTS_MAX,
    BadCursor,
    EarnPoints,
    ListPoints,
    NotAMember,
    Points,
    PointsMoved,
    PointsMovement,
    PointsPage,
    PointsShort,
    PointsWereMoved,
    Reference,
    ReversePoints,
    Share,
    SpendPoints,
    TierChanged,
    earn_points,
    list_points,
    points_earned,
    reverse_points,
    spend_points,
    tier_for,
)
