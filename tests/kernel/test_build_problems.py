"""All that is wrong is said at once, each with where it is and what to write instead."""

import pytest

from isthmus.kernel import (
    Capability,
    Dimension,
    Effect,
    Product,
    Registry,
    answers,
    capability,
    combine,
    errors,
    event,
    extension_point,
    flow,
    implements,
)
from isthmus.kernel.host import event_kind

from .world import KIND, Number, Said, a_front_end, a_pack, a_release, doing, problems


@extension_point("shop.price", combine=combine.first_answer, dimensions=[KIND])
def price(number: int) -> int:
    """Say what it costs."""
    return 0


def says(point, **more):
    def says_it(number) -> int:
        return 1

    return answers(point, **more)(says_it)


def fine(name="say"):
    async def say(ask, ctx) -> Said:
        return Said(text="")

    return doing(name, Effect.READ, say)


def wrong(*parts):
    with pytest.raises(errors.BuildProblems) as found:
        Registry().add(*parts).freeze()
    return found.value.problems


def test_everything_is_reported_together_and_numbered():
    declared, _ = fine()
    front_ends = [a_front_end("*"), a_front_end("north", uses=("shpo.*", "shop.sey")), a_front_end("north")]
    with pytest.raises(errors.BuildProblems) as found:
        Registry().add(a_pack("shop", declared, price), *front_ends).freeze()
    text = str(found.value)
    assert text.startswith("5 problem(s) to solve before this can run:\n  1. ")
    assert "front end 'north' is there twice" in text
    assert "no code is a wildcard" in text
    assert "uses 'shpo.*', which nobody offers (did you mean 'shop.*'?)" in text
    assert "uses 'shop.sey', which nobody offers" in text
    assert "'shop.say' (" in text
    assert "is implemented 0 times (nowhere)" in text


@pytest.mark.parametrize("code", ["*", "", "North", "north south", "north_south", "1north", "no*th", "x" * 33, "a..b"])
def test_codes_are_plain_words_and_no_wildcard(code):
    assert any("front end" in problem for problem in problems([price], a_front_end(code)))


def test_a_front_end_is_not_called_as_a_pack_is():
    assert "is called as a pack is" in problems([price], a_front_end("shop"))[0]


def test_two_implementations_of_one_capability_are_never_accepted_silently():
    declared, bound = fine()

    @implements(declared)
    async def other(ask, ctx) -> Said:
        return Said(text="")

    [problem] = problems([price], parts=[declared, bound, other])
    assert "is implemented 2 times" in problem
    assert problem.count(".py:") == 3


def test_an_implementation_of_something_undeclared_is_told_the_nearest():
    declared, bound = fine()
    _, lost = fine("say-it")
    assert (
        "implements 'shop.say-it', which is not declared here (did you mean 'shop.say'?)"
        in (problems([price], parts=[declared, bound, lost])[0])
    )


def test_an_implementation_is_a_coroutine_function():
    def say(ask, ctx):
        return Said(text="")

    assert "write it with async def" in problems([price], parts=doing("say", Effect.READ, say))[0]


def test_names_follow_from_python_names_both_ways():
    declared, bound = fine("say-it")
    pack = a_pack("shop", bound, say=declared)
    [problem] = wrong(pack)
    assert "capability 'shop.say-it'" in problem
    assert "is called 'say' in pack 'shop'; name it shop.say" in problem


def test_what_has_no_documentation_is_refused():
    @extension_point("shop.silent", combine=combine.first_answer)
    def silent(number: int) -> int:
        return 0

    @capability("shop.mute", version="1.0", effect=Effect.READ)
    def mute(ask: Number) -> Said: ...

    @implements(mute)
    async def run(ask, ctx) -> Said:
        return Said(text="")

    found = problems([silent], parts=[mute, run])
    assert any("has no documentation; say what answers change" in problem for problem in found)
    assert any("has no documentation; say what the caller gets" in problem for problem in found)


def test_an_ask_is_a_value():
    @capability("shop.count", version="1.0", effect=Effect.READ)
    def count(ask: int) -> int:
        """Count."""
        ...

    @implements(count)
    async def run(ask, ctx) -> int:
        return ask

    assert "make it a Value" in problems([price], parts=[count, run])[0]


def test_a_flow_uses_what_is_offered():
    declared, bound = fine()
    lost, _ = fine("say-it")

    @flow("shop.twice", version="1.0", effect=Effect.READ, uses=[declared, lost])
    def twice(ask: Number) -> Said:
        """Say it twice."""
        ...

    @implements(twice)
    async def run(ask, ctx) -> Said:
        return await ctx.call(declared, ask)

    found = problems([price], parts=[declared, bound, twice, run])
    assert any("uses 'shop.say-it', which nobody offers" in problem for problem in found)


def test_a_flow_raises_what_its_parts_raise():
    class Short(errors.Conflict):
        slug = "shop.short"

    part, _ = doing("part", Effect.READ, None_implementation, raises=[Short])

    @flow("shop.flow", version="1.0", effect=Effect.READ, uses=[part], raises=[errors.NotFound])
    def whole(ask: Number) -> Said:
        """Do it all."""
        ...

    assert isinstance(whole, Capability)
    assert whole.raises == (errors.NotFound, Short)


async def None_implementation(ask, ctx):
    return Said(text="")


def test_a_capability_of_a_front_end_carries_its_code():
    declared, bound = fine()
    north = a_front_end("north", capabilities=(declared,), implementations=(bound,), uses=())
    assert "must be called north.<name>" in problems([price], north)[0]


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"when": {"kind": "presal"}}, "kind='presal' (did you mean 'presale'?); the values are plain, presale, gift"),
        ({"when": {"knd": "gift"}}, "conditional on 'knd', which 'shop.price' does not offer (did you mean 'kind'?)"),
        ({"when": {"kind": ()}}, "can never answer"),
    ],
)
def test_conditions_name_known_dimensions_and_values(more, sentence):
    assert sentence in problems([price], a_front_end("north", says(price, **more)))[0]


def test_products_bring_values_of_their_own():
    product = Product(
        name="clubs",
        doc="Clubs.",
        owner="a team",
        answers=(says(price, when={"kind": "club"}),),
        adds={"kind": ("club",)},
    )
    release = a_release([price], a_front_end("north", products=(product,)), a_front_end("south"))
    assert release.line("north").plan({"kind": "club"}).answer(price)(1) == 1
    with pytest.raises(errors.UnknownDimensionValue, match="use one of plain, presale, gift"):
        release.line("south").checked({"kind": "club"})
    lost = Product(name="clubs", doc="Clubs.", owner="a team", answers=(), adds={"knd": ("club",)})
    assert "is no dimension (did you mean 'kind'?)" in problems([price], a_front_end("north", products=(lost,)))[0]


@pytest.mark.parametrize(
    ("function", "sentence"),
    [
        (lambda: 1, "takes (), but 'shop.price' asks with (number); write def"),
        (lambda number, more: 1, "takes (number, more)"),
        (lambda *numbers: 1, "takes (numbers)"),
        (lambda number, *, more: 1, "takes (number, more)"),
    ],
)
def test_an_answer_takes_what_the_point_asks_with(function, sentence):
    assert sentence in problems([price], a_front_end("north", answers(price)(function)))[0]


def test_a_pure_point_is_answered_at_once():
    async def later(number) -> int:
        return 1

    assert "is async, but 'shop.price' is pure" in problems([price], a_front_end("north", answers(price)(later)))[0]


def test_an_answer_to_a_question_that_nobody_asks_is_refused():
    @extension_point("shop.prise", combine=combine.first_answer)
    def lost(number: int) -> int:
        """Ask nothing."""
        return 0

    assert "which nobody asks (did you mean 'shop.price'?)" in problems([price], a_front_end("north", says(lost)))[0]


def test_a_pack_with_too_many_questions_is_refused():
    points = []
    for number in range(13):

        def question(number: int) -> int:
            """Ask."""
            return 0

        points.append(extension_point(f"shop.point-{number}", combine=combine.first_answer)(question))
    assert "has 13 extension points; 12 is the limit" in problems(points)[0]


def test_a_point_has_at_most_three_dimensions_and_a_dimension_has_its_default():
    dimensions = [Dimension(name=f"d{number}", values=("a",), default="a") for number in range(4)]
    with pytest.raises(TypeError, match="4 dimensions; 3 is the limit"):
        extension_point("shop.price", combine=combine.first_answer, dimensions=dimensions)
    with pytest.raises(ValueError, match="not one of"):
        Dimension(name="d", values=("a",), default="b")


def test_a_dimension_is_declared_once():
    other = Dimension(name="kind", values=("plain",), default="plain")

    @extension_point("shop.other", combine=combine.first_answer, dimensions=[other])
    def other_point(number: int) -> int:
        """Ask."""
        return 0

    assert "dimension 'kind'" in problems([price, other_point])[0]


@pytest.mark.parametrize(
    ("code", "more", "sentence"),
    [
        ("south.till", {"when": {"kind": "gift"}}, "must be called north.<name>"),
        ("north.till", {"when": {"kind": "gift"}, "uses": ("shop.*",)}, "has capabilities of its own"),
    ],
)
def test_a_child_is_a_part_of_its_parent(code, more, sentence):
    child = a_front_end(code, **{"uses": (), **more})
    assert any(sentence in problem for problem in problems([price], a_front_end("north", children=(child,))))


def test_only_children_are_chosen_by_dimensions():
    assert "the credential chooses" in problems([price], a_front_end("north", when={"kind": "gift"}))[0]


def test_a_child_has_the_settings_of_its_parent_and_its_own():
    child = a_front_end("north.gifts", when={"kind": "gift"}, uses=(), settings={"a": "2", "c": "3"})
    line = a_release([price], a_front_end("north", children=(child,), settings={"a": "1", "b": "1"})).line("north")
    assert line.plan({}).settings == {"a": "1", "b": "1"}
    assert line.plan({"kind": "gift"}).settings == {"a": "2", "b": "1", "c": "3"}


def test_an_event_has_its_subject():
    with pytest.raises(TypeError, match="has no field 'order_id'"):
        event("shop.said", version="1.0", subject="order_id")(Said)
    with pytest.raises(TypeError, match="not declared with @event"):
        event_kind(Said(text=""))


def test_a_new_line_leaves_every_other_one_the_very_same():
    release = a_release([price], a_front_end("north"), a_front_end("south"))
    newer = a_release([price], a_front_end("north", says(price))).line("north")
    replaced = release.replacing(newer)
    assert replaced.line("south") is release.line("south")
    assert replaced.line("north").plan({}).answer(price)(1) == 1
    assert release.line("north").plan({}).answer(price)(1) == 0
