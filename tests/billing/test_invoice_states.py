"""The one state an invoice is shown in, from what was paid, what was credited, and the day."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from billing.documents import InvoiceState, invoice_state
from billing.queries.invoices import invoice_detail, invoice_list
from tenants.models import Organisation
from tenants.scoping import tenant_scope
from tests.billing.shorthand import ingest, issue
from tests.factories import billing as make

DUE_AT = make.NOW
BEFORE = DUE_AT - timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("gross", "credited", "due", "as_of", "state"),
    [
        ("100", "0", "100", BEFORE, InvoiceState.OPEN),
        ("100", "0", "0.01", BEFORE, InvoiceState.OPEN),
        ("100", "0", "100", DUE_AT, InvoiceState.OVERDUE),
        ("100", "30", "70", DUE_AT, InvoiceState.OVERDUE),
        ("100", "30", "70", BEFORE, InvoiceState.PARTLY_CREDITED),
        ("100", "0", "0", DUE_AT, InvoiceState.PAID),
        ("100", "30", "0", DUE_AT, InvoiceState.PAID),
        ("100", "100", "0", BEFORE, InvoiceState.VOID),
        ("100", "100", "0", DUE_AT, InvoiceState.VOID),
        ("0", "0", "0", DUE_AT, InvoiceState.PAID),
        ("-5", "0", "0", DUE_AT, InvoiceState.PAID),
    ],
)
def test_the_state_follows_from_the_money_and_the_day(
    gross: str, credited: str, due: str, as_of: datetime, state: InvoiceState
) -> None:
    found = invoice_state(
        gross=Decimal(gross),
        credited=Decimal(credited),
        written_off=Decimal(0),
        due=Decimal(due),
        due_at=DUE_AT,
        as_of=as_of,
    )
    assert found is state


@pytest.mark.parametrize(("credited", "due"), [("0", "0"), ("30", "0")])
def test_what_was_booked_as_lost_is_neither_open_nor_paid(credited: str, due: str) -> None:
    found = invoice_state(
        gross=Decimal(100),
        credited=Decimal(credited),
        written_off=Decimal(70),
        due=Decimal(due),
        due_at=DUE_AT,
        as_of=DUE_AT,
    )
    assert found is InvoiceState.WRITTEN_OFF


@pytest.mark.django_db
def test_an_unpaid_invoice_is_overdue_from_its_day_on(alice: Organisation, prices: object) -> None:
    ingest(alice, make.tokens("t1", 100_000_000))
    bill = issue(alice)
    with tenant_scope(alice.pk):
        (row,) = invoice_list(tenant_id=alice.pk, now=make.NOW)
        seen = [
            (
                invoice_list(tenant_id=alice.pk, now=at)[0].state,
                invoice_detail(tenant_id=alice.pk, invoice_id=bill.pk, now=at).state,
            )
            for at in (row.due_at - timedelta(microseconds=1), row.due_at)
        ]
    assert (row.state, str(row.due), row.credited) == ("open", "106.00", 0)
    assert seen == [("open", "open"), ("overdue", "overdue")]
