"""Why an answer is empty: nothing has landed yet, or a filter names a value that no row has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from isthmus.kernel import errors
from isthmus.language import mark
from isthmus.markings import Filter, Where

from ..lake.reader import Reader
from ..model.ask import zone
from ..model.columns import table_name
from ..model.paths import JoinPath
from ..query.plan import Plan
from ..query.scope import Parameters, Scope
from ..query.visible import visible_rows

KNOWN_MAX: Final = 1_000  # values of a field that are looked through; of one with more nothing is said


def why_empty(planned: Plan, reader: Reader, visible: Mapping[str, Filter]) -> tuple[str, ...]:
    """Return sentences: which entities the lake holds no row of, or else which filters nothing can pass."""
    return _absent(planned, reader) or _unmatched(planned, reader, visible)


def _absent(planned: Plan, reader: Reader) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for leg in planned.legs:
        table = table_name(planned.model.entity(leg.root).table)
        if not reader.rows(f"select 1 as one from {table} limit 1"):
            found[mark(f"the lake holds no row of {leg.root} yet: `isthmus data land` brings in what there is")] = None
    return tuple(found)


def _unmatched(planned: Plan, reader: Reader, visible: Mapping[str, Filter]) -> tuple[str, ...]:
    """Return a sentence for each text of a filter that no row has which the asker sees."""
    found: dict[str, None] = {}
    for leg in planned.legs:
        for one in planned.ask.where:
            if isinstance(one, Where) and one.op in ("=", "in") and one.field != "time":
                reached = planned.names.of(leg.root, one.field, "a filter")
                if reached.field.kind == "text" and reached.field.pii is None and not reached.field.values:
                    found |= dict.fromkeys(_missing(planned, reader, visible, one, reached))
    return tuple(found)


def _missing(
    planned: Plan, reader: Reader, visible: Mapping[str, Filter], one: Where, reached: JoinPath
) -> Iterator[str]:
    shared = Parameters(planned.model, zone(planned.ask), {})
    ctes, is_recursive = visible_rows(shared, visible)
    scope = Scope(shared, reached.entity.name, "r")
    column = scope.column(JoinPath((), reached.entity, reached.field))
    sql = f"select distinct {column} as value {scope.clause()} where {column} is not null limit {KNOWN_MAX}"
    rows = reader.rows(
        f"with {'recursive ' if is_recursive else ''}{', '.join(ctes)} {sql}" if ctes else sql, shared.values
    )
    known = sorted(str(row["value"]) for row in rows)
    if len(known) == KNOWN_MAX:
        return
    for value in one.value if isinstance(one.value, tuple) else (one.value,):
        if str(value) not in known:
            near = errors.near(str(value), known)
            starting = [other for other in known if str(value) in other][:3]
            hint = near or (f" (there is {', '.join(starting)})" if starting else "")
            yield mark(f"no row has {reached.name} = {value!r}{hint}")
