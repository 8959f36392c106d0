"""What is used reaches the account, also when it was committed while the accrual looked."""

from threading import Event

import pytest

from billing.commands.accrual import accrue
from billing.queries.sweep import tenants_to_accrue, tenants_to_invoice
from billing.tasks import accrue as accrue_task
from billing.tasks import prepare_event_days
from tenants.models import Organisation
from tenants.scoping import operator_scope, tenant_scope
from tests.billing.shorthand import ingest, issue, pay_in, rows, stands
from tests.concurrency.crowd import at_once
from tests.factories import billing as make

pytestmark = pytest.mark.django_db(transaction=True)


def to_accrue() -> list[object]:
    with operator_scope():
        return list(tenants_to_accrue(make.NOW))


def accrue_now(tenant: Organisation) -> None:
    with tenant_scope(tenant.pk):
        accrue(tenant_id=tenant.pk, now=make.NOW)


def test_a_tenant_is_accrued_when_it_has_something_new_and_not_otherwise() -> None:
    alice = make.make_tenant("alice")
    make.make_prices()
    assert to_accrue() == []
    ingest(alice, make.cards("c1", 3600))
    assert to_accrue() == [alice.pk]
    accrue_now(alice)
    assert str(stands(alice).unbilled) == "3.820000"
    # Others of this server may keep old transactions open, which only makes the list longer.
    pay_in(alice, "1.00")
    assert str(stands(alice).unbilled) == "3.820000"


def test_usage_committed_behind_the_accruals_back_is_found_by_the_next() -> None:
    alice = make.make_tenant("alice")
    make.make_prices()
    ingest(alice, make.cards("first", 3600))
    written, accrued = Event(), Event()

    def work(index: int) -> None:
        if index == 0:
            with tenant_scope(alice.pk):
                ingest(alice, make.tokens("slow", 1_000_000))
                written.set()
                assert accrued.wait(timeout=30)
        else:
            assert written.wait(timeout=30)
            accrue_now(alice)
            accrued.set()

    assert at_once(2, work) == [None, None]
    assert str(stands(alice).unbilled) == "3.820000"
    assert to_accrue() == [alice.pk]
    accrue_now(alice)
    assert str(stands(alice).unbilled) == "4.880000"


def test_the_task_accrues_all_and_one(monkeypatch: pytest.MonkeyPatch) -> None:
    alice, bob = make.make_tenant("alice"), make.make_tenant("bob")
    make.make_prices()
    monkeypatch.setattr("billing.tasks.utc_now", lambda: make.NOW)
    ingest(alice, make.cards("c1", 3600))
    ingest(bob, make.cards("c1", 7200))
    accrue_task(tenant_id=str(alice.pk))
    assert (stands(alice).unbilled > 0, stands(bob).unbilled) == (True, 0)
    accrue_task()
    assert str(stands(bob).unbilled) == "7.630000"


def test_only_tenants_with_open_usage_before_the_month_end_are_due() -> None:
    alice, bob = make.make_tenant("alice"), make.make_tenant("bob")
    make.make_prices()
    ingest(alice, make.cards("c1", 3600))
    with operator_scope():
        assert tenants_to_invoice(make.MONTH_END) == (alice.pk,)
        assert tenants_to_invoice(make.MONTH_START) == ()
    issue(alice, until=make.MONTH_END, now=make.MONTH_END)
    with operator_scope():
        assert tenants_to_invoice(make.MONTH_END) == ()
    assert bob.pk not in to_accrue()


def test_the_days_ahead_are_opened_before_their_first_event(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("billing.tasks.utc_now", lambda: make.NOW)
    prepare_event_days()
    prepare_event_days()
    names = rows("SELECT to_regclass('billing_usageevent_20261122') IS NOT NULL")
    assert names == [(True,)]
