"""What the brand says of its orders and their lines beyond what every shop does."""

from typing import Annotated, Literal

from isthmus.kernel import Meta, Value
from isthmus.markings import Pii


class Gift(Value):
    """How an order is given away."""

    wrap: Literal["none", "paper", "box"] = "none"
    note: Annotated[str, Pii("free-text", why="to write it on the gift's card"), Meta(max_length=200)] = ""


class Engraving(Value):
    """What the workshop cuts into a piece: letters, figures, spaces and full stops."""

    engraving: Annotated[
        str, Pii("free-text", why="to cut it into the piece"), Meta(max_length=24, pattern=r"^[\w .]*\Z")
    ] = ""
