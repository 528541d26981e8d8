"""What a file of SQL does to the tables of a running platform: expand or contract, and which locks it takes.

*Expand*: the code of the release before works on, with the new tables as with the old. *Contract*: that code may read
what is gone, or write what is refused now. The two never belong into one release: docs/guides/migrations.md.

PostgreSQL's grammar is not repeated here. What this list does not know counts as contracting, so that somebody looks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

MARK: Final = "-- contract:"  # over a contracting statement: since when nobody needs what it takes away

Kind = Literal["expand", "contract"]

_EXCLUSIVE: Final = "ACCESS EXCLUSIVE"
_NAME: Final = r'(?:if (?:not )?exists )?(?:only )?((?:"[^"]+"|[\w$]+)(?:\.(?:"[^"]+"|[\w$]+))?)'
_TOKEN: Final = re.compile(
    r"""--[^\n]*|/\*.*?\*/|\$(?P<tag>[A-Za-z_]*)\$.*?\$(?P=tag)\$|[eE]'(?:\\.|''|[^'\\])*'|'(?:''|[^'])*'|"[^"]*"
    |[A-Za-z_]\w*|;|.""",
    re.DOTALL | re.VERBOSE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One statement: what it does to code of the release before, and the lock that it holds until its file is applied.

    lock: PostgreSQL's name of it, empty where it locks no table that was there before. table: which one. because: why
    it contracts. mark: what its file says of that.
    """

    line: int
    text: str
    kind: Kind
    because: str = ""
    lock: str = ""
    table: str = ""
    mark: str = ""


def steps_of(sql: str) -> list[Step]:
    """Return the statements of a file, in order; a table that the file makes itself is in nobody's way."""
    made: set[str] = set()
    return [step for line, text, mark in _statements(sql) for step in _steps(line, text, mark, made)]


def _statements(sql: str) -> Iterator[tuple[int, str, str]]:
    """Give each statement without its comments, with the line that it begins on and its mark."""
    parts: list[str] = []
    line, begins, depth, mark, before = 1, 0, 0, "", ""
    for token in (found[0] for found in _TOKEN.finditer(sql)):
        word = token.lower()
        if token == ";" and depth == 0:
            if text := " ".join("".join(parts).split()):
                yield begins, text, mark
            parts, mark, before = [], "", ""
        elif token.startswith(("--", "/*")):
            mark = token.removeprefix(MARK).strip() if token.startswith(MARK) else mark
            parts.append(" ")
        else:
            if not token.isspace() and not "".join(parts).strip():
                begins = line
            depth += _opens(before, word, depth)
            parts.append(token)
            before = before if token.isspace() else word
        line += token.count("\n")
    if text := " ".join("".join(parts).split()):
        yield begins, text, mark


def _opens(before: str, word: str, depth: int) -> int:
    """Return 1 where a body of statements begins that end with `;`, and -1 where it ends."""
    if (before, word) == ("begin", "atomic") or (depth and word == "case"):
        return 1
    return -1 if depth and word == "end" else 0


# What a statement does, by how it begins; the first that fits. Group 1 is the table. The reason, where it contracts.
_RULES: Final[tuple[tuple[str, str, str], ...]] = (
    (rf"create (?:unlogged )?table {_NAME}", "", ""),
    (rf"create unique index .*?\bon {_NAME}", "SHARE", "it refuses rows that the code before may write"),
    (rf"create index .*?\bon {_NAME}", "SHARE", ""),
    (rf"create (?:or replace )?(?:constraint )?trigger .*? on {_NAME}", "SHARE ROW EXCLUSIVE", ""),
    (rf"create policy .*? on {_NAME}", _EXCLUSIVE, "it hides rows that the code before may read"),
    (rf"select isthmus\.guard\('{_NAME}'\)", _EXCLUSIVE, "it hides rows that the code before may read"),
    (rf"(?:select|call) isthmus\.\w+\('{_NAME}'\)", "", ""),
    (rf"create (?:function|procedure|view) {_NAME}", "", ""),
    (r"create (?:or replace )?(?:schema|view|function|procedure|type|domain|sequence|extension|aggregate)\b", "", ""),
    (rf"drop table {_NAME}", _EXCLUSIVE, "the code before reads and writes it"),
    (r"drop index\b", _EXCLUSIVE, "what the code before finds by it is slow, or not unique any more"),
    (r"drop\b", _EXCLUSIVE, "the code before may use it"),
    (rf"truncate (?:table )?{_NAME}", _EXCLUSIVE, "the code before may read these rows"),
    (rf"(?:with .*? )?delete from {_NAME}", "ROW EXCLUSIVE", "the code before may read these rows"),
    (rf"(?:with .*? )?insert into {_NAME}", "ROW EXCLUSIVE", ""),
    (rf"(?:with .*? )?update {_NAME} ", "ROW EXCLUSIVE", ""),
    (rf"revoke .*? on (?:table |function |procedure )?{_NAME}", "", "the code before may do what it takes away"),
    (r"(?:grant|comment|set|reset|select|values|lock|alter default privileges)\b", "", ""),
)
_ACTIONS: Final[tuple[tuple[str, str, str], ...]] = (
    (r"add (?:constraint \S+ )?foreign key\b", "SHARE ROW EXCLUSIVE", "it refuses rows that the code before may write"),
    (
        r"add (?:constraint \S+ )?(?:check|unique|primary key|exclude|not null)\b",
        _EXCLUSIVE,
        "it refuses rows that the code before may write",
    ),
    (
        r"add (?!.*\b(?:default|generated|serial|bigserial)\b).*\bnot null\b",
        _EXCLUSIVE,
        "the code before writes rows without this column",
    ),
    (r"add\b", _EXCLUSIVE, ""),
    (r"validate constraint\b", "SHARE UPDATE EXCLUSIVE", ""),
    (r"drop (?:column|(?!constraint))", _EXCLUSIVE, "the code before reads and writes this column"),
    (r"drop constraint\b", _EXCLUSIVE, "the code before may count on it"),
    (
        r"alter (?:column )?\S+ (?:set data )?type\b",
        _EXCLUSIVE,
        "the code before has another type, and the table is written anew",
    ),
    (r"alter (?:column )?\S+ set not null\b", _EXCLUSIVE, "it refuses rows that the code before may write"),
    (r"alter (?:column )?\S+ drop default\b", _EXCLUSIVE, "the code before writes rows without this column"),
    (r"alter (?:column )?\S+ (?:set default|drop not null|set statistics|add generated)\b", _EXCLUSIVE, ""),
    (r"rename\b", _EXCLUSIVE, "the code before knows the old name"),
    (r"(?:enable|no force|force) row level security\b", _EXCLUSIVE, ""),
    (r"(?:owner to|replica identity)\b", _EXCLUSIVE, ""),
    (r"(?:set|reset) \(", "SHARE UPDATE EXCLUSIVE", ""),
)
_ALTER: Final = re.compile(rf"alter table {_NAME} (.*)", re.IGNORECASE)
_MAKES: Final = re.compile(r"create (?:(?:unlogged )?table|function|procedure|view)\b", re.IGNORECASE)
_REFERS: Final = re.compile(rf"\breferences {_NAME}", re.IGNORECASE)
_TAKES_AWAY: Final = re.compile(
    r"\b(drop|truncate|rename|revoke|delete from|set not null|set data type|create unique index|add constraint)\b",
    re.IGNORECASE,
)
_UNKNOWN: Final = "this list does not know it: look at what it does to the code before"


def _steps(line: int, text: str, mark: str, new: set[str]) -> Iterator[Step]:
    """Give what one statement is: one step, with one more for each table that it refers to."""

    def step(lock: str, table: str, because: str) -> Step:
        name, kind = table.lower(), "contract" if because else "expand"
        if name in new:  # nobody knows it yet
            lock, because, kind = "", "", "expand"
        return Step(line=line, text=text, kind=kind, because=because, lock=lock, table=table if lock else "", mark=mark)

    lock, table, because = _found(text)
    if _MAKES.match(text):
        new.add(table.lower())
    yield step(lock, table, because)
    for refers in _REFERS.finditer(text):
        if refers[1].lower() not in new and refers[1].lower() != table.lower():
            yield step("SHARE ROW EXCLUSIVE", refers[1], "")


def _found(text: str) -> tuple[str, str, str]:
    """Return the lock, the table and why it contracts, of one statement."""
    if altered := _ALTER.match(text):
        found = [_first(_ACTIONS, action) for action in _actions(altered[2])]
        worst = max(found, key=lambda one: (bool(one[2]), one[0] == _EXCLUSIVE, one[0]))
        strongest = next((lock for lock, _, _ in found if lock == _EXCLUSIVE), worst[0])
        return strongest, altered[1], worst[2]
    if text.lower().startswith("do "):
        taken = _TAKES_AWAY.search(text)
        return "", "", f"its block says {taken[0]!r}" if taken else ""
    return _first(_RULES, text)


def _first(rules: tuple[tuple[str, str, str], ...], text: str) -> tuple[str, str, str]:
    for begins, lock, because in rules:
        if found := re.match(begins, text, re.IGNORECASE):  # compiled once, and not by a server that migrates nothing
            return lock, found[1] if found.re.groups else "", because
    return "", "", _UNKNOWN


def _actions(text: str) -> list[str]:
    """Return the actions of an `alter table`, which commas part; those in brackets and quotes do not."""
    actions, depth, begins = [""], 0, True
    for token in (found[0] for found in _TOKEN.finditer(text)):
        depth += {"(": 1, ")": -1}.get(token, 0)
        if token == "," and depth == 0:
            actions.append("")
            begins = True
        elif not (begins and token.isspace()):
            actions[-1] += token
            begins = False
    return actions
