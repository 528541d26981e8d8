"""Collect packs and front ends, check everything, freeze; every problem is reported in one go."""

from __future__ import annotations

import inspect
import operator
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from .capability import Capability, Implementation
from .contract import Value
from .errors import BuildProblems, kebab, near
from .extension import Answer, Dimension
from .front_end import FrontEnd, Product
from .ordering import PRODUCT_RANK, Candidates, dead_answer, problems_of, reached
from .pack import Pack
from .plan import Compiler, Point
from .release import Line, Node, Offered, Read, Release, fingerprint_of

_NAME = re.compile(r"[a-z][a-z0-9-]*\.[a-z][a-z0-9-]*")
_CODE = re.compile(r"[a-z][a-z0-9-]{0,31}(\.[a-z][a-z0-9-]{0,31})*")
POINTS_MAX = 12  # a pack with more questions than this leaves its domain to its callers


class Registry:
    """What is to run together. `freeze` gives a Release, or BuildProblems with all that is wrong."""

    def __init__(self) -> None:
        self._packs: list[Pack] = []
        self._front_ends: list[FrontEnd] = []

    def add(self, *parts: Pack | FrontEnd) -> Registry:
        """Add packs and front ends in any order; the result never depends on it."""
        for part in parts:
            (self._packs if isinstance(part, Pack) else self._front_ends).append(part)  # type: ignore[arg-type]
        return self

    def freeze(self) -> Release:
        """Check everything and return a Release. Raises BuildProblems."""
        problems = [*_repeated("pack", (pack.name for pack in self._packs))]
        for pack in self._packs:
            problems += _pack_problems(pack)
        offered, unimplemented = _offer(self._packs)
        points = {point.name: point for pack in self._packs for point in pack.extension_points().values()}
        dimensions, differing = _dimensions(points.values())
        problems += [*unimplemented, *differing]
        release = Release(
            packs={pack.name: pack for pack in self._packs},
            offered=_reading(offered, dimensions),
            points=points,
            lines={},
            dimensions=dimensions,
        )
        problems += _repeated("front end", (front_end.code for front_end in self._front_ends))
        lines, wrong = compile_lines(release, self._front_ends)
        if problems or wrong:
            raise BuildProblems([*problems, *wrong])
        return release.replacing(*lines)


def compile_lines(release: Release, front_ends: Iterable[FrontEnd]) -> tuple[list[Line], list[str]]:
    """Check front ends against a release and return their lines, with every problem found."""
    compiler = Compiler()
    answers: dict[tuple[str, int], tuple[Answer, ...]] = {}  # a product's answers, shared by all that switch it on
    lines: list[Line] = []
    problems: list[str] = []
    for front_end in front_ends:
        line, wrong = _line(release, front_end, compiler, answers)
        lines.append(line)
        problems += wrong
    return lines, problems


def _pack_problems(pack: Pack) -> Iterator[str]:
    named: dict[str, Mapping[str, Capability[Any, Any] | Point]] = {
        "capability": pack.capabilities(),
        "extension point": pack.extension_points(),
    }
    for kind, things in named.items():
        for python_name, thing in things.items():
            if thing.name != f"{pack.name}.{kebab(python_name)}" or not _NAME.fullmatch(thing.name):
                yield (
                    f"{kind} {thing.name!r} ({thing.source}) is called {python_name!r} in pack {pack.name!r}; "
                    f"name it {pack.name}.{kebab(python_name)!s}"
                )
            if not thing.doc:
                yield f"{kind} {thing.name!r} ({thing.source}) has no documentation; say what the caller gets"
    for thing in pack.capabilities().values():
        if not (isinstance(thing.ask, type) and issubclass(thing.ask, Value)):
            yield f"capability {thing.name!r} ({thing.source}) asks with {thing.ask!r}; make it a Value"
    if len(pack.extension_points()) > POINTS_MAX:
        yield f"pack {pack.name!r} has {len(pack.extension_points())} extension points; {POINTS_MAX} is the limit"


def _offer(packs: Sequence[Pack]) -> tuple[dict[str, Offered], list[str]]:
    declared = {found.name: found for pack in packs for found in pack.capabilities().values()}
    bound: dict[str, list[Implementation]] = defaultdict(list)
    for pack in packs:
        for implementation in pack.implemented():
            bound[implementation.capability.name].append(implementation)
    return _bind(declared, bound)


def _bind(
    declared: Mapping[str, Capability[Any, Any]], bound: Mapping[str, Sequence[Implementation]]
) -> tuple[dict[str, Offered], list[str]]:
    problems: list[str] = []
    offered: dict[str, Offered] = {}
    for name, found in declared.items():
        implementations = bound.get(name, ())
        if len(implementations) != 1:
            places = ", ".join(one.source for one in implementations) or "nowhere"
            problems.append(
                f"capability {name!r} ({found.source}) is implemented {len(implementations)} times ({places}); "
                "bind exactly one function with @implements"
            )
            continue
        problems += [
            f"flow {name!r} ({found.source}) uses {part.name!r}, which nobody offers{near(part.name, declared)}"
            for part in found.uses
            if declared.get(part.name) is not part
        ]
        offered[name] = Offered(capability=found, implementation=implementations[0], dimensions=(), read=None)
    problems += [
        f"{one.source} implements {name!r}, which no pack declares{near(name, declared)}"
        for name, implementations in bound.items()
        if name not in declared
        for one in implementations
    ]
    return offered, problems


def _dimensions(points: Iterable[Point]) -> tuple[dict[str, Dimension], list[str]]:
    known: dict[str, Dimension] = {}
    problems: list[str] = []
    for point in points:
        for dimension in point.dimensions:
            if known.setdefault(dimension.name, dimension) != dimension:
                problems.append(
                    f"dimension {dimension.name!r} of {point.name!r} ({point.source}) has other values than elsewhere; "
                    "declare it once and import it"
                )
    return known, problems


def _reading(offered: Mapping[str, Offered], dimensions: Mapping[str, Dimension]) -> dict[str, Offered]:
    """Prepare reading the dimension values of each ask: the fields that carry a dimension's name."""
    ready: dict[str, Offered] = {}
    for name, one in offered.items():
        carried = tuple(field for field in getattr(one.capability.ask, "__struct_fields__", ()) if field in dimensions)
        ready[name] = Offered(
            capability=one.capability, implementation=one.implementation, dimensions=carried, read=_reader(carried)
        )
    return ready


def _reader(fields: Sequence[str]) -> Read | None:
    if not fields:
        return None
    read: Any = operator.attrgetter(*fields)
    return (lambda ask: (read(ask),)) if len(fields) == 1 else read  # attrgetter of one name gives no tuple


def _line(
    release: Release,
    front_end: FrontEnd,
    compiler: Compiler,
    shared: dict[tuple[str, int], tuple[Answer, ...]],
) -> tuple[Line, list[str]]:
    problems = list(_identity_problems(front_end))
    permitted, unknown = _permitted(release, front_end)
    dimensions = dict(_with_added_values(release, front_end))
    problems += unknown
    nodes = [_node(release, path, dimensions, shared) for path in _paths(front_end, ())]
    for path in _paths(front_end, ()):
        problems += _answer_problems(release, path[-1], dimensions)
    if not problems:  # an order means nothing among answers that are wrong in themselves
        problems += _order_problems(nodes)
    nodes.sort(key=lambda node: -node.code.count("."))
    root = next(node for node in nodes if node.code == front_end.code)
    return Line(
        front_end=front_end,
        nodes=tuple(nodes),
        permitted=permitted,
        dimensions=dimensions,
        fingerprint=fingerprint_of(front_end, root.candidates),
        compiler=compiler,
    ), problems


def _paths(front_end: FrontEnd, above: tuple[FrontEnd, ...]) -> Iterator[tuple[FrontEnd, ...]]:
    path = (*above, front_end)
    yield path
    for child in front_end.children:
        yield from _paths(child, path)


def _identity_problems(front_end: FrontEnd) -> Iterator[str]:
    if "." in front_end.code:
        yield f"front end {front_end.code!r} has a dot in its code; make it a child of {front_end.code.split('.')[0]!r}"
    for path in _paths(front_end, ()):
        code = path[-1].code
        if not _CODE.fullmatch(code):
            yield f"front end code {code!r} is not lower-case letters, digits and '-'; no code is a wildcard"
        if len(path) > 1 and not code.startswith(path[-2].code + "."):
            yield f"child {code!r} of {path[-2].code!r} must be called {path[-2].code}.<name>"
        if len(path) > 1 and not path[-1].when:
            yield f"child {code!r} has no when={{...}}, so nothing would choose it"


def _permitted(release: Release, front_end: FrontEnd) -> tuple[frozenset[str], list[str]]:
    permitted: set[str] = {found.name for found in front_end.capabilities}
    problems: list[str] = []
    for use in front_end.uses:
        pack, _, name = use.partition(".")
        if name == "*" and pack in release.packs:
            permitted.update(found.name for found in release.packs[pack].capabilities().values())
        elif use in release.offered:
            permitted.add(use)
        else:
            known = [*release.offered, *(f"{known}.*" for known in release.packs)]
            problems.append(f"front end {front_end.code!r} uses {use!r}, which nobody offers{near(use, known)}")
    return frozenset(permitted), problems


def _with_added_values(release: Release, front_end: FrontEnd) -> Iterator[tuple[str, Dimension]]:
    added: dict[str, list[str]] = defaultdict(list)
    for path in _paths(front_end, ()):
        for product in path[-1].products:
            for name, values in product.adds.items():
                added[name] += values
    for name, dimension in release.dimensions.items():
        values = tuple(dict.fromkeys([*dimension.values, *added[name]]))
        yield name, Dimension(name=name, values=values, default=dimension.default)


def _node(
    release: Release,
    path: tuple[FrontEnd, ...],
    dimensions: Mapping[str, Dimension],
    shared: dict[tuple[str, int], tuple[Answer, ...]],
) -> Node:
    by_point: dict[Point, list[Answer]] = defaultdict(list)
    fixed: dict[str, str] = {}
    for rank, front_end in enumerate(reversed(path)):
        fixed = {**front_end.when, **fixed}
        for answer in front_end.answers:
            by_point[answer.point].append(answer.owned_by(front_end.code, rank))
        for product in front_end.products:
            for answer in _products_answers(product, shared):
                if answer not in by_point[answer.point]:
                    by_point[answer.point].append(answer)
    candidates = {
        point: Candidates(
            node=path[-1].code,
            point=point,
            answers=tuple(found),
            orders=_orders(path, point, found),
            values={name: dimension.values for name, dimension in dimensions.items()},
            fixed={name: value for name, value in fixed.items() if name in {d.name for d in point.dimensions}},
        )
        for point, found in by_point.items()
    }
    return Node(code=path[-1].code, when=fixed, candidates=candidates)


def _products_answers(product: Product, shared: dict[tuple[str, int], tuple[Answer, ...]]) -> tuple[Answer, ...]:
    key = (product.name, id(product))
    if key not in shared:
        shared[key] = tuple(answer.owned_by(product.name, PRODUCT_RANK) for answer in product.answers)
    return shared[key]


def _orders(path: tuple[FrontEnd, ...], point: Point, owned: Sequence[Answer]) -> tuple[tuple[Answer, ...], ...]:
    """Translate the orders that front ends wrote, in terms of the answers as they own them."""
    by_function = {id(answer.function): answer for answer in owned}
    orders = (front_end.order.get(point, ()) for front_end in path)
    found = (
        tuple(by_function[id(one.function)] for one in order if id(one.function) in by_function) for order in orders
    )
    return tuple(order for order in found if len(order) > 1)


def _answer_problems(release: Release, front_end: FrontEnd, dimensions: Mapping[str, Dimension]) -> Iterator[str]:
    answers = [(front_end.code, answer) for answer in front_end.answers]
    answers += [(product.name, answer) for product in front_end.products for answer in product.answers]
    for owner, answer in answers:
        where = f"{owner}.{answer.name} ({answer.source})"
        if release.points.get(answer.point.name) is not answer.point:
            yield f"{where} answers {answer.point.name!r}, which nobody asks{near(answer.point.name, release.points)}"
            continue
        yield from (f"{where} {fault}" for fault in _signature_faults(answer))
        yield from (f"{where} {fault}" for fault in _condition_faults(answer, dimensions))
    listed = {id(answer.function) for _, answer in answers}
    for point, order in front_end.order.items():
        for answer in order:
            if id(answer.function) not in listed:
                yield f"front end {front_end.code!r} orders {answer.name} for {point.name!r}, which it does not list"
    for name, value in front_end.when.items():
        if name not in dimensions or value not in dimensions[name].values:
            yield f"front end {front_end.code!r} is chosen by {name}={value!r}, which no ask can carry"


def _signature_faults(answer: Answer) -> Iterator[str]:
    point = answer.point
    parameters = inspect.signature(answer.function).parameters
    positional = [one for one in parameters.values() if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)]
    if len(positional) != len(point.parameters):
        yield (
            f"takes ({', '.join(parameters)}), but {point.name!r} asks with ({', '.join(point.parameters)}); "
            f"write def {answer.name}({', '.join(point.parameters)})"
        )
    if inspect.iscoroutinefunction(answer.function) and not point.is_async:
        yield f"is async, but {point.name!r} is pure and answered at once; write it with plain def"
    stages = point.combine.stages
    if stages and answer.stage not in stages:
        yield f"answers {point.name!r} in stage {answer.stage!r}; choose one of {', '.join(stages)}"
    if answer.stage and not stages:
        yield f"names stage {answer.stage!r}, but {point.name!r} has no stages; leave stage= out"


def _condition_faults(answer: Answer, dimensions: Mapping[str, Dimension]) -> Iterator[str]:
    declared = [dimension.name for dimension in answer.point.dimensions]
    for name, values in answer.when.items():
        if name not in declared:
            yield (
                f"is conditional on {name!r}, which {answer.point.name!r} does not offer{near(name, declared)}; "
                f"its dimensions are {', '.join(declared) or 'none'}"
            )
            continue
        for value in sorted(values - set(dimensions[name].values)):
            known = dimensions[name].values
            yield f"is conditional on {name}={value!r}{near(value, known)}; the values are {', '.join(known)}"


def _order_problems(nodes: Sequence[Node]) -> list[str]:
    problems: list[str] = []
    asked: set[int] = set()
    speaking: dict[int, Answer] = {}
    for node in nodes:
        for candidates in node.candidates.values():
            problems += problems_of(candidates)
            asked |= {id(answer.function) for answer in candidates.answers if id(answer) in reached(candidates)}
            speaking |= {id(answer.function): answer for answer in candidates.answers}
    dead = [dead_answer(answer) for key, answer in speaking.items() if key not in asked]
    return list(dict.fromkeys([*problems, *sorted(dead)])) if not problems else list(dict.fromkeys(problems))


def _repeated(kind: str, names: Iterable[str]) -> list[str]:
    seen: set[str] = set()
    repeated = {name for name in names if name in seen or seen.add(name)}
    return [f"{kind} {name!r} is there twice; give one of them another name" for name in sorted(repeated)]
