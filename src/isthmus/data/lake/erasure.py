"""Erase a person from the lake: rows, history, events and quarantine of every state are written anew.

    held      which rows say something of the person: the row itself, what refers to it, what refers to that
    files     each file that holds such a row is written anew, in every state that is kept
    states    the newest by a commit, so that nobody lands over it meanwhile; the older ones in place of themselves
    receipts  filters by what was erased

Rows stay, so that counts and sums stay, and receipts of earlier states give the same number again. A text that says
who it was becomes a pseudonym by a key that is thrown away: what was different stays different. Erase in the business
first: what is still there lands again.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final, Protocol

from isthmus.kernel import Value

from .deltas import delta_of
from .erased_files import ErasedValues, Files
from .held import held_by
from .lake import EVENTS, QUARANTINE, File, Lake, Manifest, changes_of, current_of
from .pseudonyms import secret_of

KEY: Final = "erasing.key"  # the key of an erasure's pseudonyms, until it is done: a killed one goes on with the same


class Receipts(Protocol):
    """The receipts of answers, whose filters may say who was erased."""

    def rewrite(self, erased: ErasedValues, secret: bytes) -> int: ...


class Erasure(Value):
    """What one erasure rewrote: rows of the newest state by dataset, receipts; and that state's name."""

    snapshot: str
    rewritten: dict[str, int]
    receipts: int = 0


def erase(
    lake: Lake,
    entity: str,
    key: Mapping[str, object],
    now: datetime,
    receipts: Receipts | None = None,
    *,
    is_person: bool = True,
) -> Erasure:
    """Take out of the lake what says who one row of an entity is, there and in all that refers to it.

    It reaches every state that is kept, and filters in `receipts`. Raises Conflict where another process landed
    meanwhile: nothing of the newest state is changed then. Killed at any moment, it is finished by the next one.
    """
    states = lake.manifests()
    if not states:
        return Erasure(snapshot=lake.head().name, rewritten={})
    place = lake.folder / KEY
    held = held_by(lake, states, entity, key, is_person=is_person)
    reason = f"rewritten on {now:%Y-%m-%d} to erase a person"
    files = Files(lake, held, secret_of(place))
    *older, head = states
    after = _rewritten(files, head)
    rewritten = files.counts(head)
    newest = lake.commit(head, head.position, after, now, rewritten=reason) if after != head.datasets else head
    for state in [*older, *([head] if newest is not head else [])]:
        datasets = _rewritten(files, state)
        if datasets != state.datasets:
            lake.replace(_anew(state, datasets, reason))
    lake.delete(files.replaced)
    count = receipts.rewrite(files.erased_values, lake.secret) if receipts is not None else 0
    place.unlink(missing_ok=True)
    return Erasure(snapshot=newest.name, rewritten=rewritten, receipts=count)


def _rewritten(files: Files, state: Manifest) -> dict[str, tuple[File, ...]]:
    """Return a state's datasets, with the files written anew that hold something of the person."""
    datasets = dict(state.datasets)
    for entity in files.held.entities:
        for dataset in (current_of(entity), delta_of(entity), changes_of(entity)):
            if dataset in datasets:
                datasets[dataset] = tuple(files.without_person(entity, dataset, file) for file in datasets[dataset])
    for dataset, anew in ((EVENTS, files.events), (QUARANTINE, files.quarantine)):
        if dataset in datasets:
            datasets[dataset] = tuple(map(anew, datasets[dataset]))
    return datasets


def _anew(state: Manifest, datasets: dict[str, tuple[File, ...]], reason: str) -> Manifest:
    """Return a state under the name that receipts know it by, with other files."""
    return Manifest(
        number=state.number,
        parent=state.parent,
        committed_at=state.committed_at,
        position=state.position,
        datasets=datasets,
        arrived=state.arrived,
        own=state.own,
        called=state.name,
        rewritten=reason,
    )
