"""Packages cover quantities before they are priced; what is covered is shown and costs nothing."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils.translation import override

from billing.models import CreditLot, CreditUse, Invoice, InvoiceLine, LedgerAccount
from billing.pricing import Tier
from billing.queries.credit_draft import draft_payments
from billing.queries.drafts import draft
from billing.queries.package_fit import PackageCoversNothing
from tenants.models import Notice, Organisation
from tenants.scoping import operator_scope, tenant_scope
from tests.billing.shorthand import broken, ingest, issue, pay_in, stands
from tests.factories import billing as make
from tests.factories import credits as give

HOURS = 3600


@pytest.fixture
def customer(db: None) -> Organisation:
    make.make_prices()
    return give.verified("alice")


def lines(invoice: Invoice) -> list[tuple[str, int, Decimal, Decimal, Decimal]]:
    with operator_scope():
        rows = InvoiceLine.objects.filter(invoice=invoice).order_by("position")
        return list(rows.values_list("portion", "quantity", "unit_price", "list_unit_price", "net"))


def revenue(tenant: Organisation) -> dict[str, Decimal]:
    with operator_scope():
        rows = LedgerAccount.objects.filter(tenant=tenant, kind__in=["revenue", "deferred_revenue"])
        return dict(rows.values_list("kind", "balance"))


def test_covered_hours_are_priced_at_zero_and_shown(customer: Organisation) -> None:
    pay_in(customer, "1000.00")
    lot = give.package(customer, 60 * HOURS, price="180.00")
    ingest(customer, make.cards("c1", 100 * HOURS))
    invoice = issue(customer)
    price = Decimal("3.60")
    assert lines(invoice) == [
        ("covered", 60 * HOURS, 0, price, 0),
        ("flat", 40 * HOURS, price, price, Decimal("144.00")),
    ]
    assert give.fresh(lot).state == "exhausted"
    assert revenue(customer) == {"revenue": Decimal("-324.00"), "deferred_revenue": 0}
    assert broken() == ()


def test_a_package_earns_its_price_as_it_is_used_to_the_fen(customer: Organisation) -> None:
    pay_in(customer, "1000.00")
    give.package(customer, 3 * HOURS, price="100.00")
    for number, expected in ((1, "33.33"), (2, "66.67"), (3, "100.00")):
        until = make.NOW + timedelta(hours=number - 1)
        ingest(customer, make.cards(f"c{number}", HOURS, until - make.HOUR), now=until)
        issue(customer, until, until)
        assert revenue(customer)["revenue"] == -Decimal(expected)
    assert revenue(customer)["deferred_revenue"] == 0
    assert broken() == ()


def test_cutting_the_month_into_invoices_covers_the_same(customer: Organisation) -> None:
    bob = give.verified("bob")
    for tenant in (customer, bob):
        give.package(tenant, 5 * HOURS)
        for number in range(8):
            at = make.NOW - timedelta(hours=20 - number)
            ingest(tenant, make.cards(f"c{number}", HOURS, at))
    whole = issue(customer)
    cut = [issue(bob, make.NOW - timedelta(hours=20 - 3 * step), make.NOW) for step in (1, 2)]
    cut.append(issue(bob))
    assert sum(one.gross for one in cut) == whole.gross == Decimal("11.45")
    with operator_scope():
        assert sum(CreditUse.objects.filter(tenant=bob).values_list("amount", flat=True)) == (
            5 * HOURS
        )
    assert broken() == ()


def test_a_package_covers_only_what_was_used_in_its_time(customer: Organisation) -> None:
    early, late = make.NOW - timedelta(days=3), make.NOW - timedelta(hours=2)
    last = (make.NOW - timedelta(days=2)).date()
    give.package(customer, 100 * HOURS, expires_on=last)
    ingest(customer, make.cards("c1", 7 * HOURS, early), make.cards("c2", 11 * HOURS, late))
    invoice = issue(customer)
    assert [(row[0], row[1]) for row in lines(invoice)] == [
        ("covered", 7 * HOURS),
        ("flat", 11 * HOURS),
    ]


def test_a_package_is_of_one_meter_and_match(db: None) -> None:
    make.make_tax()
    other = make.price_line("test.card_seconds", "9.00", HOURS, {"chip": "c2"})
    make.publish((*make.STANDARD_LINES, other))
    customer = give.verified("alice")
    give.package(customer, 100 * HOURS, match={"chip": "c2"})
    give.package(customer, 100, meter="test.tokens_in", key="tokens")
    ingest(customer, make.cards("c1", HOURS))
    assert [row[0] for row in lines(issue(customer))] == ["flat"]


def test_a_voucher_pays_only_for_what_was_used_in_its_time(customer: Organisation) -> None:
    early, late = make.NOW - timedelta(days=3), make.NOW - timedelta(hours=2)
    lot = give.promo(customer, "1000.00", effective_at=make.NOW - timedelta(days=1))
    ingest(customer, make.cards("c1", 30 * HOURS, early), make.cards("c2", 10 * HOURS, late))
    invoice = issue(customer)
    # A quarter of forty hours, 152.64 with tax.
    assert invoice.gross == Decimal("152.64")
    assert give.uses(customer) == [("promo", Decimal("38.16"))]
    assert give.fresh(lot).remaining == Decimal("961.84")
    assert broken() == ()


def test_the_draft_shows_the_credits_that_the_issue_uses(customer: Organisation) -> None:
    give.package(customer, 3 * HOURS)
    give.promo(customer, "20.00", effective_at=make.NOW - timedelta(hours=3))
    give.promo(customer, "5.00", key="second")
    ingest(
        customer,
        make.cards("c1", 30 * HOURS, make.NOW - timedelta(days=2)),
        make.cards("c2", 10 * HOURS),
        make.tokens("t1", 9_000_000),
    )
    with tenant_scope(customer.pk):
        shown = draft(tenant_id=customer.pk, until=make.NOW)
        would = [(p.line_id.int, p.sequence, p.amount) for p in draft_payments(shown)]
    invoice = issue(customer)
    with operator_scope():
        money = CreditUse.objects.filter(lot__kind="promo").order_by("sequence")
        used = list(money.values_list("invoice_line__position", "sequence", "amount"))
    assert used == would != []
    assert invoice.gross == shown.gross
    assert broken() == ()


TIERS = (Tier(up_to=1_000_000, unit_price=Decimal(2)), Tier(up_to=None, unit_price=Decimal(1)))


def priced(model: str, **terms: object) -> Organisation:
    """A tenant with money, where tokens have one price of a model."""
    make.make_tax()
    line = make.price_line("test.tokens_in", "0", 1_000_000)
    make.publish((replace(line, model=model, **terms),))  # type: ignore[arg-type]
    tenant = give.verified("alice")
    pay_in(tenant, "100.00")
    return tenant


def refused(tenant: Organisation, **package: object) -> None:
    with pytest.raises(PackageCoversNothing) as refusal:
        give.package(tenant, 1_000_000, meter="test.tokens_in", price="10.00", **package)  # type: ignore[arg-type]
    assert refusal.value.code == "package_covers_nothing"
    with override("en"):
        assert str(refusal.value) == (
            "At the prices in force now this package would cover nothing: test.tokens_in has no "
            "price above zero and without tiers that fits it."
        )
    with override("zh-hans"):
        assert str(refusal.value) == (
            "按当前生效的价格，该资源包抵扣不到任何用量："
            "test.tokens_in 没有与之相符、大于零且不分档的价格。"
        )
    with operator_scope():
        assert not CreditLot.objects.exists()
        assert not Notice.objects.filter(kind="credit.granted").exists()
    assert stands(tenant).balance == Decimal("100.00")


@pytest.mark.parametrize("model", ["graduated", "volume"])
def test_a_package_for_a_price_with_tiers_is_refused_before_it_is_paid(
    db: None, model: str
) -> None:
    refused(priced(model, tiers=TIERS))


def test_a_package_for_what_is_free_or_has_no_price_is_refused(db: None) -> None:
    tenant = priced("flat")
    refused(tenant)
    with pytest.raises(PackageCoversNothing):
        give.package(tenant, HOURS)


def test_a_price_of_whole_packages_is_covered_for_all_use_or_not_at_all(db: None) -> None:
    tenant = priced("package", unit_price=Decimal(2))
    refused(tenant, match={"model": "tiny"})
    assert give.package(tenant, 1_000_000, meter="test.tokens_in").meter == "test.tokens_in"


def test_a_package_sold_once_is_found_again_after_the_prices_changed(
    customer: Organisation,
) -> None:
    lot = give.package(customer, 60 * HOURS)
    later = make.NOW + make.HOUR
    make.publish(make.STANDARD_LINES[:2], effective_at=later)
    assert give.package(customer, 60 * HOURS, now=later).pk == lot.pk
    with pytest.raises(PackageCoversNothing):
        give.package(customer, 60 * HOURS, key="second", now=later)
