"""Check front ends against a release, and compile each."""

from __future__ import annotations

import inspect
import itertools
import re
from collections import defaultdict
from collections.abc import Container, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ..contract import Value, json_schema
from ..declare.extension import SWITCH, Answer, Dimension
from ..declare.front_end import FrontEnd, Product
from ..declare.pack import Pack
from ..errors import near
from .answers import Compiler, Point
from .binding import bind
from .ordering import PRODUCT_RANK, Candidates, dead_answer, problems_of, reached
from .plan import BoundCapability, CompiledFrontEnd, Node
from .release import Release

_CODE = re.compile(r"[a-z][a-z0-9-]{0,31}(\.[a-z][a-z0-9-]{0,31})*")

Path = tuple[FrontEnd, ...]  # from the root of a front end's tree down to one of its parts


@dataclass(slots=True)
class _Shared:
    """What the lines of one release have in common, made once."""

    release: Release
    compiler: Compiler = field(default_factory=Compiler)
    products: dict[Product, tuple[Answer, ...]] = field(default_factory=dict[Product, tuple[Answer, ...]])
    permitted: dict[tuple[str, ...], frozenset[str]] = field(default_factory=dict[tuple[str, ...], frozenset[str]])
    signatures: dict[Answer, list[str]] = field(default_factory=dict[Answer, list[str]])


def compile_front_ends(release: Release, front_ends: Iterable[FrontEnd]) -> tuple[list[CompiledFrontEnd], list[str]]:
    """Check front ends against a release and return their lines, with every problem found."""
    shared = _Shared(release)
    lines: list[CompiledFrontEnd] = []
    problems: list[str] = []
    for front_end in front_ends:
        line, wrong = _line(shared, front_end)
        lines.append(line)
        problems += wrong
    return lines, problems


def _line(shared: _Shared, root: FrontEnd) -> tuple[CompiledFrontEnd, list[str]]:
    release = shared.release
    paths = list(_paths(root, ()))
    problems = [*_identity_problems(root, paths, release.packs), *_attribute_problems(root, release.packs.values())]
    permitted, offered, unknown = _capabilities(shared, root)
    dimensions, mistaken = _with_added_values(release, paths)
    problems += [*unknown, *mistaken, *_choice_problems(paths, dimensions)]
    for path in paths:
        problems += _answer_problems(shared, path, dimensions)
    nodes = [_node(shared, path, dimensions) for path in paths]
    if not problems:  # an order means nothing among answers that are wrong in themselves
        problems += _order_problems(nodes)
    return CompiledFrontEnd(
        front_end=root,
        nodes=tuple(sorted(nodes, key=lambda node: (-node.code.count("."), node.code))),
        permitted=permitted,
        offered=offered,
        points=release.points,
        dimensions=dimensions,
        switches={name: one.values for name, one in dimensions.items() if name.startswith(SWITCH)},
        compiler=shared.compiler,
    ), problems


def _paths(front_end: FrontEnd, above: Path) -> Iterator[Path]:
    path = (*above, front_end)
    yield path
    for child in front_end.children:
        yield from _paths(child, path)


def _leads_to(path: Path) -> dict[str, str]:
    return {name: value for front_end in path for name, value in front_end.when.items()}


def _identity_problems(root: FrontEnd, paths: Sequence[Path], packs: Container[str]) -> Iterator[str]:
    if "." in root.code:
        yield f"front end {root.code!r} has a dot in its code; make it a child of {root.code.split('.')[0]!r}"
    if root.code in packs:
        yield f"front end {root.code!r} is called as a pack is; give it another code"
    if root.when:
        yield f"front end {root.code!r} has when={{...}}; only its children do: the credential chooses the front end"
    for path in paths:
        code = path[-1].code
        if not _CODE.fullmatch(code):
            yield f"front end code {code!r} is not lower-case letters, digits and '-'; no code is a wildcard"
        if len(path) == 1:
            continue
        if not code.startswith(path[-2].code + "."):
            yield f"child {code!r} of {path[-2].code!r} must be called {path[-2].code}.<name>"
        if not path[-1].when:
            yield f"child {code!r} has no when={{...}}, so nothing would choose it"
        if path[-1].uses or path[-1].capabilities or path[-1].implementations:
            yield f"child {code!r} has capabilities of its own; list them with {root.code!r}: it is who may call"
        if path[-1].attributes or path[-1].metrics or path[-1].events or path[-1].brings:
            own = "attributes, metrics or events of its own, or brings data"
            yield f"child {code!r} has {own}; list them with {root.code!r}"


def _attribute_problems(root: FrontEnd, packs: Iterable[Pack]) -> Iterator[str]:
    known = sorted(name for pack in packs for name in pack.extendable()) if root.attributes else []
    for entity, type_ in root.attributes.items():
        where = f"front end {root.code!r} gives {entity!r} attributes"
        if entity not in known:
            yield f"{where}, which takes none{near(entity, known)}; those that do are {', '.join(known) or 'none'}"
        elif not (isinstance(type_, type) and issubclass(type_, Value)):
            yield f"{where} by {type_!r}, which is no Value; write `class …(Value)`"
        else:
            try:
                json_schema((type_,), "{name}")
            except TypeError as wrong:
                yield f"{where} by {type_.__name__}, which JSON cannot carry: {str(wrong).splitlines()[0]}"


def _choice_problems(paths: Sequence[Path], dimensions: Mapping[str, Dimension]) -> Iterator[str]:
    """Each ask must lead to one part of the tree, whatever the order in which its parts are listed."""
    for path in paths[1:]:
        child, above = path[-1], _leads_to(path[:-1])
        for name, value in sorted(child.when.items()):
            if name not in dimensions or value not in dimensions[name].values:
                yield f"front end {child.code!r} is chosen by {name}={value!r}, which no ask can carry"
            if above.get(name, value) != value:
                yield f"front end {child.code!r} is chosen by {name}={value!r}, and its parent by {above[name]!r}"
    for one, other in itertools.combinations(paths[1:], 2):
        if one[:-1] != other[:-1]:
            continue  # their parents are compared
        first, second = _leads_to(one), _leads_to(other)
        if all(first[name] == second[name] for name in first.keys() & second.keys()):
            witness = ", ".join(f"{name}={value}" for name, value in sorted({**first, **second}.items()))
            yield f"{witness} leads to both {one[-1].code!r} and {other[-1].code!r}; give them when={{...}} that differ"


def _capabilities(shared: _Shared, root: FrontEnd) -> tuple[frozenset[str], Mapping[str, BoundCapability], list[str]]:
    release = shared.release
    problems: list[str] = []
    if root.uses not in shared.permitted:
        shared.permitted[root.uses], problems = _permitted(release, root)
    permitted = shared.permitted[root.uses]
    if not root.capabilities and not root.implementations:
        return permitted, release.offered, problems
    declared = {found.name: found for found in root.capabilities}
    known = {name: one.capability for name, one in release.offered.items()} | declared
    own, wrong = bind(declared, root.implementations, release.dimensions, known)
    wrong += [
        f"capability {name!r} of front end {root.code!r} must be called {root.code}.<name>"
        for name in declared
        if not name.startswith(f"{root.code}.")
    ]
    closed = {one.name for one in root.subscribers()} | {name for name, found in declared.items() if found.is_internal}
    return permitted | (own.keys() - closed), {**release.offered, **own}, [*problems, *wrong]


def _permitted(release: Release, root: FrontEnd) -> tuple[frozenset[str], list[str]]:
    permitted: set[str] = set()
    problems: list[str] = []
    for use in root.uses:
        pack, _, name = use.partition(".")
        if name == "*" and pack in release.packs:
            offered = release.packs[pack].capabilities().values()
            permitted.update(found.name for found in offered if not found.is_internal)
        elif use in release.offered and release.offered[use].capability.is_internal:
            problems.append(f"front end {root.code!r} uses {use!r}, which only flows may call; leave it out of uses")
        elif use in release.offered:
            permitted.add(use)
        else:
            known = [*release.offered, *(f"{known}.*" for known in release.packs)]
            problems.append(f"front end {root.code!r} uses {use!r}, which nobody offers{near(use, known)}")
    return frozenset(permitted), problems


def _with_added_values(release: Release, paths: Sequence[Path]) -> tuple[Mapping[str, Dimension], list[str]]:
    added: dict[str, set[str]] = defaultdict(set)
    problems: list[str] = []
    for product in {product for path in paths for product in path[-1].products}:
        for name, values in product.adds.items():
            added[name].update(values)
            if name not in release.dimensions:
                problems.append(
                    f"product {product.name!r} adds values to {name!r}, which is no dimension"
                    f"{near(name, release.dimensions)}"
                )
    switches: dict[str, set[str]] = defaultdict(set)
    for answer in (one for path in paths for part in (path[-1], *path[-1].products) for one in part.answers):
        for name in (name for name in answer.when if name.startswith(SWITCH)):
            switches[name].update(answer.when[name] - {"off"})
    if not added and not switches:
        return release.dimensions, problems
    extended = {
        name: replace(dimension, values=(*dimension.values, *sorted(added[name] - set(dimension.values))))
        for name, dimension in release.dimensions.items()
    }
    extended |= {
        name: Dimension(name=name, values=("off", *sorted(switches[name])), default="off") for name in switches
    }
    return extended, sorted(problems)


def _node(shared: _Shared, path: Path, dimensions: Mapping[str, Dimension]) -> Node:
    by_point: dict[Point, list[Answer]] = defaultdict(list)
    settings: dict[str, str] = {}
    for front_end in path:
        settings |= front_end.settings
    for rank, front_end in enumerate(reversed(path)):
        for answer in front_end.answers:
            by_point[answer.point].append(answer.owned_by(front_end.code, rank))
    for product in dict.fromkeys(product for front_end in path for product in front_end.products):
        for answer in _products_answers(shared, product):
            by_point[answer.point].append(answer)
    leads = _leads_to(path)
    elsewhere = tuple(dict(child.when) for child in path[-1].children)
    candidates = {
        point: Candidates(
            node=path[-1].code,
            point=point,
            answers=tuple(found),
            orders=_orders(path, point, found),
            dimensions=dimensions,
            fixed=leads,
            elsewhere=elsewhere,
        )
        for point, found in by_point.items()
    }
    return Node(code=path[-1].code, when=leads, settings=settings, candidates=candidates)


def _products_answers(shared: _Shared, product: Product) -> tuple[Answer, ...]:
    if product not in shared.products:
        shared.products[product] = tuple(answer.owned_by(product.name, PRODUCT_RANK) for answer in product.answers)
    return shared.products[product]


def _orders(path: Path, point: Point, owned: Sequence[Answer]) -> tuple[tuple[Answer, ...], ...]:
    """Translate the orders that front ends wrote, in terms of the answers as they own them."""
    orders = (front_end.order.get(point, ()) for front_end in path if front_end.order)
    found = (tuple(mine for one in order for mine in owned if mine.declaration == one.declaration) for order in orders)
    return tuple(order for order in found if len(order) > 1)


def _answer_problems(shared: _Shared, path: Path, dimensions: Mapping[str, Dimension]) -> Iterator[str]:
    front_end, points = path[-1], shared.release.points
    listed = [(front_end.code, answer) for answer in front_end.answers]
    listed += [(product.name, answer) for product in front_end.products for answer in product.answers]
    for owner, answer in listed:
        where = f"{owner}.{answer.name} ({answer.source})"
        if points.get(answer.point.name) is not answer.point:
            made = f"; `isthmus seam {path[0].code}` lets it be asked" if answer.at else near(answer.point.name, points)
            yield f"{where} answers {answer.point.name!r}, which nobody asks{made}"
            continue
        if answer not in shared.signatures:
            shared.signatures[answer] = list(_signature_faults(answer))
        yield from (f"{where} {fault}" for fault in shared.signatures[answer])
        yield from (f"{where} {fault}" for fault in _condition_faults(answer, dimensions))
    owners: dict[Hashable, list[str]] = defaultdict(list)
    for above in path:
        for answer in above.answers:
            owners[answer.declaration].append(above.code)
    for product in {product for above in path for product in above.products}:
        for answer in product.answers:
            owners[answer.declaration].append(product.name)
    for _, answer in listed:
        if len(twice := owners[answer.declaration]) > 1:
            yield f"{answer.name} ({answer.source}) is listed by {' and by '.join(sorted(twice))}; list it once"
    for point, order in front_end.order.items():
        for answer in order:
            if answer.point is not point or answer.declaration not in owners:
                yield f"front end {front_end.code!r} orders {answer.name} for {point.name!r}, which it does not list"


def _signature_faults(answer: Answer) -> Iterator[str]:
    point = answer.point
    parameters = inspect.signature(answer.function).parameters
    positional = [one for one in parameters.values() if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)]
    if len(positional) != len(point.parameters) or len(positional) != len(parameters):
        yield (
            f"takes ({', '.join(parameters)}), but {point.name!r} asks with ({', '.join(point.parameters)}); "
            f"write def {answer.name}({', '.join(point.parameters)})"
        )
    if inspect.iscoroutinefunction(answer.function) and not point.is_async:
        yield f"is async, but {point.name!r} is pure and answered at once; write it with plain def"
    if (stages := point.combine.stages) and answer.stage not in stages:
        yield f"answers {point.name!r} in stage {answer.stage!r}; choose one of {', '.join(stages)}"
    if answer.stage and not stages:
        yield f"names stage {answer.stage!r}, but {point.name!r} has no stages; leave stage= out"


def _condition_faults(answer: Answer, dimensions: Mapping[str, Dimension]) -> Iterator[str]:
    declared = [dimension.name for dimension in answer.point.dimensions]
    declared += [name for name in answer.when if name.startswith(SWITCH)]
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
    asked: set[Hashable] = set()
    speaking: dict[Hashable, Answer] = {}
    for node in nodes:
        for candidates in node.candidates.values():
            problems += problems_of(candidates)
            if not problems:
                asked |= {answer.declaration for answer in reached(candidates)}
                own = [answer for answer in candidates.answers if answer.rank < PRODUCT_RANK]
                speaking |= {answer.declaration: answer for answer in own}  # a product's may be overruled: it is shared
    dead = sorted(dead_answer(answer) for declaration, answer in speaking.items() if declaration not in asked)
    return list(dict.fromkeys(problems or dead))
