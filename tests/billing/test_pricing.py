"""Each price model is exact, and the running total decides, not how it was cut."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.pricing import MODELS, Portion, Terms, Tier, charge, delta, portions, terms_faults

MODEL_NAMES = sorted(MODELS)
amounts = st.decimals(min_value=0, max_value=10_000, places=15)
quantities = st.integers(0, 10**12)
unit_quantities = st.sampled_from([1, 7, 3600, 1_000_000])


@st.composite
def terms_of(draw: st.DrawFn, model: str, *, has_fees: bool = True) -> Terms:
    """Any terms the model can work with."""
    if not MODELS[model].has_tiers:
        return Terms(draw(amounts), draw(unit_quantities))
    ends = sorted(draw(st.sets(st.integers(1, 10**12), max_size=4)))
    fees = amounts if has_fees else st.just(Decimal(0))
    tiers = tuple(Tier(end, draw(amounts), draw(fees)) for end in [*ends, None])
    return Terms(tiers[0].unit_price, draw(unit_quantities), tiers)


def steps(prices: str, fees: str = "") -> Terms:
    """Tiers per million: up to 1 million, up to 10 million, and beyond."""
    ends = (1_000_000, 10_000_000, None)
    due = fees.split() or ["0"] * 3
    tiers = tuple(
        Tier(end, Decimal(price), Decimal(fee))
        for end, price, fee in zip(ends, prices.split(), due, strict=True)
    )
    return Terms(tiers[0].unit_price, 1_000_000, tiers)


def told(model: str, terms: Terms, quantity: int) -> list[tuple[str, int, str]]:
    return [
        (part.key, part.quantity, str(part.unit_price)) for part in portions(model, terms, quantity)
    ]


def test_the_flat_price_is_the_same_for_every_unit() -> None:
    terms = Terms(Decimal("3.60"), 3600)
    assert told("flat", terms, 7200) == [("flat", 7200, "3.60")]
    assert charge("flat", terms, 7200) == Fraction("7.20")


@pytest.mark.parametrize(
    ("quantity", "parts", "net"),
    [
        (1_000_000, [("tier:1", 1_000_000, "4")], "4"),
        (1_000_001, [("tier:1", 1_000_000, "4"), ("tier:2", 1, "3")], "4.000003"),
        (
            12_000_000,
            [("tier:1", 1_000_000, "4"), ("tier:2", 9_000_000, "3"), ("tier:3", 2_000_000, "2")],
            "35",
        ),
    ],
)
def test_each_unit_costs_its_own_tier_when_graduated(
    quantity: int, parts: list[tuple[str, int, str]], net: str
) -> None:
    terms = steps("4 3 2")
    assert told("graduated", terms, quantity) == parts
    assert charge("graduated", terms, quantity) == Fraction(net)


@pytest.mark.parametrize(
    ("quantity", "parts", "net"),
    [
        (1_000_000, [("volume", 1_000_000, "4")], "4"),
        (1_000_001, [("volume", 1_000_001, "3")], "3.000003"),
        (12_000_000, [("volume", 12_000_000, "2")], "24"),
    ],
)
def test_the_total_prices_every_unit_by_volume(
    quantity: int, parts: list[tuple[str, int, str]], net: str
) -> None:
    terms = steps("4 3 2")
    assert told("volume", terms, quantity) == parts
    assert charge("volume", terms, quantity) == Fraction(net)


def test_entering_the_next_volume_tier_gives_back_what_came_before() -> None:
    terms = steps("4 3 2")
    assert delta("volume", terms, before=1_000_000, after=1_100_000) == Fraction("-0.7")


def test_a_fee_is_due_once_in_each_graduated_tier_and_in_the_reached_volume_tier() -> None:
    terms = steps("0 3 2", "10 20 30")
    assert told("graduated", terms, 2_000_000) == [
        ("fee:1", 0, "10"),
        ("tier:1", 1_000_000, "0"),
        ("fee:2", 0, "20"),
        ("tier:2", 1_000_000, "3"),
    ]
    assert charge("graduated", terms, 2_000_000) == 33
    assert told("volume", terms, 2_000_000) == [("fee:2", 0, "20"), ("volume", 2_000_000, "3")]
    assert charge("volume", terms, 2_000_000) == 26


@pytest.mark.parametrize(("quantity", "packages"), [(1, 1), (1000, 1), (1001, 2), (2500, 3)])
def test_a_started_package_is_paid_in_full(quantity: int, packages: int) -> None:
    terms = Terms(Decimal("9.90"), 1000)
    (part,) = portions("package", terms, quantity)
    assert part == Portion("package", quantity, packages * 1000, Decimal("9.90"), 1000)
    assert part.net == Fraction("9.90") * packages


@pytest.mark.parametrize("model", MODEL_NAMES)
@given(data=st.data())
def test_nothing_used_costs_nothing(model: str, data: st.DataObject) -> None:
    assert portions(model, data.draw(terms_of(model)), 0) == ()


@pytest.mark.parametrize("model", MODEL_NAMES)
@given(data=st.data(), quantity=quantities)
def test_the_portions_hold_all_that_was_metered_and_nothing_twice(
    model: str, data: st.DataObject, quantity: int
) -> None:
    found = portions(model, data.draw(terms_of(model)), quantity)
    assert sum(part.quantity for part in found) == quantity
    assert len({part.key for part in found}) == len(found)
    assert all(part.priced_quantity >= part.quantity for part in found)


@pytest.mark.parametrize("model", MODEL_NAMES)
@given(data=st.data(), cuts=st.lists(quantities, min_size=1, max_size=6))
def test_any_cut_of_the_running_total_gives_the_money_of_the_whole(
    model: str, data: st.DataObject, cuts: list[int]
) -> None:
    terms = data.draw(terms_of(model))
    marks = [0, *cuts]
    parts = [
        delta(model, terms, before=before, after=after)
        for before, after in zip(marks, marks[1:], strict=False)
    ]
    assert sum(parts, Fraction(0)) == charge(model, terms, cuts[-1])


@pytest.mark.parametrize("model", MODEL_NAMES)
@given(data=st.data(), before=quantities, more=quantities)
def test_what_an_invoice_booked_and_what_the_next_adds_are_the_portions_of_the_whole(
    model: str, data: st.DataObject, before: int, more: int
) -> None:
    terms = data.draw(terms_of(model))
    booked = {part.key: part for part in portions(model, terms, before)}
    whole = {part.key: part for part in portions(model, terms, before + more)}
    change = Fraction(0)
    for key in {*booked, *whole}:
        old, new = booked.get(key), whole.get(key)
        change += (new.net if new else 0) - (old.net if old else 0)
    assert change == delta(model, terms, before=before, after=before + more)


@given(data=st.data(), place=st.integers(0, 3))
def test_graduated_prices_without_fees_do_not_jump_at_a_tier(
    data: st.DataObject, place: int
) -> None:
    terms = data.draw(terms_of("graduated", has_fees=False))
    ends = [tier.up_to for tier in terms.tiers if tier.up_to is not None]
    at = ends[place % len(ends)] if ends else 1
    dearest = max(tier.unit_price for tier in terms.tiers)
    for quantity in (at, at + 1):
        step = delta("graduated", terms, before=quantity - 1, after=quantity)
        assert 0 <= step <= Fraction(dearest) / terms.unit_quantity


@given(data=st.data(), quantity=quantities)
def test_volume_and_graduated_agree_inside_the_first_tier(
    data: st.DataObject, quantity: int
) -> None:
    terms = data.draw(terms_of("volume"))
    first = terms.tiers[0].up_to
    inside = quantity if first is None else min(quantity, first)
    assert charge("volume", terms, inside) == charge("graduated", terms, inside)


@given(data=st.data(), quantity=quantities)
def test_packages_hold_the_quantity_and_never_one_package_more(
    data: st.DataObject, quantity: int
) -> None:
    terms = data.draw(terms_of("package"))
    bought = sum(part.priced_quantity for part in portions("package", terms, quantity))
    assert quantity <= bought < quantity + terms.unit_quantity
    assert bought % terms.unit_quantity == 0
    assert charge("package", terms, quantity) >= charge("flat", terms, quantity)


@pytest.mark.parametrize("model", MODEL_NAMES)
@given(data=st.data(), quantity=quantities)
def test_a_total_below_zero_is_the_mirror_of_the_one_above(
    model: str, data: st.DataObject, quantity: int
) -> None:
    terms = data.draw(terms_of(model))
    assert charge(model, terms, -quantity) == -charge(model, terms, quantity)


@pytest.mark.parametrize("model", MODEL_NAMES)
@given(data=st.data())
def test_terms_a_model_can_work_with_have_no_fault(model: str, data: st.DataObject) -> None:
    assert terms_faults(model, data.draw(terms_of(model))) == ()


ONE = Decimal(1)


@pytest.mark.parametrize(
    ("model", "terms", "faults"),
    [
        ("flat", Terms(Decimal(-1), 1), [("unit_price", "amount")]),
        ("flat", Terms(Decimal("NaN"), 1), [("unit_price", "amount")]),
        ("flat", Terms(Decimal("Infinity"), 1), [("unit_price", "amount")]),
        ("flat", Terms(Decimal("1e-16"), 1), [("unit_price", "amount")]),
        ("flat", Terms(Decimal("1e15"), 1), [("unit_price", "amount")]),
        ("flat", Terms(ONE, 0), [("unit_price", "amount")]),
        ("flat", Terms(ONE, 1, (Tier(None, ONE),)), [("tiers", "no_tiers")]),
        ("package", Terms(ONE, 1, (Tier(None, ONE),)), [("tiers", "no_tiers")]),
        ("volume", Terms(ONE, 1), [("tiers", "tiers")]),
        ("graduated", Terms(ONE, 1, (Tier(5, ONE),)), [("tiers", "last_tier_closed")]),
        (
            "graduated",
            Terms(ONE, 1, (Tier(None, ONE), Tier(None, ONE))),
            [("tiers/0", "open_tier")],
        ),
        (
            "graduated",
            Terms(ONE, 1, (Tier(5, ONE), Tier(5, ONE), Tier(None, ONE))),
            [("tiers/1", "not_ascending")],
        ),
        ("volume", Terms(ONE, 1, (Tier(0, ONE), Tier(None, ONE))), [("tiers/0", "not_ascending")]),
        ("volume", Terms(ONE, 1, (Tier(None, Decimal(-1)),)), [("tiers/0", "amount")]),
        ("volume", Terms(ONE, 1, (Tier(None, ONE, Decimal(-1)),)), [("tiers/0", "amount")]),
        ("volume", Terms(ONE, 1, (Tier(None, ONE),) * 51), [("tiers", "tiers")]),
    ],
)
def test_terms_a_model_cannot_work_with_are_named(
    model: str, terms: Terms, faults: list[tuple[str, str]]
) -> None:
    assert [(field, code) for field, code, _ in terms_faults(model, terms)] == faults
