"""Letters by a mail server: SMTP with TLS, one connection a letter, in a thread of its own.

A mail server takes a letter for good when it says so; `Message-ID` is the message's id, so whoever gets one twice can
tell. What it will never take (5xx) is refused; everything else is tried again.
"""

from __future__ import annotations

import asyncio
import smtplib
import ssl
from typing import Annotated, Final, Literal

from isthmus.kernel import Meta, Value
from isthmus.manifest import ProviderType, Secret

from .. import api
from ..api.senders import NO_MAIL, as_mail

TIMEOUT_S: Final = 10.0  # of one step of the conversation
NEVER: Final = 500  # replies from here on are for good (RFC 5321, 4.2.1)
AUTHENTICATION: Final = range(530, 539)  # … but these are about us and not about the letter (RFC 4954)


class SmtpSettings(Value):
    """`[providers.notification.<name>]`. sender: whom letters come from; ca_file: who vouches for the server.

    Without a ca_file it is whom this machine trusts.
    """

    host: str
    sender: Annotated[str, Meta(pattern=r"^[^\r\n]*[^\s@]+@[^\s@]+$")]
    port: Annotated[int, Meta(ge=1, le=65535)] = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    user: str = ""
    password: Secret | None = None
    ca_file: str = ""


class SmtpSender:
    """Sends letters by a mail server."""

    def __init__(self, name: str, settings: SmtpSettings) -> None:
        self.name = name
        self.media = ("email",)
        self._settings = settings
        self._trust = ssl.create_default_context(cafile=settings.ca_file or None)

    async def send(self, letter: api.Letter) -> api.Receipt:
        return await asyncio.to_thread(self._send, letter)

    def _send(self, letter: api.Letter) -> api.Receipt:
        try:
            mail = as_mail(letter, self._settings.sender)
        except ValueError:
            return NO_MAIL
        try:
            with self._connected() as server:
                server.send_message(mail)
        except smtplib.SMTPRecipientsRefused as refused:
            return _refused(max(code for code, _ in refused.recipients.values()))
        except smtplib.SMTPResponseException as refused:
            return _refused(refused.smtp_code)
        return api.Receipt(state="sent", provider_reference=mail["Message-ID"])

    def _connected(self) -> smtplib.SMTP:
        settings = self._settings
        if settings.security == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                settings.host, settings.port, timeout=TIMEOUT_S, context=self._trust
            )
        else:
            server = smtplib.SMTP(settings.host, settings.port, timeout=TIMEOUT_S)
        try:
            if settings.security == "starttls":
                server.starttls(context=self._trust)
            if settings.user:
                server.login(settings.user, settings.password.reveal() if settings.password else "")
        except BaseException:
            server.close()
            raise
        return server


def _refused(code: int) -> api.Receipt:
    """Say what a reply means; its own words may hold the address."""
    is_for_good = code >= NEVER and code not in AUTHENTICATION
    return api.Receipt(state="refused" if is_for_good else "again", reason=f"the mail server answers {code}")


SMTP: Final = ProviderType(settings=SmtpSettings, make=SmtpSender)
