"""Credit notes and credits in FOCUS exports: what was taken back and what vouchers paid."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing import origins
from billing.commands.credit_notes import issue_credit_note
from billing.focus.columns import Dataset
from billing.focus.facts import Row
from billing.models import CreditLot, CreditNote, Invoice, PriceVersion, VoucherScheme
from billing.queries.focus import cost_and_usage, invoice_details, invoice_totals, period_facts
from common.period import Period
from tenants.models import Organisation
from tenants.permissions import SYSTEM
from tenants.scoping import operator_scope, tenant_scope
from tests.billing.shorthand import broken, ingest, issue
from tests.billing.test_focus import billed, judged
from tests.billing.test_invoice_runs import adjust
from tests.factories import billing as make
from tests.factories import credits as give
from tests.factories import focus

pytestmark = pytest.mark.django_db

D = Decimal
DECEMBER = Period(focus.NOVEMBER.end, focus.NOVEMBER.end + timedelta(days=31))
TAKEN_BACK = DECEMBER.start + 5 * make.HOUR
LATER = DECEMBER.start + 9 * make.HOUR


def credit(
    invoice: Invoice, nets: dict[int, str] | None = None, now: datetime = TAKEN_BACK
) -> CreditNote:
    """Net amounts of some lines by position, or all that is left."""
    chosen = nets and {position: D(net) for position, net in nets.items()}
    with operator_scope():
        return issue_credit_note(
            actor=SYSTEM,
            tenant_id=invoice.tenant_id,
            invoice_id=invoice.pk,
            reason="Cards failed",
            nets=chosen,
            now=now,
        )


def costs(tenant: Organisation, month: Period) -> list[Row]:
    with tenant_scope(tenant.pk):
        return list(cost_and_usage(tenant_id=tenant.pk, month=month, now=LATER))


def details(tenant: Organisation, month: Period) -> list[Row]:
    with tenant_scope(tenant.pk):
        return list(invoice_details(tenant_id=tenant.pk, month=month, now=LATER))


def totals(*documents: Invoice | CreditNote) -> dict[str, Decimal]:
    with operator_scope():
        return dict(invoice_totals(numbers=frozenset(one.number for one in documents)))


def summed(rows: list[Row], name: str) -> Decimal:
    return sum((D(str(row[name])) for row in rows), D(0))


def of(rows: list[Row], document: Invoice | CreditNote) -> list[Row]:
    return [row for row in rows if row["InvoiceId"] == document.number]


@pytest.fixture
def invoices(alice: Organisation) -> tuple[Invoice, Invoice]:
    focus.default_prices()
    return focus.mixed_month(alice)


def test_a_whole_credit_note_and_its_invoice_come_to_nothing(
    alice: Organisation, invoices: tuple[Invoice, Invoice]
) -> None:
    before = costs(alice, focus.NOVEMBER)
    note = credit(invoices[0])
    rows = costs(alice, DECEMBER)
    assert billed(rows) == totals(note) == {note.number: -note.gross}
    assert judged(rows, totals(note)).findings == []
    # The month of the invoice stays as it was, and what is taken back says when it was used.
    assert costs(alice, focus.NOVEMBER) == before
    assert {row["ChargeClass"] for row in rows} == {"Correction"}
    assert {(row["BillingPeriodStart"], row["BillingPeriodEnd"]) for row in rows} == {
        (DECEMBER.start, DECEMBER.end)
    }
    assert {row["ChargePeriodEnd"] <= invoices[0].period_end for row in rows} == {True}
    # Money is given back, and no use.
    quantities = {(row.get("PricingQuantity"), row.get("ConsumedQuantity")) for row in rows}
    assert quantities == {(None, None), (None, 0)}
    together = [*of(before, invoices[0]), *rows]
    assert [summed(together, name) for name in ("BilledCost", "EffectiveCost")] == [0, 0]
    assert broken() == ()


def test_a_fee_that_is_taken_back_takes_its_cost_from_used_and_unused_hours(
    alice: Organisation, invoices: tuple[Invoice, Invoice]
) -> None:
    credit(invoices[0])
    told = sorted(
        (
            str(row["CommitmentDiscountId"])[-1],
            row["ChargeCategory"],
            row["CommitmentDiscountStatus"],
            row["CommitmentDiscountQuantity"],
            row["BilledCost"],
            row["EffectiveCost"],
        )
        for row in costs(alice, DECEMBER)
        if row.get("CommitmentDiscountId")
    )
    # 25.0097 of 40 card-hours had been used, and none of the other reservation's.
    assert told == [
        ("1", "Purchase", None, None, D("-210.00"), 0),
        ("1", "Usage", "Unused", None, 0, D("-78.70")),
        ("1", "Usage", "Used", None, 0, D("-131.30")),
        ("2", "Purchase", None, None, D("-105.00"), 0),
        ("2", "Usage", "Unused", None, 0, D("-105.00")),
    ]


def test_parts_of_an_invoice_are_taken_back_in_the_months_that_do_it(
    alice: Organisation, prices: PriceVersion
) -> None:
    ingest(alice, make.tokens("t1", 100_000_000), make.cards("c1", 36_000))
    invoice = issue(alice)
    part = credit(invoice, {2: "33.33"}, now=make.NOW)
    rest = credit(invoice)
    november, december = costs(alice, focus.NOVEMBER), costs(alice, DECEMBER)
    assert billed(november) == {invoice.number: D("144.16"), part.number: D("-35.33")}
    assert billed(december) == {rest.number: D("-108.83")}
    assert judged([*november, *december], totals(invoice, part, rest)).findings == []
    together = [*november, *december]
    names = ("BilledCost", "EffectiveCost", "ListCost", "ContractedCost")
    assert [summed(together, name) for name in names] == [0, 0, 0, 0]
    with tenant_scope(alice.pk):
        facts = period_facts(tenant_id=alice.pk, month=focus.NOVEMBER, now=make.NOW + make.HOUR)
    assert [(one.period, one.is_closed) for one in facts] == [
        (Period(focus.NOVEMBER.start, make.NOW), True),
        (focus.NOVEMBER, False),
    ]


def test_details_of_a_note_name_the_invoice_which_is_voided_by_a_whole_one(
    alice: Organisation, invoices: tuple[Invoice, Invoice]
) -> None:
    note, part = credit(invoices[0]), credit(invoices[1], {1: "0.50"})
    november, december = details(alice, focus.NOVEMBER), details(alice, DECEMBER)
    states = {(row["InvoiceId"], row["InvoiceIssueStatus"]) for row in [*november, *december]}
    assert states == {
        (invoices[0].number, "Voided"),
        (invoices[1].number, "Issued"),
        (note.number, "Issued"),
        (part.number, "Issued"),
    }
    assert {row["InvoiceDetailLastUpdated"] for row in of(november, invoices[0])} == {TAKEN_BACK}
    assert {(row["InvoiceId"], row["ReferenceInvoiceId"]) for row in december} == {
        (note.number, invoices[0].number),
        (part.number, invoices[1].number),
    }
    assert {(row["PaymentDueDate"], row["PaymentTerms"]) for row in december} == {
        (None, "Credit note; nothing to pay")
    }
    assert billed(december) == totals(note, part)
    assert judged(december, totals(note, part), dataset=Dataset.INVOICE_DETAIL).findings == []
    by_detail: dict[object, Decimal] = defaultdict(Decimal)
    for row in costs(alice, DECEMBER):
        by_detail[row["InvoiceId"], row["InvoiceDetailId"]] += D(str(row["BilledCost"]))
    assert by_detail == {
        (row["InvoiceId"], row["InvoiceDetailId"]): row["BilledCost"] for row in december
    }


def test_a_note_of_a_voided_adjustment_is_an_adjustment(
    alice: Organisation, prices: PriceVersion
) -> None:
    ingest(alice, make.tokens("t1", 1_000_000))
    adjust(alice, "-0.40")
    invoice = issue(alice)
    credit(invoice)
    told = [(row["ChargeCategory"], row["BilledCost"]) for row in costs(alice, DECEMBER)]
    assert told == [("Usage", D("-1.00")), ("Adjustment", D("0.40")), ("Tax", D("-0.04"))]


def test_a_note_costs_the_same_statements_however_many_lines_it_has(
    alice: Organisation, prices: PriceVersion
) -> None:
    counts = []
    for first, last in ((0, 2), (2, 42)):
        ingest(
            alice,
            *[make.tokens(f"t{n}", 1_000_000, key=f"k{n}") for n in range(first, last)],
            now=make.NOW,
        )
        until = make.NOW + (first + 1) * make.HOUR
        credit(issue(alice, until=until, now=until))
        with tenant_scope(alice.pk), CaptureQueriesContext(connection) as caught:
            list(cost_and_usage(tenant_id=alice.pk, month=DECEMBER, now=LATER))
        counts.append(len(caught))
    # A second note adds its lines and what of its commitments was used.
    assert counts[1] - counts[0] == 2


@pytest.fixture
def known_chips() -> Iterator[None]:
    """The tests' cards have an origin, for this test only."""
    before = dict(origins._lookups)
    give.declare_origins()
    yield
    origins._lookups.clear()
    origins._lookups.update(before)


@pytest.fixture
def helped(known_chips: None, db: None) -> Organisation:
    """A hundred card-hours, 381.60: a voucher may pay 30 %, a promotion a hundred yuan."""
    make.make_prices()
    tenant = give.verified("alice")
    ingest(tenant, make.cards("c1", 100 * 3600))
    give.scheme()
    with operator_scope():
        VoucherScheme.objects.update(scope_services=["test"])
    give.voucher(tenant, "1000.00")
    give.promo(tenant, "100.00")
    return tenant


def credits(rows: list[Row]) -> list[tuple[object, ...]]:
    names = ("BilledCost", "EffectiveCost", "ListCost", "ContractedCost", "ChargeClass")
    found = [row for row in rows if row["ChargeCategory"] == "Credit"]
    return [tuple(row.get(name) for name in names) for row in found]


def test_what_vouchers_and_promotion_paid_is_taken_off_the_invoice(helped: Organisation) -> None:
    invoice = issue(helped)
    rows, detailed = costs(helped, focus.NOVEMBER), details(helped, focus.NOVEMBER)
    voucher, promo = D("-114.48"), D("-100.00")
    assert credits(rows) == [(voucher,) * 4 + (None,), (promo,) * 4 + (None,)]
    assert billed(rows) == billed(detailed) == totals(invoice) == {invoice.number: D("167.12")}
    assert invoice.gross + voucher + promo == D("167.12")
    assert judged(rows, totals(invoice)).findings == []
    assert judged(detailed, totals(invoice), dataset=Dataset.INVOICE_DETAIL).findings == []
    told = [row["ChargeDescription"] for row in rows if row["ChargeCategory"] == "Credit"]
    with operator_scope():
        lots = CreditLot.objects.order_by("-kind").values_list("title", "code")
        assert told == [f"{title} ({code})" for title, code in lots]


def test_what_a_note_gives_back_to_credits_stands_on_the_note(helped: Organisation) -> None:
    invoice = issue(helped)
    before = costs(helped, focus.NOVEMBER)
    # Half of it, and then the rest at the same instant: each note has what it gave back itself.
    first, second = credit(invoice, {1: "180.00"}), credit(invoice)
    rows, detailed = costs(helped, DECEMBER), details(helped, DECEMBER)
    assert costs(helped, focus.NOVEMBER) == before
    assert credits(of(rows, first)) == [
        (D("100.00"),) * 4 + ("Correction",),
        (D("7.24"),) * 4 + ("Correction",),
    ]
    assert credits(of(rows, second)) == [(D("107.24"),) * 4 + ("Correction",)]
    assert (first.to_credits, second.to_credits) == (D("107.24"), D("107.24"))
    assert billed(rows) == billed(detailed) == totals(first, second)
    assert totals(first, second) == {first.number: D("-83.56"), second.number: D("-83.56")}
    assert summed(before, "BilledCost") + summed(rows, "BilledCost") == 0
    assert judged(rows, totals(first, second)).findings == []
    assert judged(detailed, totals(first, second), dataset=Dataset.INVOICE_DETAIL).findings == []
    assert broken() == ()


def test_a_package_and_a_claim_of_the_citys_are_no_credit_of_an_invoice(
    known_chips: None, db: None
) -> None:
    make.make_prices()
    tenant = give.verified("alice")
    ingest(tenant, make.cards("c1", 100 * 3600))
    give.scheme(mode="reimburse")
    with operator_scope():
        VoucherScheme.objects.update(scope_services=["test"])
    give.voucher(tenant, "1000.00")
    give.package(tenant, 36_000)
    invoice = issue(tenant)
    rows = costs(tenant, focus.NOVEMBER)
    assert credits(rows) == []
    assert billed(rows) == totals(invoice) == {invoice.number: invoice.gross}
