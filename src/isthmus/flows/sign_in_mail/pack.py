"""The manifest of mails with links."""

from isthmus.kernel import Pack
from isthmus.manifest import After, Job, Personal
from isthmus.packs.account import api as account

from . import api, service

SIGN_IN_MAIL = Pack(
    name="sign-in-mail",
    owner="security team",
    api=api,
    service=(service,),
    brings=(
        Personal(because="it is passed on to the packs that keep it"),
        Job(
            name="sign-in-mail.link-asked",
            when=After(event=account.LinkAsked, days=0, missed="skip"),
            calls=api.write_link,
        ),
    ),
)
