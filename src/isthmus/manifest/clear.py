"""Why personal data stays in the clear where a company has everything kept encrypted that can be, for the register."""

from __future__ import annotations

from typing import Final

from isthmus.language import mark

LEADS_NOWHERE: Final = mark("an id, a hash or a number, which leads to nobody once the person is erased")
COUNTED: Final = mark("rules, counts and limits read it in the database, and it names nobody by itself")
OWN: Final = mark("a front end's own fields and words, which its rules, lists and figures read in the database")
REMARK: Final = mark("a remark on a row that others read, which seldom names anybody")
PASSES: Final = mark("it is gone by itself, in backups with their age")
DEVICE: Final = mark("the address of a device at its push service, which reaches nobody without that service's keys")
STAFF: Final = mark("of who works here and is nobody's customer: what they did has to be proved")
LAW: Final = mark("the law has it be read for ten years, of who is erased as well")
LAKE: Final = mark("the lake is in no copy of the database, and forgets by itself")
UNSAID: Final = mark("who keeps it has not said why")
