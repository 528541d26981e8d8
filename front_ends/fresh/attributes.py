"""What the grocer says of its orders beyond what every shop does."""

from typing import Annotated, Literal

from isthmus.kernel import Meta, Value
from isthmus.markings import Pii


class Doorstep(Value):
    """What the driver does at the door."""

    leave_at: Literal["hand", "door", "neighbour"] = "hand"
    words: Annotated[str, Pii("free-text", why="for the driver to read at the door"), Meta(max_length=120)] = ""
