"""Who may: default deny, forbid wins, and nothing is allowed by a policy that fails; found again by every list."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from isthmus.kernel import Caller, FrontEnd, errors
from isthmus.packs.inventory.pack import PACK as INVENTORY
from isthmus.packs.policy import api
from isthmus.packs.policy.pack import PACK
from isthmus.packs.policy.service import policies as serving
from isthmus.packs.policy.service.nodes import PolicySettings, policies_at
from isthmus.packs.policy.service.policies import Policies, front_end_problems
from isthmus.packs.pricing.pack import PACK as PRICING
from tests import shipped

PACKS = (INVENTORY, PRICING, PACK)
DEFAULT = ("default", serving.DEFAULT.read_text())
READ, WRITE = "inventory.list-stock", "inventory.receive"
ACTIONS = (READ, WRITE, "pricing.put-prices")


AS_SHIPPED = Policies(PACKS, [DEFAULT])


def policies(*texts: str, default: bool = True) -> Policies:
    sources = [(f"own-{number}", text) for number, text in enumerate(texts, 1)]
    return Policies(PACKS, [DEFAULT, *sources] if default else sources)


def person(*roles: str) -> api.Who:
    return api.Who(person="ada", roles=roles)


@pytest.mark.parametrize(
    ("who", "reads", "writes"),
    [
        (person("owner"), True, True),
        (person("operator"), True, True),
        (person("support"), True, False),
        (person("analyst"), True, False),
        (person("auditor"), True, False),
        (person("deployer"), False, False),
        (person("support", "operator"), True, True),
        (person(), False, False),
        (person("unheard-of"), False, False),
        (api.Who(client="till"), True, True),
        (api.Who(is_platform=True), True, True),
    ],
)
def test_what_ships_gives_each_role_what_it_says(who: api.Who, reads: bool, writes: bool) -> None:
    found = policies()
    assert (found.decide(who, READ, "north").is_allowed, found.decide(who, WRITE, "north").is_allowed) == (
        reads,
        writes,
    )


def test_without_any_policy_nobody_may_anything() -> None:
    found = policies(default=False)
    assert not any(found.decide(api.Who(person="ada", roles=api.ROLES), one, "north").is_allowed for one in ACTIONS)


def test_a_decision_names_the_policies_that_made_it() -> None:
    found = policies('@id("no-prices") forbid (principal, action in Action::"pricing.*", resource);')
    assert found.decide(person("operator"), "pricing.put-prices", "north") == api.Decision(
        is_allowed=False, policies=("own-1#no-prices",)
    )
    assert found.decide(person("operator"), WRITE, "north").policies == ("default#owners-and-operators-do-everything",)


def test_a_policy_goes_by_the_front_end_and_by_the_way_in() -> None:
    found = policies(
        'forbid (principal, action in Action::"write", resource == FrontEnd::"south");',
        'forbid (principal is Client, action in Action::"write", resource) when { context.via == "mcp" };',
    )
    till = api.Who(client="till")
    assert found.decide(till, WRITE, "north").is_allowed
    assert not found.decide(till, WRITE, "south").is_allowed
    assert not found.decide(till, WRITE, "north", via="mcp").is_allowed


def test_nothing_is_allowed_where_a_policy_fails() -> None:
    overflows = "forbid (principal, action, resource) when { 9223372036854775807 + 1 == 0 };"
    found = policies(overflows).decide(person("owner"), READ, "north")
    assert not found.is_allowed
    assert found.failed


@given(st.text(min_size=1, max_size=40))
@example("o'brien")
@example("名字")
@example('x"::y, Role::"owner')
def test_a_name_is_a_name_whatever_letters_it_has(name: str) -> None:
    for who in (api.Who(client=name), api.Who(person=name, roles=("support",))):
        assert AS_SHIPPED.decide(who, READ, "north").is_allowed
    assert not AS_SHIPPED.decide(who, "people.write", "north").is_allowed


def test_what_is_not_there_cannot_be_asked_for() -> None:
    with pytest.raises(api.NoSuchAction, match=r"did you mean 'inventory.receive'"):
        policies().decide(person("owner"), "inventory.recieve", "north")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("permit (principal, action", "parse error"),
        ('permit (principal is Foo, action == Action::"inventory.receive", resource);', "unrecognized entity type"),
        ('permit (principal, action == Action::"inventory.recieve", resource);', "unrecognized action"),
        ('@id("x") permit (principal is Person, action, resource) when { principal.age > 3 };', "own-1#x"),
    ],
)
def test_policies_that_do_not_fit_what_is_there_are_refused_with_their_names(text: str, said: str) -> None:
    with pytest.raises(api.WrongPolicies, match=said):
        policies(text)


def test_cases_that_do_not_hold_are_refused_with_their_lines(tmp_path: Path) -> None:
    cases = "# prices\nsupport may not inventory.receive on north\noperator may not inventory.receive on north\nhuh\n"
    with pytest.raises(api.WrongPolicies) as wrong:
        Policies(PACKS, [DEFAULT], [("cases.txt", cases)])
    text = str(wrong.value)
    assert "cases.txt: line 3: 'operator may not inventory.receive on north' does not hold: allowed" in text
    assert "line 4: 'huh' is no case" in text
    assert "line 2" not in text


def test_the_companys_folder_is_read_and_adds_to_what_ships(tmp_path: Path) -> None:
    from isthmus.manifest import Place

    folder = tmp_path / "policies"
    folder.mkdir()
    (folder / "a.cedar").write_text('forbid (principal is Person, action == Action::"inventory.receive", resource);')
    (folder / "cases.txt").write_text(
        "operator may not inventory.receive on north\nclient may inventory.receive on north"
    )
    place = Place(database=None, settings=PolicySettings(), root=tmp_path, data=tmp_path, packs=PACKS)  # type: ignore[arg-type]
    assert policies_at(place).decide(person("owner"), WRITE, "north").policies == ("a.cedar#1",)
    (folder / "cases.txt").write_text("operator may inventory.receive on north")
    with pytest.raises(api.WrongPolicies, match=r"denied \(a.cedar#1\)"):
        policies_at(place)


def front_end(rules: str, cases: str = "") -> FrontEnd:
    settings = {api.RULES: rules, api.CASES: cases}
    return FrontEnd(code="north", name="N", owner="n", uses=("inventory.*",), settings=settings)


def test_a_front_ends_policies_are_checked_before_it_is_deployed() -> None:
    assert list(front_end_problems(front_end(""), PACKS)) == []
    rules = 'forbid (principal is Client, action == Action::"inventory.receive", resource);'
    assert list(front_end_problems(front_end(rules, "client may not inventory.receive"), PACKS)) == []
    (wrong,) = front_end_problems(front_end(rules, "client may inventory.receive"), PACKS)
    assert wrong == "north: line 1: 'client may inventory.receive' does not hold: denied (north#1)"
    (wrong,) = front_end_problems(front_end("permit (nobody"), PACKS)
    assert wrong.startswith("policy.rules of north: Policy parse error")


PERMIT_ALL = "permit (principal, action, resource);"
FORBID_ALL = "forbid (principal, action, resource);"


@given(
    rules=st.sampled_from(["", PERMIT_ALL, f"forbid {PERMIT_ALL.removeprefix('permit ')}"]),
    action=st.sampled_from(ACTIONS),
)
def test_a_front_end_permits_over_its_own_only_and_never_against_the_company(rules: str, action: str) -> None:
    found = policies('forbid (principal, action == Action::"pricing.put-prices", resource);')
    nobody = person("deployer")
    own = found.decide(nobody, action, "north", rules)
    assert own.is_allowed == (rules == PERMIT_ALL and action != "pricing.put-prices")
    assert not found.decide(nobody, action, "south").is_allowed  # whatever north ships


SOME = st.lists(
    st.sampled_from(
        [
            PERMIT_ALL,
            'permit (principal in Role::"support", action, resource);',
            'permit (principal, action in Action::"read", resource);',
            'permit (principal is Client, action, resource == FrontEnd::"north");',
            'forbid (principal in Role::"support", action in Action::"write", resource);',
            'forbid (principal, action == Action::"inventory.receive", resource) when { context.via == "mcp" };',
        ]
    ),
    max_size=4,
)
WHO = st.one_of(
    st.lists(st.sampled_from(api.ROLES), max_size=2).map(lambda roles: person(*roles)),
    st.just(api.Who(client="till")),
    st.just(api.Who(is_platform=True)),
)


@given(SOME, WHO, st.sampled_from(ACTIONS), st.sampled_from(["http", "mcp"]), st.randoms())
def test_the_order_of_policies_means_nothing_forbid_wins_and_a_permit_never_takes_away(
    texts: list[str], who: api.Who, action: str, via: str, random: object
) -> None:
    found = policies(*texts, default=False).decide(who, action, "north", via=via).is_allowed
    assert policies(*reversed(texts), default=False).decide(who, action, "north", via=via).is_allowed is found
    if found:
        assert policies(*texts, PERMIT_ALL, default=False).decide(who, action, "north", via=via).is_allowed
    never = "forbid (principal, action, resource);"
    assert not policies(*texts, never, default=False).decide(who, action, "north", via=via).is_allowed


@given(SOME, WHO, st.sampled_from(ACTIONS), st.sampled_from(["http", "mcp"]))
async def test_a_check_is_the_decision_the_first_time_and_ever_after(
    texts: list[str], who: api.Who, action: str, via: str
) -> None:
    found = policies(*texts, default=False)
    decided = found.decide(who, action, "north", via=via).is_allowed
    caller = Caller(
        front_end="north",
        client=who.client,
        person=who.person,
        roles=who.roles,
        via=via,
        is_event_triggered=who.is_platform,
    )
    for _ in range(2):
        try:
            await found.check(caller, found.capabilities[action], {})
            allowed = True
        except errors.NotPermitted:
            allowed = False
        assert allowed is decided


def related(*relations: str, roles: tuple[str, ...] = ()) -> api.Who:
    return api.Who(person="ada", roles=roles, relations=relations)


@pytest.fixture(scope="module")
def all_of_it() -> Policies:
    return Policies(shipped.PACKS, [DEFAULT])


def test_a_relation_is_decided_over_its_part_and_says_which(all_of_it: Policies) -> None:
    found = all_of_it.decide(related("operator seller/17", "support seller/18"), "order.complete-order", "market")
    assert (found.is_allowed, found.parts) == (True, ("seller/17",))
    assert found.policies == ("default#owners-and-operators-do-everything",)
    read = all_of_it.decide(related("operator seller/17", "support seller/18"), "order.list-orders", "market")
    assert read.parts == ("seller/17", "seller/18")


def test_who_may_all_of_a_front_end_is_confined_to_no_part_of_it(all_of_it: Policies) -> None:
    who = related("operator seller/17", roles=("support",))
    assert all_of_it.decide(who, "order.list-orders", "market").parts == ()
    assert all_of_it.decide(who, "order.complete-order", "market").parts == ("seller/17",)


def test_what_is_not_answered_within_a_part_is_allowed_by_no_relation_to_one(all_of_it: Policies) -> None:
    who = related("operator seller/17", "owner order/1")
    allowed = {one for one in all_of_it.capabilities if all_of_it.decide(who, one, "market").is_allowed}
    assert allowed == {name for name, kinds in all_of_it.within.items() if kinds & {"seller", "order"}}
    assert "order.list-orders" in allowed


def test_a_policy_names_a_seller_and_forbids_what_a_relation_would_allow() -> None:
    forbids = """@id("17-is-suspended")
    forbid (principal, action in Action::"write", resource == Seller::"market/17");"""
    found = Policies(shipped.PACKS, [DEFAULT, ("company", forbids)])
    said = found.decide(related("operator seller/17"), "order.complete-order", "market")
    assert (said.is_allowed, said.policies) == (False, ("company#17-is-suspended",))
    assert found.decide(related("operator seller/18"), "order.complete-order", "market").is_allowed
    assert found.decide(related("operator seller/17"), "order.list-orders", "market").is_allowed


def test_a_policy_about_sellers_of_what_knows_none_does_not_fit_the_schema() -> None:
    wrong = 'permit (principal, action == Action::"payment.get-payment", resource is Seller);'
    with pytest.raises(api.WrongPolicies, match="company"):
        Policies(shipped.PACKS, [DEFAULT, ("company", wrong)])


def test_relations_are_above_the_person_in_the_hierarchy_that_cedar_reads() -> None:
    by_relation = """@id("by-this-relation")
    permit (principal in Relation::"courier order/1", action == Action::"order.get-order", resource is Order);"""
    found = Policies(shipped.PACKS, [("company", by_relation)])
    assert found.decide(related("courier order/1", "courier order/2"), "order.get-order", "market").parts == (
        "order/1",
    )


async def test_a_decision_ends_with_the_relation_that_it_was_made_by(all_of_it: Policies) -> None:
    capability = all_of_it.capabilities["order.get-order"]
    held = Caller(front_end="market", person="ada", relations=("support seller/17",))
    for _ in range(2):
        assert await all_of_it.check(held, capability, {}) == "seller/17"
        with pytest.raises(api.Forbidden):
            await all_of_it.check(held.replace(relations=()), capability, {})
        assert await all_of_it.check(held.replace(relations=("support seller/18",)), capability, {}) == "seller/18"
