"""Who may be the same person: pairs of records with a probability and the evidence for it.

Exact keys first (a shared email, phone or national id, unless something else speaks against it), then Splink's
Fellegi-Sunter model on names, birth dates and addresses. One configuration is shipped: how often people's data agree
although they are one (`m`) is fixed, how often it agrees by coincidence (`u`) is counted in the records at hand, so the
same records always give the same pairs, and little data is enough.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Final, cast

from isthmus.kernel import Value, errors
from isthmus.values import folded

SHARED_MAX: Final = 8  # an email or phone of more records than this is a desk's or a family's, not a person's
EDITS_APART: Final = 2  # so many edits between two birth dates or national ids are a slip; more are two people
SLIP_LETTERS: Final = 3  # one slip in so many letters of a first name leaves it the same
POSSIBLE: Final = 0.05  # pairs below this are not looked at again
U_PAIRS: Final = 3_000_000  # random pairs that coincidence is counted in
COUNTED_MIN: Final = 1_000  # with fewer records the shipped chances of agreement are better than counted ones

FIELDS: Final = (
    "given_name", "surname", "date_of_birth", "national_id", "street_number", "street", "suburb", "postcode", "region",
    "email", "phone",
)  # fmt: skip


class Record(Value):
    """What one front end knows of one member. Texts are compared as they are; `birth date` is eight digits.

    `person` is whom the business itself takes the member for, by something that was verified.
    """

    record: str
    front_end: str = ""
    person: str | None = None
    given_name: str | None = None
    surname: str | None = None
    date_of_birth: str | None = None
    national_id: str | None = None
    street_number: str | None = None
    street: str | None = None
    suburb: str | None = None
    postcode: str | None = None
    region: str | None = None
    email: str | None = None
    phone: str | None = None


@dataclass(frozen=True, slots=True, order=True)
class Pair:
    """Two records that may be one person: how probable, and what says so."""

    probability: float
    one: str
    other: str
    evidence: tuple[str, ...]


def pairs(records: Sequence[Record]) -> list[Pair]:
    """Return all pairs that may be one person, the most probable first; exact keys have probability 1."""
    if len({record.record for record in records}) != len(records):
        raise errors.BadAsk("two records have the same id", remedy="give each record an id of its own")
    exact = exact_pairs(records)
    known = {(pair.one, pair.other) for pair in exact}
    likely = [pair for pair in _likely_pairs(records) if (pair.one, pair.other) not in known]
    return sorted([*exact, *likely], key=lambda pair: (-pair.probability, pair.one, pair.other))


def exact_pairs(records: Sequence[Record]) -> list[Pair]:
    """Return pairs that share a key that one person has, and that nothing tells apart."""
    found: dict[tuple[str, str], list[str]] = {}
    for name in ("email", "phone", "national_id"):
        holders: dict[str, list[Record]] = {}
        for record in records:
            if value := _folded(getattr(record, name)):
                holders.setdefault(value, []).append(record)
        for same in holders.values():
            for one, other in combinations(same, 2) if len(same) <= SHARED_MAX else ():
                if not are_apart(one, other):
                    found.setdefault(_ordered(one, other), []).append(f"same {name}")
    return [Pair(1.0, one, other, tuple(evidence)) for (one, other), evidence in sorted(found.items())]


def verified_pairs(records: Sequence[Record]) -> list[Pair]:
    """Return pairs that the business has joined itself, by what was verified: no likeness speaks against them."""
    holders: dict[str, list[Record]] = {}
    for record in sorted(records, key=lambda one: one.record):
        if record.person:
            holders.setdefault(record.person, []).append(record)
    said = ("one person to the business, by what was verified",)
    return [Pair(1.0, same[0].record, other.record, said) for same in holders.values() for other in same[1:]]


def are_apart(one: Record, other: Record) -> bool:
    """Return whether a birth date or a national id says that these are two people, whatever else they share."""
    return any(_differ(one, other, name) for name in ("date_of_birth", "national_id"))


def share_nothing(one: Record, other: Record) -> bool:
    """Return whether nothing that identifies is alike: birth date, national id and both names are known and differ.

    Less is no ground to keep apart what is alike in all the rest: a whole birth date is wrong in some four of a
    hundred records.
    """
    names = ("date_of_birth", "national_id", "given_name", "surname")
    return all(_differ(one, other, name) for name in names)


def have_other_first_names(one: Record, other: Record) -> bool:
    """Return whether first names say two people, and no national id says one: twins, siblings, parent and child.

    They share a birth date or an address, a surname, often an email; what is alike in them is no evidence. A few
    letters are a slip; a first name in the other's surname is a form that was filled in the wrong order. Where two
    national ids are known and differ, only one and the same address counts: FEBRL's own truth has one in three hundred
    such pairs for one person.
    """
    mine, theirs = _folded(one.given_name), _folded(other.given_name)
    if not mine or not theirs or mine == _folded(other.surname) or theirs == _folded(one.surname):
        return False
    if (
        one.national_id
        and other.national_id
        and not (_differ(one, other, "national_id") and _live_together(one, other))
    ):
        return False
    return _edits(mine, theirs) > max(1, min(len(mine), len(theirs)) // SLIP_LETTERS)


def _live_together(one: Record, other: Record) -> bool:
    places = [(_folded(record.street), _folded(record.street_number)) for record in (one, other)]
    return places[0] == places[1] and places[0][0] is not None


def _differ(one: Record, other: Record, name: str) -> bool:
    mine, theirs = getattr(one, name), getattr(other, name)
    return bool(mine and theirs) and _edits(mine, theirs) > EDITS_APART


def _likely_pairs(records: Sequence[Record]) -> list[Pair]:
    known = [record for record in records if any(getattr(record, name) for name in FIELDS)]
    if len(known) < 2:
        return []
    try:
        from splink import Linker, SettingsCreator
        from splink.backends.duckdb import DuckDBAPI

        from ..arrow import pa
    except ImportError as missing:
        raise errors.Unavailable(
            "members can't be matched by likeness here", remedy="install isthmus[data], which brings splink"
        ) from missing
    logging.getLogger("splink").setLevel(logging.ERROR)  # its progress is no news to an operator
    table = pa.Table.from_pylist([_row(record) for record in known], schema=_schema(pa))
    settings = SettingsCreator(
        link_type="dedupe_only",
        unique_id_column_name="record",
        comparisons=_comparisons(),
        blocking_rules_to_generate_predictions=_blocking(),
        probability_two_random_records_match=1 / len(known),
        retain_matching_columns=False,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        linker = Linker(cast(Any, DuckDBAPI()).register(table), settings, log_level=logging.ERROR)
        if len(known) >= COUNTED_MIN:
            linker.training.estimate_u_using_random_sampling(max_pairs=U_PAIRS, seed=1)
        predicted = linker.inference.predict(threshold_match_probability=POSSIBLE)
        rows = predicted.as_record_list()
    return [_pair(row) for row in rows]


def _comparisons() -> list[Any]:
    import splink.comparison_library as compare

    return [
        compare.ForenameSurnameComparison("given_name", "surname", jaro_winkler_thresholds=[0.92, 0.85]).configure(
            m_probabilities=[0.66, 0.04, 0.14, 0.08, 0.03, 0.03, 0.02],
            u_probabilities=[0.0001, 0.0001, 0.0002, 0.0007, 0.008, 0.01, 0.9809],
        ),
        compare.DamerauLevenshteinAtThresholds("date_of_birth", [1, 2]).configure(
            m_probabilities=[0.85, 0.07, 0.03, 0.05], u_probabilities=[0.0001, 0.001, 0.01, 0.9889]
        ),
        compare.DamerauLevenshteinAtThresholds("national_id", [1, 2]).configure(
            m_probabilities=[0.85, 0.08, 0.04, 0.03], u_probabilities=[0.00001, 0.0001, 0.0005, 0.99939]
        ),
        compare.JaroWinklerAtThresholds("street", [0.93, 0.8]).configure(
            m_probabilities=[0.65, 0.2, 0.07, 0.08],
            u_probabilities=[0.001, 0.002, 0.01, 0.987],
            term_frequency_adjustments=True,
        ),
        compare.DamerauLevenshteinAtThresholds("street_number", [1]).configure(
            m_probabilities=[0.8, 0.1, 0.1], u_probabilities=[0.02, 0.15, 0.83]
        ),
        compare.JaroWinklerAtThresholds("suburb", [0.93, 0.8]).configure(
            m_probabilities=[0.75, 0.1, 0.05, 0.1],
            u_probabilities=[0.005, 0.005, 0.02, 0.97],
            term_frequency_adjustments=True,
        ),
        compare.DamerauLevenshteinAtThresholds("postcode", [1, 2]).configure(
            m_probabilities=[0.8, 0.1, 0.05, 0.05], u_probabilities=[0.002, 0.02, 0.15, 0.828]
        ),
        compare.ExactMatch("region").configure(m_probabilities=[0.92, 0.08], u_probabilities=[0.25, 0.75]),
    ]


def _blocking() -> list[Any]:
    """Return what two records must share to be compared at all: many narrow ways, since any field may be wrong."""
    from splink import block_on

    year, day = "substr(date_of_birth, 1, 4)", "substr(date_of_birth, 5, 4)"
    shared = [
        ("national_id",), ("substr(national_id, 1, 4)",), ("substr(national_id, 4, 4)",), ("date_of_birth",),
        ("street",), ("given_name", "surname"), ("given_name", "postcode"), ("surname", "postcode"),
        ("given_name", "suburb"), ("surname", "suburb"), ("suburb", "street_number"), (year, "postcode"),
        (day, "postcode"), ("given_name", day), ("surname", day),
    ]  # fmt: skip
    return [block_on(*fields) for fields in shared]


def _pair(row: dict[str, Any]) -> Pair:
    one, other = sorted([row["record_l"], row["record_r"]])
    levels = {name.removeprefix("gamma_"): int(level) for name, level in row.items() if name.startswith("gamma_")}
    said = {name.replace("_", " "): level for name, level in levels.items() if level >= 0}
    evidence = [f"{name} {'alike' if level else 'differs'}" for name, level in said.items()]
    return Pair(float(row["match_probability"]), one, other, tuple(evidence))


def _row(record: Record) -> dict[str, str | None]:
    return {"record": record.record} | {name: _folded(getattr(record, name)) for name in FIELDS}


def _schema(pa: Any) -> Any:
    return pa.schema([(name, pa.string()) for name in ("record", *FIELDS)])


def _folded(value: str | None) -> str | None:
    """Return a text without differences that say nothing: case, width, outer blanks; None where nothing is left."""
    return folded(value or "") or None


def _ordered(one: Record, other: Record) -> tuple[str, str]:
    return (one.record, other.record) if one.record < other.record else (other.record, one.record)


def _edits(one: str, other: str) -> int:
    """Return how many edits (letters changed, added, left out, or two neighbours swapped) lie between two texts."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for at, letter in enumerate(one, 1):
        older, before, row = before, row, [at]
        for to, wanted in enumerate(other, 1):
            cost = min(before[to] + 1, row[to - 1] + 1, before[to - 1] + (letter != wanted))
            if at > 1 and to > 1 and letter == other[to - 2] and one[at - 2] == wanted:
                cost = min(cost, older[to - 2] + 1)
            row.append(cost)
    return row[-1]
