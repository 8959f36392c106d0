"""Money under many hands: top-ups, holds and invoice numbers, each with a control."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from decimal import Decimal

import pytest
from django.db import DatabaseError, transaction

from billing.commands import holds, invoices, periods
from billing.commands.holds import InsufficientFunds, release_hold, set_hold
from billing.locks import AccountBusy, lock_account
from billing.models import Account, Invoice, InvoiceCounter
from tenants.models import Organisation
from tenants.permissions import SYSTEM
from tenants.scoping import operator_scope, tenant_scope
from tests.billing.shorthand import broken, ingest, issue, pay_in, stands
from tests.concurrency.crowd import at_once, patiently
from tests.database import wait_for_a_blocked_session
from tests.factories import billing as make

pytestmark = pytest.mark.django_db(transaction=True)


def hold(tenant: Organisation, key: str, amount: str) -> None:
    with tenant_scope(tenant.pk):
        set_hold(
            actor=SYSTEM,
            tenant_id=tenant.pk,
            key=key,
            amount=Decimal(amount),
            expires_at=None,
            now=make.NOW,
        )


def test_one_top_up_sent_by_many_is_credited_once() -> None:
    alice = make.make_tenant("alice")
    results = at_once(16, lambda _index: patiently(lambda: pay_in(alice, "100.00")))
    assert [error for error in results if isinstance(error, Exception)] == []
    assert stands(alice).balance == 100
    assert broken() == ()


def test_many_holds_take_exactly_what_there_is() -> None:
    alice = make.make_tenant("alice")
    pay_in(alice, "100.00")
    results = at_once(24, lambda index: patiently(lambda: hold(alice, f"r{index}", "10.00")))
    refused = [result for result in results if result is not None]
    assert len(refused) == 14
    assert {type(error) for error in refused} == {InsufficientFunds}
    assert (stands(alice).held, stands(alice).available) == (100, 0)
    assert broken() == ()


def test_setting_and_releasing_one_hold_never_wait_in_a_circle() -> None:
    alice = make.make_tenant("alice")
    pay_in(alice, "100.00")

    def work(index: int) -> None:
        for turn in range(6):
            if (index + turn) % 2:
                hold(alice, "r1", f"{index + 1}.00")
            else:
                with tenant_scope(alice.pk):
                    release_hold(actor=SYSTEM, tenant_id=alice.pk, key="r1", now=make.NOW)

    assert at_once(6, work) == [None] * 6
    assert broken() == ()


def test_without_the_lock_the_database_still_refuses_what_is_not_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The control: takers who do not queue all believe the money is there."""
    alice = make.make_tenant("alice")
    pay_in(alice, "100.00")

    def unlocked(tenant_id: object) -> Account:
        return Account.objects.get(tenant_id=tenant_id)

    monkeypatch.setattr(holds, "lock_account", unlocked)
    results = at_once(24, lambda index: hold(alice, f"r{index}", "10.00"))
    refused = [result for result in results if result is not None]
    assert len(refused) == 14
    assert any(isinstance(error, DatabaseError) for error in refused)
    assert stands(alice).held == 100
    assert broken() == ()


def test_who_waits_too_long_for_the_account_is_told_it_is_busy() -> None:
    alice = make.make_tenant("alice")
    pay_in(alice, "100.00")
    with tenant_scope(alice.pk):
        lock_account(alice.pk)
        (result,) = at_once(1, lambda _index: hold(alice, "r1", "1.00"))
    assert isinstance(result, AccountBusy)
    assert stands(alice).held == 0


def prepare(number: int) -> list[Organisation]:
    make.make_prices()
    tenants = [make.make_tenant(f"t{index}") for index in range(number)]
    for index, tenant in enumerate(tenants):
        ingest(tenant, make.tokens("e1", 1_000_000 * (index + 1)))
    return tenants


def test_thirty_two_invoices_at_once_have_no_gap_and_no_twin() -> None:
    tenants = prepare(32)
    results = at_once(32, lambda index: issue(tenants[index]))
    # Waiting for the counter may end in a refusal on a slow machine; nothing is taken then.
    for index, result in enumerate(results):
        if isinstance(result, AccountBusy):
            issue(tenants[index])
        else:
            assert not isinstance(result, Exception), result
    with operator_scope():
        numbers = list(Invoice.objects.order_by("sequence").values_list("sequence", flat=True))
    assert numbers == list(range(1, 33))
    assert broken() == ()


def test_one_tenants_month_issued_by_many_is_one_invoice() -> None:
    (alice,) = prepare(1)
    results = at_once(8, lambda _index: issue(alice))
    assert sum(isinstance(result, Invoice) for result in results) == 1
    with operator_scope():
        assert Invoice.objects.count() == 1
    assert stands(alice).balance == Decimal("-1.06")
    assert broken() == ()


def test_without_the_counters_lock_the_database_refuses_the_twin(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The control: two that read the same last number, and one that keeps it."""
    tenants = prepare(8)
    with operator_scope():
        InvoiceCounter.objects.create(issuer="ACC", year=2026)

    def unlocked(now: object) -> InvoiceCounter:
        return InvoiceCounter.objects.get(issuer="ACC", year=2026)

    monkeypatch.setattr(invoices, "_next_number", unlocked)
    results = at_once(8, lambda index: issue(tenants[index]))
    assert any(isinstance(result, DatabaseError) for result in results)
    with operator_scope():
        numbers = list(Invoice.objects.order_by("sequence").values_list("sequence", flat=True))
    assert numbers == list(range(1, len(numbers) + 1))
    assert broken() == ()


def test_usage_that_comes_in_while_an_invoice_is_issued_is_billed_once() -> None:
    (alice,) = prepare(1)

    def work(index: int) -> object:
        if index == 0:
            return issue(alice)
        return ingest(alice, *[make.tokens(f"{index}-{n}", 10**6) for n in range(20)])

    results = at_once(9, work)
    assert [error for error in results if isinstance(error, Exception)] == []
    issue_rest(alice)
    with operator_scope():
        billed = sum(Invoice.objects.values_list("net", flat=True))
    assert billed == 1 + 8 * 20
    assert broken() == ()


def test_without_the_periods_lock_the_database_refuses_to_close_over_usage(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The control: an invoice that was drafted before a batch committed, and closes after it."""
    monkeypatch.setattr(periods, "LOCK", "SELECT %s::text")
    (alice,) = prepare(1)
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            ingest(alice, make.tokens("in flight", 10**6))
            issuing = pool.submit(at_once, 1, lambda _index: issue(alice))
            wait_for_a_blocked_session()
        (result,) = issuing.result()
    assert "charges everything used in its periods once" in str(result)
    assert broken() == ()
    issue_rest(alice)
    with operator_scope():
        assert list(Invoice.objects.values_list("net", flat=True)) == [Decimal("2.00")]


def issue_rest(tenant: Organisation) -> None:
    with suppressed():
        issue(tenant, until=make.NOW + make.HOUR, now=make.NOW + make.HOUR)


@contextmanager
def suppressed():  # type: ignore[no-untyped-def]
    try:
        yield
    except invoices.NothingToInvoice:
        return
