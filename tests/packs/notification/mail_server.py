"""A mail server on this machine, for tests: aiosmtpd with TLS, a sign-in, and addresses that it refuses."""

from __future__ import annotations

import email
import email.policy
import ssl
import subprocess
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any, cast

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from isthmus.packs.notification import api

USER, PASSWORD = "shop", "only for tests"
GONE, BUSY = "gone@example.org", "busy@example.org"


class MailServer(Controller):
    """Keeps what it takes; nobody is `gone`, and `busy` is told to come again."""

    def __init__(self, certificate: Path) -> None:
        self.mails: list[EmailMessage] = []
        self.seen_tls: list[bool] = []
        trust = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        trust.load_cert_chain(certificate, certificate.with_suffix(".key"))
        self.certificate = certificate
        super().__init__(
            self,
            hostname="localhost",
            port=0,
            tls_context=trust,
            require_starttls=True,
            auth_required=True,
            authenticator=_known,
        )

    @property
    def address(self) -> int:
        return self.server.sockets[0].getsockname()[1]  # pyright: ignore

    def settings(self, **facts: Any) -> dict[str, Any]:
        return {
            "host": "localhost",
            "port": self.address,
            "sender": "Shop <shop@example.org>",
            "ca_file": str(self.certificate),
            "user": USER,
            **facts,
        }

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address == GONE:
            return f"550 5.1.1 {address} is unknown"
        if address == BUSY:
            return "451 4.3.0 come again"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        self.seen_tls.append(session.ssl is not None)
        content = cast(bytes, envelope.content)
        self.mails.append(cast(EmailMessage, email.message_from_bytes(content, policy=email.policy.default)))  # pyright: ignore[reportUnnecessaryCast]
        return "250 taken"

    def letters(self) -> list[api.Letter]:
        return [as_letter(one) for one in self.mails]

    def _trigger_server(self) -> None:
        self.port = self.address  # the one that it was given
        super()._trigger_server()


def as_letter(mail: EmailMessage) -> api.Letter:
    """Return a mail as its reader sees it."""
    body = mail.get_body(("plain",))
    assert body is not None
    return api.Letter(
        id=mail["Message-ID"].strip("<>").partition("@")[0],
        medium="email",
        address=mail["To"],
        subject=mail["Subject"],
        text=body.get_content(),
        at=datetime.now(UTC),
        attachments=tuple(
            api.Attachment(
                name=one.get_filename() or "",
                media_type=one.get_content_type(),
                content=b64encode(one.get_payload(decode=True)).decode(),  # pyright: ignore
            )
            for one in mail.iter_attachments()
        ),
    )


def _known(server: SMTP, session: Session, envelope: Envelope, mechanism: str, said: object) -> AuthResult:
    is_right = isinstance(said, LoginPassword) and (said.login, said.password) == (USER.encode(), PASSWORD.encode())
    return AuthResult(success=is_right, handled=False)


@contextmanager
def mail_server(folder: Path) -> Iterator[MailServer]:
    """Run one for as long as the block lasts, with a certificate of its own."""
    certificate = folder / "localhost.pem"
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    made += ["-days", "2"]
    made += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    made += ["-keyout", str(certificate.with_suffix(".key")), "-out", str(certificate)]
    subprocess.run(made, check=True, capture_output=True)
    server = MailServer(certificate)
    server.start()
    try:
        yield server
    finally:
        server.stop()
