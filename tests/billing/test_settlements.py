"""The month's file to the city: one row for each use, totals to the fen, each use asked once."""

import csv
import io
from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest

from billing.adapters.settlement_csv import settlement_csv
from billing.commands.credit_notes import issue_credit_note
from billing.commands.credits import restore_credits
from billing.commands.settlements import (
    MonthNotOver,
    NothingToSettle,
    SettlementRefused,
    claw_back_settlement,
    draft_settlement,
    pay_settlement,
    reject_settlement,
    review_settlement,
    submit_settlement,
)
from billing.models import (
    CreditUse,
    Invoice,
    InvoiceLine,
    LedgerAccount,
    SettlementBatch,
    SettlementRow,
    VoucherScheme,
)
from billing.queries.settlements import batch_sheet
from tenants.models import Organisation
from tenants.permissions import SYSTEM
from tenants.scoping import operator_scope, tenant_scope
from tests.billing.shorthand import broken, ingest, issue, pay_in, stands
from tests.factories import billing as make
from tests.factories import credits as give

pytestmark = pytest.mark.django_db

NOVEMBER = date(2026, 11, 1)
OVER = make.MONTH_END + timedelta(days=1)
HUNDRED_HOURS = 100 * 3600


def for_tests(mode: str = "instant", **rules: object) -> None:
    give.scheme(mode=mode, share_domestic=Decimal("0.3"), share_other=Decimal("0.3"), **rules)
    with operator_scope():
        VoucherScheme.objects.update(scope_services=["test"])


def used(code: str, hours: int = 100, **more: object) -> Organisation:
    """A tenant with a voucher of 1,000.00 and an invoice of 3.816 an hour."""
    tenant = give.verified(code)
    give.voucher(tenant, "1000.00", **more)
    ingest(tenant, make.cards("c1", hours * 3600))
    issue(tenant)
    return tenant


def draft(now: datetime = OVER, month: date = NOVEMBER) -> SettlementBatch:
    with operator_scope():
        return draft_settlement(actor=SYSTEM, scheme_code="city", month=month, now=now)


def step(command: object, batch: SettlementBatch, **told: str) -> None:
    with operator_scope():
        command(actor=SYSTEM, batch_id=batch.pk, now=OVER, **told)  # type: ignore[operator]
        batch.refresh_from_db()


def balance(tenant: Organisation, kind: str) -> Decimal:
    with operator_scope():
        row = LedgerAccount.objects.filter(tenant=tenant, kind=kind).first()
        return row.balance if row is not None else Decimal(0)


def test_a_batch_has_a_row_for_each_use_and_sums_to_the_fen() -> None:
    make.make_prices()
    for_tests()
    used("alice"), used("bob", 7)
    batch = draft()
    # 30 % of 381.60 and of 26.71.
    assert (batch.row_count, batch.total) == (2, Decimal("114.48") + Decimal("8.01"))
    with operator_scope():
        amounts = CreditUse.objects.values_list("amount", flat=True)
        assert sum(amounts) == batch.total
    assert draft().pk == batch.pk
    with operator_scope():
        assert SettlementRow.objects.count() == 2
    assert broken() == ()


def test_a_month_is_settled_once_it_is_over() -> None:
    make.make_prices()
    for_tests()
    used("alice")
    with pytest.raises(MonthNotOver):
        draft(make.MONTH_END - timedelta(seconds=1))
    with operator_scope(), pytest.raises(NothingToSettle):
        draft_settlement(actor=SYSTEM, scheme_code="city", month=date(2026, 10, 5), now=OVER)
    with operator_scope():
        assert not SettlementBatch.objects.exists()


def test_the_city_pays_rejects_and_takes_back() -> None:
    make.make_prices()
    for_tests()
    alice = used("alice")
    batch = draft()
    with pytest.raises(SettlementRefused):
        step(pay_settlement, batch, reference="bank")
    step(submit_settlement, batch)
    step(submit_settlement, batch)
    step(reject_settlement, batch, reason="a stamp is missing")
    second = draft()
    assert (second.attempt, second.total) == (2, batch.total)
    for command in (submit_settlement, review_settlement):
        step(command, second)
    assert balance(alice, "subsidy_receivable") == Decimal("1000.00")
    step(pay_settlement, second, reference="bank 1")
    step(pay_settlement, second, reference="bank 1")
    assert balance(alice, "subsidy_receivable") == Decimal("885.52")
    assert balance(alice, "cash") == Decimal("114.48")
    step(claw_back_settlement, second, reason="audit")
    assert balance(alice, "subsidy_receivable") == Decimal("1000.00")
    assert balance(alice, "cash") == 0
    with pytest.raises(SettlementRefused):
        step(submit_settlement, second)
    assert broken() == ()


def test_a_refund_after_the_month_was_settled_stands_in_the_next_file() -> None:
    make.make_prices()
    for_tests()
    alice = used("alice")
    draft()
    with tenant_scope(alice.pk):
        line = InvoiceLine.objects.get()
        restore_credits(
            tenant_id=alice.pk,
            invoice_line_id=line.pk,
            amount=line.gross,
            now=OVER,
            key="note",
        )
    later = draft(OVER + timedelta(days=40), date(2026, 12, 1))
    assert (later.row_count, later.total) == (1, Decimal("-114.48"))
    assert broken() == ()


def test_what_was_paid_first_is_claimed_from_paid_invoices_and_goes_to_the_wallet() -> None:
    make.make_prices()
    for_tests("reimburse", valid_until=None)
    alice = used("alice")
    with pytest.raises(NothingToSettle):
        draft()
    pay_in(alice, "381.60", now=make.NOW + timedelta(days=1))
    batch = draft()
    assert (batch.row_count, batch.total) == (1, Decimal("114.48"))
    assert draft().total == Decimal("114.48")
    for command in (submit_settlement, review_settlement):
        step(command, batch)
    step(pay_settlement, batch, reference="bank")
    assert stands(alice).balance == Decimal("114.48")
    # Half refunded: the tenant's money is all of it, and the city is asked for half less.
    with tenant_scope(alice.pk):
        line = InvoiceLine.objects.get()
        back = restore_credits(
            tenant_id=alice.pk,
            invoice_line_id=line.pk,
            amount=Decimal("190.80"),
            now=OVER,
            key="note",
        )
    assert back == 0
    with operator_scope():
        assert sum(CreditUse.objects.values_list("amount", flat=True)) == Decimal("57.24")
    assert broken() == ()


def credit(tenant: Organisation, net: str) -> None:
    """Take a net amount of the tenant's one line back."""
    with operator_scope():
        issue_credit_note(
            actor=SYSTEM,
            tenant_id=tenant.pk,
            invoice_id=Invoice.objects.get(tenant=tenant).pk,
            reason="Cards failed",
            nets={1: Decimal(net)},
            now=make.NOW,
        )


def test_a_claim_counts_only_the_hours_of_the_vouchers_time() -> None:
    make.make_prices()
    for_tests("reimburse", valid_until=None)
    alice = give.verified("alice")
    pay_in(alice, "1000.00")
    give.ask(alice, "1000.00", now=make.NOW - timedelta(days=2))
    ingest(alice, make.cards("before", 30 * 3600, make.NOW - timedelta(days=3)))
    ingest(alice, make.cards("within", 10 * 3600))
    issue(alice)
    # 30 % of a quarter of 152.64: ten of the forty hours were used once the voucher was there.
    assert draft().total == Decimal("11.44")
    assert broken() == ()


def test_what_was_credited_before_the_claim_is_not_claimed_and_afterwards_lowers_it() -> None:
    make.make_prices()
    for_tests("reimburse", valid_until=None)
    alice = used("alice")
    pay_in(alice, "381.60")
    credit(alice, "180.00")
    # 30 % of the 190.80 that are left, not of the 381.60 that were paid.
    assert draft().total == Decimal("57.24")
    credit(alice, "90.00")
    assert draft().total == Decimal("28.62")
    credit(alice, "90.00")
    assert draft().total == 0
    assert broken() == ()


def test_an_invoice_credited_in_part_before_it_was_paid_is_claimed_for_the_rest() -> None:
    make.make_prices()
    for_tests("reimburse", valid_until=None)
    alice = used("alice")
    credit(alice, "180.00")
    with pytest.raises(NothingToSettle):
        draft()
    pay_in(alice, "190.80")
    assert draft().total == Decimal("57.24")
    assert broken() == ()


def test_an_invoice_taken_back_whole_without_a_payment_claims_nothing() -> None:
    make.make_prices()
    for_tests("reimburse", valid_until=None)
    alice = used("alice")
    credit(alice, "360.00")
    with pytest.raises(NothingToSettle):
        draft()
    with operator_scope():
        assert not CreditUse.objects.exists()
    assert broken() == ()


def test_the_file_is_utf_8_with_its_mark_and_no_cell_is_a_formula() -> None:
    make.make_prices()
    for_tests()
    used("alice", contract="=HYPERLINK(1)", evidence={"contract": "+1"})
    batch = draft()
    with operator_scope():
        content = settlement_csv(batch_sheet(actor=SYSTEM, batch_id=batch.pk))
    assert content.startswith(b"\xef\xbb\xbf")
    rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))
    heading, row, total = rows
    assert len(heading) == len(row) == len(total) == 14
    assert row[:3] == ["alice 科技有限公司", "91110108MA01ABCD2X", "'=HYPERLINK(1)"]
    assert row[7:12] == ["100", "381.60", "0.3", "其他", "114.48"]
    assert row[13] == "contract: +1"
    assert total[11] == "114.48"


def test_a_submitted_batch_takes_no_more_rows_and_changes_none() -> None:
    make.make_prices()
    for_tests()
    used("alice")
    batch = draft()
    step(submit_settlement, batch)
    used("bob")
    assert draft().row_count == 1
    with operator_scope():
        assert SettlementRow.objects.count() == 1
