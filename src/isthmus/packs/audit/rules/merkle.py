"""A tree of hashes over a list that only grows, as RFC 9162 has it: roots, and proofs that need no trust.

An inclusion proof shows that an entry is in the tree of a root; a consistency proof shows that the tree of a later root
begins with all that the earlier one had. Both are a few hashes, however many entries there are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

Hash = bytes


def leaf(data: bytes) -> Hash:
    """Return the hash of an entry; the byte in front keeps it from being taken for a node."""
    return hashlib.sha256(b"\0" + data).digest()


def node(left: Hash, right: Hash) -> Hash:
    """Return the hash of two parts."""
    return hashlib.sha256(b"\1" + left + right).digest()


def root(leaves: Sequence[Hash]) -> Hash:
    """Return the root over leaves (RFC 9162, 2.1.1); that of none is the hash of nothing."""
    if not leaves:
        return hashlib.sha256().digest()
    return frontier_root(grown(0, (), leaves))


def grown(size: int, frontier: Sequence[Hash], leaves: Sequence[Hash]) -> tuple[Hash, ...]:
    """Return the roots of the complete parts, the largest first, of a tree of `size` after more leaves."""
    parts = list(frontier)
    for count, one in enumerate(leaves, size):
        added = one
        while count & 1:
            added = node(parts.pop(), added)
            count >>= 1
        parts.append(added)
    return tuple(parts)


def frontier_root(frontier: Sequence[Hash]) -> Hash:
    """Return the root of a tree that has these complete parts."""
    if not frontier:
        return root(())
    *larger, found = frontier
    for part in reversed(larger):
        found = node(part, found)
    return found


def inclusion_proof(index: int, leaves: Sequence[Hash]) -> tuple[Hash, ...]:
    """Return what shows that a leaf is in the tree of all leaves (RFC 9162, 2.1.3.1), the nearest first."""
    if len(leaves) <= 1:
        return ()
    cut = _split(len(leaves))
    if index < cut:
        return (*inclusion_proof(index, leaves[:cut]), root(leaves[cut:]))
    return (*inclusion_proof(index - cut, leaves[cut:]), root(leaves[:cut]))


def consistency_proof(earlier: int, leaves: Sequence[Hash]) -> tuple[Hash, ...]:
    """Return what shows that the tree of all leaves begins with the earlier one (RFC 9162, 2.1.4.1)."""
    return _consistency(earlier, leaves, is_whole=True) if 0 < earlier < len(leaves) else ()


def is_included(index: int, size: int, one: Hash, proof: Sequence[Hash], of: Hash) -> bool:
    """Say whether a proof shows that a leaf is at an index of the tree of a root (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    at, last, found = index, size - 1, one
    for other in proof:
        if last == 0:
            return False
        if at & 1 or at == last:
            found = node(other, found)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            found = node(found, other)
        at, last = at >> 1, last >> 1
    return last == 0 and found == of


def is_consistent(earlier: int, size: int, first: Hash, proof: Sequence[Hash], second: Hash) -> bool:
    """Say whether a proof shows that the tree of the second root begins with that of the first (RFC 9162, 2.1.4.2)."""
    if not 0 <= earlier <= size:
        return False
    if earlier in (0, size):
        return not proof and (first == root(()) if earlier == 0 else first == second)
    path = list(proof) if earlier & (earlier - 1) else [first, *proof]
    if not path:
        return False
    at, last = earlier - 1, size - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    old = new = path[0]
    for other in path[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            old, new = node(other, old), node(other, new)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            new = node(new, other)
        at, last = at >> 1, last >> 1
    return last == 0 and old == first and new == second


def _split(count: int) -> int:
    """Return the largest power of two that is smaller than a count."""
    return 1 << ((count - 1).bit_length() - 1)


def _consistency(earlier: int, leaves: Sequence[Hash], *, is_whole: bool) -> tuple[Hash, ...]:
    if earlier == len(leaves):
        return () if is_whole else (root(leaves),)
    cut = _split(len(leaves))
    if earlier <= cut:
        return (*_consistency(earlier, leaves[:cut], is_whole=is_whole), root(leaves[cut:]))
    return (*_consistency(earlier - cut, leaves[cut:], is_whole=False), root(leaves[:cut]))
