"""Mails with links to sign in by.

The front end writes the words (`notification.compose`, kind `account.link`); what comes without them is short, in the
front end's language (its setting `language`) where the platform speaks it, else in English.
"""

from __future__ import annotations

from isthmus.kernel import Effect, Value, errors, flow
from isthmus.packs.account import api as account
from isthmus.packs.notification import api as notification

KIND = "account.link"
LANGUAGE = "language"  # the setting that says what a front end writes in


class Written(Value):
    """Whether a mail was written; none where the link has run out meanwhile."""

    is_written: bool


class NotAnEvent(errors.NotPermitted):
    """Only the platform says that somebody asked."""

    slug = "sign-in-mail.not-an-event"

    def __init__(self) -> None:
        super().__init__(
            "mails with links follow from somebody's asking, and this call is none",
            remedy="ask for a link with account.ask-for-link",
        )


@flow(
    "sign-in-mail.write-link",
    version="1.0",
    effect=Effect.WRITE,
    uses=(account.make_link, notification.send),
    raises=[NotAnEvent],
)
def write_link(ask: account.LinkAsked) -> Written:
    """Write the link that somebody asked for to their address, once."""
    ...
