"""Where things go: countries, their regions by code or by name, and postcodes, each in one form.

What people type is brought into the form by which rules compare: `oh`, `Ohio`, ` OH` and `US-OH` are `OH` in `US`.
What cannot be understood is told apart from what is empty, so that nothing is taxed or priced as something broader.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Final

_WORDS: Final = re.compile(r"\w+")
_SIGNS: Final = re.compile(r"[^A-Z0-9]+")
# Where a postcode has digits only, people write the country's sign of vehicles before it (Convention of Vienna, 1968).
_OF_VEHICLES: Final = {
    "AT": "A", "BE": "B", "DE": "D", "ES": "E", "FI": "FIN", "FR": "F", "HU": "H", "IT": "I", "LI": "FL", "LU": "L",
    "NO": "N", "PT": "P", "SE": "S", "SI": "SLO",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Country:
    """The regions of a country: by code the one that each lies in, or nothing, and by name their codes."""

    lies_in: Mapping[str, str]
    codes: Mapping[str, str]
    names: Mapping[str, str]  # as people write them


def is_country(code: str) -> bool:
    """Say whether a country has this code (ISO 3166-1 alpha-2, and XK)."""
    return code in _lines()


@lru_cache(maxsize=8192)  # more than there are regions; the rest is typing errors
def region(country: str, typed: str) -> str | None:
    """Return the code of a region, the part after the dash in ISO 3166-2; None where it is none of the country's."""
    plain = unicodedata.normalize("NFKC", typed).strip()
    found = _country(country)
    if not plain or not found.lies_in:
        return plain
    code = plain.upper().removeprefix(f"{country}-")
    return code if code in found.lies_in else found.codes.get(_folded(plain))


def regions(country: str) -> Mapping[str, str]:
    """Return the names of a country's regions by code; none where it has none, or is none."""
    return _country(country).names


@lru_cache(maxsize=8192)
def within(country: str, code: str) -> tuple[str, ...]:
    """Return a region and those that it lies in, the narrowest first: a province, and its autonomous community."""
    chain = [code] if code else []
    while chain and (above := _country(country).lies_in.get(chain[-1], "")):
        chain.append(above)
    return tuple(chain)


def postcode(typed: str) -> str:
    """Return a postcode as it is written: in capitals, without gaps around it, and with single ones inside."""
    return " ".join(unicodedata.normalize("NFKC", typed).upper().split())


def closed(typed: str, country: str) -> str:
    """Return a postcode, or the beginning of one, as it is compared: its letters and digits, in whatever script.

    The sign of its country that people write before it, `D-10115` or `LV-1010`, is left out; nothing is left where
    there is neither letter nor digit.
    """
    text = unicodedata.normalize("NFKC", typed).upper()
    plain = _SIGNS.sub("", "".join(str(unicodedata.decimal(one)) if one.isdecimal() else one for one in text))
    for sign in (country, _OF_VEHICLES.get(country, "")):
        rest = plain.removeprefix(sign)
        if sign and rest != plain and (not rest or rest[0].isdigit()):
            return rest
    return plain


def _folded(name: str) -> str:
    """Write a name as it is compared: small letters, no accents, no dots or apostrophes, single gaps."""
    apart = unicodedata.normalize("NFKD", name.translate(dict.fromkeys(map(ord, ".'‘’ʻ"))))
    return " ".join(_WORDS.findall("".join(one for one in apart if not unicodedata.combining(one)).casefold()))


@lru_cache(maxsize=1)
def _lines() -> Mapping[str, list[str]]:
    """Return the lines of each country's regions."""
    text = resources.files(__package__ or "isthmus").joinpath("places.txt").read_text(encoding="utf-8")
    first, *lines = [line for line in text.splitlines() if not line.startswith("#")]
    found: dict[str, list[str]] = {code: [] for code in first.split()}
    for line in lines:
        found[line[:2]].append(line[3:])
    return found


@lru_cache(maxsize=512)
def _country(code: str) -> Country:
    """Return a country's regions. A name that two have counts for the one that holds no other.

    What a region is called first goes before what another is called besides.
    """
    rows = [line.split("\t") for line in _lines().get(code, ())]
    lies_in = {code: above for code, above, *_ in rows}
    holding = set(lies_in.values())
    by_name: dict[str, list[tuple[bool, bool, str]]] = {}
    for code, _, *names in rows:
        for at, name in enumerate(names):
            by_name.setdefault(_folded(name), []).append((at > 0, code in holding, code))
    codes: dict[str, str] = {}
    for name, found in by_name.items():
        best, *others = sorted(found)
        if not any(other[:2] == best[:2] and other[2] != best[2] for other in others):
            codes[name] = best[2]
    return Country(lies_in=lies_in, codes=codes, names={code: names[0] for code, _, *names in rows if names})
