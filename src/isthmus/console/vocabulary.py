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
    *(mark("term"), mark("metric"), mark("question"), mark("entity"), mark("field")),
)
