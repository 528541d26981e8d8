"""The catalogue: everything that data is called, with who answers for it, found by words.

Terms of the business come first, then metrics, questions, entities and the fields that answers are grouped by.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

from isthmus.kernel import Value
from isthmus.markings import Question, Term

from ..model.brought import Owned
from ..model.model import Model

FOUND_MAX = 200


class Entry(Value):
    """One thing in the catalogue; `see` are the metrics that a term is measured by."""

    kind: Literal["term", "metric", "question", "entity", "field"]
    name: str
    owner: str
    doc: str
    see: tuple[str, ...] = ()


def find(model: Model, words: str, terms: Sequence[Owned[Term]], questions: Sequence[Owned[Question]]) -> list[Entry]:
    """Return at most 200 entries in whose name, description, owner or other names all words occur."""
    wanted = words.lower().split()
    entries = (*_terms(terms), *_metrics(model), *_questions(questions), *_entities(model))
    found = [entry for entry, text in entries if all(word in text.lower() for word in wanted)]
    return found[:FOUND_MAX]


def _terms(terms: Iterable[Owned[Term]]) -> Iterator[tuple[Entry, str]]:
    for one in terms:
        term = one.value
        entry = Entry(kind="term", name=term.name, owner=one.owner, doc=term.doc, see=term.see)
        yield entry, " ".join([term.name, term.doc, one.owner, *term.also, *term.see])


def _metrics(model: Model) -> Iterator[tuple[Entry, str]]:
    for name, metric in model.metrics.items():
        owner = model.owners.get(name, "")
        yield Entry(kind="metric", name=name, owner=owner, doc=metric.doc), f"{name} {metric.unit} {metric.doc} {owner}"


def _questions(questions: Iterable[Owned[Question]]) -> Iterator[tuple[Entry, str]]:
    for one in questions:
        question = one.value
        entry = Entry(kind="question", name=question.name, owner=one.owner, doc=question.doc, see=question.metrics)
        yield entry, " ".join([question.name, question.doc, one.owner, *question.metrics])


def _entities(model: Model) -> Iterator[tuple[Entry, str]]:
    for entity in model.entities.values():
        doc = entity.doc.partition("\n")[0]
        yield Entry(kind="entity", name=entity.name, owner=entity.owner, doc=doc), f"{entity.name} {doc} {entity.owner}"
        for field in entity.fields.values():
            if field.is_dimension:
                name = f"{entity.name}.{field.name}"
                yield Entry(kind="field", name=name, owner=entity.owner, doc=field.doc), f"{name} {field.doc}"
