"""Personal data, as others may see it: which is kept or passed on, what for, how long, and who reads it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from isthmus.kernel import Effect, Meta, Value, capability, errors
from isthmus.markings import Pii
from isthmus.personal import Forget, Forgotten

Email = Annotated[str, Pii("email", why="to find what is held of them"), Meta(max_length=254)]

Place = Literal["table", "front-end table", "attribute", "event", "lake", "call"]


class PersonalSettings(Value):
    """`[settings.personal-data]`. pseudonym_key: 32 random bytes in a file; made in the platform's data if not set.

    sealed: tables whose new rows are kept encrypted under a key per person, such as `member.address`; none as it ships.
    """

    pseudonym_key: str = ""
    sealed: tuple[str, ...] = ()


class Entry(Value):
    """Personal data in one place: a column, a field of an event or of the lake, or one that a call takes or gives.

    owner: the pack or front end that answers for it. readers: capabilities, or actions, by which somebody is given it.
    is_sealed: it can be kept encrypted under a key per person. in_the_clear: why it stays as it is where a company has
    all encrypted that can be; nothing where it is encrypted then, or is kept nowhere.
    """

    place: Place
    owner: str
    where: str
    kind: str
    why: str
    until: str
    readers: tuple[str, ...] = ()
    is_sealed: bool = False
    in_the_clear: str = ""


class Register(Value):
    """All entries, and for each reader which roles may call it at which front end (`client`: its keys)."""

    entries: tuple[Entry, ...]
    callers: dict[str, dict[str, tuple[str, ...]]]


class Whom(Value):
    """Whose data is asked for: by ids of a member at any front end, by e-mail addresses that are theirs, or by both."""

    member_ids: Annotated[tuple[UUID, ...], Meta(max_length=100)] = ()
    emails: Annotated[tuple[Email, ...], Meta(max_length=100)] = ()


class Held(Value):
    """Rows of one place that are about somebody, with all that they say; what is a secret is left out."""

    place: Place
    owner: str
    where: str
    why: str
    until: str
    rows: tuple[dict[str, Any], ...]


class PersonExport(Value):
    """All that is held of a person, and the addresses by which it was found."""

    made_at: datetime
    emails: tuple[Email, ...]
    held: tuple[Held, ...]


class NobodyNamed(errors.BadAsk):
    """All that is held of a person was asked for, and of no person."""

    slug = "personal-data.nobody-named"

    def __init__(self) -> None:
        super().__init__(
            "nobody is named whose data is to be taken out",
            remedy="name an e-mail address of theirs, or `--member` with the id of a membership",
        )


class NobodyLikeThis(errors.NotFound):
    """Nothing is held of whom was asked for."""

    slug = "personal-data.nobody-like-this"

    def __init__(self) -> None:
        super().__init__(
            "nothing is held of this person, at no front end",
            remedy="try another address of theirs, or `--member` with the id of a membership",
        )


@capability("personal-data.forget", version="1.0", effect=Effect.WRITE, is_internal=True)
def forget(ask: Forget) -> Forgotten:
    """Destroy the keys of persons, so that what is encrypted under them opens nowhere any more, in no copy either.

    Keys are of members by their ids, and of what others name by references.
    """
    ...
