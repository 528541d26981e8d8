"""The seat of The Tea Box: rows are kept for it, and it answers nothing. The demo deploys it where Node is there."""

from isthmus.kernel import FrontEnd

FRONT_END = FrontEnd(
    code="box",
    name="The Tea Box",
    owner="head of new business",
    uses=(
        "venture.*",
        "ventures.*",
        "ledger.*",
        "account.*",
        "sign-in-mail.*",
        "notification.*",
        "privacy.*",
        "tax.*",
    ),
)
