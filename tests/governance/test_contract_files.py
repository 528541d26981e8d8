"""Contracts are kept in one file a pack, so that whoever changes one sees whose it is."""

from __future__ import annotations

import msgspec
import pytest

from isthmus.governance.contracts import SHARED, Contracts, by_pack, contracts_of, joined, read_folder, write_folder
from isthmus.kernel import errors
from tests import shipped


@pytest.fixture(scope="module")
def contracts() -> Contracts:
    return contracts_of(shipped.build([]))


def test_what_was_written_in_files_is_read_as_it_was(contracts, tmp_path):
    write_folder(contracts, tmp_path)
    assert read_folder(tmp_path) == contracts


def test_each_file_has_the_contracts_of_its_pack_and_no_others(contracts, tmp_path):
    write_folder(contracts, tmp_path)
    owners = {name.partition(".")[0] for name in (*contracts.capabilities, *contracts.points, *contracts.events)}
    assert {path.stem for path in tmp_path.iterdir()} == owners | {SHARED}
    assert owners <= {pack.name for pack in shipped.PACKS}
    for pack, part in by_pack(contracts).items():
        named = {name.partition(".")[0] for name in (*part.capabilities, *part.points, *part.events)}
        assert named == (set() if pack == SHARED else {pack})


def test_a_type_that_two_packs_name_stands_in_the_shared_file_once(contracts):
    parts = by_pack(contracts)
    assert "Money" in parts[SHARED].schemas
    assert sum("Money" in part.schemas for part in parts.values()) == 1


def test_the_file_of_a_pack_that_is_gone_goes_with_it(contracts, tmp_path):
    (tmp_path / "left.json").write_bytes(b"{}")
    write_folder(contracts, tmp_path)
    assert not (tmp_path / "left.json").exists()


def test_a_change_of_one_pack_changes_its_file_alone(contracts, tmp_path):
    write_folder(contracts, tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    name = next(name for name in contracts.capabilities if name.startswith("tax."))
    other = msgspec.structs.replace(contracts.capabilities[name], version="9.9")
    write_folder(joined([contracts, Contracts(capabilities={name: other}, points={}, events={}, schemas={})]), tmp_path)
    assert [path.name for path in tmp_path.iterdir() if path.read_bytes() != before[path.name]] == ["tax.json"]


def test_a_file_that_is_no_contract_is_refused(tmp_path):
    (tmp_path / "tax.json").write_bytes(b"[]")
    with pytest.raises(errors.BadAsk, match="tax.json: "):
        read_folder(tmp_path)
    (tmp_path / "tax.json").write_bytes(b'{"capabilities": {\n')
    with pytest.raises(errors.BadAsk, match="tax.json is not JSON in line 1, column 19"):
        read_folder(tmp_path)
