"""What is wrong with a flag, before anybody is given it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, cast

from isthmus.kernel import encode, errors
from isthmus.later import later

from .. import api
from . import evaluation, targeting
from .targeting import WrongRule

if TYPE_CHECKING:
    import jsonschema
else:
    jsonschema = later("jsonschema")

FLAG_BYTES_MAX: Final = 100_000  # a screen loads all flags: what is larger is a file


def check(flag: api.Flag, others: Mapping[str, api.Flag]) -> None:
    """Raise WrongFlag with the first thing that is wrong. others: all flags of the front end."""
    if len(encode(flag)) > FLAG_BYTES_MAX:
        raise _wrong(
            f"flag {flag.key!r} is larger than {FLAG_BYTES_MAX} bytes", "$.flag", "keep what is long in a file"
        )
    for path, because in (*_variants(flag), *_rules(flag), *_requires(flag, others), *_experiment(flag)):
        raise _wrong(because, path, "correct it; nothing was changed")


def loops(flag: api.Flag, others: Mapping[str, api.Flag]) -> bool:
    """Return whether a flag would require itself, over others."""
    ahead, seen = [one.key for one in flag.requires], set[str]()
    while ahead:
        if (key := ahead.pop()) == flag.key:
            return True
        if key not in seen and key in others:
            seen.add(key)
            ahead += [one.key for one in others[key].requires]
    return False


def _variants(flag: api.Flag) -> Iterator[tuple[str, str]]:
    judge = _schema(flag) if flag.schema else None
    if flag.schema and flag.kind is not api.FlagKind.OBJECT:
        yield "$.flag.schema", "a schema is of the values of an object flag"
    for name, value in flag.variants.items():
        path = f"$.flag.variants.{name}"
        if not evaluation.fits(flag.kind, value):
            yield path, f"variant {name!r} is {type(value).__name__}, and the flag's `kind` is {flag.kind}"
        elif judge is not None and (problem := judge(value)):
            yield path, f"variant {name!r} does not fit the schema: {problem}"
    yield from _named(flag, flag.default_variant, "$.flag.default_variant")
    for at, step in enumerate(flag.schedule):
        yield from _named(flag, step.default_variant, f"$.flag.schedule[{at}].default_variant")


def _named(flag: api.Flag, variant: str | None, path: str) -> Iterator[tuple[str, str]]:
    if variant is not None and variant not in flag.variants:
        near = errors.near(variant, flag.variants)
        yield path, f"there is no variant {variant!r}{near}; there are {', '.join(flag.variants)}"


def _schema(flag: api.Flag) -> Callable[[Any], str]:
    try:
        jsonschema.Draft202012Validator.check_schema(flag.schema)
    except jsonschema.SchemaError as error:
        raise _wrong(f"this is no JSON Schema: {error.message[:200]}", "$.flag.schema", "see json-schema.org") from None
    if _leads_outside(flag.schema):
        raise _wrong("a schema refers to no other document", "$.flag.schema", "write it out")
    judge = jsonschema.Draft202012Validator(flag.schema)

    def problem(value: Any) -> str:
        found = next(iter(cast("Any", judge).iter_errors(value)), None)
        return "" if found is None else f"{found.message[:200]} at {found.json_path}"

    return problem


def _leads_outside(node: Any) -> bool:
    """Return whether a schema refers to another document, which would have to be fetched."""
    if isinstance(node, dict):
        fields = cast("dict[str, Any]", node)
        refs = [str(fields[name]) for name in ("$ref", "$dynamicRef") if name in fields]
        return any(not one.startswith("#") for one in refs) or any(map(_leads_outside, fields.values()))
    return isinstance(node, list) and any(map(_leads_outside, cast("list[Any]", node)))


def _rules(flag: api.Flag) -> Iterator[tuple[str, str]]:
    written = [("$.flag.targeting", flag.targeting)]
    written += [(f"$.flag.schedule[{at}].targeting", step.targeting or {}) for at, step in enumerate(flag.schedule)]
    for path, logic in written:
        try:
            targeting.compiled(logic, flag.key)
        except WrongRule as wrong:
            yield path + wrong.path[1:], wrong.because
        for name in _results(logic):
            yield from _named(flag, name, path)


def _results(logic: Any) -> Iterator[str]:
    """Yield the names of variants that a rule can give, as far as they are written out in it."""
    if isinstance(logic, str):
        yield logic
    if not isinstance(logic, dict) or len(cast("dict[str, Any]", logic)) != 1:
        return
    ((name, inside),) = cast("dict[str, Any]", logic).items()
    args = cast("list[Any]", inside) if isinstance(inside, list) else [inside]
    if name in ("if", "?:"):
        for at, one in enumerate(args):
            if at % 2 or (at == len(args) - 1):
                yield from _results(one)
    elif name == "fractional":
        for one in args:
            if isinstance(one, list) and one:
                yield from _results(cast("list[Any]", one)[0])


def _requires(flag: api.Flag, others: Mapping[str, api.Flag]) -> Iterator[tuple[str, str]]:
    for at, need in enumerate(flag.requires):
        path = f"$.flag.requires[{at}]"
        if need.key == flag.key:
            yield path, "a flag does not require itself"
        elif need.key not in others:
            yield path, f"there is no flag {need.key!r}{errors.near(need.key, others)}"
        else:
            for one in need.variants:
                yield from _named(others[need.key], one, f"{path}.variants")
    if loops(flag, others):
        yield "$.flag.requires", "what it requires requires the flag itself"


def _experiment(flag: api.Flag) -> Iterator[tuple[str, str]]:
    if (own := flag.experiment) is None:
        return
    for name in (*own.shares, own.control):
        yield from _named(flag, name, "$.flag.experiment")
    if own.control not in own.shares:
        yield "$.flag.experiment.control", f"the control {own.control!r} has no share"
    if sum(1 for share in own.shares.values() if share) < 2 or not own.shares.get(own.control, 0):
        yield "$.flag.experiment.shares", "two variants at least have a share, and the control is one of them"


def _wrong(because: str, path: str, remedy: str) -> api.WrongFlag:
    return api.WrongFlag(because, remedy=remedy, path=path)
