"""Exports while usage comes in and invoices are issued: each file is of one moment."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from itertools import count
from typing import Any

import pytest
from django.db import connection

from billing.commands.invoices import InvoicePeriodRefused, NothingToInvoice
from billing.focus.facts import Row
from billing.locks import AccountBusy
from billing.models import Invoice
from billing.queries import focus as exports
from billing.queries.focus import ExportBusy, cost_and_usage
from billing.usage import UsageEvent
from tenants.models import Organisation
from tenants.scoping import operator_scope, tenant_scope
from tests.billing.shorthand import broken, ingest, issue
from tests.billing.test_focus import judged
from tests.concurrency.crowd import at_once
from tests.factories import billing as make
from tests.factories import focus

pytestmark = pytest.mark.django_db(transaction=True)

AT = make.NOW - 5 * make.HOUR
NOVEMBER = focus.NOVEMBER
Intruder = Callable[[Organisation], None]


def batch(name: str, at: datetime = AT) -> list[UsageEvent]:
    """Two card-hours that were reserved, of which one was worked in, told together."""
    with operator_scope():
        bought = focus.reserved(f"{name}-bought", at, 7200, focus.USED_IN_PART)
    return [bought, focus.cards(f"{name}-used", at, 3600, focus.USED_IN_PART)]


def prepared(code: str) -> Organisation:
    """A tenant with an invoice, and with use that is on none yet: some of it late, some not.

    Its series are cut where lateness ends, so that their parts are counted after their hours.
    """
    tenant = make.make_tenant(code)
    ingest(tenant, *batch("billed"))
    issue(tenant, until=make.NOW)
    ingest(tenant, *batch("late"), *batch("open", make.NOW), now=make.NOW + make.HOUR)
    return tenant


def exported(tenant: Organisation) -> list[Row]:
    with tenant_scope(tenant.pk):
        return list(
            cost_and_usage(tenant_id=tenant.pk, month=NOVEMBER, now=make.NOW + 9 * make.HOUR)
        )


def hours(rows: list[Row]) -> dict[str, Decimal]:
    """Card-hours by what became of them; "" is work inside a reservation that names none."""
    found = dict.fromkeys(("Bought", "Used", "Unused", ""), Decimal(0))
    for row in rows:
        if row.get("CommitmentDiscountId"):
            became = str(row["CommitmentDiscountStatus"] or "Bought")
            found[became] += Decimal(str(row["CommitmentDiscountQuantity"]))
        elif row.get("x_Meter") == "compute.card_seconds":
            found[""] += Decimal(str(row["ConsumedQuantity"]))
    return found


def is_of_one_moment(tenant: Organisation, rows: list[Row]) -> bool:
    """Every batch is in the file whole or not at all."""
    with operator_scope():
        issued = dict(Invoice.objects.filter(tenant=tenant).values_list("number", "gross"))
    assert judged(rows, issued).findings == []
    found = hours(rows)
    return found["Bought"] == 2 * found["Used"] == 2 * found["Unused"] and found[""] == 0


@contextmanager
def after_statement(number: int, intrude: Callable[[], object]) -> Iterator[list[object]]:
    """Let others do something once this connection has run so many statements."""
    seen, done = 0, []

    def watched(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        nonlocal seen
        result = execute(sql, params, many, context)
        seen += 1
        if seen == number:
            done.extend(at_once(1, lambda _index: intrude()))
        return result

    with connection.execute_wrapper(watched):
        yield done


def use_comes_in(tenant: Organisation) -> None:
    ingest(tenant, *batch("meanwhile"))


def an_invoice_is_issued(tenant: Organisation) -> None:
    issue(tenant, until=make.NOW + make.HOUR, now=make.NOW + make.HOUR)


def torn(intrude: Intruder) -> list[int]:
    """The statements after which an intruder tears the file."""
    focus.default_prices()
    found = []
    for number in count(1):
        tenant = prepared(f"t{number}")
        with after_statement(number, lambda tenant=tenant: intrude(tenant)) as done:
            rows = exported(tenant)
        if not done:
            assert number > 10
            return found
        assert [one for one in done if isinstance(one, Exception)] == []
        if not is_of_one_moment(tenant, rows):
            found.append(number)
    raise AssertionError


@pytest.mark.parametrize("intrude", [use_comes_in, an_invoice_is_issued])
def test_whatever_comes_between_two_statements_a_file_is_of_one_moment(intrude: Intruder) -> None:
    assert torn(intrude) == []
    assert broken() == ()


@pytest.mark.parametrize("intrude", [use_comes_in, an_invoice_is_issued])
def test_without_looking_twice_the_file_is_torn(
    intrude: Intruder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: whatever came in meanwhile is not noticed."""
    monkeypatch.setattr(exports, "settled_so_far", lambda _tenant: ())
    assert torn(intrude) != []


def test_while_use_comes_in_and_invoices_are_issued_every_file_is_of_one_moment() -> None:
    focus.default_prices()
    alice = prepared("alice")

    def work(index: int) -> int:
        """Four tell of use, one issues invoices, three export."""
        done = 0
        for turn in range(6):
            if index < 4:
                ingest(alice, *batch(f"{index}-{turn}"))
            elif index == 4:
                done += is_issued(alice, turn + 1)
            else:
                done += is_read(alice)
        return done

    results = at_once(8, work)
    assert [error for error in results if isinstance(error, Exception)] == []
    # Exports were read and invoices issued, and not only refused.
    assert all(results[4:])
    assert is_of_one_moment(alice, rows := exported(alice))
    assert hours(rows)["Bought"] == 2 * (3 + 4 * 6)
    assert broken() == ()


def is_issued(tenant: Organisation, hour: int) -> bool:
    until = make.NOW + hour * make.HOUR
    try:
        issue(tenant, until=until, now=until)
    except (AccountBusy, InvoicePeriodRefused, NothingToInvoice):
        return False
    return True


def is_read(tenant: Organisation) -> bool:
    try:
        rows = exported(tenant)
    except ExportBusy:
        return False
    assert is_of_one_moment(tenant, rows)
    return True
