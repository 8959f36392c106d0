"""What contracts, spot quotes and agreed amounts do to invoices, however a month is cut."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing.adapters.csv import draft_csv, invoice_csv
from billing.adapters.pdf import invoice_pdf
from billing.commands.invoices import NothingToInvoice
from billing.models import Invoice, InvoiceLine, PriceVersion
from billing.pricing import Tier
from billing.queries.invoices import invoice_detail, unbilled
from billing.queries.sweep import tenants_to_invoice
from billing.trueup import SpendTerm, intervals, true_ups
from common.ids import uuid7
from common.period import month_of
from tenants.models import Organisation
from tenants.scoping import operator_scope, tenant_scope
from tests.billing.shorthand import broken, ingest, issue
from tests.billing.test_contracts import (
    FROM,
    TO,
    activate,
    discount,
    drafted,
    end,
    fixed,
    quote_from,
    spend,
    spot_list,
)
from tests.factories import billing as make

pytestmark = pytest.mark.django_db
DAY = 24 * make.HOUR
LATE = TO + 20 * make.HOUR


def issued(tenant: Organisation, until: datetime) -> Invoice:
    return issue(tenant, until=until, now=LATE)


def lines(tenant: Organisation) -> list[tuple[str, int, str, str, str]]:
    with operator_scope():
        rows = InvoiceLine.objects.filter(tenant=tenant).order_by("invoice__sequence", "position")
        return [
            (
                line.kind,
                line.quantity,
                f"{line.list_unit_price.normalize():f}",
                f"{line.unit_price.normalize():f}",
                str(line.net),
            )
            for line in rows
        ]


def total(tenant: Organisation) -> Decimal:
    with operator_scope():
        rows = InvoiceLine.objects.filter(tenant=tenant).values_list("net", flat=True)
        return sum(rows, Decimal(0))


def test_a_line_shows_the_list_price_beside_the_contracted_one(
    alice: Organisation, bob: Organisation, prices: PriceVersion
) -> None:
    activate(alice, drafted(alice, discount("12.5")))
    for tenant in (alice, bob):
        ingest(tenant, make.tokens("t1", 8_000_000))
        issued(tenant, TO)
    assert lines(alice) == [("usage", 8_000_000, "1", "0.875", "7.00")]
    assert lines(bob) == [("usage", 8_000_000, "1", "1", "8.00")]
    assert broken() == ()


def test_hours_before_a_term_and_after_it_keep_the_list_price(
    alice: Organisation, prices: PriceVersion
) -> None:
    start, stop = FROM + 2 * DAY, FROM + 4 * DAY
    activate(alice, drafted(alice, discount("50", starts_at=start, ends_at=stop)))
    for number, at in enumerate((start - make.HOUR, start, stop - make.HOUR, stop)):
        ingest(alice, make.tokens(f"t{number}", 1_000_000, at=at))
    issued(alice, TO)
    assert sorted(lines(alice)) == [
        ("usage", 2_000_000, "1", "0.5", "1.00"),
        ("usage", 2_000_000, "1", "1", "2.00"),
    ]


def test_an_activated_contract_prices_the_open_hours_anew(
    alice: Organisation, prices: PriceVersion
) -> None:
    ingest(alice, make.tokens("t1", 1_000_000, at=FROM))
    with tenant_scope(alice.pk):
        before = unbilled(tenant_id=alice.pk, until=make.NOW)
    activate(alice, drafted(alice, discount("20")))
    with tenant_scope(alice.pk):
        now_open = unbilled(tenant_id=alice.pk, until=make.NOW)
    assert (str(before.net), str(now_open.net)) == ("1.00", "0.80")


def test_a_quoted_price_is_discounted_by_the_contract_of_the_hour(
    alice: Organisation, prices: PriceVersion
) -> None:
    quoted = prices.prices.get(sku="test.tokens_in").pk
    activate(alice, drafted(alice, discount("10")))
    ingest(alice, make.tokens("t1", 1_000_000, price_id=quoted))
    issued(alice, TO)
    assert lines(alice) == [("usage", 1_000_000, "1", "0.9", "0.90")]


def test_spot_use_is_cut_at_the_hours_of_its_quotes(alice: Organisation) -> None:
    spot_list()
    quote_from(1, "1.20")
    quote_from(3, "2.40")
    for hour in range(5):
        at = make.NOW + hour * make.HOUR
        ingest(alice, make.cards(f"c{hour}", 3600, at, service_class="spot"), now=at)
    issued(alice, TO)
    assert sorted(lines(alice), key=lambda line: line[4]) == [
        ("usage", 7200, "1.2", "1.2", "2.40"),
        ("usage", 3600, "3.6", "3.6", "3.60"),
        ("usage", 7200, "2.4", "2.4", "4.80"),
    ]
    assert broken() == ()


TIERS = (Tier(1_000_000, Decimal("0.90")), Tier(None, Decimal("0.50"), Decimal("0.30")))
MODELS = {
    "flat": {},
    "graduated": {"model": "graduated", "tiers": TIERS},
    "volume": {"model": "volume", "tiers": TIERS},
    "package": {"model": "package", "unit_quantity": 700_000},
}


@pytest.mark.parametrize("model", MODELS)
@settings(
    max_examples=6,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    used=st.lists(st.tuples(st.integers(0, 29), st.integers(1, 900_000)), min_size=1, max_size=5),
    cuts=st.sets(st.integers(1, 29), max_size=3),
    late=st.booleans(),
)
def test_any_cut_of_the_month_gives_the_same_money(
    prices: PriceVersion,
    model: str,
    used: list[tuple[int, int]],
    cuts: set[int],
    *,
    late: bool,
) -> None:
    """One invoice for the month, or several with some of the use arriving late: the same fen."""
    whole, cut = make.make_tenant(f"w{uuid7().hex}"), make.make_tenant(f"c{uuid7().hex}")
    for tenant in (whole, cut):
        terms = [fixed("0.90", **MODELS[model]), spend("3.00", "minimum")]
        activate(tenant, drafted(tenant, *terms, number=str(tenant.pk)))
    for number, (day, quantity) in enumerate(used):
        ingest(whole, make.tokens(f"t{number}", quantity, at=FROM + day * DAY), now=LATE)
    issued(whole, TO)

    waiting = list(enumerate(used))
    for until in sorted(cuts):
        # Late use is held back until the last invoice, whatever day it is of.
        ready = [one for one in waiting if one[1][0] < until and not (late and one[0] % 2)]
        _take(cut, ready)
        waiting = [one for one in waiting if one not in ready]
        try:
            issued(cut, FROM + until * DAY)
        except NothingToInvoice:
            continue
    _take(cut, waiting)
    issued(cut, TO)
    assert total(cut) == total(whole)
    assert broken() == ()


def _take(tenant: Organisation, ready: Sequence[tuple[int, tuple[int, int]]]) -> None:
    for number, (day, quantity) in ready:
        ingest(tenant, make.tokens(f"t{number}", quantity, at=FROM + day * DAY), now=LATE)


def test_a_minimum_is_trued_up_when_the_month_closes_and_adjusted_by_late_use(
    alice: Organisation, prices: PriceVersion
) -> None:
    activate(alice, drafted(alice, spend("10.00", "minimum")))
    ingest(alice, make.tokens("t1", 4_000_000, at=FROM))
    issued(alice, FROM + 10 * DAY)
    issued(alice, TO)
    assert lines(alice) == [
        ("usage", 4_000_000, "1", "1", "4.00"),
        ("true_up", 0, "6", "6", "6.00"),
    ]
    ingest(alice, make.tokens("t2", 2_500_000, at=FROM + DAY), now=LATE)
    issued(alice, LATE)
    assert lines(alice)[2:] == [
        ("usage", 2_500_000, "1", "1", "2.50"),
        ("true_up", 0, "2.5", "2.5", "-2.50"),
    ]
    assert total(alice) == 10
    assert broken() == ()


def test_a_minimum_is_due_also_where_nothing_was_used(
    alice: Organisation, prices: PriceVersion
) -> None:
    activate(alice, drafted(alice, spend("10.00", "minimum")))
    with operator_scope():
        assert tenants_to_invoice(TO) == (alice.pk,)
    invoice = issued(alice, TO)
    assert lines(alice) == [("true_up", 0, "10", "10", "10.00")]
    assert (str(invoice.net), str(invoice.tax)) == ("10.00", "0.60")
    with operator_scope():
        assert tenants_to_invoice(TO) == ()
    with pytest.raises(NothingToInvoice):
        issued(alice, LATE)


def test_the_draft_and_the_documents_show_a_true_up(
    alice: Organisation, prices: PriceVersion
) -> None:
    activate(alice, drafted(alice, spend("10.00", "minimum")))
    with tenant_scope(alice.pk):
        told = unbilled(tenant_id=alice.pk, until=TO)
    assert [(line.kind, str(line.net)) for line in told.lines] == [("true_up", "10.00")]
    assert b"Minimum spend not reached" in draft_csv(told, "en")
    invoice = issued(alice, TO)
    with tenant_scope(alice.pk):
        detail = invoice_detail(tenant_id=alice.pk, invoice_id=invoice.pk, now=make.NOW)
    assert "最低消费差额（HT-1）" in invoice_csv(detail, "zh-hans").decode()
    assert invoice_pdf(detail, "en").startswith(b"%PDF")


def test_a_month_held_in_part_is_due_in_proportion(
    alice: Organisation, prices: PriceVersion
) -> None:
    contract_id = drafted(alice, spend("30.00", "minimum"))
    activate(alice, contract_id)
    end(alice, contract_id, FROM + 15 * DAY)
    issued(alice, TO)
    assert lines(alice) == [("true_up", 0, "15", "15", "15.00")]


ZONE = "Asia/Shanghai"


def term(interval: str, amount: str, months: int) -> SpendTerm:
    stop = FROM
    for _ in range(months):
        stop = month_of(stop, ZONE).end
    return SpendTerm(uuid7(), "HT", "commitment", interval, Decimal(amount), "t", FROM, stop, stop)


def test_a_commitment_over_the_whole_term_closes_with_its_last_month() -> None:
    year = term("term", "1000.00", 3)
    (whole,) = intervals(year, ZONE)
    second = month_of(FROM, ZONE).end
    spent = {FROM: Decimal(300), second: Decimal(500)}
    early = true_ups([year], spent=spent, booked={}, until=second, zone=ZONE)
    (due,) = true_ups([year], spent=spent, booked={}, until=whole.counted.end, zone=ZONE)
    assert (early, due.net) == ((), 200)
    booked = {whole.key: Decimal(200)}
    spent[second] += 50
    (less,) = true_ups([year], spent=spent, booked=booked, until=whole.counted.end, zone=ZONE)
    assert less.net == -50


def test_what_a_month_was_trued_up_counts_towards_the_whole_term() -> None:
    monthly, whole = term("month", "100.00", 2), term("term", "250.00", 2)
    until = whole.ends_at
    found = true_ups([whole, monthly], spent={FROM: Decimal(40)}, booked={}, until=until, zone=ZONE)
    assert [(one.interval.term.interval, one.net) for one in found] == [
        ("month", 60),
        ("month", 100),
        ("term", 50),
    ]
