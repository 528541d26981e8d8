"""Changes to products, decided: what is other than before, field by field."""

from __future__ import annotations

from .. import api

_TEXTS = ("title", "description", "category", "brand", "seller", "tax_category")


def differences(before: api.ProductDraft | None, after: api.ProductDraft) -> tuple[api.FieldChange, ...]:
    """Return what is other than before, in the order in which a product says it."""
    old, new = ({} if before is None else _fields(before)), _fields(after)
    return tuple(
        api.FieldChange(field=name, before=old.get(name), after=new.get(name))
        for name in dict.fromkeys([*old, *new])
        if old.get(name) != new.get(name)
    )


def _fields(draft: api.ProductDraft) -> dict[str, str]:
    """Return what a product says, each thing by where it stands; what it does not say is left out."""
    said = {name: getattr(draft, name) for name in _TEXTS}
    said["is_returnable"] = "yes" if draft.is_returnable else "no"
    said |= {f"attributes.{name}": value for name, value in draft.attributes.items()}
    said |= {f"pictures.{at}": f"{one.address} {one.alt}".strip() for at, one in enumerate(draft.pictures)}
    for one in draft.variants:
        said |= {f"variants.{one.sku}.unit": one.unit, f"variants.{one.sku}.weight_grams": str(one.weight_grams)}
        said |= {f"variants.{one.sku}.attributes.{name}": value for name, value in one.attributes.items()}
    return {name: value for name, value in said.items() if value}
