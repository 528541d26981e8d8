"""Policies as they are decided: Cedar, asked once for each principal, action and front end, and remembered."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

import cedarpy

from isthmus.kernel import Caller, Capability, Effect, FrontEnd, Pack, errors, ports
from isthmus.manifest.actions import ACTIONS, Action
from isthmus.manifest.named import Named, fields_of, named_by
from isthmus.manifest.parts import FRONT_END, kinds_of
from isthmus.sealing import UNSEALED, Seals

from .. import api
from ..rules.cases import Case, read_cases
from ..rules.schema import entity_of, kinds_named, schema_of
from ..rules.things import Thing
from . import lists, naming

if TYPE_CHECKING:
    from isthmus.store import Database

Uid = dict[str, str]

_CEDAR: Final = cast(Any, cedarpy)  # its functions take dictionaries of anything

DECIDED_MAX: Final = 50_000  # decisions remembered at once: then all are forgotten; 20 MB
SETS_MAX: Final = 1_000  # front ends' policies that are ready at once, with those of versions that went
DEFAULT: Final = Path(__file__).parent.parent / "rules" / "default.cedar"

Source = tuple[str, str]  # the name of a file or a front end, and its text
Decided = tuple[str, str]  # why somebody may not, where they may not; and the parts that they are confined to


@dataclass(slots=True)
class PolicySet:
    """Policies that hold together at one front end, ready to be asked."""

    parsed: cedarpy.PolicySet
    names: Mapping[str, str]  # Cedar's number of a policy → `file#id`
    schema: cedarpy.Schema
    about: Mapping[str, tuple[Named, ...]]  # by action: the kinds that its asks name, and that policies speak of
    blank: Mapping[str, Mapping[str, Any]]  # by kind: what is seen of a thing that nothing is known of
    decided: dict[tuple[Any, ...], Decided] = field(default_factory=dict[tuple[Any, ...], Decided])


class Looking(Protocol):
    """Looks whether policies are to be others by now."""

    async def look(self) -> None: ...


class Policies:
    """Decides by policies: the kernel's port *who may*."""

    def __init__(
        self,
        packs: Sequence[Pack],
        sources: Sequence[Source],
        cases: Sequence[Source] = (),
        database: Database | None = None,
    ) -> None:
        """Take policies and their cases. Raises WrongPolicies with all that is wrong with them.

        database: where it is looked up what is known of things that asks name; without one they have names alone.
        """
        called = (one for pack in packs for one in pack.capabilities().values())
        self.capabilities: dict[str, Any] = {one.name: one for one in (*called, *ACTIONS)}
        self.within = kinds_of(packs)
        self.named = named_by(packs)
        self.database = database
        self._schema = _parsed(schema_of(self.capabilities.values(), self.within, self.named))
        self._sources = tuple(sources)
        self._sets: dict[tuple[str, str, str], PolicySet] = {}
        self._decided = 0
        self.seals: Callable[[], Seals] = lambda: UNSEALED  # of what asks name by what is kept encrypted
        self.watched: Looking | None = None  # the files that these come from
        problems = [*_problems(self._sources, self._schema)]
        if not problems:
            problems = [wrong for name, text in cases for wrong in self.case_problems(name, text)]
        if problems:
            raise api.WrongPolicies(problems=tuple(problems))

    async def check(
        self, caller: Caller, capability: Capability[Any, Any] | Action, settings: Mapping[str, str], ask: Any = None
    ) -> str:
        """Return the parts that a call is confined to, or raise Forbidden: the kernel's port."""
        held = self._held(caller.front_end, settings.get(api.RULES, ""), capability)
        key = (
            caller.person or caller.client, caller.roles, caller.relations, capability.name, caller.via,
            caller.is_event_triggered,
        )  # fmt: skip
        decided = held.decided.get(key)
        if decided is None:
            if self._decided >= DECIDED_MAX:
                self.forget()
                held = self._held(caller.front_end, settings.get(api.RULES, ""), capability)
            found = self._decide(held, who_calls(caller), capability.name, caller.front_end, caller.via)
            decided = held.decided[key] = (_reason(found), " ".join(found.parts))
            self._decided += 1
        because, parts = decided
        if held.about and ask is not None and isinstance(capability, Capability):
            because, parts = await self._check_named(held, caller, capability, ask, decided)
        if because:
            who = _named(who_calls(caller))
            raise api.Forbidden(who=who, action=capability.name, front_end=caller.front_end, because=because)
        return parts

    async def _check_named(
        self, held: PolicySet, caller: Caller, capability: Capability[Any, Any], ask: Any, decided: Decided
    ) -> Decided:
        """Decide over what an ask names, where policies speak of such things; it is never remembered."""
        if not (kinds := held.about.get(capability.name)):
            return decided
        things = await naming.things_in(kinds, capability, caller.front_end, ask, self.database, self.seals())
        if not things:
            return decided
        found = self._decide(held, who_calls(caller), capability.name, caller.front_end, caller.via, things)
        return _reason(found), " ".join(found.parts)

    def leaving_out(
        self, caller: Caller, capability: Capability[Any, Any], settings: Mapping[str, str]
    ) -> ports.View | None:
        """Return what leaves out of an answer's lists what somebody may not open; None where policies speak of none."""
        kinds = [one for one in self.named if one.opens and one.by in fields_of(capability.answer)]
        if capability.effect is not Effect.READ or not kinds:
            return None
        front_end, who = caller.front_end, who_calls(caller)
        held = self._held(front_end, settings.get(api.RULES, ""), capability)
        kinds = [one for one in kinds if one.opens and one in held.about.get(one.opens.name, ())]

        def may(one: Named, things: Sequence[Thing]) -> bool:
            opens = one.opens.name if one.opens else ""
            return self._decide(held, who, opens, front_end, caller.via, things).is_allowed

        async def view(answer: bytes) -> bytes:
            return await lists.shortened(answer, kinds, front_end, may, self.database)

        return view if kinds else None

    def decide(
        self,
        who: api.Who,
        action: str,
        front_end: str,
        rules: str = "",
        via: str = "http",
        things: Sequence[Thing] = (),
    ) -> api.Decision:
        """Return a decision with the policies that made it; things: that are named. Raises NoSuchAction."""
        if (known := self.capabilities.get(action)) is None:
            raise api.NoSuchAction(action=action, near=errors.near(action, self.capabilities))
        kinds = kinds_named(known, self.named)
        if wrong := next((one for one in things if one.kind not in kinds), None):
            raise api.NotNamed(action=action, about=f"{wrong.kind}/{wrong.name}")
        return self._decide(self._held(front_end, rules, known), who, action, front_end, via, things)

    async def things(self, front_end: str, about: str) -> Sequence[Thing]:
        """Return what `member/019d…` means, and what is known of it. Raises NoSuchThing."""
        return await naming.thing(self.named, front_end, about, self.database) if about else ()

    def _decide(
        self, held: PolicySet, who: api.Who, action: str, front_end: str, via: str, things: Sequence[Thing] = ()
    ) -> api.Decision:
        """Decide over a front end or the parts of it that somebody holds, and then over the things that are named.

        What is forbidden of one of these is not allowed; what nobody decided is where it is permitted of all of them.
        """
        found = self._over_parts(held, who, action, front_end, via)
        held_of = [one for one in who.relations if one.partition(" ")[2] in found.parts] or [""]
        each = [_asked(held, who, action, front_end, via, by, one) for one in things for by in held_of]
        if failed := next((one for one in each if one.failed), None):
            return failed
        if forbidden := next((one for one in each if not one.is_allowed and one.policies), None):
            return forbidden
        if each and not found.is_allowed and not found.policies and all(one.is_allowed for one in each):
            return each[0]
        return found

    def _over_parts(self, held: PolicySet, who: api.Who, action: str, front_end: str, via: str) -> api.Decision:
        """Decide over the whole front end, and where that is not permitted over each part that somebody holds of it."""
        is_key = bool(who.client and who.relations and not who.person)  # of a part: all of the front end is never its
        whole = api.Decision(is_allowed=False) if is_key else _asked(held, who, action, front_end, via)
        kinds = self.within.get(action, ())
        parts = [one for one in who.relations if _kind(one) in kinds] if not whole.is_allowed else []
        found = [(one.partition(" ")[2], _asked(held, who, action, front_end, via, one)) for one in parts]
        if failed := next((one for _, one in found if one.failed), None):
            return failed
        allowed = [(part, one) for part, one in found if one.is_allowed]
        if not allowed:
            return next((one for _, one in found if one.policies), whole)
        said = dict.fromkeys(policy for _, one in allowed for policy in one.policies)
        return api.Decision(
            is_allowed=True, policies=tuple(said), parts=tuple(dict.fromkeys(part for part, _ in allowed))
        )

    def become(self, fresh: Policies) -> None:
        """Decide everything by other policies from now on."""
        self.capabilities, self.within, self._schema = fresh.capabilities, fresh.within, fresh._schema
        self.named = fresh.named
        self._sources = fresh._sources
        self.forget()

    async def look(self) -> None:
        """Take up what the company's files say by now; nothing to do where they come from nowhere."""
        if self.watched is not None:
            await self.watched.look()

    def forget(self) -> None:
        """Decide everything anew."""
        self._sets.clear()
        self._decided = 0

    def case_problems(self, name: str, text: str, front_end: str = "", rules: str = "") -> Iterator[str]:
        """Say which cases do not hold; front_end: where those are tried that name none."""
        cases, wrong = read_cases(text, front_end)
        yield from (f"{name}: {one}" for one in wrong)
        for case in cases:
            yield from (f"{name}: line {case.line}: {one}" for one in self._case_problem(case, rules))

    def _held(self, front_end: str, rules: str, capability: Capability[Any, Any] | Action) -> PolicySet:
        """Return what holds at a front end: the company's policies, and its own over what is its own."""
        own = "" if capability.name in self.capabilities else capability.name  # of the front end itself
        held = self._sets.get((front_end, rules, own))
        if held is None:
            if len(self._sets) >= SETS_MAX:
                self.forget()
            sources = [*self._sources, (front_end, rules)] if rules else self._sources
            known = [*self.capabilities.values(), *([capability] if own else [])]
            text = "\n".join(text for _, text in sources)
            held = self._sets[front_end, rules, own] = PolicySet(
                parsed=cedarpy.PolicySet.from_str(text),
                names=dict(_numbered(sources)),
                schema=_parsed(schema_of(known, self.within, self.named)) if own else self._schema,
                about=self._about(known, naming.spoken_of(text, self.named)),
                blank={one.kind: one.nothing for one in self.named},
            )
        return held

    def _about(
        self, known: Iterable[Capability[Any, Any] | Action], kinds: Sequence[Named]
    ) -> Mapping[str, tuple[Named, ...]]:
        calls = [one for one in known if isinstance(one, Capability)] if kinds else []
        found = {one.name: tuple(kind for kind in kinds if kind.is_in(one)) for one in calls}
        return {name: some for name, some in found.items() if some}

    def _case_problem(self, case: Case, rules: str) -> Iterator[str]:
        try:
            found = self.decide(case.who, case.action, case.front_end, rules, case.via, case.things)
        except (api.NoSuchAction, api.NotNamed) as wrong:
            yield wrong.message
            return
        if found.is_allowed is not case.is_allowed:
            by = ", ".join(found.policies) or "no policy permits it"
            yield f"{case.text!r} does not hold: {'allowed' if found.is_allowed else 'denied'} ({by})"


def front_end_problems(front_end: FrontEnd, packs: Sequence[Pack]) -> Iterator[str]:
    """Say what is wrong with the policies of a front end, and which of its cases do not hold with what ships."""
    rules, cases = (front_end.settings.get(name, "") for name in (api.RULES, api.CASES))
    if not rules and not cases:
        return
    called = (one for pack in packs for one in pack.capabilities().values())
    known = [*called, *ACTIONS, *front_end.capabilities]
    found = _problems([(front_end.code, rules)], _parsed(schema_of(known, kinds_of(packs), named_by(packs))))
    problems = [f"{api.RULES} of {problem}" for problem in found]
    policies = Policies(packs, [(DEFAULT.stem, DEFAULT.read_text())])
    yield from problems or policies.case_problems(front_end.code, cases, front_end.code, rules)


def who_calls(caller: Caller) -> api.Who:
    """Return the principal of a caller: a person before the client that they use."""
    if caller.person:
        return api.Who(person=caller.person, roles=caller.roles, relations=caller.relations)
    is_platform = caller.is_event_triggered or caller.via == "job"
    return api.Who(client=caller.client, roles=caller.roles, relations=caller.relations, is_platform=is_platform)


def _kind(relation: str) -> str:
    return relation.partition(" ")[2].partition("/")[0]


def _asked(
    held: PolicySet, who: api.Who, action: str, front_end: str, via: str, relation: str = "", thing: Thing | None = None
) -> api.Decision:
    """Ask Cedar about a front end; relation: about the part of it that somebody holds by it, and as what.

    thing: about that of it.
    """
    kind, _, name = relation.partition(" ")[2].partition("/")
    part = thing or (Thing(kind, name) if relation else None)
    resource, known = _resource(front_end, part, held.blank)
    uid, entities = _principal(who, front_end, relation)
    request = {"principal": uid, "action": _uid("Action", action), "resource": resource, "context": {"via": via}}
    found = _CEDAR.is_authorized(request, held.parsed, [*entities, *known], held.schema)
    failed = tuple(found.diagnostics.errors)
    names = tuple(held.names.get(one, one) for one in found.diagnostics.reasons)
    return api.Decision(is_allowed=found.allowed and not failed, policies=names, failed=failed)


@lru_cache(maxsize=8)  # what ships is parsed for each front end that a process looks at, which takes 40 ms
def _parsed(schema: str) -> cedarpy.Schema:
    return cedarpy.Schema.from_str(schema)


def _resource(
    front_end: str, part: Thing | None, blank: Mapping[str, Mapping[str, Any]]
) -> tuple[Uid, list[dict[str, Any]]]:
    if part is None:
        return _uid("FrontEnd", front_end), []
    kind, name = entity_of(part.kind), f"{front_end}/{part.name}"
    entity = {**_entity(kind, name, ("FrontEnd", front_end)), "attrs": {**blank.get(part.kind, {}), **part.known}}
    return _uid(kind, name), [entity, _entity("FrontEnd", front_end)]


def _principal(who: api.Who, front_end: str, relation: str) -> tuple[Uid, list[dict[str, Any]]]:
    """Return who asks, and above them their roles and their relations to what is asked about, in the roles they give.

    Of a whole front end those count that are of all of it; of a part the one of that part, beside their roles.
    """
    if who.is_platform:
        return _uid("Platform", "platform"), [_entity("Platform", "platform")]
    held = [one for one in who.relations if one == relation or (not relation and _kind(one) == FRONT_END)]
    given = [one.partition(" ")[0] for one in held]
    known = [_entity("Role", role) for role in dict.fromkeys((*who.roles, *given))]
    known += [_entity("Relation", one, ("Role", role)) for one, role in zip(held, given, strict=True)]
    if who.person:
        above = [*(("Role", role) for role in who.roles), *(("Relation", one) for one in held)]
        return _uid("Person", who.person), [_entity("Person", who.person, *above), *known]
    above = [("Role", role) for role in who.roles] + [("Relation", one) for one in held]
    name = f"{front_end}/{who.client}"
    attrs = {"name": who.client, "front_end": {"__entity": {"type": "FrontEnd", "id": front_end}}}
    return _uid("Client", name), [{**_entity("Client", name, *above), "attrs": attrs}, *known]


def _entity(kind: str, name: str, *above: tuple[str, str]) -> dict[str, Any]:
    return {"uid": _uid(kind, name), "attrs": {}, "parents": [_uid(of, parent) for of, parent in above]}


def _uid(kind: str, name: str) -> Uid:
    """Name an entity as it is: written out, Cedar would read it, with escapes of its own for quotes and letters."""
    return {"type": kind, "id": name}


def _reason(found: api.Decision) -> str:
    """Return why somebody may not, or nothing where they may."""
    if found.is_allowed:
        return ""
    if found.failed:
        return f"a policy failed, and so nobody may: {'; '.join(found.failed)}"
    return f"forbidden by {', '.join(found.policies)}" if found.policies else "no policy permits it"


def _named(who: api.Who) -> str:
    if who.is_platform:
        return "the platform"
    held = ", ".join((*who.roles, *who.relations)) or "nobody"
    of = f" of {', '.join(one.partition(' ')[2] for one in who.relations)}" if who.relations else ""
    return f"{who.person!r} as {held}" if who.person else f"client {who.client!r}{of}"


def _problems(sources: Iterable[Source], schema: cedarpy.Schema) -> Iterator[str]:
    for name, text in sources:
        found = _validated(text, schema)
        named = dict(_numbered([(name, text)])) if not _is_broken(text) else {}
        for one in found.errors:
            yield f"{named.get(one.policy_id, name)}: {one.error}"


@lru_cache(maxsize=8)
def _validated(text: str, schema: cedarpy.Schema) -> Any:
    return _CEDAR.validate_policies(text, schema)


def _is_broken(text: str) -> bool:
    try:
        cedarpy.policies_to_json_str(text)
    except ValueError:
        return True
    return False


def _numbered(sources: Iterable[Source]) -> Iterator[tuple[str, str]]:
    """Yield Cedar's number of each policy in all texts together, and `file#id`, or `file#number` where it has no id."""
    at = 0
    for name, text in sources:
        policies: dict[str, Any] = json.loads(cedarpy.policies_to_json_str(text))["staticPolicies"]
        for number in range(len(policies)):
            annotations: dict[str, str] = policies[f"policy{number}"].get("annotations") or {}
            yield f"policy{at + number}", f"{name}#{annotations.get('id') or number + 1}"
        at += len(policies)
