"""Billing periods: usage is gathered in open ones, and an invoice closes them for good."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from billing.models import BillingPeriod, Invoice, InvoiceLine, PriceVersion, UsageBucket
from billing.queries.line_events import line_events, line_hours
from tenants.models import Organisation
from tenants.scoping import operator_scope, tenant_scope
from tests.billing.shorthand import broken, ingest, issue, rows
from tests.database import as_owner
from tests.factories import billing as make

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)
CUT = make.NOW - 24 * make.HOUR
NEXT_MONTH_END = datetime.fromisoformat("2026-12-31T16:00:00+00:00")


def periods(tenant: Organisation) -> list[tuple[datetime, datetime, str]]:
    with tenant_scope(tenant.pk):
        found = BillingPeriod.objects.order_by("starts_at")
        return list(found.values_list("starts_at", "ends_at", "state"))


def events_of(invoice: Invoice) -> list[list[str]]:
    """The events behind each line, in the order of lines."""
    with operator_scope():
        lines = list(InvoiceLine.objects.filter(invoice=invoice).order_by("position"))
    with tenant_scope(invoice.tenant_id):
        return [
            [event.id for event in line_events(tenant_id=invoice.tenant_id, line_id=line.pk)]
            for line in lines
        ]


def test_usage_opens_the_months_it_falls_into_without_a_gap(
    alice: Organisation, prices: PriceVersion
) -> None:
    ingest(alice, make.tokens("now", 1), make.tokens("then", 1, make.NOW - 33 * DAY))
    before = datetime.fromisoformat("2026-09-30T16:00:00+00:00")
    assert periods(alice) == [
        (before, make.MONTH_START, "open"),
        (make.MONTH_START, make.MONTH_END, "open"),
    ]
    assert broken() == ()


def test_an_invoice_closes_its_month_and_leaves_the_rest_of_a_cut_one_open(
    alice: Organisation, prices: PriceVersion
) -> None:
    ingest(
        alice, make.tokens("before", 1_000_000, CUT - make.HOUR), make.tokens("after", 3_000_000)
    )
    issue(alice, until=CUT)
    assert periods(alice) == [
        (make.MONTH_START, CUT, "closed"),
        (CUT, make.MONTH_END, "open"),
    ]
    second = issue(alice)
    assert (second.period_start, str(second.net)) == (CUT, "3.00")
    assert broken() == ()


def test_late_usage_of_a_closed_month_is_gathered_in_the_oldest_open_one(
    alice: Organisation, prices: PriceVersion
) -> None:
    ingest(alice, make.tokens("t1", 1_000_000))
    issue(alice, until=make.MONTH_END, now=make.MONTH_END)
    later = make.MONTH_END + 5 * DAY
    ingest(alice, make.tokens("late", 2_000_000), now=later)
    ingest(alice, make.tokens("t2", 4_000_000, later), now=later)
    assert periods(alice) == [
        (make.MONTH_START, make.MONTH_END, "closed"),
        (make.MONTH_END, NEXT_MONTH_END, "open"),
    ]
    second = issue(alice, until=NEXT_MONTH_END, now=NEXT_MONTH_END)
    assert (str(second.net), events_of(second)) == ("6.00", [["t2"], ["late"]])
    assert broken() == ()


def test_of_several_open_months_the_oldest_takes_late_usage(
    alice: Organisation, prices: PriceVersion
) -> None:
    ingest(alice, make.tokens("t1", 1_000_000, CUT - make.HOUR))
    issue(alice, until=CUT)
    later = make.MONTH_END + DAY
    ingest(alice, make.tokens("t2", 4_000_000, later), now=later)
    ingest(alice, make.tokens("late", 2_000_000, CUT - 2 * make.HOUR), now=later)
    assert [state for _start, _end, state in periods(alice)] == ["closed", "open", "open"]
    second = issue(alice, until=make.MONTH_END, now=later)
    assert (str(second.net), events_of(second)) == ("2.00", [["late"]])
    assert broken() == ()


def test_an_hour_billed_in_two_parts_shows_each_part_its_own_events(
    alice: Organisation, prices: PriceVersion
) -> None:
    hour = CUT - 3 * make.HOUR
    ingest(alice, make.tokens("first", 1_000_000, hour), make.tokens("rest", 5_000_000))
    first = issue(alice, until=CUT)
    ingest(alice, make.tokens("late", 2_000_000, hour))
    second = issue(alice)
    assert events_of(first) == [["first"]]
    assert events_of(second) == [["rest"], ["late"]]
    with operator_scope():
        late = InvoiceLine.objects.get(invoice=second, is_late=True)
    with tenant_scope(alice.pk):
        hours = line_hours(tenant_id=alice.pk, line_id=late.pk)
    assert [(one.hour, one.quantity) for one in hours] == [(hour, 2_000_000)]


def test_the_rest_of_an_hour_that_was_cut_through_is_no_earlier_period(
    alice: Organisation, prices: PriceVersion
) -> None:
    through = make.NOW - timedelta(minutes=35)
    ingest(alice, make.tokens("before", 1_000_000, through - timedelta(minutes=5)))
    issue(alice, until=through, now=through)
    ingest(alice, make.tokens("after", 2_000_000, through + timedelta(minutes=5)))
    second = issue(alice)
    with operator_scope():
        lines = InvoiceLine.objects.filter(invoice=second).values_list("is_late", "quantity")
        assert list(lines) == [(False, 2_000_000)]
    assert events_of(second) == [["after"]]
    assert broken() == ()


def test_a_month_cut_in_many_invoices_costs_the_fen_of_one(
    alice: Organisation, bob: Organisation, prices: PriceVersion
) -> None:
    # A third of a fen an hour: rounded by itself each hour would be free.
    hours = [make.NOW - number * make.HOUR for number in range(30, 0, -1)]
    for number, hour in enumerate(hours):
        event = make.tokens(f"t{number}", 3_334, hour)
        ingest(alice, event)
        ingest(bob, event)
        if number % 7 == 6:
            issue(alice, until=hour + make.HOUR)
    issue(alice)
    whole = issue(bob)
    with operator_scope():
        cut = list(Invoice.objects.filter(tenant=alice).values_list("net", "tax"))
    assert len(cut) == 5
    assert sum(net for net, _ in cut) == whole.net
    assert sum(tax for _, tax in cut) == whole.tax
    assert str(whole.net) == "0.10"
    assert broken() == ()


# The database without our guards.


def refused(work: Callable[[], object], match: str) -> None:
    with pytest.raises((IntegrityError, DatabaseError), match=match), transaction.atomic():
        work()


def run(tenant: Organisation, *statements: str) -> Callable[[], None]:
    def work() -> None:
        with tenant_scope(tenant.pk), connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    return work


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE billing_usagebucket SET quantity = quantity + 1",
        "UPDATE billing_usagebucket SET period_id = "
        "(SELECT id FROM billing_billingperiod WHERE state = 'open')",
        "INSERT INTO billing_usagebucket (series_id, hour, period_id, tenant_id, quantity, events) "
        "SELECT series_id, hour + interval '1 minute', period_id, tenant_id, 1, 0 "
        "FROM billing_usagebucket",
    ],
)
def test_a_closed_period_takes_no_more_usage(
    alice: Organisation, prices: PriceVersion, change: str
) -> None:
    ingest(alice, make.tokens("t1", 1_000_000, CUT - make.HOUR))
    issue(alice, until=CUT)
    refused(run(alice, change), "takes no more usage")
    assert rows("SELECT quantity, events FROM billing_usagebucket") == [(1_000_000, 1)]


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE billing_billingperiod SET state = 'open', invoice_id = NULL, closed_at = NULL "
        "WHERE state = 'closed'",
        "UPDATE billing_billingperiod SET ends_at = ends_at - interval '1 hour' "
        "WHERE state = 'closed'",
        "UPDATE billing_billingperiod SET ends_at = ends_at + interval '1 hour' "
        "WHERE state = 'open'",
        "UPDATE billing_billingperiod SET state = 'closed' WHERE state = 'open'",
        "DELETE FROM billing_billingperiod",
        "INSERT INTO billing_billingperiod (tenant_id, starts_at, ends_at, state) "
        "SELECT tenant_id, starts_at - interval '1 hour', starts_at, 'open' "
        "FROM billing_billingperiod WHERE state = 'closed'",
        "INSERT INTO billing_billingperiod (tenant_id, starts_at, ends_at, state) "
        "SELECT tenant_id, starts_at, ends_at, 'open' "
        "FROM billing_billingperiod WHERE state = 'open'",
    ],
)
def test_a_period_is_not_reopened_moved_or_doubled(
    alice: Organisation, prices: PriceVersion, change: str
) -> None:
    ingest(alice, make.tokens("t1", 1_000_000, CUT - make.HOUR))
    issue(alice, until=CUT)
    before = periods(alice)
    refused(run(alice, change), "period|permission denied")
    assert periods(alice) == before


def closing(*, keep: str) -> tuple[str, ...]:
    """What an issue writes, with the charges' segments as the caller would have them."""
    copy_invoice = (
        "INSERT INTO billing_invoice (id, tenant_id, issuer, year, sequence, number, period_start, "
        "period_end, currency, net, tax, gross, line_count, buyer_code, buyer_name, "
        "buyer_credit_code, seller_name, seller_credit_code, issued_at, content_hash, "
        "previous_hash, hash_version) SELECT gen_random_uuid(), tenant_id, issuer, year, "
        "sequence + 1, 'forged', period_end, period_end + interval '1 hour', currency, 0, 0, 0, 0, "
        "buyer_code, buyer_name, buyer_credit_code, seller_name, seller_credit_code, issued_at, "
        "'forged', content_hash, hash_version FROM billing_invoice"
    )
    charge = (
        "INSERT INTO billing_charge (id, tenant_id, invoice_id, key, price_id, quantity, "
        "service_from, service_to) SELECT gen_random_uuid(), charge.tenant_id, forged.id, "
        "charge.key, charge.price_id, 0, charge.service_from, charge.service_to "
        "FROM billing_charge charge, billing_invoice forged WHERE forged.number = 'forged'"
    )
    segment = (
        "INSERT INTO billing_chargesegment (tenant_id, charge_id, series_id, starts_at, ends_at) "
        "SELECT charge.tenant_id, charge.id, bucket.series_id, bucket.hour, "
        "bucket.hour + interval '1 hour' FROM billing_charge charge "
        "JOIN billing_invoice forged ON forged.id = charge.invoice_id "
        "JOIN billing_billingperiod period ON period.state = 'open' "
        f"JOIN billing_usagebucket bucket ON bucket.period_id = period.id AND {keep} "
        "WHERE forged.number = 'forged'"
    )
    close = (
        "UPDATE billing_billingperiod SET state = 'closed', closed_at = now(), invoice_id = "
        "(SELECT id FROM billing_invoice WHERE number = 'forged') WHERE state = 'open'"
    )
    return (copy_invoice, charge, segment, close)


@pytest.mark.parametrize("keep", ["false", "true"])
def test_an_invoice_that_leaves_use_out_or_says_another_quantity_cannot_close_its_period(
    alice: Organisation, prices: PriceVersion, keep: str
) -> None:
    ingest(alice, make.tokens("t1", 1_000_000, CUT - make.HOUR), make.tokens("t2", 7))
    issue(alice, until=CUT)
    before = periods(alice)
    refused(run(alice, *closing(keep=keep)), "charges everything used in its periods once")
    assert periods(alice) == before


def test_an_invoice_that_charges_an_hour_twice_cannot_close_its_period(
    alice: Organisation, prices: PriceVersion
) -> None:
    ingest(alice, make.tokens("t1", 1_000_000, CUT - make.HOUR), make.tokens("t2", 0))
    issue(alice, until=CUT)
    forged = closing(keep="true")
    refused(
        run(alice, *forged[:3], forged[2], forged[3]), "charges everything used in its periods once"
    )


@pytest.mark.django_db(transaction=True)
def test_nobody_changes_a_closed_periods_buckets(alice: Organisation, prices: PriceVersion) -> None:
    ingest(alice, make.tokens("t1", 1_000_000, CUT - make.HOUR))
    issue(alice, until=CUT)
    for change in (
        "DELETE FROM billing_usagebucket",
        "UPDATE billing_usagebucket SET quantity = 0",
    ):
        with pytest.raises(Exception, match="takes no more usage"):
            as_owner(change)
    with tenant_scope(alice.pk):
        assert list(UsageBucket.objects.values_list("quantity", flat=True)) == [1_000_000]
