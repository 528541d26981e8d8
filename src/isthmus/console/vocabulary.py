"""The words that pages show of what other parts say in English: closed sets, each word for its translation."""

from __future__ import annotations

from typing import Final

from isthmus.language import mark

SHOWN: Final = (
    *(mark("live"), mark("staged"), mark("rolled back"), mark("holds"), mark("broken"), mark("active")),
    *(mark("merged"), mark("erased"), mark("failed"), mark("confirmed"), mark("held")),
    *(mark("read"), mark("write"), mark("steps"), mark("command line")),
    *(mark("deploy"), mark("stage"), mark("promote"), mark("rollback"), mark("automatic-rollback")),
    *(mark("new"), mark("gone"), mark("changed"), mark("added")),
    *(mark("answers"), mark("asked, may pass"), mark("asked with the others")),
    *(mark(f"behind {label}") for label in ("",)),
    *(mark("Data"), mark("Operate")),
    *(
        mark("first answer"),
        mark("every"),
        mark("merge"),
        mark("any of"),
        mark("total"),
        mark("lowest"),
        mark("highest"),
    ),
    *(mark("fold"), mark("collect")),
    *(mark("order kind"), mark("channel")),
    *(mark("atomic"), mark("count"), mark("distinct"), mark("derived"), mark("ratio"), mark("combined")),
    *(mark("cumulative"), mark("percentile"), mark("scaled"), mark("period-over-period"), mark("conversion")),
    *(mark("stock"), mark("attempt"), mark("basket"), mark("booking"), mark("entry"), mark("member"), mark("message")),
    *(mark("order"), mark("payment"), mark("person"), mark("point"), mark("price"), mark("promotion"), mark("rate")),
    *(mark("return"), mark("shipment"), mark("unit"), mark("use"), mark("key"), mark("reference"), mark("level")),
    *(mark(f"{count} number(s) are hidden that would show few people beside what was asked before") for count in (0,)),
    *(
        mark(f"{count} number(s) are hidden and come last: what is first is so of those that are shown")
        for count in (0,)
    ),
    *(mark(f"no trace of call {call_id} is kept") for call_id in ("",)),
    *(
        mark(f"send the call with `Isthmus-Explain: true`; the last {many} are kept, and those that failed")
        for many in (0,)
    ),
    *(mark("event"), mark("job"), mark("subscription")),
    *(mark(f"{entity} does not lose more than half of its rows at once") for entity in ("",)),
    *(mark(f"{entity}: the newest row is at most {hours} h old") for entity, hours in (("", 0),)),
    *(mark(f"{entity}: {field} is never empty") for entity, field in (("", ""),)),
    *(mark(f"{entity}: {field} is one of {values}") for entity, field, values in (("", "", ""),)),
    *(mark(f"{entity}: {field} is at least {least}") for entity, field, least in (("", "", 0),)),
    *(mark(f"{entity}: {field} is at most {most}") for entity, field, most in (("", "", 0),)),
    *(mark(f"{entity}: {field} is not ahead of the clock") for entity, field in (("", ""),)),
    *(mark("Orders"), mark("Sales"), mark("Net sales"), mark("Basket value"), mark("Buyers")),
    *(mark("Refunds"), mark("hour"), mark("day"), mark("week"), mark("month"), mark("quarter"), mark("year")),
    *(mark("identity"), mark("transformation"), mark("aggregation"), mark("join"), mark("group by"), mark("filter")),
    *(mark("sort"), mark("window"), mark("conditional")),
    *(mark(f" (did you mean {name}?)") for name in ("",)),
    *(mark("term"), mark("metric"), mark("question"), mark("entity"), mark("field")),
)
