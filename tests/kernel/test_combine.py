"""How the answers of several owners become one."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.kernel import ALLOW, PASS, Pass, Verdict, answers, combine, errors, extension_point, veto
from isthmus.values import CurrencyMismatch, Money, money

from .world import a_front_end, a_plan, a_release, problems


def a_point(rule, function=None, name="shop.question", **more):
    def question(number: int) -> object:
        """Say something about a number."""
        return "default"

    function = function or question
    function.__doc__ = function.__doc__ or "Say something."
    return extension_point(name, combine=rule, **more)(function)


def says(point, value, name="says", **more):
    def answer(number: int) -> "object | Pass":
        return value

    answer.__name__ = name
    return answers(point, **more)(answer)


def asked(rule, *values, argument=1, **more):
    point = a_point(rule, **more)
    given_answers = [says(point, value, name=f"answer_{at}") for at, value in enumerate(values)]
    return a_plan(point, *given_answers).answer(point)(argument)


@pytest.mark.parametrize(
    ("rule", "values", "result"),
    [
        (combine.first_answer, [], "default"),
        (combine.first_answer, [7], 7),
        (combine.first_answer, [None], None),
        (combine.first_answer, [PASS], "default"),
        (combine.fold(), [], "default"),
        (combine.fold(), [5], 5),
        (combine.fold(), [PASS], 1),
        (combine.collect(), [], "default"),
        (combine.collect(), [(3, 1), (2, 1), ()], (1, 2, 3)),
        (combine.collect(key=lambda item: -item), [(3, 1), (2, 1)], (3, 2, 1, 1)),
        (combine.collect(), [PASS], "default"),
        (combine.merge, [{"a": 1}, {"b": 2}], {"a": 1, "b": 2}),
        (combine.merge, [PASS, {"b": 2}], {"b": 2}),
        (combine.every, [ALLOW, ALLOW], ALLOW),
        (combine.any_of, [False, False], False),
        (combine.any_of, [False, True], True),
        (combine.any_of, [PASS], "default"),
        (combine.total, [1, 2, 3], 6),
        (combine.total, [money(5, "EUR"), money(-7, "EUR")], money(-2, "EUR")),
        (combine.total, [0], 0),
        (combine.lowest, [3, 1, 2], 1),
        (combine.highest, [3, 1, 2], 3),
        (combine.highest, [PASS, PASS], "default"),
    ],
)
def test_each_rule_combines_as_its_table_says(rule, values, result):
    assert asked(rule, *values) == result


def test_the_default_never_votes():
    point = a_point(combine.total, lambda number: 1_000)
    assert a_plan(point, says(point, 1)).answer(point)(0) == 1
    assert a_plan(point).answer(point)(0) == 1_000


def test_money_is_compared_within_one_currency_only():
    assert asked(combine.lowest, money(5, "EUR"), money(7, "EUR")) == money(5, "EUR")
    with pytest.raises(CurrencyMismatch, match="cannot be added or compared"):
        asked(combine.lowest, money(5, "EUR"), money(7, "USD"))


def test_a_veto_names_who_vetoed_and_why():
    point: Any = a_point(combine.every, lambda number: ALLOW)
    plan = a_plan(
        point, says(point, veto("too many", path="$.number"), name="limit"), says(point, veto("too late"), name="clock")
    )
    verdict: Verdict = plan.answer(point)(1)
    assert not verdict.is_allowed
    assert [(no.by, no.reason, no.path) for no in verdict.vetoes] == [
        ("north.clock", "too late", None),
        ("north.limit", "too many", "$.number"),
    ]


def test_a_key_given_twice_is_named_with_both_givers():
    with pytest.raises(errors.AnswerFailed, match="key 'a' is given by both north.answer_0 and north.answer_1"):
        asked(combine.merge, {"a": 1}, {"a": 1})


def test_the_stages_of_a_fold_run_in_their_order_whoever_answers_in_them():
    def question(number: int) -> int:
        """Change a number."""
        return number

    point = a_point(combine.fold("add", "double"), question)

    @answers(point, stage="double")
    def doubled(number):
        return number * 2

    @answers(point, stage="add")
    def added(number):
        return number + 1

    assert a_plan(point, doubled, added).answer(point)(3) == 8
    assert a_plan(point, added, doubled).answer(point)(3) == 8


def test_a_stage_that_is_not_there_is_refused():
    point = a_point(combine.fold("add"))
    assert "choose one of add" in problems([point], a_front_end("north", says(point, 1, stage="ad")))[0]
    flat = a_point(combine.total)
    assert "has no stages" in problems([flat], a_front_end("north", says(flat, 1, stage="add")))[0]


def test_lines_are_combined_one_by_one_and_the_default_speaks_for_the_rest():
    def question(lines: tuple[int, ...]) -> tuple[int, ...]:
        """Price lines."""
        return tuple(line * 100 for line in lines)

    point = a_point(combine.lowest, question, per_line=True)

    @answers(point)
    def odd(lines):
        return [line if line % 2 else PASS for line in lines]

    @answers(point, applies=lambda lines: len(lines) > 1)
    def many(lines):
        return [1 if line == 3 else PASS for line in lines]

    ask = a_plan(point, odd, many).answer(point)
    assert ask((2, 3, 5)) == (200, 1, 5)
    assert ask((3,)) == (3,)
    assert ask(()) == ()


def test_an_answer_with_too_few_lines_is_named():
    point = a_point(combine.first_answer, lambda lines: lines, per_line=True)

    @answers(point)
    def short(lines):
        return lines[:1]

    with pytest.raises(errors.AnswerFailed, match=r"north.short answered 'shop.question' with 1 elements for 2 lines"):
        a_plan(point, short).answer(point)((1, 2))


async def test_async_points_combine_lines_and_values_too():
    async def question(lines: tuple[int, ...]) -> tuple[int, ...]:
        """Price lines elsewhere."""
        return tuple(0 for _ in lines)

    point = extension_point("shop.question", combine=combine.total, per_line=True)(question)

    @answers(point)
    async def slow(lines):
        return [line if line > 1 else PASS for line in lines]

    @answers(point)
    def quick(lines):
        return lines

    ask = a_plan(point, slow, quick).answer(point)
    assert await ask((1, 2)) == (1, 4)


def test_arguments_are_evaluated_once_and_may_be_named():
    def question(number: int, factor: int) -> int:
        """Multiply."""
        return 0

    point = a_point(combine.first_answer, question)
    heard = []

    @answers(point)
    def other_names(n, f) -> int:
        heard.append((n, f))
        return n * f

    ask: Any = a_plan(point, other_names).answer(point)
    assert ask(number=3, factor=4) == 12
    assert heard == [(3, 4)]


@pytest.mark.parametrize("question", [lambda number=1: 0, lambda *numbers: 0, lambda *, number: 0])
def test_a_point_has_plain_parameters(question):
    with pytest.raises(TypeError, match="plain, without"):
        a_point(combine.first_answer, question)


@pytest.mark.parametrize("rule", [combine.fold(), combine.collect(), combine.merge, combine.any_of])
def test_rules_without_a_meaning_for_one_line_are_refused(rule):
    with pytest.raises(TypeError, match="does not combine line by line"):
        a_point(rule, per_line=True)


RULES = {
    "collect": (combine.collect(), st.tuples(st.integers(0, 9), st.integers(0, 9))),
    "every": (combine.every, st.sampled_from([ALLOW, veto("a"), veto("b", path="$.x")])),
    "any_of": (combine.any_of, st.booleans()),
    "total": (combine.total, st.builds(Money, currency=st.just("EUR"), minor=st.integers(-9, 9))),
    "lowest": (combine.lowest, st.integers(0, 9)),
    "highest": (combine.highest, st.integers(0, 9)),
    "merge": (combine.merge, st.just({})),
}


@given(name=st.sampled_from(sorted(RULES)), data=st.data())
def test_rules_free_of_order_never_conflict_and_never_show_the_order_of_registration(name, data):
    rule, values = RULES[name]
    point = a_point(rule)
    given_answers = [
        says(point, value, name=f"answer_{at}") for at, value in enumerate(data.draw(st.lists(values, max_size=5)))
    ]
    shuffled = data.draw(st.permutations(given_answers))
    first = a_release([point], a_front_end("north", *given_answers)).line("north").plan({}).answer(point)(1)
    again = a_release([point], a_front_end("north", *shuffled)).line("north").plan({}).answer(point)(1)
    assert first == again
