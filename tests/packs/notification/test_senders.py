"""Senders keep their contract: files for development, and mail through a real mail server."""

from __future__ import annotations

import email
import email.policy
import logging
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from isthmus.app.config import load_config
from isthmus.app.resources import setting_problems
from isthmus.manifest import Secret
from isthmus.packs.notification import api
from isthmus.packs.notification.api.senders import FolderSender, FolderSettings, as_mail
from isthmus.packs.notification.service.smtp_sender import SmtpSender, SmtpSettings
from isthmus.testing import NotificationSenderContract
from tests import shipped

from .mail_server import BUSY, GONE, PASSWORD, MailServer, as_letter, mail_server


@pytest.fixture
def server(tmp_path: Path) -> Iterator[MailServer]:
    with mail_server(tmp_path) as running:
        yield running


def smtp(server: MailServer, **facts: Any) -> SmtpSender:
    settings = server.settings(password=Secret("SMTP", PASSWORD), **facts)
    return SmtpSender("post", SmtpSettings(**settings))


def letter(address: str = "ada@example.org") -> api.Letter:
    return api.Letter(id="1", medium="email", address=address, subject="s", text="t", at=datetime.now(UTC))


class TestFiles(NotificationSenderContract):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path / "letters"

    async def sender(self) -> api.Sender:
        return FolderSender("files", FolderSettings(folder=str(self.folder)))

    async def arrived(self) -> list[api.Letter]:
        files = [path.read_bytes() for path in self.folder.glob("*.eml")]
        parsed = [email.message_from_bytes(one, policy=email.policy.default) for one in files]
        return [as_letter(cast(EmailMessage, one)) for one in parsed]  # pyright: ignore[reportUnnecessaryCast]


class TestMail(NotificationSenderContract):
    REFUSED = GONE

    @pytest.fixture(autouse=True)
    def _server(self, server: MailServer) -> None:
        self.server = server

    async def sender(self) -> api.Sender:
        return smtp(self.server)  # pyright: ignore[reportReturnType]

    async def arrived(self) -> list[api.Letter]:
        return self.server.letters()


async def test_where_no_provider_is_chosen_a_line_of_the_log_says_so_and_names_nobody(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    receipt = await FolderSender("nobody", FolderSettings()).send(letter())
    assert receipt.state == "sent"
    assert "no provider is chosen" in caplog.text
    assert "ada@" not in caplog.text


async def test_mail_goes_over_tls_or_not_at_all(server: MailServer) -> None:
    assert (await smtp(server).send(letter())).state == "sent"
    assert server.seen_tls == [True]
    assert (await smtp(server, security="none", user="").send(letter())).state == "again"
    assert len(server.mails) == 1


async def test_what_may_go_later_is_not_refused(server: MailServer) -> None:
    assert (await smtp(server).send(letter(BUSY))).state == "again"
    wrong_key = SmtpSender("post", SmtpSettings(**server.settings(password=Secret("SMTP", "wrong"))))
    receipt = await wrong_key.send(letter())
    assert (receipt.state, receipt.reason) == ("again", "the mail server answers 535")


async def test_an_unknown_server_is_not_trusted(server: MailServer) -> None:
    with pytest.raises(OSError, match="certificate"):
        await smtp(server, ca_file="").send(letter())
    assert server.mails == []


def test_a_letter_may_have_a_page_beside_its_text() -> None:
    found = as_mail(msgspec.structs.replace(letter(), html="<p>t</p>"), "shop@example.org")  # pyright: ignore
    assert [part.get_content_type() for part in found.walk()] == ["multipart/alternative", "text/plain", "text/html"]


def test_a_mail_server_is_chosen_by_the_settings_and_what_does_not_fit_is_said_at_start() -> None:
    def chosen(**table: object) -> list[str]:
        use = "isthmus.packs.notification.service.smtp_sender:SMTP"
        providers = {"notification": {"post": {"use": use, **table}}}
        return setting_problems(shipped.PACKS, replace(load_config(), providers=providers))

    assert chosen(host="mail.example.org", sender="shop@example.org", password={"secret": "SMTP"}) == []
    (problem,) = chosen(host="mail.example.org", sender="shop", password={"secret": "SMTP"})
    assert "$.sender" in problem
    (problem,) = chosen(host="mail.example.org", sender="shop@example.org", password="open")
    assert "This is a secret" in problem


async def test_files_arrive_with_a_mail_to_the_last_byte_and_beside_its_words(
    server: MailServer, tmp_path: Path
) -> None:
    every_byte = b64encode(bytes(range(256)) * 40).decode()
    files = (
        api.Attachment(name="Rechnung M-2026-1.pdf", media_type="application/pdf", content=every_byte),
        api.Attachment(name="发票.xml", media_type="application/xml", content=b64encode("<a>ü</a>".encode()).decode()),
    )
    wanted = letter().replace(attachments=files, html="<p>t</p>")
    folder = FolderSender("files", FolderSettings(folder=str(tmp_path / "letters")))
    for sender in (smtp(server), folder):
        assert (await sender.send(wanted)).state == "sent"
    (mailed,) = server.letters()
    parsed = email.message_from_bytes((tmp_path / "letters" / "1.eml").read_bytes(), policy=email.policy.default)
    for found in (mailed, as_letter(cast(EmailMessage, parsed))):  # pyright: ignore[reportUnnecessaryCast]
        assert found.text.strip() == "t"
        assert found.attachments == files
