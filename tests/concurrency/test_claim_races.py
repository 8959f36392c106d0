"""A claim that the city lowers while the tenant spends: the wallet never goes below zero."""

from decimal import Decimal

import pytest
from django.db import DatabaseError

from billing.commands import settlements
from billing.commands.credit_lots import PackageNotPaid
from billing.models import Account, BatchState, CreditLot, SettlementBatch
from tenants.models import Organisation
from tenants.scoping import operator_scope
from tests.billing.shorthand import broken
from tests.billing.test_claims_paid import pay, refunded
from tests.billing.test_settlements import OVER
from tests.concurrency.crowd import account_without_queue, at_once
from tests.factories import credits as give

pytestmark = pytest.mark.django_db(transaction=True)

HELD, TAKEN, COST = Decimal("40.28"), Decimal("57.24"), Decimal("10.60")


def pay_or_spend(index: int, alice: Organisation, batch: SettlementBatch) -> CreditLot | None:
    """The city takes 57.24 back while five people each spend 10.60 of the 40.28 there are."""
    if index == 0:
        pay(batch)
        return None
    return give.package(alice, 3600, price="10.00", key=f"package {index}", now=OVER)


def check(alice: Organisation, batch: SettlementBatch, results: list[object]) -> None:
    """Whoever came first, the balance is what was held less everything that happened."""
    with operator_scope():
        account = Account.objects.get(tenant=alice)
        paid = SettlementBatch.objects.get(pk=batch.pk).state == BatchState.PAID
    sold = sum(isinstance(one, CreditLot) for one in results)
    assert account.wallet >= 0
    assert account.wallet - account.receivable == HELD - paid * TAKEN - sold * COST
    assert broken() == ()


def test_what_the_wallet_lacks_is_owed_whoever_comes_first() -> None:
    alice, batch = refunded("250.00")
    results = at_once(6, lambda index: pay_or_spend(index, alice, batch))
    assert results[0] is None
    assert {type(one) for one in results[1:]} <= {CreditLot, PackageNotPaid}
    check(alice, batch, list(results))
    with operator_scope():
        assert SettlementBatch.objects.get(pk=batch.pk).state == BatchState.PAID


def test_without_the_account_lock_the_database_keeps_the_wallet_from_going_below_zero(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The control: a batch that does not queue may book more than is there, and is refused."""
    alice, batch = refunded("250.00")
    monkeypatch.setattr(settlements, "lock_account", account_without_queue)
    results = at_once(6, lambda index: pay_or_spend(index, alice, batch))
    assert results[0] is None or isinstance(results[0], DatabaseError)
    check(alice, batch, list(results))
