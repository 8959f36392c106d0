"""Credits from grant to expiry: what pays, in which order, what is booked, what comes back."""

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal

import pytest

from billing import origins
from billing.commands.credit_lots import (
    CreditEnded,
    CreditRefused,
    PackageNotPaid,
    revoke_credit,
)
from billing.commands.credit_sweep import keep_credits
from billing.commands.credits import RestoreRefused, restore_credits
from billing.models import (
    CreditLot,
    CreditUse,
    Invoice,
    InvoiceLine,
    LedgerAccount,
    VoucherScheme,
)
from tenants.models import Notice, Organisation
from tenants.permissions import SYSTEM
from tenants.scoping import operator_scope, tenant_scope
from tests.billing.shorthand import broken, ingest, issue, pay_in, stands
from tests.factories import billing as make
from tests.factories import credits as give

HUNDRED_HOURS = 100 * 3600


@pytest.fixture(autouse=True)
def known_chips() -> Iterator[None]:
    """The tests' cards have an origin, for this test only."""
    before = dict(origins._lookups)
    give.declare_origins()
    yield
    origins._lookups.clear()
    origins._lookups.update(before)


@pytest.fixture
def customer(db: None) -> Organisation:
    """A tenant that any scheme takes, with a hundred card-hours used: 381.60 with tax."""
    make.make_prices()
    tenant = give.verified("alice")
    ingest(tenant, make.cards("c1", HUNDRED_HOURS))
    return tenant


def balances(tenant: Organisation) -> dict[str, Decimal]:
    with operator_scope():
        rows = LedgerAccount.objects.filter(tenant=tenant).exclude(balance=0)
        return dict(rows.values_list("kind", "balance"))


def paid(invoice: Invoice) -> Decimal:
    with operator_scope():
        return sum(invoice.payments.values_list("amount", flat=True), Decimal(0))


def test_vouchers_pay_their_share_then_promotion_then_the_wallet(customer: Organisation) -> None:
    lot = give.promo(customer, "50.00")
    pay_in(customer, "100.00")
    invoice = issue(customer)
    assert give.uses(customer) == [("promo", Decimal("50.00"))]
    assert paid(invoice) == Decimal("150.00")
    assert balances(customer) == {
        "cash": Decimal("100.00"),
        "promotion": Decimal("50.00"),
        "receivable": Decimal("231.60"),
        "revenue": Decimal("-360.00"),
        "vat_output": Decimal("-21.60"),
    }
    assert give.fresh(lot).state == "exhausted"
    assert broken() == ()


def any_service(code: str = "city", **rules: object) -> None:
    """A scheme that pays for the tests' own meters too."""
    give.scheme(code, **rules)
    with operator_scope():
        VoucherScheme.objects.filter(code=code).update(scope_services=["test"])


@pytest.mark.parametrize(
    ("chip", "share"), [("domestic", Decimal("114.48")), ("other", Decimal("76.32"))]
)
def test_the_share_of_a_line_goes_by_the_origin_of_its_cards(
    customer: Organisation, chip: str, share: Decimal
) -> None:
    give.CHIPS["c1"] = chip
    any_service()
    give.voucher(customer, "1000.00")
    invoice = issue(customer)
    give.CHIPS["c1"] = "domestic"
    # 30 % or 20 % of 381.60, to the fen.
    assert give.uses(customer) == [("voucher", share)]
    assert paid(invoice) == share
    assert balances(customer)["voucher_liability"] == -(Decimal("1000.00") - share)
    assert balances(customer)["subsidy_receivable"] == Decimal("1000.00")
    assert broken() == ()


def test_every_use_records_the_order_it_paid_in(customer: Organisation) -> None:
    any_service()
    give.voucher(customer, "1000.00")
    give.promo(customer, "1000.00")
    issue(customer)
    with operator_scope():
        rows = CreditUse.objects.order_by("sequence")
        told = list(rows.values_list("sequence", "lot__kind", "amount", "share", "origin"))
    assert told == [
        (1, "voucher", Decimal("114.48"), Decimal("0.3000"), "domestic"),
        (2, "promo", Decimal("267.12"), Decimal("1.0000"), "domestic"),
    ]
    assert stands(customer).balance == 0
    assert broken() == ()


def test_an_invoice_issued_before_is_never_paid_by_a_credit(customer: Organisation) -> None:
    issue(customer)
    give.promo(customer, "1000.00")
    ingest(customer, make.cards("c2", 3600, make.NOW))
    later = make.NOW + timedelta(hours=1)
    second = issue(customer, later, later)
    assert paid(second) == Decimal("3.82")
    assert give.uses(customer) == [("promo", Decimal("3.82"))]
    assert stands(customer).balance == Decimal("-381.60")


def test_granting_twice_under_one_key_grants_once(customer: Organisation) -> None:
    any_service()
    assert give.promo(customer, "5.00").pk == give.promo(customer, "5.00").pk
    assert give.package(customer, 60).pk == give.package(customer, 60).pk
    assert give.ask(customer, "5.00").pk == give.ask(customer, "5.00").pk
    with operator_scope():
        assert sorted(CreditLot.objects.values_list("kind", flat=True)) == [
            "package",
            "promo",
            "voucher",
        ]
    assert broken() == ()


def test_terms_that_make_no_sense_are_refused(customer: Organisation) -> None:
    for amount in ("0", "-1", "0.001", "NaN", "Infinity"):
        with pytest.raises(CreditRefused):
            give.promo(customer, amount)
    with pytest.raises(CreditRefused):
        give.promo(customer, "1", share=Decimal("1.01"))
    with pytest.raises(CreditRefused):
        give.promo(customer, "1", expires_on=date(2019, 1, 1))
    with pytest.raises(CreditRefused):
        give.package(customer, 10, match={"workload": "w1"})
    with operator_scope():
        assert not CreditLot.objects.exists()


def test_a_package_is_paid_from_the_wallet_and_defers_its_revenue(
    customer: Organisation,
) -> None:
    with pytest.raises(PackageNotPaid):
        give.package(customer, 3600, price="100.00")
    pay_in(customer, "150.00")
    give.package(customer, 3600, price="100.00")
    assert balances(customer) == {
        "cash": Decimal("150.00"),
        "wallet": Decimal("-44.00"),
        "deferred_revenue": Decimal("-100.00"),
        "vat_output": Decimal("-6.00"),
    }
    assert broken() == ()


def keep(tenant: Organisation, now: object) -> None:
    with tenant_scope(tenant.pk):
        keep_credits(tenant_id=tenant.pk, now=now)  # type: ignore[arg-type]


def told(tenant: Organisation) -> list[str]:
    with operator_scope():
        rows = Notice.objects.filter(tenant=tenant, kind__startswith="credit.")
        rows = rows.exclude(kind="credit.granted")
        return sorted(rows.values_list("key", flat=True))


def test_a_credit_lapses_after_its_last_day_and_is_kept_while_it_may_still_pay(
    customer: Organisation,
) -> None:
    last = make.NOW.date()
    lot = give.promo(customer, "50.00", expires_on=last)
    assert lot.expires_at == make.NOW + timedelta(hours=4)
    after = lot.expires_at
    keep(customer, after)
    # The hundred hours of this month stand on no invoice yet, and the credit may pay for them.
    assert give.fresh(lot).state == "active"
    issue(customer, until=make.NOW + timedelta(hours=1), now=after)
    assert give.fresh(lot).state == "exhausted"
    other = give.promo(customer, "50.00", key="other", expires_on=last, now=make.NOW)
    keep(customer, after - timedelta(seconds=1))
    assert give.fresh(other).state == "active"
    keep(customer, after)
    keep(customer, after)
    assert give.fresh(other).state == "expired"
    assert told(customer) == [f"credit.expired:{other.pk}", f"credit.expiring:{other.pk}:1"]
    assert broken() == ()


def test_a_package_that_lapses_is_breakage(customer: Organisation) -> None:
    issue(customer)
    pay_in(customer, "1000.00")
    lot = give.package(customer, 3600, price="100.00", expires_on=make.NOW.date())
    keep(customer, make.NOW + timedelta(days=2))
    assert give.fresh(lot).state == "expired"
    assert balances(customer)["breakage"] == Decimal("-100.00")
    assert "deferred_revenue" not in balances(customer)
    assert broken() == ()


def test_tenants_are_told_seven_three_and_one_days_before(customer: Organisation) -> None:
    lot = give.promo(customer, "50.00", expires_on=(make.NOW + timedelta(days=10)).date())
    for days in range(11):
        keep(customer, make.NOW + timedelta(days=days))
    assert told(customer) == [f"credit.expiring:{lot.pk}:{days}" for days in (1, 3, 7)]


def test_a_credit_of_the_future_begins_on_its_day(customer: Organisation) -> None:
    lot = give.promo(customer, "50.00", effective_at=make.NOW + timedelta(days=1))
    assert lot.state == "issued"
    keep(customer, make.NOW)
    assert give.fresh(lot).state == "issued"
    keep(customer, make.NOW + timedelta(days=1))
    assert give.fresh(lot).state == "active"


def test_revoking_takes_back_what_is_left_and_frees_the_caps(customer: Organisation) -> None:
    any_service(cap_per_tenant_year=Decimal("1000.00"))
    lot = give.voucher(customer, "1000.00")
    issue(customer)

    def revoke() -> None:
        with tenant_scope(customer.pk):
            revoke_credit(
                actor=SYSTEM,
                tenant_id=customer.pk,
                lot_id=lot.pk,
                reason="misuse",
                now=make.NOW,
            )

    revoke()
    revoke()
    assert give.fresh(lot).state == "revoked"
    assert balances(customer)["subsidy_receivable"] == Decimal("114.48")
    assert "voucher_liability" not in balances(customer)
    # What was redeemed still counts; the rest may be asked for again.
    assert give.ask(customer, "885.52", key="second").state == "granted"
    assert broken() == ()


def test_a_package_that_was_bought_is_not_revoked(customer: Organisation) -> None:
    pay_in(customer, "1000.00")
    lot = give.package(customer, 3600, price="100.00")
    with pytest.raises(CreditEnded), tenant_scope(customer.pk):
        revoke_credit(actor=SYSTEM, tenant_id=customer.pk, lot_id=lot.pk, reason="", now=make.NOW)
    assert give.fresh(lot).state == "active"


def refund(invoice: Invoice, amount: str, key: str, now: object = make.NOW) -> Decimal:
    with tenant_scope(invoice.tenant_id):
        line = InvoiceLine.objects.get(invoice=invoice)
        return restore_credits(
            tenant_id=invoice.tenant_id,
            invoice_line_id=line.pk,
            amount=Decimal(amount),
            now=now,  # type: ignore[arg-type]
            key=key,
        )


def test_a_refund_gives_back_to_the_same_lots_the_last_to_pay_first(
    customer: Organisation,
) -> None:
    any_service()
    voucher, promo = give.voucher(customer, "1000.00"), give.promo(customer, "100.00")
    invoice = issue(customer)
    # 114.48 by the voucher and 100.00 by the promotion, of 381.60: 214.48 in all.
    assert refund(invoice, "190.80", "first") == Decimal("107.24")
    assert give.fresh(promo).remaining == Decimal("100.00")
    assert give.fresh(voucher).remaining == Decimal("892.76")
    assert refund(invoice, "190.80", "first") == Decimal("107.24")
    assert refund(invoice, "190.80", "second") == Decimal("107.24")
    assert give.fresh(voucher).remaining == Decimal("1000.00")
    with pytest.raises(RestoreRefused):
        refund(invoice, "0.01", "third")
    assert balances(customer)["voucher_liability"] == Decimal("-1000.00")
    assert "promotion" not in balances(customer)
    assert broken() == ()


def test_what_comes_back_after_the_last_day_goes_on_in_a_grace_lot_or_lapses(
    customer: Organisation,
) -> None:
    any_service(valid_until=make.NOW + timedelta(hours=4))
    last = make.NOW.date()
    promo, voucher = give.promo(customer, "100.00", expires_on=last), give.voucher(customer, "500")
    invoice = issue(customer)
    later = make.NOW + timedelta(days=3)
    keep(customer, later)
    assert give.fresh(voucher).state == "expired"
    assert refund(invoice, "381.60", "all", later) == Decimal("214.48")
    with operator_scope():
        grace = CreditLot.objects.get(grace_of=promo)
        assert not CreditLot.objects.filter(grace_of=voucher).exists()
    assert (grace.face, grace.state) == (Decimal("100.00"), "active")
    assert give.fresh(promo).state == "expired"
    # The city owes nothing for a voucher that paid for nothing in the end.
    assert "subsidy_receivable" not in balances(customer)
    assert "voucher_liability" not in balances(customer)
    assert broken() == ()
