"""Issuing invoices: one transaction that numbers, freezes, books and settles."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.utils.translation import gettext_lazy as _

from billing.commands.accrual import refresh_unbilled
from billing.commands.credits import apply_credits
from billing.commands.due_dates import due_of
from billing.commands.invoice_rows import (
    HASH_VERSION,
    charge_rows,
    content_hash,
    line_rows,
)
from billing.commands.ledger import book
from billing.commands.package_uses import use_packages
from billing.commands.periods import close_periods, open_periods, periods_to_close
from billing.commands.row_insert import insert_rows
from billing.commands.wallet import settle_open_invoices
from billing.locks import busy_when_waiting, lock_account
from billing.models import (
    Adjustment,
    AdjustmentState,
    Charge,
    ChargeSegment,
    Invoice,
    InvoiceCounter,
    InvoiceLine,
    LedgerKind,
)
from billing.queries.adjusting import months_wanted
from billing.queries.drafts import Draft, draft
from common.errors import DomainError
from common.period import month_of
from common.zone import centre_zone
from tenants.audit import record
from tenants.models import Organisation
from tenants.notices import post
from tenants.permissions import SYSTEM, Actor, Permission, require


class NothingToInvoice(DomainError):
    """Neither usage nor a true-up nor an adjustment stands open for the period."""

    code = "nothing_to_invoice"
    status = 409
    message = _(
        "Nothing is left to invoice up to this time: no usage, no true-up of an agreed amount and "
        "no adjustment."
    )


class InvoicePeriodRefused(DomainError):
    """An invoice ends after the last one and not in the future."""

    code = "invoice_period_refused"
    status = 422
    message = _("An invoice ends after the last one and not in the future.")


class UsageUnpriced(DomainError):
    """Some usage has no price; billing the rest would hide it."""

    code = "usage_unpriced"
    status = 409
    message = _("Some usage of %(meter)s has no price. Publish one first.")


class AdjustmentWithdrawn(DomainError):
    """An adjustment was taken back while the invoice was written."""

    code = "adjustment_withdrawn"
    status = 409
    message = _("An adjustment of this invoice was taken back just now. Try again.")


def issue_invoice(*, actor: Actor, tenant_id: UUID, until: datetime, now: datetime) -> Invoice:
    """Bill everything used in hours starting before ``until`` that stands on no invoice yet.

    The invoice closes every billing period that begins before ``until``, and cuts the last one
    where it ends later. Usage of earlier periods that came in late gets lines of its own with its
    own service period. Adjustments that wait stand on it, and make one by themselves. An invoice
    below zero, of use taken back or of an adjustment, is paid into the wallet.
    Locks: the account, the tenant's billing periods, then, once all is counted and written, the
    number's counter, so that tenants wait for each other as shortly as can be.
    Raises: PermissionRefused, AccountBusy, InvoicePeriodRefused, NothingToInvoice, UsageUnpriced.
    """
    require(actor, Permission.INVOICE_ISSUE, tenant_id)
    return issue_drafted(actor=actor, tenant_id=tenant_id, until=until, now=now)[0]


@transaction.atomic
def issue_drafted(
    *, actor: Actor, tenant_id: UUID, until: datetime, now: datetime
) -> tuple[Invoice, Draft]:
    """As ``issue_invoice``, and gives the draft that was frozen besides."""
    require(actor, Permission.INVOICE_ISSUE, tenant_id)

    lock_account(tenant_id)
    _open_wanted_months(tenant_id, until)
    periods = periods_to_close(tenant_id, until)
    if until > now:
        raise InvoicePeriodRefused
    open_usage = draft(tenant_id=tenant_id, until=until)
    if open_usage.unpriced:
        raise UsageUnpriced(meter=open_usage.unpriced[0].meter)
    if not periods or not (open_usage.lines or open_usage.true_ups or open_usage.adjustments):
        raise NothingToInvoice
    invoice = _unnumbered(tenant_id, periods[0].starts_at, open_usage, now)
    lines = _write_rows(invoice, open_usage)
    close_periods(invoice, periods, until=until, now=now)
    refresh_unbilled(tenant_id=tenant_id, now=now)
    _number(invoice, lines, now)
    _book(invoice)
    use_packages(invoice, open_usage, now)
    if open_usage.lots:
        apply_credits(tenant_id=tenant_id, invoice_id=invoice.pk, now=now)
    settle_open_invoices(tenant_id=tenant_id, now=now)
    record(
        actor,
        "billing.invoice.issued",
        subject=f"billing.invoice:{invoice.pk}",
        tenant_id=tenant_id,
        detail={"number": invoice.number, "gross": str(invoice.gross)},
    )
    post(
        tenant_id=tenant_id,
        kind="invoice.issued",
        key=f"invoice.issued:{invoice.pk}",
        detail={
            "number": invoice.number,
            "gross": str(invoice.gross),
            "currency": invoice.currency,
        },
        now=now,
    )
    return invoice, open_usage


def _open_wanted_months(tenant_id: UUID, until: datetime) -> None:
    """Have a period for each month of an agreed amount, and for adjustments that wait.

    They ask for one also where nothing was used in it.
    """
    wanted = months_wanted(tenant_id, until)
    last = until - timedelta(hours=1)
    if wanted.agreed_from is not None:
        open_periods(tenant_id, wanted.agreed_from, last)
    if wanted.is_adjusted:
        open_periods(tenant_id, last, last)


def _unnumbered(tenant_id: UUID, start: datetime, billed: Draft, now: datetime) -> Invoice:
    """The draft as an invoice that has neither number nor row yet."""
    buyer = Organisation.objects.get(pk=tenant_id)
    return Invoice(
        tenant_id=tenant_id,
        period_start=start,
        period_end=billed.until,
        currency=billed.currency,
        net=billed.net,
        tax=billed.tax,
        gross=billed.gross,
        line_count=len(billed.lines) + len(billed.true_ups) + len(billed.adjustments),
        buyer_code=buyer.code,
        buyer_name=buyer.legal_name or buyer.name,
        buyer_credit_code=buyer.credit_code,
        seller_name=settings.INVOICE_SELLER_NAME,
        seller_credit_code=settings.INVOICE_SELLER_CREDIT_CODE,
        issued_at=now,
        hash_version=HASH_VERSION,
    )


# Their row comes last: the database looks for it when the transaction ends.
NAMED_BEFORE_IT_IS_THERE = """
SET CONSTRAINTS billing_charge_invoice_id_tenant_fk, billing_invoiceline_invoice_id_tenant_fk,
    billing_billingperiod_invoice_id_tenant_fk DEFERRED
"""


def _write_rows(invoice: Invoice, billed: Draft) -> list[InvoiceLine]:
    """Freeze the draft: nobody can add to its periods while they are locked."""
    charges, segments = charge_rows(invoice, billed)
    lines = line_rows(invoice, charges, billed)
    with connection.cursor() as cursor:
        cursor.execute(NAMED_BEFORE_IT_IS_THERE)
    insert_rows(Charge, charges.values())
    insert_rows(ChargeSegment, segments)
    insert_rows(InvoiceLine, lines)
    _place_adjustments(billed, lines[len(lines) - len(billed.adjustments) :])
    return lines


def _number(invoice: Invoice, lines: Sequence[InvoiceLine], now: datetime) -> None:
    """Give the invoice the next number and its place in the chain, and write it."""
    due = due_of(invoice, now)
    counter = _next_number(now)
    invoice.issuer, invoice.year = counter.issuer, counter.year
    invoice.sequence = counter.last_sequence + 1
    invoice.number = f"{counter.issuer}-{counter.year}-{invoice.sequence:06d}"
    invoice.previous_hash = counter.last_hash
    invoice.content_hash = content_hash(invoice, lines)
    invoice.save(force_insert=True)
    due.save(force_insert=True)
    InvoiceCounter.objects.filter(pk=counter.pk).update(
        last_sequence=invoice.sequence, last_hash=invoice.content_hash
    )


def _place_adjustments(billed: Draft, lines: Sequence[InvoiceLine]) -> None:
    """Each adjustment stands on its line from now on, and on no other invoice."""
    for fact, line in zip(billed.adjustments, lines, strict=True):
        placed = Adjustment.objects.filter(pk=fact.id, state=AdjustmentState.APPROVED)
        if not placed.update(state=AdjustmentState.INVOICED, invoice_line=line):
            raise AdjustmentWithdrawn


def _next_number(now: datetime) -> InvoiceCounter:
    """Lock the year's counter until the transaction ends: numbers have no gaps and no twins.

    Raises: AccountBusy after three seconds, like the account's own lock.
    """
    key = {
        "issuer": settings.INVOICE_ISSUER,
        "year": now.astimezone(centre_zone()).year,
    }
    rows = InvoiceCounter.objects.select_for_update()
    with busy_when_waiting():
        counter = rows.filter(**key).first()
        if counter is None:
            InvoiceCounter.objects.bulk_create([InvoiceCounter(**key)], ignore_conflicts=True)
            counter = rows.get(**key)
    return counter


def _book(invoice: Invoice) -> None:
    """Owe what the invoice says, or pay it back; covered usage only moves nothing."""
    if not invoice.gross:
        return
    counterpart = LedgerKind.RECEIVABLE if invoice.gross > 0 else LedgerKind.WALLET
    book(
        tenant_id=invoice.tenant_id,
        kind="invoice",
        key=f"invoice:{invoice.pk}",
        legs={
            counterpart: invoice.gross,
            LedgerKind.REVENUE: -invoice.net,
            LedgerKind.VAT_OUTPUT: -invoice.tax,
        },
        reference=invoice.number,
        booked_at=invoice.issued_at,
    )


# How long after a month's end late records of engines are waited for before it is billed.
GRACE = timedelta(hours=6)


def due_month_end(now: datetime) -> datetime:
    """The end of the last month whose usage has had its time to come in."""
    return month_of(now - GRACE, settings.CENTRE_TIME_ZONE).start


@transaction.atomic
def issue_due_invoice(*, tenant_id: UUID, now: datetime) -> Invoice | None:
    """Bill the tenant up to the last due month end; None where that is done or empty.

    Raises: AccountBusy, UsageUnpriced.
    Idempotent: a month already billed leaves nothing to bill.
    """
    require(SYSTEM, Permission.INVOICE_ISSUE, tenant_id)
    try:
        return issue_invoice(actor=SYSTEM, tenant_id=tenant_id, until=due_month_end(now), now=now)
    except (NothingToInvoice, InvoicePeriodRefused):
        return None
