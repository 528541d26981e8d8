"""What packs that reach devices ask of others: which devices were cut off, and whether whoever signed in still is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Devices:
    """Which devices nothing is given to any more.

    cut_off: SQL that gives, of a front end (`$1`) and some ids (`$2`), the ids of those that were cut off.
    """

    cut_off: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """Who is signed in. stands: SQL that is true where the session with this id (`$1`, a text) has not ended."""

    stands: str
