"""The evaluator, held to what flagd's testbed publishes of its definitions, and to what is promised of shares."""

# ruff: noqa: E501
from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.packs.flags import api
from isthmus.packs.flags.rules.evaluation import CompiledFlag
from isthmus.packs.flags.rules.targeting import DEPTH_MAX, NODES_MAX, WrongRule, bucket_of, compiled

KEYS = st.text(min_size=1, max_size=30)


def flag(key: str, variants: dict[str, Any], default: str | None, targeting: Any, **more: Any) -> CompiledFlag:
    kind = api.FlagKind.BOOLEAN if all(isinstance(one, bool) for one in variants.values()) else api.FlagKind.STRING
    return CompiledFlag(
        api.Flag(key=key, kind=kind, variants=variants, default_variant=default, targeting=targeting, **more), {}
    )


def named(*names: str) -> dict[str, str]:
    return {name: name for name in names}


SUITS = [["clubs", 25], ["diamonds", 25], ["hearts", 25], ["spades", 25]]
HALVES = [["lower", 50], ["upper", 50]]
TIER = {"==": [{"var": "tier"}, "premium"]}
NAME = {"var": "user.name"}

# flag, default, rule, context, variant: the vectors of open-feature/flagd-testbed (evaluator, fractional v2)
PUBLISHED: list[tuple[str, str | None, Any, dict[str, Any], str]] = [
    *(
        ("fractional-flag", "wild", {"fractional": [{"cat": [{"var": "$flagd.flagKey"}, NAME]}, *SUITS]}, who, suit)
        for who, suit in (
            ({"user": {"name": "jack"}}, "hearts"),
            ({"user": {"name": "queen"}}, "spades"),
            ({"user": {"name": "ten"}}, "clubs"),
            ({"user": {"name": "nine"}}, "diamonds"),
            ({"user": {"name": 3}}, "clubs"),
        )
    ),
    *(
        ("fractional-flag-shorthand", "draw", {"fractional": [["heads"], ["tails", 1]]}, {"targetingKey": who}, side)
        for who, side in (("jon@company.com", "heads"), ("jane@company.com", "tails"))
    ),
    *(
        (key, "wild", {"fractional": [{"cat": ["shared-seed", NAME]}, *SUITS]}, {"user": {"name": who}}, suit)
        for key in ("fractional-flag-A-shared-seed", "fractional-flag-B-shared-seed")
        for who, suit in (("seven", "hearts"), ("eight", "diamonds"), ("nine", "clubs"), ("two", "spades"))
    ),
    *(
        ("fractional-hash-edge-flag", "lower", {"fractional": [{"var": "targetingKey"}, *HALVES]}, {"targetingKey": k}, v)
        for k, v in (("ejOoVL", "lower"), ("bY9fO-", "lower"), ("SI7p-", "lower"), ("6LvT0", "upper"), ("ceQdGm", "upper"))
    ),
    *(
        (
            "fractional-nested-if-flag", "fallback",
            {"fractional": [
                {"var": "targetingKey"}, [{"if": [TIER, "premium", "standard"]}, 50], ["standard", 50]]},
            {"targetingKey": who, "tier": tier}, variant,
        )
        for who, tier, variant in (
            ("jon@company.com", "premium", "premium"), ("jon@company.com", "basic", "standard"),
            ("user1", "premium", "standard"), ("user1", "basic", "standard"),
        )
    ),
    *(
        (
            "fractional-nested-var-flag", "fallback",
            {"fractional": [{"var": "targetingKey"}, [{"var": "color"}, 50], ["blue", 50]]},
            {"targetingKey": who, "color": color}, variant,
        )
        for who, color, variant in (
            ("jon@company.com", "red", "red"), ("jon@company.com", "green", "green"), ("user1", "red", "blue"),
        )
    ),
    *(
        (
            "fractional-nested-weight-flag", "fallback",
            {"fractional": [{"var": "targetingKey"}, ["red", {"if": [TIER, 100, 0]}], ["blue", 10]]},
            {"targetingKey": who, "tier": tier}, variant,
        )
        for who, tier, variant in (
            ("jon@company.com", "premium", "red"), ("jon@company.com", "basic", "blue"),
            ("user1", "premium", "red"), ("user1", "basic", "blue"),
        )
    ),
    (
        "fractional-as-condition-flag", "fallback",
        {"if": [{"fractional": [[False, 0], [True, 100]]}, "big", "small"]}, {"targetingKey": "some-key"}, "big",
    ),
    (
        "fractional-as-condition-false-flag", "fallback",
        {"if": [{"fractional": [[False, 100], [True, 0]]}, "big", "small"]}, {"targetingKey": "some-key"}, "small",
    ),
    *(
        (
            "starts-ends-flag", "none",
            {"if": [{"starts_with": [{"var": "id"}, "abc"]}, "prefix",
                    {"if": [{"ends_with": [{"var": "id"}, "xyz"]}, "postfix", "none"]}]},
            {"id": text}, variant,
        )
        for text, variant in (("abcdef", "prefix"), ("uvwxyz", "postfix"), ("abcxyz", "prefix"), ("lmnopq", "none"))
    ),
    *(
        (
            "equal-greater-lesser-version-flag", "none",
            {"if": [{"sem_ver": [{"var": "version"}, "=", "2.0.0"]}, "equal",
                    {"sem_ver": [{"var": "version"}, ">", "2.0.0"]}, "greater",
                    {"sem_ver": [{"var": "version"}, "<", "2.0.0"]}, "lesser", "none"]},
            {"version": version}, variant,
        )
        for version, variant in (
            ("2.0.0", "equal"), ("2.1.0", "greater"), ("1.9.0", "lesser"), ("2.0.0-alpha", "lesser"), ("2.0.0.0", "none"),
        )
    ),
    *(
        (
            "major-minor-version-flag", "none",
            {"if": [{"sem_ver": [{"var": "version"}, "~", "3.0.0"]}, "minor",
                    {"sem_ver": [{"var": "version"}, "^", "3.0.0"]}, "major", "none"]},
            {"version": version}, variant,
        )
        for version, variant in (("3.0.1", "minor"), ("3.1.0", "major"), ("4.0.0", "none"))
    ),
    *(
        ("semver-edge-flag", "no-match", {"if": [{"sem_ver": [{"var": "v"}, op, than]}, "match", "no-match"]}, {"v": v}, found)
        for op, than, v, found in (
            ("=", "v1.0.0", "1.0.0", "match"), ("=", "v1.0.0", "v1.0.0", "match"), ("=", "v1.0.0", "2.0.0", "no-match"),
            ("^", "1", "1.5.0", "match"), ("^", "1", "1.0.0", "match"), ("^", "1", "2.0.0", "no-match"),
            ("=", "1.0.0+build", "1.0.0", "match"), ("=", "1.0.0+build", "1.0.0+other", "match"),
            ("=", "1.0.0+build", "2.0.0", "no-match"),
        )
    ),
    *(
        ("targeting-key-flag", "miss", {"if": [{"==": [{"var": "targetingKey"}, "5c3d8535"]}, "hit", None]}, who, variant)
        for who, variant in (({"targetingKey": "5c3d8535"}, "hit"), ({"targetingKey": "f20bd32d"}, "miss"))
    ),
]  # fmt: skip

# what an operator cannot be applied to has the default variant, not the one of "false"
NOT_APPLICABLE: list[tuple[Any, dict[str, Any]]] = [
    ({"sem_ver": [{"var": "v"}, "=", "1.0.0"]}, {"v": "not-a-version"}),
    ({"sem_ver": [{"var": "v"}, "===", "1.0.0"]}, {"v": "1.0.0"}),
    ({"sem_ver": [{"var": "v"}, "="]}, {"v": "1.0.0"}),
    ({"starts_with": [{"var": "num"}, "abc"]}, {"num": 123}),
    ({"ends_with": [{"var": "num"}, "xyz"]}, {"num": 123}),
    ({"starts_with": ["abc"]}, {}),
    ({"ends_with": ["xyz"]}, {}),
    ({"fractional": [{"var": "missing"}, ["one", 50], ["two", 50]]}, {}),
    ({"fractional": [{"var": "targetingKey"}, ["one", 0], ["two", 0]]}, {"targetingKey": "who"}),
    ({"fractional": [["one", 50], ["two", 50]]}, {}),
    ({"/": [1, {"var": "none"}]}, {}),
]


@pytest.mark.parametrize(("key", "default", "rule", "context", "variant"), PUBLISHED)
def test_it_answers_as_flagds_testbed_publishes(
    key: str, default: str | None, rule: Any, context: dict[str, Any], variant: str
) -> None:
    names = {"clubs", "diamonds", "hearts", "spades", "heads", "tails", "lower", "upper", "premium", "standard", "red"}
    names |= {"green", "blue", "big", "small", "prefix", "postfix", "equal", "greater", "lesser", "minor", "major"}
    names |= {"match", "no-match", "hit", "miss", "none", "wild", "draw", "fallback"}
    assert flag(key, named(*names), default, rule).find(context).value.variant == variant


@pytest.mark.parametrize(("condition", "context"), NOT_APPLICABLE)
def test_what_an_operator_cannot_be_applied_to_has_the_default_variant(condition: Any, context: dict[str, Any]) -> None:
    found = flag("x", named("true", "false", "fallback"), "fallback", {"if": [condition, "true", "false"]})
    assert (found.find(context).value.variant, found.find(context).value.reason) == ("fallback", "DEFAULT")


def test_a_negative_weight_is_none() -> None:
    one = flag(
        "x", named("one", "two", "f"), "f", {"fractional": [{"var": "targetingKey"}, ["one", -50], ["two", 100]]}
    )
    assert {one.find({"targetingKey": str(who)}).value.variant for who in range(50)} == {"two"}


@pytest.mark.parametrize(
    ("targeting", "default", "context", "reason", "value"),
    [
        ({}, "on", {}, "STATIC", True),
        ({}, None, {}, "DEFAULT", None),
        ({"if": [{"==": [{"var": "e"}, "me"]}, "on", None]}, "off", {"e": "me"}, "TARGETING_MATCH", True),
        ({"if": [{"==": [{"var": "e"}, "me"]}, "on"]}, "off", {"e": "you"}, "DEFAULT", False),
        ({"if": [{"==": [{"var": "e"}, "me"]}, "on"]}, None, {}, "DEFAULT", None),
    ],
)
def test_each_answer_has_its_reason(targeting: Any, default: str | None, context: Any, reason: str, value: Any) -> None:
    found = flag("x", {"on": True, "off": False}, default, targeting).find(context).value
    assert (found.reason, found.value, found.has_value, found.error_code) == (reason, value, value is not None, "")


def test_a_disabled_flag_leaves_the_value_to_the_caller() -> None:
    found = flag("x", {"on": True, "off": False}, "on", {}, is_enabled=False).find({})
    assert (found.value.reason, found.value.has_value, found.value.error_code) == ("DISABLED", False, "")
    assert b'"value"' not in found.wire


@pytest.mark.parametrize(
    "rule", [{"noop": []}, {"if": [], "or": []}, {"var": {}}, {"!": [1, 2]}, {"fractional": [1, 2]}]
)
def test_a_rule_that_cannot_be_read_is_an_answer_with_a_code(rule: Any) -> None:
    found = flag("x", {"on": True}, "on", rule).find({}).value
    assert (found.reason, found.error_code, found.has_value) == ("ERROR", "PARSE_ERROR", False)


def test_a_rule_that_names_no_variant_is_an_answer_with_a_code() -> None:
    found = flag("x", {"on": True}, "on", {"var": "which"})
    assert found.find({"which": "up"}).value.error_code == "GENERAL"
    assert found.find({"which": {}}).value.error_code == "GENERAL"
    assert found.find({}).value.reason == "DEFAULT"


def test_rules_are_bounded() -> None:
    deep: Any = "on"
    for _ in range(DEPTH_MAX + 1):
        deep = {"!": deep}
    with pytest.raises(WrongRule, match="deep"):
        compiled(deep, "x")
    with pytest.raises(WrongRule, match="parts"):
        compiled({"and": [True] * (NODES_MAX + 1)}, "x")


OPERATORS = [
    ({"==": [{"var": "n"}, "5"]}, True), ({"===": [{"var": "n"}, "5"]}, False), ({"!=": [{"var": "n"}, 4]}, True),
    ({"!==": [{"var": "n"}, 5.0]}, False), ({"<": [1, {"var": "n"}, 9]}, True), ({"<": [1, {"var": "n"}, 5]}, False),
    ({"<=": [5, {"var": "n"}]}, True), ({">": [{"var": "s"}, "a"]}, True), ({">=": [{"var": "n"}, "x"]}, False),
    ({"!": [{"var": "none"}]}, True), ({"!!": [[]]}, False), ({"in": ["b", {"var": "s"}]}, True),
    ({"in": [{"var": "n"}, [1, 5]]}, True), ({"in": [{"var": "n"}, ["5"]]}, False), ({"cat": ["a", 1, True]}, "a1true"),
    ({"substr": [{"var": "s"}, 1]}, "bc"), ({"substr": [{"var": "s"}, 0, -1]}, "ab"), ({"+": [1, "2"]}, 3),
    ({"-": [{"var": "n"}]}, -5), ({"-": [{"var": "n"}, 1]}, 4), ({"*": [2, 3]}, 6), ({"/": [1, 2]}, 0.5),
    ({"%": [7, 3]}, 1), ({"min": [3, 1]}, 1), ({"max": [3, 1]}, 3), ({"var": ["none", 7]}, 7),
    ({"var": "list.1"}, "two"), ({"some": [{"var": "list"}, {"==": [{"var": ""}, "two"]}]}, True),
    ({"some": [{"var": "lines"}, {">": [{"var": "quantity"}, 1]}]}, True),
    ({"all": [{"var": "lines"}, {">": [{"var": "quantity"}, 1]}]}, False),
    ({"none": [{"var": "lines"}, {">": [{"var": "quantity"}, 9]}]}, True), ({"and": [1, 0, 2]}, 0), ({"or": [0, "x"]}, "x"),
]  # fmt: skip
WORLD = {"n": 5, "s": "abc", "list": ["one", "two"], "lines": [{"quantity": 1}, {"quantity": 2}]}


@pytest.mark.parametrize(("rule", "said"), OPERATORS)
def test_operators_say_what_json_logic_says(rule: Any, said: Any) -> None:
    found = compiled(rule, "x")(WORLD)
    assert found == said
    assert isinstance(found, bool) is isinstance(said, bool)


@given(KEYS, st.integers(0, 100), st.integers(0, 100))
def test_raising_a_share_only_adds(key: str, one: int, other: int) -> None:
    low, high = sorted((one, other))

    def is_on(share: int) -> bool:
        rule = {"fractional": [["on", share], ["off", 100 - share]]}
        return compiled(rule, "new-checkout")({"targetingKey": key}) == "on"

    assert is_on(high) or not is_on(low)


def test_shares_are_as_large_as_they_say() -> None:
    rule = compiled({"fractional": [["on", 20], ["off", 80]]}, "new-checkout")
    on = sum(rule({"targetingKey": f"member-{one}"}) == "on" for one in range(20_000))
    assert 0.19 < on / 20_000 < 0.21
    assert {bucket_of(str(one), 4) for one in range(100)} == {0, 1, 2, 3}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.sampled_from(["var", "if", "in", "sem_ver", "fractional", "segment", "<", "cat", "-"]), inner, max_size=1),
    max_leaves=12,
)  # fmt: skip


@given(st.dictionaries(st.sampled_from(["if", "var", "or", "fractional", "some", "/"]), JSON, max_size=1), JSON)
def test_no_rule_and_no_context_make_it_raise(rule: Any, given_value: Any) -> None:
    one = flag("x", {"on": True, "off": False}, "off", rule)
    found = one.find({"targetingKey": "who", "a": given_value, "": given_value}).value
    assert found.reason in ("STATIC", "DEFAULT", "TARGETING_MATCH", "ERROR")
    assert (found.error_code != "") is (found.reason == "ERROR")
