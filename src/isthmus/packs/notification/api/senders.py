"""Providers of notification: the contract that one has to keep, and the built-in one for development."""

from __future__ import annotations

import logging
from base64 import b64decode
from collections.abc import Iterable
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path
from typing import Annotated, Literal, Protocol

from isthmus.kernel import Meta, Value
from isthmus.manifest import Place, ProviderType
from isthmus.values import Moment

from .messages import Attachment

log = logging.getLogger("isthmus.packs.notification")


class Letter(Value):
    """A message as a provider gets it. The id is the same at every try."""

    id: str
    medium: str
    address: str
    subject: str
    text: str
    html: str = ""
    at: Moment
    attachments: tuple[Attachment, ...] = ()


class Receipt(Value):
    """What a provider says of a letter; `again`: not now, but perhaps later. No reason names an address."""

    state: Literal["sent", "refused", "again"]
    provider_reference: str = ""
    reason: str = ""


NO_MAIL = Receipt(state="refused", reason="its address or its subject cannot stand in a mail")


class Sender(Protocol):
    """Sends letters. One that raises, or does not answer in time, is asked again later, with the same id."""

    name: str
    media: tuple[str, ...]

    async def send(self, letter: Letter) -> Receipt: ...


class NotificationSettings(Value):
    """`[settings.notification]`. kept_days: how long addresses and texts of messages are kept once they have ended."""

    kept_days: Annotated[int, Meta(ge=1, le=3650)] = 90


class Senders:
    """The providers that are connected, and for how long contents are kept."""

    def __init__(self, senders: Iterable[Sender], kept_days: int = NotificationSettings().kept_days) -> None:
        self.by_name = {sender.name: sender for sender in senders}
        self.kept_days = kept_days

    def taking(self, medium: str) -> Sender | None:
        """Return who takes a medium: the first by name."""
        return next((one for _, one in sorted(self.by_name.items()) if medium in one.media), None)

    def media(self) -> tuple[str, ...]:
        return tuple(sorted({medium for one in self.by_name.values() for medium in one.media}))


def connected(place: Place) -> Senders:
    """Connect the providers that the settings chose."""
    settings: NotificationSettings = place.settings
    return Senders(place.providers.values(), settings.kept_days)


class FolderSettings(Value):
    """`[providers.notification.<name>]`. folder: gets a file for each letter; none: a line of the log is all."""

    folder: str = ""
    media: Annotated[tuple[str, ...], Meta(min_length=1)] = ("email",)


class FolderSender:
    """For development: letters are files that a mail reader opens, called by their ids, and reach nobody."""

    def __init__(self, name: str, settings: FolderSettings) -> None:
        self.name = name
        self.media = settings.media
        self._folder = Path(settings.folder) if settings.folder else None

    async def send(self, letter: Letter) -> Receipt:
        if self._folder is None:
            log.info("message %s by %s is sent to nobody: no provider is chosen", letter.id, letter.medium)
            return Receipt(state="sent")
        try:
            mail = as_mail(letter, "nobody@localhost")
        except ValueError:
            return NO_MAIL
        self._folder.mkdir(parents=True, exist_ok=True)
        file = self._folder / f"{letter.id}.eml"
        file.write_bytes(mail.as_bytes())
        return Receipt(state="sent", provider_reference=file.name)


def as_mail(letter: Letter, sender: str) -> EmailMessage:
    """Return a letter as mail. Raises ValueError where an address or the subject cannot stand in a header."""
    mail = EmailMessage()
    mail["From"] = sender
    mail["To"] = letter.address
    mail["Subject"] = letter.subject
    mail["Date"] = format_datetime(letter.at)
    mail["Message-ID"] = f"<{letter.id}@{sender.rpartition('@')[2].rstrip('>')}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(letter.text)
    if letter.html:
        mail.add_alternative(letter.html, subtype="html")
    for one in letter.attachments:
        main, _, sub = one.media_type.partition("/")
        mail.add_attachment(b64decode(one.content), maintype=main, subtype=sub, filename=one.name)
    return mail


def quiet() -> Senders:
    """Return what a call takes that is rolled back in the end: letters that go nowhere."""
    return Senders([FolderSender("quiet", FolderSettings(media=("email", "sms", "push")))])


FOLDER = ProviderType(settings=FolderSettings, make=FolderSender)
