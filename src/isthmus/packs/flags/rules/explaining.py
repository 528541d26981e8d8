"""Why a flag is what it is for somebody, in parts and in a sentence."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from isthmus.kernel import encode

from .. import api
from . import evaluation, targeting
from .evaluation import Snapshot
from .targeting import TARGETING_KEY, NoAnswer

RESULT_MAX = 200


def looked(flag: api.Flag, context: targeting.Context) -> list[api.Looked]:
    """Return each part of the rule that is looked at for somebody, innermost first, with what came of it."""
    heard: list[api.Looked] = []

    def watch(path: str, rule: str, result: Any) -> None:
        heard.append(api.Looked(path=path, rule=rule, result=_shown(result)))

    if flag.targeting:
        with suppress(NoAnswer, targeting.WrongRule, TypeError, ValueError, OverflowError):  # as far as it comes
            targeting.compiled(flag.targeting, flag.key, watch)(context)
    return heard


def bucket(flag: api.Flag, key: str) -> int | None:
    """Return where somebody falls among 100 equal shares of a flag, or of its experiment; nothing without a key."""
    if not key:
        return None
    seed = f"{flag.key}{key}" if flag.experiment is None else f"{flag.key}/{flag.experiment.name}/{key}"
    return targeting.bucket_of(seed, 100)


def sentence(flag: api.Flag, found: api.FlagEvaluation, snapshot: Snapshot, context: targeting.Context) -> str:
    """Return in words what led to an evaluation."""
    if found.error_code:
        return f"{found.error_code}: {found.details}; the caller takes its own default"
    value = encode(found.value).decode()[:RESULT_MAX] if found.has_value else "the caller's own default"
    if found.reason == evaluation.DISABLED:
        return "it is switched off: everybody gets the caller's own default"
    if unmet := _unmet(flag, snapshot, context):
        return f"{unmet}, so it is {value}"
    if found.reason == evaluation.SPLIT:
        return f"no rule chooses, and the experiment gives {found.variant}: {value}"
    if found.reason == evaluation.MATCH:
        return f"its rule gives {found.variant}: {value}"
    if found.reason == evaluation.STATIC:
        return f"it has no rule, and {found.variant} is its default: {value}"
    return f"its rule chooses nothing, so it is {value}"


def _unmet(flag: api.Flag, snapshot: Snapshot, context: targeting.Context) -> str:
    for need in flag.requires:
        other = snapshot.find(need.key, context).value
        if other.variant not in need.variants:
            is_now = other.variant or other.error_code or other.reason
            return f"it requires {need.key} to be {' or '.join(need.variants)}, which is {is_now}"
    return ""


def _shown(result: Any) -> Any:
    if isinstance(result, dict) and TARGETING_KEY in result:
        return "the context"
    if isinstance(result, str):
        return result[:RESULT_MAX]
    return result if isinstance(result, bool | int | float | None) else str(result)[:RESULT_MAX]
