"""Code that is taken along says where it is from, runs, and says how far both sides have moved since."""

from __future__ import annotations

import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from isthmus.flows.ventures.commands.code import lines
from isthmus.governance import copies

ROOT = Path(__file__).resolve().parents[2]
TODAY = date(2026, 11, 29)
USED = {"order.place": "1.0", "tax.calculate": "1.2"}
RULES = """from front_ends import north
from front_ends.north import prices


def half(amount: int) -> int:
    return amount // 2


def round_up(amount: int) -> int:
    return amount + 99 - (amount + 99) % 100
"""


def git(root: Path, *args: str) -> str:
    command = ["git", "-C", str(root), "-c", "user.name=a", "-c", "user.email=a@b.example", *args]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def commit(root: Path, subject: str) -> None:
    git(root, "add", "-A")
    git(root, "commit", "-qm", subject)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    source = tmp_path / "front_ends" / "north"
    source.mkdir(parents=True)
    (source / "rules.py").write_text(RULES)
    (source / "prices.py").write_text("from isthmus.kernel import PASS\n\nEGGS = 3\nFLOUR = 2\n")
    (source / "box.png").write_bytes(bytes(range(256)))
    (source / "__pycache__").mkdir()
    (source / "__pycache__" / "rules.pyc").write_bytes(b"old")
    (tmp_path / "LICENSE").write_text("\n  MIT License\n\nDo as you like.\n")
    git(tmp_path, "init", "-q")
    commit(tmp_path, "Begin")
    return tmp_path


def taken(root: Path, used: dict[str, str] = USED) -> copies.Provenance:
    folder = root / "ventures" / "tea"
    folder.mkdir(parents=True, exist_ok=True)
    return copies.take(root, root / "front_ends" / "north", folder, "tea", used, "0.1.0", TODAY)


def drifted(root: Path, used: dict[str, str] = USED) -> copies.Drift:
    return copies.drift(root, root / "ventures" / "tea", used)


def test_a_copy_has_its_own_name_and_says_where_it_is_from(project: Path) -> None:
    found = taken(project)
    folder = project / "ventures" / "tea"
    assert found == copies.provenance(folder)
    assert (found.source, found.licence, found.platform, found.on) == (
        "front_ends/north",
        "MIT License",
        "0.1.0",
        TODAY,
    )
    assert found.commit == git(project, "rev-parse", "HEAD").strip()
    assert (folder / "tea" / "rules.py").read_text().startswith("import tea as north\nfrom tea import prices\n")
    assert (folder / "tea" / "box.png").read_bytes() == bytes(range(256))
    assert "Do as you like" in (folder / "LICENSE.north").read_text()
    assert not list(folder.rglob("*.pyc"))
    with pytest.raises(copies.AlreadyTaken):
        taken(project)


def test_what_has_not_moved_says_so(project: Path) -> None:
    taken(project)
    found = drifted(project)
    assert (found.here, found.there, found.both, found.fixes) == (copies.Moved(), copies.Moved(), (), ())
    assert found.imports == 1
    assert "every change of there is here, or was left out" in "\n".join(lines(found))


def test_fixes_of_the_source_that_are_not_here_are_named_and_those_that_are_here_are_not(project: Path) -> None:
    taken(project)
    source, copy = project / "front_ends" / "north", project / "ventures" / "tea" / "tea"
    (source / "rules.py").write_text(RULES.replace("amount // 2", "(amount + 1) // 2"))
    commit(project, "Round a half up")
    (source / "prices.py").write_text("from isthmus.kernel import PASS\n\nEGGS = 4\nFLOUR = 2\n")
    commit(project, "Sell eggs for four")
    (source / "notes.md").write_text("what we learnt\n")
    commit(project, "Write down what we learnt")
    (copy / "prices.py").write_text("from isthmus.kernel import PASS\n\nEGGS = 4\nFLOUR = 2\nTEA = 9\n")
    found = drifted(project)
    assert [(one.subject, one.files) for one in found.fixes] == [
        ("Write down what we learnt", ("notes.md",)),
        ("Round a half up", ("rules.py",)),
    ]
    assert found.here == copies.Moved(changed=("prices.py",), lines_more=2, lines_less=1)
    assert found.there
    assert (found.there.changed, found.there.added) == (("prices.py", "rules.py"), ("notes.md",))
    assert found.both == ("prices.py",)
    assert found.behind == {"notes.md": 1, "rules.py": 1}
    (copy / "rules.py").write_text((copy / "rules.py").read_text().replace("amount // 2", "(amount + 1) // 2"))
    assert [one.subject for one in drifted(project).fixes] == ["Write down what we learnt"]


def test_a_change_that_was_taken_back_and_one_of_a_file_that_was_left_out_are_no_fixes(project: Path) -> None:
    taken(project)
    source, copy = project / "front_ends" / "north", project / "ventures" / "tea" / "tea"
    (source / "rules.py").write_text(RULES.replace("amount // 2", "amount // 3"))
    commit(project, "Try a third")
    (source / "rules.py").write_text(RULES)
    commit(project, "Take the third back")
    (source / "prices.py").write_text("EGGS = 5\n")
    commit(project, "Change prices")
    (copy / "prices.py").unlink()
    found = drifted(project)
    assert found.fixes == ()
    assert found.here.removed == ("prices.py",)
    assert "prices.py" not in found.behind


def test_without_a_history_lines_are_named_and_without_a_source_its_absence(project: Path) -> None:
    shutil.rmtree(project / ".git")
    assert taken(project).commit == ""
    source = project / "front_ends" / "north"
    (source / "rules.py").write_text(RULES + "\nMORE = 1\n")
    found = drifted(project)
    assert (found.has_history, found.fixes, found.behind) == (False, (), {"rules.py": 1})
    shutil.rmtree(source)
    gone = drifted(project)
    assert gone.there is None
    assert "it is not there any more" in "\n".join(lines(gone))


def test_contracts_that_are_others_now_are_named(project: Path) -> None:
    taken(project)
    found = drifted(project, {"order.place": "2.0"})
    assert found.contracts == {"order.place": ("1.0", "2.0"), "tax.calculate": ("1.2", "")}


@pytest.mark.parametrize("file", [copies.FILE, copies.BASE])
def test_what_was_written_down_and_changed_since_is_not_believed(project: Path, file: str) -> None:
    taken(project)
    path = project / "ventures" / "tea" / file
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(copies.NothingTaken):
        drifted(project)


def test_the_tests_of_a_front_end_pass_in_its_copy(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "front_ends" / "market", tmp_path / "front_ends" / "market")
    folder = tmp_path / "ventures" / "bazaar"
    folder.mkdir(parents=True)
    found = copies.take(tmp_path, tmp_path / "front_ends" / "market", folder, "bazaar", {}, "0.1.0", TODAY)
    assert found.licence == ""
    assert "front_ends" not in "".join(path.read_text() for path in folder.rglob("*.py"))
    shutil.rmtree(tmp_path / "front_ends")
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "bazaar"], cwd=folder, check=False,
        capture_output=True, text=True,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert " passed" in ran.stdout
