"""Credit notes and fapiao under many hands: no gap, no twin, nothing given out twice."""

from decimal import Decimal

import pytest
from django.db import DatabaseError

from billing.commands import credit_notes, fapiao
from billing.commands.credit_notes import CreditNoteRefused, issue_credit_note
from billing.commands.fapiao import FapiaoNotPossible, request_fapiao, save_tax_profile
from billing.commands.runs import start_run
from billing.locks import AccountBusy
from billing.models import (
    Account,
    CreditNote,
    CreditNoteCounter,
    Fapiao,
    Invoice,
    InvoiceRunItem,
)
from billing.run_tasks import work_run
from tenants.models import Organisation
from tenants.permissions import SYSTEM
from tenants.scoping import operator_scope, tenant_scope
from tests.billing.shorthand import broken, ingest, issue
from tests.concurrency.crowd import at_once
from tests.factories import billing as make

pytestmark = pytest.mark.django_db(transaction=True)


def billed(number: int) -> list[tuple[Organisation, Invoice]]:
    make.make_prices()
    tenants = [make.make_tenant(f"t{index:02}") for index in range(number)]
    for tenant in tenants:
        ingest(tenant, make.cards("c1", 360_000))
    return [(tenant, issue(tenant)) for tenant in tenants]


def credit(tenant: Organisation, invoice: Invoice, net: str = "1.00") -> CreditNote:
    with tenant_scope(tenant.pk):
        return issue_credit_note(
            actor=SYSTEM,
            tenant_id=tenant.pk,
            invoice_id=invoice.pk,
            reason="Outage",
            nets={1: Decimal(net)},
            now=make.NOW,
        )


def sequences() -> list[int]:
    with operator_scope():
        return list(CreditNote.objects.order_by("sequence").values_list("sequence", flat=True))


def test_thirty_two_credit_notes_at_once_have_no_gap_and_no_twin() -> None:
    bills = billed(32)
    results = at_once(32, lambda index: credit(*bills[index]))
    for index, result in enumerate(results):
        # Waiting for the counter may end in a refusal on a slow machine; nothing is taken then.
        if isinstance(result, AccountBusy):
            credit(*bills[index])
        else:
            assert not isinstance(result, Exception), result
    assert sequences() == list(range(1, 33))
    assert broken() == ()


def test_without_the_counters_lock_the_database_refuses_the_twin(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The control: two that read the same last number, and one that keeps it."""
    bills = billed(8)
    with operator_scope():
        CreditNoteCounter.objects.create(issuer="ACC", year=2026)

    def unlocked(now: object) -> CreditNoteCounter:
        return CreditNoteCounter.objects.get(issuer="ACC", year=2026)

    monkeypatch.setattr(credit_notes, "_next_number", unlocked)
    results = at_once(8, lambda index: credit(*bills[index]))
    assert any(isinstance(result, DatabaseError) for result in results)
    assert sequences() == list(range(1, len(sequences()) + 1))
    assert broken() == ()


def test_one_line_credited_by_many_is_credited_once() -> None:
    ((alice, invoice),) = billed(1)
    results = at_once(8, lambda _index: credit(alice, invoice, "200.00"))
    assert sum(isinstance(result, CreditNote) for result in results) == 1
    assert {type(r) for r in results if isinstance(r, Exception)} <= {
        CreditNoteRefused,
        AccountBusy,
    }
    assert broken() == ()


def ask(tenant: Organisation, invoice: Invoice) -> Fapiao:
    with tenant_scope(tenant.pk):
        return request_fapiao(actor=SYSTEM, tenant_id=tenant.pk, wanted=[invoice.pk], now=make.NOW)


def profiled(tenant: Organisation) -> None:
    with tenant_scope(tenant.pk):
        save_tax_profile(
            actor=SYSTEM,
            tenant_id=tenant.pk,
            buyer_name="Alice",
            kind="digital_ordinary",
            now=make.NOW,
        )


def test_one_invoice_asked_for_by_many_stands_on_one_fapiao() -> None:
    ((alice, invoice),) = billed(1)
    profiled(alice)
    results = at_once(8, lambda _index: ask(alice, invoice))
    assert sum(isinstance(result, Fapiao) for result in results) == 1
    assert {type(r) for r in results if isinstance(r, Exception)} <= {
        FapiaoNotPossible,
        AccountBusy,
    }
    assert broken() == ()


def test_without_the_lock_the_database_still_gives_an_invoice_to_one_fapiao(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The control: askers who do not queue all believe the money is there."""
    ((alice, invoice),) = billed(1)
    profiled(alice)

    def unlocked(tenant_id: object) -> Account:
        return Account.objects.get(tenant_id=tenant_id)

    monkeypatch.setattr(fapiao, "lock_account", unlocked)
    results = at_once(8, lambda _index: ask(alice, invoice))
    assert sum(isinstance(result, Fapiao) for result in results) == 1
    assert any(isinstance(result, DatabaseError) for result in results)
    with operator_scope():
        assert Fapiao.objects.count() == 1
    assert broken() == ()


def test_one_run_worked_by_many_workers_bills_everybody_once() -> None:
    make.make_prices()
    for index in range(6):
        ingest(make.make_tenant(f"t{index}"), make.tokens("e1", 1_000_000))
    now = make.MONTH_END + 7 * make.HOUR
    with operator_scope():
        run_id = start_run(actor=SYSTEM, period_end=make.MONTH_END, now=now)
    assert run_id is not None
    at_once(4, lambda _index: work_run(run_id, is_automatic=True, now=now))
    work_run(run_id, is_automatic=True, now=now)
    with operator_scope():
        assert Invoice.objects.count() == 6
        assert set(InvoiceRunItem.objects.values_list("state", flat=True)) == {"issued"}
    assert broken() == ()


def test_a_worker_that_meets_another_goes_on_in_the_middle_of_what_is_left() -> None:
    make.make_prices()
    for index in range(4):
        ingest(make.make_tenant(f"t{index}"), make.tokens("e1", 1_000_000))
    now = make.MONTH_END + 7 * make.HOUR
    with operator_scope():
        run_id = start_run(actor=SYSTEM, period_end=make.MONTH_END, now=now)
    assert run_id is not None
    with operator_scope():
        # Another worker is at the first tenant.
        InvoiceRunItem.objects.select_for_update(of=("self",)).get(tenant__code="t0")
        (result,) = at_once(1, lambda _index: work_run(run_id, is_automatic=True, now=now))
    assert result is None
    assert billed_in_order() == ["t2", "t3", "t1"]
    work_run(run_id, is_automatic=True, now=now)
    assert billed_in_order() == ["t2", "t3", "t1", "t0"]
    assert broken() == ()


def billed_in_order() -> list[str]:
    with operator_scope():
        return list(Invoice.objects.order_by("sequence").values_list("buyer_code", flat=True))
