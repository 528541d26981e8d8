"""Whose key something was signed with: the port that deploys ask, and that a pack, or a company's own, answers.

A pack brings it as `Resource(kind=Signers, make=…)`. Where none does, none can be signed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from .sign_in import Person


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """Somebody with a key of their own. public_key: the 32 bytes of an Ed25519 key, which `key` names."""

    person: Person
    key: str
    public_key: bytes


class Signers(Protocol):
    """Knows the keys that people sign with."""

    async def signer(self, key: str) -> Signer:
        """Return whose key this is, with the roles that they have now.

        Raises NotPermitted, with what to do, where the key is nobody's, has ended, was taken back, or is of somebody
        who is let in no more.
        """
        ...
