"""Who may, as others may ask it: decisions with the policies that made them, and lists both ways.

Without a policy that permits it nothing is allowed, and one that forbids wins over all that permit.
"""

from __future__ import annotations

from typing import Annotated

from isthmus.kernel import Effect, Meta, Value, capability, errors

ROLES = ("owner", "operator", "support", "analyst", "auditor", "deployer")
WAYS_IN = ("http", "mcp", "console", "cli", "job", "event")
RULES = "policy.rules"  # the settings of a front end that hold its own policies
CASES = "policy.cases"  # and what must come of them

Name = Annotated[str, Meta(max_length=200)]
RELATIONS_MAX = 200  # of one person at one front end: more is a role
RelationName = Annotated[
    str, Meta(max_length=240, pattern=r"^[a-z][a-z0-9-]{0,99} [a-z][a-z-]{0,31}/[!#-&(-\[\]-~]{1,100}\Z")
]
RoleName = Annotated[str, Meta(min_length=1, max_length=100, pattern=r"^[a-z][a-z0-9-]*\Z")]


class Who(Value):
    """A principal: a person with roles, or where no person is named a client; `is_platform` is the platform itself.

    relations: what the person holds of parts of the front end, such as `operator seller/17`.
    """

    person: Name = ""
    roles: Annotated[tuple[RoleName, ...], Meta(max_length=50)] = ()
    relations: Annotated[tuple[RelationName, ...], Meta(max_length=RELATIONS_MAX)] = ()
    client: Name = ""
    is_platform: bool = False


class Decide(Value):
    """Ask whether somebody may call a capability at this front end."""

    who: Who
    action: Name
    via: Name = "http"
    about: Name = ""  # what the ask names, as `member/019d…`; nothing: whether they may call it at all


class Decision(Value):
    """What came of it, and which policies said so, as `file#id`; none where nobody permitted it."""

    is_allowed: bool
    policies: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()  # policies that could not be evaluated: then nothing is allowed
    parts: tuple[str, ...] = ()  # to which of its parts it is confined: `seller/17`; none: to no part


class ListActions(Value):
    """Ask what somebody may call at this front end."""

    who: Who
    via: Name = "http"


class Actions(Value):
    """Capabilities by name."""

    actions: tuple[str, ...]


class ListPrincipals(Value):
    """Ask who may call a capability at this front end."""

    action: Name
    via: Name = "http"


class Principals(Value):
    """Roles that may, and whether clients of the front end and the platform may."""

    roles: tuple[str, ...]
    is_for_clients: bool
    is_for_platform: bool
    relations: tuple[str, ...] = ()  # who may in a part of it, or for a time: `ada: operator seller/17`


class Forbidden(errors.NotPermitted):
    """A policy forbids it, or none permits it."""

    slug = "policy.forbidden"

    def __init__(self, *, who: str, action: str, front_end: str, because: str) -> None:
        super().__init__(
            f"{who} may not {action} at {front_end}: {because}",
            remedy=f"`isthmus security may WHO {action} --on {front_end}` says which policy to change",
            action=action,
        )


class WrongPolicies(errors.BadAsk):
    """Policies do not parse, do not fit what there is to call, or do not do what their cases say."""

    slug = "policy.wrong-policies"

    def __init__(self, *, problems: tuple[str, ...]) -> None:
        super().__init__(
            f"{len(problems)} problem(s) with policies: {'; '.join(problems)}", remedy="fix them, and start again"
        )


class NoSuchAction(errors.NotFound):
    """Nothing that can be called has this name."""

    slug = "policy.no-such-action"

    def __init__(self, *, action: str, near: str) -> None:
        super().__init__(
            f"no capability is called {action!r}{near}", remedy="name one that is plugged in", path="$.action"
        )


class NoSuchWayIn(errors.BadAsk):
    """Nothing comes in this way, so a policy that asks about it would decide of nobody."""

    slug = "policy.no-such-way-in"

    def __init__(self, *, via: str) -> None:
        super().__init__(
            f"nothing comes in through {via!r}{errors.near(via, WAYS_IN)}",
            remedy=f"say one of {', '.join(WAYS_IN)}",
            path="$.via",
            via=via,
        )


class NoSuchThing(errors.BadAsk):
    """What a question is about is of no kind that asks name."""

    slug = "policy.no-such-thing"

    def __init__(self, *, about: str, kinds: str) -> None:
        super().__init__(
            f"{about!r} is nothing that policies know",
            remedy=f"name one of {kinds}" if kinds else "plug in a pack that says what asks name",
            path="$.about",
        )


class NotNamed(errors.BadAsk):
    """Asks of a capability name nothing of the kind that a question is about."""

    slug = "policy.not-named"

    def __init__(self, *, action: str, about: str) -> None:
        super().__init__(
            f"asks of {action!r} name no {about.partition('/')[0]}, so none of its policies is about {about!r}",
            remedy="name a capability whose ask does, or leave out what it is about",
            path="$.about",
        )


@capability("policy.decide", version="1.1", effect=Effect.READ, raises=[NoSuchAction, NoSuchThing, NotNamed])
def decide(ask: Decide) -> Decision:
    """Say whether somebody may call a capability at this front end, and which policies decide it."""
    ...


@capability("policy.list-actions", version="1.0", effect=Effect.READ)
def list_actions(ask: ListActions) -> Actions:
    """List what somebody may call at this front end, as far as policies decide it."""
    ...


@capability("policy.list-principals", version="1.0", effect=Effect.READ, raises=[NoSuchAction])
def list_principals(ask: ListPrincipals) -> Principals:
    """List who may call a capability at this front end."""
    ...
