"""The tree against RFC 9162: its own examples of old, and every size and index by force."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.packs.audit.rules import merkle

# The inputs and roots that Certificate Transparency's reference implementations are tested with.
INPUTS = [
    bytes.fromhex(one)
    for one in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def leaves(count: int) -> list[bytes]:
    return [merkle.leaf(str(number).encode()) for number in range(count)]


def test_roots_are_those_of_certificate_transparency() -> None:
    assert merkle.root([]) == hashlib.sha256().digest()
    for size, expected in enumerate(ROOTS, 1):
        assert merkle.root([merkle.leaf(one) for one in INPUTS[:size]]).hex() == expected


@pytest.mark.parametrize("size", range(1, 34))
def test_every_leaf_is_proved_and_nothing_else(size: int) -> None:
    all_of_them = leaves(size)
    top = merkle.root(all_of_them)
    for index in range(size):
        proof = merkle.inclusion_proof(index, all_of_them)
        assert merkle.is_included(index, size, all_of_them[index], proof, top)
        assert not merkle.is_included(index, size, merkle.leaf(b"another"), proof, top)
        assert not merkle.is_included((index + 1) % (size + 1), size, all_of_them[index], proof, top) or size == 1
        assert not merkle.is_included(index, size, all_of_them[index], (*proof, top), top)


@pytest.mark.parametrize("size", range(1, 34))
def test_every_earlier_tree_is_proved_to_be_the_beginning_of_the_later(size: int) -> None:
    all_of_them = leaves(size)
    top = merkle.root(all_of_them)
    for earlier in range(1, size + 1):
        first = merkle.root(all_of_them[:earlier])
        proof = merkle.consistency_proof(earlier, all_of_them)
        assert merkle.is_consistent(earlier, size, first, proof, top)
        changed = merkle.root([*all_of_them[: earlier - 1], merkle.leaf(b"another")])
        assert not merkle.is_consistent(earlier, size, changed, proof, top)


@given(st.lists(st.integers(0, 9), max_size=8))
def test_a_tree_that_grows_in_any_parts_is_the_tree_over_all(parts: list[int]) -> None:
    all_of_them = leaves(sum(parts))
    frontier: tuple[bytes, ...] = ()
    size = 0
    for part in parts:
        frontier = merkle.grown(size, frontier, all_of_them[size : size + part])
        size += part
    assert merkle.frontier_root(frontier) == merkle.root(all_of_them)
