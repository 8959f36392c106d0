"""The order credits pay in: pure, so every rule is shown with figures and then for any input."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from billing.payment_order import (
    LineFact,
    LotFact,
    cover,
    crossing,
    in_order,
    pay,
    payable,
)

START = datetime(2026, 10, 31, 16, tzinfo=UTC)
END = START + timedelta(days=30)


def line(number: int, gross: str, **changes: object) -> LineFact:
    values: dict[str, object] = {
        "id": UUID(int=number),
        "position": number,
        "meter": "compute.card_seconds",
        "sku": "card.a",
        "service": "compute",
        "project_id": None,
        "dimensions": {"pool": "p1"},
        "origin": "domestic",
        "gross": Decimal(gross),
        "service_from": START,
        "service_to": END,
        **changes,
    }
    return LineFact(**values)  # type: ignore[arg-type]


def lot(number: int, remaining: str, kind: str = "voucher", **changes: object) -> LotFact:
    values: dict[str, object] = {
        "id": UUID(int=1000 + number),
        "family": UUID(int=1000 + number),
        "kind": kind,
        "remaining": Decimal(remaining),
        "effective_at": START - timedelta(days=100),
        "expires_at": None,
        **changes,
    }
    return LotFact(**values)  # type: ignore[arg-type]


def paid(lines: list[LineFact], lots: list[LotFact]) -> list[tuple[int, int, str]]:
    return [(one.lot_id.int - 1000, one.line_id.int, str(one.amount)) for one in pay(lines, lots)]


def test_vouchers_pay_before_promotional_credit() -> None:
    lots = [lot(1, "50.00", "promo"), lot(2, "30.00", "voucher")]
    assert paid([line(1, "100.00")], lots) == [(2, 1, "30.00"), (1, 1, "50.00")]


def test_inside_a_kind_the_narrower_then_the_sooner_lost_then_the_smaller_pays_first() -> None:
    day = timedelta(days=1)
    wanted = [
        lot(1, "9", priority=10),
        lot(2, "9", scope="sku", scope_values=("card.a",)),
        lot(3, "9", scope="meter", scope_values=("compute.card_seconds",)),
        lot(4, "9", scope="service", scope_values=("compute",)),
        lot(5, "9", project_id=UUID(int=7)),
        lot(6, "9", expires_at=END + day),
        lot(7, "5", expires_at=END + 2 * day),
        lot(8, "6", expires_at=END + 2 * day),
        lot(9, "1"),
        lot(10, "2"),
        lot(11, "2"),
    ]
    for turn in range(len(wanted)):
        turned = [*wanted[turn:], *wanted[:turn]][::-1]
        assert [one.id for one in in_order(turned)] == [one.id for one in wanted]


def test_a_share_is_of_the_line_and_floored_to_the_fen() -> None:
    domestic, other = line(1, "100.01"), line(2, "100.01", origin="other")
    one = lot(1, "1000", share_domestic=Decimal("0.30"), share_other=Decimal("0.20"))
    assert paid([domestic, other], [one]) == [(1, 1, "30.00"), (1, 2, "20.00")]


def test_two_lots_of_one_scheme_have_one_share_between_them() -> None:
    family = UUID(int=77)
    lots = [
        lot(n, "20.00", family=family, share_domestic=Decimal("0.30"), is_stackable=False)
        for n in (1, 2)
    ]
    assert paid([line(1, "100.00")], lots) == [(1, 1, "20.00"), (2, 1, "10.00")]


def test_a_voucher_that_does_not_stack_stands_alone_on_a_line() -> None:
    alone = lot(1, "10.00", is_stackable=False)
    other = lot(2, "10.00", priority=60)
    assert paid([line(1, "100.00")], [alone, other]) == [(1, 1, "10.00")]
    first = lot(2, "10.00", priority=40)
    assert paid([line(1, "100.00")], [alone, first]) == [(2, 1, "10.00")]


def test_exclusions_pools_projects_and_time_decide_who_may_pay() -> None:
    storage = line(1, "100.00", service="storage", meter="storage.gb")
    assert paid([storage], [lot(1, "9", excluded_services=("storage",))]) == []
    assert paid([line(1, "100.00")], [lot(1, "9", eligible_pools=("p2",))]) == []
    assert paid([line(1, "100.00")], [lot(1, "9", project_id=UUID(int=7))]) == []
    assert paid([line(1, "100.00")], [lot(1, "9", expires_at=START)]) == []
    assert paid([line(1, "100.00")], [lot(1, "9", effective_at=END)]) == []
    assert paid([line(1, "100.00")], [lot(1, "9", min_spend=Decimal("100.01"))]) == []
    assert paid([line(1, "100.00")], [lot(1, "9", min_spend=Decimal("100.00"))]) == [(1, 1, "9")]


def test_only_the_part_used_in_the_lots_time_is_paid() -> None:
    half = lot(1, "1000", expires_at=START + timedelta(days=10))
    one = line(1, "90.00")
    assert crossing([half], [one]) == [(half, one)]
    within = {(half.id, one.id): Fraction(1, 3)}
    assert [str(p.amount) for p in pay([one], [half], within)] == ["30.00"]


def test_what_a_correction_takes_back_is_set_off_before_credits_look() -> None:
    lines = [line(1, "-100.00"), line(2, "120.00"), line(3, "50.00", sku="card.b")]
    assert payable(lines) == {
        UUID(int=1): Decimal(0),
        UUID(int=2): Decimal("20.00"),
        UUID(int=3): Decimal("50.00"),
    }
    third = lot(1, "1000", share_domestic=Decimal("0.30"))
    assert paid(lines, [third]) == [(1, 2, "6.00"), (1, 3, "15.00")]


def test_packages_cover_quantities_by_meter_match_and_time() -> None:
    packages = [
        lot(1, "100", "package", meter="compute.card_seconds", expires_at=END),
        lot(2, "100", "package", meter="compute.card_seconds", match={"chip": "n1"}),
    ]
    left = {one.id: 100 for one in packages}
    covered = cover(
        packages,
        meter="compute.card_seconds",
        dimensions={"chip": "c1"},
        project_id=None,
        service_from=START,
        service_to=END,
        quantity=130,
        left=left,
    )
    assert [(one.lot_id.int - 1000, one.quantity) for one in covered] == [(1, 100)]


FEN_UNIT = Decimal("0.01")
FEN = st.integers(min_value=-50_000, max_value=200_000).map(lambda fen: Decimal(fen) / 100)
LINES = st.lists(
    st.tuples(FEN, st.sampled_from(["card.a", "card.b"]), st.sampled_from(["domestic", "other"])),
    min_size=1,
    max_size=6,
).map(
    lambda rows: [
        line(n, str(gross), sku=sku, origin=origin)
        for n, (gross, sku, origin) in enumerate(rows, start=1)
    ]
)
SHARES = st.integers(min_value=1, max_value=100).map(lambda share: Decimal(share) / 100)
LOTS = st.lists(
    st.tuples(
        st.integers(min_value=1, max_value=100_000),
        st.sampled_from(["voucher", "promo"]),
        SHARES,
        st.booleans(),
        st.integers(min_value=1, max_value=3),
        st.integers(min_value=0, max_value=3),
    ),
    max_size=6,
).map(
    lambda rows: [
        lot(
            n,
            str(Decimal(fen) / 100),
            kind,
            share_domestic=share,
            share_other=share / 2,
            is_stackable=stackable,
            priority=priority,
            family=UUID(int=500 + family),
        )
        for n, (fen, kind, share, stackable, priority, family) in enumerate(rows, start=1)
    ]
)


@settings(max_examples=150, deadline=None)
@given(LINES, LOTS, st.randoms())
def test_whatever_comes_no_lot_line_share_or_invoice_is_overpaid(
    lines: list[LineFact],
    lots: list[LotFact],
    chance: object,
) -> None:
    payments = pay(lines, lots)
    asked = payable(lines)
    total = sum((one.gross for one in lines), Decimal(0))
    assert sum(asked.values()) == max(total, Decimal(0))
    assert all(
        one.amount > 0 and one.amount == one.amount.quantize(Decimal("0.01")) for one in payments
    )
    for one in lots:
        assert sum(p.amount for p in payments if p.lot_id == one.id) <= one.remaining
    families = {one.id: one.family for one in lots}
    for row in lines:
        of_line = [p for p in payments if p.line_id == row.id]
        assert sum(p.amount for p in of_line) <= asked[row.id]
        for family in set(families.values()):
            shares = [p for p in of_line if families[p.lot_id] == family]
            if shares:
                most = max(p.share for p in shares)
                assert sum(p.amount for p in shares) <= asked[row.id] * most
    # The order in which rows come from the database is nobody's business.
    chance.shuffle(lots)  # type: ignore[attr-defined]
    assert pay(lines, lots) == payments
