"""The words that pages show of what other parts say in English: closed sets, each word for its translation."""

from __future__ import annotations

from typing import Final

from isthmus.language import mark

SHOWN: Final = (
    *(mark("live"), mark("staged"), mark("rolled back"), mark("holds"), mark("broken"), mark("active")),
    *(mark("merged"), mark("erased"), mark("failed"), mark("confirmed"), mark("held")),
    *(mark("read"), mark("write"), mark("steps")),
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
    *(mark("order kind"), mark("channel")),
    *(mark("Orders"), mark("Sales"), mark("Net sales"), mark("Basket value"), mark("Buyers")),
    *(mark("Refunds"), mark("hour"), mark("day"), mark("week"), mark("month"), mark("quarter"), mark("year")),
    *(mark("identity"), mark("transformation"), mark("aggregation"), mark("join"), mark("group by"), mark("filter")),
    *(mark("sort"), mark("window"), mark("conditional")),
    *(mark(f" (did you mean {name}?)") for name in ("",)),
    *(mark("term"), mark("metric"), mark("question"), mark("entity"), mark("field")),
)
