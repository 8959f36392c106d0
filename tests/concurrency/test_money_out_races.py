"""Money that leaves at one moment in two ways leaves once; each race with its control."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from threading import Barrier
from uuid import UUID

import pytest
from django.db import IntegrityError

from billing.commands import money_decisions
from billing.commands.money_decisions import (
    MoneyDecided,
    approve_money_decision,
    pay_out,
    reverse_top_up,
    write_off,
)
from billing.commands.money_limits import NotFree, WalletLacksIt
from billing.models import Account, Invoice, LedgerTransaction, MoneyDecision
from billing.queries.invariants import breaches
from common.ids import uuid7
from tenants.models import Organisation
from tenants.permissions import OPERATOR_ROLES, Actor, ActorKind
from tenants.scoping import operator_scope
from tests.billing.shorthand import ingest, issue, pay_in
from tests.concurrency.crowd import account_without_queue, at_once
from tests.factories import billing as make

pytestmark = pytest.mark.django_db(transaction=True)
OVERDUE = make.NOW + timedelta(days=16)


def somebody(name: str) -> Actor:
    return Actor(ActorKind.OPERATOR, uuid7(), name, None, OPERATOR_ROLES["finance"])


def approved(decisions: list[UUID]) -> list[object]:
    """Everything approved at the same moment, each by another person."""
    people = [somebody(f"Person {index}") for index in range(len(decisions))]

    def approve(index: int) -> None:
        with operator_scope():
            approve_money_decision(actor=people[index], decision_id=decisions[index], now=OVERDUE)

    return at_once(len(decisions), approve)


def paying_back(tenant: Organisation, *amounts: str) -> list[UUID]:
    with operator_scope():
        return [
            pay_out(
                actor=somebody("Anne"),
                tenant_id=tenant.pk,
                amount=Decimal(amount),
                reference="ICBC",
                reason="leaves",
                now=make.NOW,
            ).pk
            for amount in amounts
        ]


def taking_back(tenant: Organisation) -> list[UUID]:
    """A reversal of every top-up of the tenant."""
    with operator_scope():
        top_ups = LedgerTransaction.objects.filter(tenant=tenant, kind="top_up").order_by("pk")
        return [
            reverse_top_up(
                actor=somebody("Anne"),
                tenant_id=tenant.pk,
                top_up_id=one.pk,
                reason="mistyped",
                now=make.NOW,
            ).pk
            for one in top_ups
        ]


def wallet(tenant: Organisation) -> Decimal:
    with operator_scope():
        assert breaches() == ()
        return Account.objects.get(tenant=tenant).wallet


def states() -> list[str]:
    with operator_scope():
        return sorted(MoneyDecision.objects.values_list("state", flat=True))


@pytest.fixture
def alice() -> Organisation:
    return make.make_tenant("alice")


def test_one_decision_approved_by_many_is_done_once(alice: Organisation) -> None:
    pay_in(alice, "100.00")
    (decision,) = paying_back(alice, "30.00")
    errors = [error for error in approved([decision] * 4) if error is not None]
    assert [type(error) for error in errors] == [MoneyDecided] * 3
    assert wallet(alice) == Decimal("70.00")


def test_two_payments_back_at_once_never_exceed_what_is_free(alice: Organisation) -> None:
    pay_in(alice, "100.00")
    decisions = paying_back(alice, "60.00", "60.00")
    errors = [error for error in approved(decisions) if error is not None]
    assert [type(error) for error in errors] == [NotFree]
    assert wallet(alice) == Decimal("40.00")
    assert states() == ["done", "proposed"]


def spent_down(tenant: Organisation) -> list[UUID]:
    """Two top-ups of 60.00 to be taken back, and 70.00 left of them."""
    make.make_prices()
    pay_in(tenant, "60.00", key="one")
    pay_in(tenant, "60.00", key="two")
    decisions = taking_back(tenant)
    ingest(tenant, make.tokens("t1", 47_169_811))
    issue(tenant)
    assert wallet(tenant) == Decimal("70.00")
    return decisions


def test_two_reversals_at_once_take_no_more_than_the_wallet_holds(alice: Organisation) -> None:
    errors = [error for error in approved(spent_down(alice)) if error is not None]
    assert [type(error) for error in errors] == [WalletLacksIt]
    assert wallet(alice) == Decimal("10.00")
    assert states() == ["done", "proposed"]


def test_without_the_lock_the_database_still_keeps_the_wallet_above_zero(
    alice: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    decisions = spent_down(alice)
    monkeypatch.setattr(money_decisions, "lock_account", read_together(account_without_queue))
    errors = [error for error in approved(decisions) if error is not None]
    # Both read a wallet of 70.00, and it was PostgreSQL that refused the second.
    assert [type(error) for error in errors] == [IntegrityError]
    assert "billing_account_never_negative" in str(errors[0])
    assert wallet(alice) == Decimal("10.00")
    assert states() == ["done", "proposed"]


def test_without_the_lock_one_decision_is_still_booked_once(
    alice: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    pay_in(alice, "100.00")
    decisions = taking_back(alice)
    monkeypatch.setattr(money_decisions, "lock_account", read_together(account_without_queue))
    errors = [error for error in approved(decisions * 2) if error is not None]
    assert [type(error) for error in errors] == [IntegrityError]
    assert wallet(alice) == 0
    assert states() == ["done"]


def read_together(
    read: Callable[[UUID], Account],
) -> Callable[[UUID], Account]:
    """Let two readers both have read before either goes on."""
    barrier = Barrier(2)

    def both(tenant_id: UUID) -> Account:
        found = read(tenant_id)
        barrier.wait(timeout=30)
        return found

    return both


def test_a_payment_and_a_write_off_at_once_settle_the_debt_once(alice: Organisation) -> None:
    make.make_prices()
    ingest(alice, make.cards("c1", 36_000))
    bill: Invoice = issue(alice)
    with operator_scope():
        lost = write_off(
            actor=somebody("Anne"),
            tenant_id=alice.pk,
            invoice_id=bill.pk,
            reason="insolvent",
            now=OVERDUE,
        )

    def act(index: int) -> None:
        if index == 0:
            pay_in(alice, "38.16", now=OVERDUE)
        else:
            with operator_scope():
                approve_money_decision(actor=somebody("Bert"), decision_id=lost.pk, now=OVERDUE)

    paid, written_off = at_once(2, act)
    assert paid is None
    # Whoever was first decided: the money paid the invoice, or it is in the wallet.
    with operator_scope():
        account = Account.objects.get(tenant=alice)
        was_paid = bill.payments.exists()
        assert (account.receivable, account.wallet) == (
            0,
            Decimal(0) if was_paid else Decimal("38.16"),
        )
        assert (written_off is None) is (not was_paid)
        assert breaches() == ()
