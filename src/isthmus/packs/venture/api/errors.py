"""What can be wrong with a charter, and with what a venture sends."""

from __future__ import annotations

from isthmus.kernel import errors


class NoCharter(errors.NotFound):
    """There is no charter of this code."""

    slug = "venture.no-charter"

    def __init__(self, *, code: str, folder: str) -> None:
        super().__init__(
            f"there is no charter {folder}/{code}/venture.toml",
            remedy=f"write one with `isthmus venture new {code}`",
            code=code,
        )


class WrongCharter(errors.BadAsk):
    """A charter does not say what it has to."""

    slug = "venture.wrong-charter"

    def __init__(self, *, file: str, problem: str, remedy: str) -> None:
        super().__init__(f"{file}: {problem}", remedy=remedy, file=file)


class NotSigned(errors.NotPermitted):
    """A page was not signed with the venture's key."""

    slug = "venture.not-signed"

    def __init__(self, *, code: str, what: str) -> None:
        super().__init__(
            f"this page of the {what} of {code} is not signed with the key in its charter",
            remedy="sign the very bytes of the page with Ed25519, send it base64url in Venture-Signature; "
            "where the key is another one by now, put its public half into the charter",
            path="$.signature",
        )


class ContractBroken(errors.BadAsk):
    """What a venture sent does not fit its contract; nothing of the page was taken."""

    slug = "venture.contract-broken"

    def __init__(self, *, what: str, problem: str, path: str, remedy: str) -> None:
        super().__init__(f"the {what} breaks its contract: {problem}", remedy=remedy, path=path)


class JournalGap(errors.Conflict):
    """Entries or sales are missing between what was taken and what came."""

    slug = "venture.journal-gap"

    def __init__(self, *, what: str, expected: int, found: int) -> None:
        super().__init__(
            f"the {what} goes on with number {found}, and {expected} comes next",
            remedy=f"send the page after {expected - 1}; numbers have no gaps and are never given twice",
            path="$.items[0].number",
            expected=expected,
        )


class JournalRewritten(errors.Conflict):
    """An entry that was taken before is another one now."""

    slug = "venture.journal-rewritten"

    def __init__(self, *, number: int, path: str) -> None:
        super().__init__(
            f"entry {number} says that another entry stood before it than was taken: the journal was rewritten",
            remedy="correct a booking by another entry; what was sent once stays as it was",
            path=path,
            number=number,
        )


class StrangerExported(errors.NotPermitted):
    """A sale names somebody who never signed in at the venture."""

    slug = "venture.stranger-exported"

    def __init__(self, *, count: int, path: str) -> None:
        super().__init__(
            f"{count} of the members on this page never signed in at the venture with the group's account",
            remedy="export only members of the venture, by the subject (sub) of their sign-in",
            path=path,
        )


class NotAgreed(errors.Conflict):
    """The platform has not answered an operation as the venture does."""

    slug = "venture.not-agreed"

    def __init__(self, *, operation: str, compared: int, agreed: int) -> None:
        super().__init__(
            f"{agreed} of {compared} calls of {operation} in the shadow were answered alike; all have to be, and 30",
            remedy="leave it in the shadow for longer, fix the mapping, or accept the difference with --accept",
            operation=operation,
        )
