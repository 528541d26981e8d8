"""What a front end says of products, decided: as it is kept, whether it says anything, what attributes may be."""

from __future__ import annotations

from collections.abc import Sequence

from isthmus.values import composed, composed_pairs

from .. import api


def composed_enrichment(said: api.Enrichment, language: str) -> api.Enrichment:
    """Return what is said with its names as they are kept and compared, in the front end's language if in no other."""
    return said.replace(
        title=None if said.title is None else composed(said.title),
        category=None if said.category is None else composed(said.category),
        language=said.language or language,
        attributes=composed_pairs(said.attributes),
        variants=tuple(one.replace(attributes=composed_pairs(one.attributes)) for one in said.variants),
    )


def composed_category(put: api.FrontEndCategory) -> api.FrontEndCategory:
    parent = None if put.parent is None else composed(put.parent)
    return api.FrontEndCategory(code=composed(put.code), name=composed(put.name), parent=parent)


def says_something(said: api.Enrichment) -> bool:
    texts = (said.title, said.description, said.category, said.pictures)
    return (
        any(one is not None for one in texts) or bool(said.attributes) or any(one.attributes for one in said.variants)
    )


def of_kinds(rules: Sequence[api.AttributeRule]) -> tuple[api.AttributeRule, ...]:
    """Return rules as they hold for words of a front end: kinds stay; choices may be said in its language."""
    return tuple(rule.replace(is_required=False, choices=()) for rule in rules)
