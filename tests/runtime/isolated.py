"""Front ends for the tests of isolation: folders written on the spot, with answers that do what the test is about."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

from isthmus.kernel import FrontEnd
from isthmus.kernel.host import Point
from isthmus.runtime.isolation.isolate import load_isolated, points_of
from isthmus.runtime.isolation.limits import Isolation
from tests import shipped

POINTS = points_of(shipped.PACKS)

HEAD = """
from collections.abc import Sequence
from isthmus.kernel import PASS, FrontEnd, Pass, answers
from isthmus.packs.member import api as member
from isthmus.packs.payment import api as payment
from isthmus.packs.pricing import api as pricing
from isthmus.packs.tax import api as tax
from isthmus.values import Buyer, Money
"""


def front_end_folder(parent: Path, body: str, *names: str, code: str = "north", more: str = "") -> Path:
    """Write a front end with these answers and return its folder."""
    folder = parent / code
    folder.mkdir(parents=True, exist_ok=True)
    manifest = f"""
FRONT_END = FrontEnd(
    code={code!r}, name={code.title()!r}, owner="its team", uses=("member.*", "pricing.*"),
    answers=({"".join(f"{name}, " for name in names)}), {more}
)
"""
    (folder / "front_end.py").write_text(HEAD + textwrap.dedent(body) + manifest)
    return folder


def loaded(folder: Path, mode: str = "process", **settings: Any) -> FrontEnd:
    """Load a folder as `app` does; patiently, where a test is not about deadlines and the machine is busy."""
    chosen = {"deadline_ms": 10_000, **settings}
    return load_isolated(folder, Isolation(mode=mode, **chosen), POINTS)  # pyright: ignore[reportArgumentType]


def asked(front_end: FrontEnd, point: Point) -> Callable[..., Any]:
    """Return what `ctx.answer(point)` is for this front end."""
    plan = shipped.build([front_end]).line(front_end.code).plan({})

    def ask(*args: Any, **kwargs: Any) -> Any:
        return plan.answer(point)(*args, **kwargs)  # as in a call, which holds its plan and so its front end

    return ask
