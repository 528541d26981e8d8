"""Who answers first, what is refused, and that the order of registration never shows."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.kernel import PASS, Pass, Product, Registry, answers, combine, errors, extension_point

from .world import CHANNEL, KIND, a_front_end, a_pack, a_plan, a_release, problems


@extension_point("shop.price", combine=combine.first_answer, dimensions=[KIND, CHANNEL])
def price(number: int) -> int:
    """Say what it costs."""
    return 0


def says(value, name=None, point=price, passes=False, **more):
    def total(number: int) -> int:
        return value

    def partial(number: int) -> int | Pass:
        return PASS if value is PASS else value

    function = partial if passes else total
    function.__name__ = name or f"says_{value}"
    return answers(point, **more)(function)


def a_product(name, *given_answers, **more):
    return Product(name=name, doc="A product of a test.", owner="a team", answers=given_answers, **more)


def test_the_narrower_condition_answers_first():
    wide, narrow = says(1), says(2, when={"kind": "presale"})
    narrowest = says(3, when={"kind": "presale", "channel": ["app", "till"]})
    for given_answers in itertools.permutations([wide, narrow, narrowest]):
        release = a_release([price], a_front_end("north", *given_answers))
        line = release.line("north")
        assert line.plan({}).answer(price)(1) == 1
        assert line.plan({"kind": "presale"}).answer(price)(1) == 2
        assert line.plan({"kind": "presale", "channel": "till"}).answer(price)(1) == 3
        assert line.plan({"channel": "till"}).answer(price)(1) == 1


def test_the_child_answers_before_its_parent_and_a_front_end_before_its_products():
    product = a_product("gifts", says(3))
    child = a_front_end("north.outlet", says(2), when={"channel": "till"}, uses=())
    line = a_release([price], a_front_end("north", says(1), children=(child,), products=(product,))).line("north")
    assert line.plan({}).answer(price)(1) == 1
    assert line.plan({"channel": "till"}).answer(price)(1) == 2
    assert line.plan({"channel": "till"}).box == "north.outlet?channel=till"


def test_two_answers_that_can_meet_are_refused_with_a_witness_and_the_line_to_write():
    one, other = says(1, when={"kind": "presale"}), says(2, when={"channel": "app"})
    [problem] = problems([price], a_front_end("north", one, other))
    assert "north.says_1" in problem
    assert "test_order.py:" in problem
    assert "with channel=app, kind=presale" in problem
    assert "order={shop.price: [says_1, says_2]}" in problem


def test_the_line_to_write_solves_the_conflict():
    one, other = says(1, when={"kind": "presale"}), says(2, when={"channel": "app"})
    front_end = a_front_end("north", one, other, order={price: [other, one]})
    line = a_release([price], front_end).line("north")
    assert line.plan({"kind": "presale", "channel": "app"}).answer(price)(1) == 2


def test_answers_that_cannot_meet_do_not_conflict():
    a_release([price], a_front_end("north", says(1, when={"kind": "presale"}), says(2, when={"kind": "gift"})))


def test_two_total_answers_of_one_owner_are_never_accepted_silently():
    assert "nothing says which goes first" in problems([price], a_front_end("north", says(1), says(2)))[0]


def test_products_are_ordered_by_the_front_end_and_not_by_their_list():
    one, other = says(1, passes=True), says(PASS, name="says_2", passes=True)
    products = (a_product("gifts", one), a_product("presales", other))
    assert problems([price], a_front_end("north", products=products)) == problems(
        [price], a_front_end("north", products=products[::-1])
    )
    ordered = a_front_end("north", products=products, order={price: [other, one]})
    assert a_release([price], ordered).line("north").plan({}).answer(price)(1) == 1


def test_a_product_speaks_where_the_front_end_itself_has_no_answer():
    assert a_plan(price, products=(a_product("gifts", says(5)),)).answer(price)(1) == 5


def test_a_predicate_may_overlap_anything_and_so_must_be_ordered():
    some, all_others = says(1, applies=lambda number: number > 10), says(2)
    assert "with any ask" in problems([price], a_front_end("north", some, all_others))[0]
    ask = a_plan(price, some, all_others, order={price: [some, all_others]}).answer(price)
    assert (ask(11), ask(10)) == (1, 2)


def test_an_answer_behind_one_that_always_speaks_is_dead():
    first, second = says(1), says(2)
    [problem] = problems([price], a_front_end("north", first, second, order={price: [first, second]}))
    assert problem.startswith("north.says_2 (")
    assert "can never answer 'shop.price'" in problem


def test_an_answer_for_a_situation_that_no_ask_leads_to_is_dead():
    child = a_front_end("north.till", says(1, when={"channel": "app"}), when={"channel": "till"}, uses=())
    assert "can never answer" in problems([price], a_front_end("north", children=(child,)))[0]


def test_an_answer_that_may_pass_leaves_the_next_alive():
    first, second = says(1, passes=True), says(2)
    a_release([price], a_front_end("north", first, second, order={price: [first, second]}))


def test_orders_that_contradict_each_other_are_a_circle():
    one, other, third = says(1, passes=True), says(2, passes=True), says(3, passes=True)
    child = a_front_end("north.till", order={price: [other, one]}, when={"channel": "till"}, uses=())
    parent = a_front_end("north", one, other, third, children=(child,), order={price: [one, other, third]})
    [problem] = problems([price], parent)
    assert "for 'shop.price' in 'north.till' goes in a circle" in problem
    assert "north.says_1" in problem
    assert "north.says_3" in problem


def test_an_order_of_answers_that_nobody_lists_is_refused():
    one = says(1)
    assert "which it does not list" in problems([price], a_front_end("north", one, order={price: [one, says(2)]}))[0]


def test_an_answer_listed_twice_is_refused_since_it_would_count_twice():
    @extension_point("shop.points", combine=combine.total)
    def points(number: int) -> int:
        """Say how many points."""
        return 0

    ten = says(10, point=points)
    assert "listed by north and by north" in problems([points], a_front_end("north", ten, ten))[0]
    product = a_product("gifts", ten)
    assert "listed by gifts and by north" in problems([points], a_front_end("north", ten, products=(product,)))[0]
    child = a_front_end("north.till", when={"channel": "till"}, products=(product,), uses=())
    front_end = a_front_end("north", children=(child,), products=(product,))
    line = a_release([points, price], front_end).line("north")
    assert line.plan({"channel": "till"}).answer(points)(1) == 10


def test_one_function_may_answer_in_two_ways():
    def five(number: int) -> int:
        return 5

    presale, gift = answers(price, when={"kind": "presale"})(five), answers(price, when={"kind": "gift"})(five)
    line = a_release([price], a_front_end("north", presale, gift)).line("north")
    assert [line.plan({"kind": kind}).answer(price)(1) for kind in KIND.values] == [0, 5, 5]


def test_a_conflict_that_only_a_child_would_meet_is_not_one_of_its_parent():
    one, other = says(1, when={"channel": "till"}), says(2, when={"channel": "till"})
    child = a_front_end("north.till", when={"channel": "till"}, order={price: [other, one]}, uses=())
    [problem] = problems([price], a_front_end("north", one, other, children=(child,)))
    assert "says_1" in problem
    assert "can never answer" in problem  # dead in the one place where it is met, and no conflict anywhere


CONDITIONS = st.fixed_dictionaries(
    {}, optional={"kind": st.sampled_from(KIND.values), "channel": st.sampled_from(CHANNEL.values)}
)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_what_is_accepted_and_who_answers_never_depends_on_the_order_of_lists(data):
    """Answers of a front end, its child and its products: any order of all these lists gives the same."""
    generated = data.draw(st.lists(st.tuples(CONDITIONS, st.booleans(), st.integers(0, 3)), min_size=1, max_size=6))
    made = [says(at, when=when, passes=passes) for at, (when, passes, _) in enumerate(generated)]
    owner = [where for _, _, where in generated]
    wanted = data.draw(st.lists(st.sampled_from(made), max_size=3, unique=True))

    def build(shuffle):
        def of(where):
            return tuple(shuffle([answer for answer, at in zip(made, owner, strict=True) if at == where]))

        child = a_front_end("north.till", *of(1), when={"channel": "till"}, uses=())
        products = tuple(shuffle([a_product("gifts", *of(2)), a_product("presales", *of(3))]))
        north = a_front_end("north", *of(0), children=(child,), products=products, order={price: wanted})
        south = a_front_end("south", says(99))
        try:
            release = Registry().add(*shuffle([a_pack("shop", price), a_pack("other"), north, south])).freeze()
        except errors.BuildProblems as found:
            return sorted(found.problems)
        line = release.line("north")
        return [
            line.plan({"kind": kind, "channel": channel}).answer(price)(1)
            for kind in KIND.values
            for channel in CHANNEL.values
        ] + [line.fingerprint]

    assert build(list) == build(lambda items: data.draw(st.permutations(items)))


@pytest.mark.parametrize(
    ("children", "sentence"),
    [
        ([{"kind": "gift"}, {"channel": "app"}], "channel=app, kind=gift leads to both 'north.c0' and 'north.c1'"),
        ([{"kind": "gift"}, {"kind": "gift"}], "kind=gift leads to both"),
        ([{"kind": "gone"}], "is chosen by kind='gone', which no ask can carry"),
        ([{}], "has no when={...}, so nothing would choose it"),
    ],
)
def test_each_ask_leads_to_one_part_of_a_front_end(children, sentence):
    made = tuple(a_front_end(f"north.c{at}", when=when, uses=()) for at, when in enumerate(children))
    assert any(sentence in problem for problem in problems([price], a_front_end("north", children=made)))


def test_a_grandchild_cannot_be_chosen_where_its_parent_is_not():
    grandchild = a_front_end("north.till.app", when={"channel": "app"}, uses=())
    child = a_front_end("north.till", when={"channel": "till"}, children=(grandchild,), uses=())
    assert any("and its parent by 'till'" in one for one in problems([price], a_front_end("north", children=(child,))))
