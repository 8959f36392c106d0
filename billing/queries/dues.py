"""What is still to be paid of invoices: gross, less what was paid, credited or written off."""

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, TypedDict

from django.db.models import DecimalField, F, Model, OuterRef, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce

from billing.models import CreditNote, DecisionState, Invoice, InvoicePayment, MoneyDecision

if TYPE_CHECKING:
    from django_stubs_ext import WithAnnotations


class Due(TypedDict):
    """What is added to an invoice's own columns. Units: gross, whole fen."""

    paid: Decimal
    credited: Decimal
    written_off: Decimal
    outstanding: Decimal
    due_at: datetime


def with_due(invoices: QuerySet[Invoice]) -> "QuerySet[WithAnnotations[Invoice, Due]]":
    """Invoices with what was paid, credited and written off, and what is due; one statement.

    An invoice below zero was paid out when it was issued and has nothing due.
    """
    return invoices.annotate(
        paid=_sum_of(InvoicePayment, "amount"),
        credited=_sum_of(CreditNote, "gross"),
        written_off=_sum_of(MoneyDecision, "amount", state=DecisionState.DONE),
        outstanding=F("gross") - F("paid") - _sum_of(CreditNote, "from_due") - F("written_off"),
        due_at=F("due__due_at"),
    )


def _sum_of(model: type[Model], column: str, **only: str) -> Coalesce:
    # Two joins would multiply each other's rows.
    money: DecimalField[Decimal, Decimal] = DecimalField(max_digits=18, decimal_places=2)
    return Coalesce(
        Subquery(
            QuerySet(model)
            .filter(invoice_id=OuterRef("pk"), **only)
            .order_by()
            .values("invoice_id")
            .annotate(sum=Sum(column))
            .values("sum")
        ),
        Decimal(0),
        output_field=money,
    )
