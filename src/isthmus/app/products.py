"""Products that front ends may switch on: those that the settings name, or any where they name none."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from contextlib import suppress
from types import ModuleType

from isthmus.kernel import FrontEnd, Product

from .config import Config


def product_problems(config: Config) -> Iterator[str]:
    """Say which of the products that the settings name are not there."""
    for name in config.products:
        try:
            _held(name)
        except (ImportError, AttributeError, SyntaxError) as wrong:
            yield f"product {name!r} cannot be plugged in: {wrong}; install it, or correct products in [platform]"
        except TypeError:
            yield f"{name!r} is no product; name one as module:NAME, or a module or package that has some"


def unnamed(config: Config, front_end: FrontEnd) -> Iterator[str]:
    """Say which products a front end switches on that the settings do not name, with the line to write."""
    if not config.products:
        return
    known = held_products(config)
    for one in _with_parts(front_end):
        for product in (product for product in one.products if product not in known):
            place = next((answer.function.__module__ for answer in product.answers), "module:NAME")
            yield (
                f"front end {one.code!r} switches on product {product.name!r}, which products in [platform] does not "
                f"name; add {place!r} there, or take the product out of the front end's manifest"
            )


def held_products(config: Config) -> list[Product]:
    """Return the products that the settings name; of those that cannot be imported `product_problems` speaks."""
    found: list[Product] = []
    for name in config.products:
        with suppress(ImportError, AttributeError, SyntaxError, TypeError):
            found += _held(name)
    return found


def _with_parts(front_end: FrontEnd) -> Iterator[FrontEnd]:
    yield front_end
    for part in front_end.children:
        yield from _with_parts(part)


def _held(name: str) -> list[Product]:
    """Return the products that one entry of the settings stands for.

    Raises ImportError, AttributeError and SyntaxError where it cannot be imported, TypeError where it has no product.
    """
    place, _, value = name.partition(":")
    module = importlib.import_module(place)
    held = [getattr(module, value)] if value else [found for one in _modules(module) for found in vars(one).values()]
    products = [found for found in held if isinstance(found, Product)]
    if not products and (value or not hasattr(module, "__path__")):  # a new company's package has none yet
        raise TypeError(name)
    return products


def _modules(module: ModuleType) -> Iterator[ModuleType]:
    yield module
    for one in pkgutil.walk_packages(getattr(module, "__path__", ()), f"{module.__name__}."):
        yield importlib.import_module(one.name)
