"""What people do at a front end, step by step, told by which capabilities it calls for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

from isthmus.kernel import Capability
from isthmus.kernel.host import ExtensionPoint

StepName = Literal["browse", "basket", "pay", "deliver", "return"]
STEPS: Final[tuple[StepName, ...]] = ("browse", "basket", "pay", "deliver", "return")


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Calls of one step; what several packs say of one is put together.

    calls: whose time and refusals are the step's. begins, ends: an answered call of these begins or ends one: who began
    and did not end has left. What ends a basket is an order; `total` is where its answer says what is paid, such as
    `orders.total`: of a list, all are added up. complaints: each is somebody who was not content with it. by: the field
    by which an ask of `ends` names what was begun; one without it ends what did not begin here, as at a till.
    """

    name: StepName
    calls: tuple[Capability[Any, Any], ...]
    begins: tuple[Capability[Any, Any], ...] = ()
    ends: tuple[Capability[Any, Any], ...] = ()
    complaints: tuple[Capability[Any, Any], ...] = ()
    total: str = ""
    by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Paid:
    """Extension points whose answers are what a buyer pays: of one unit where they are asked about lines.

    instead: fields of a line with the amount that stands where nobody has an opinion, the first that is there. What
    other points answer is a limit, a commission or a share, and moves no price by itself.
    """

    points: tuple[ExtensionPoint[..., Any], ...]
    instead: tuple[str, ...] = ()
