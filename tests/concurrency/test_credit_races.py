"""Credits under many hands: one lot and two invoices, one cap and fifty askers, with controls."""

from decimal import Decimal

import pytest
from django.db import DatabaseError

from billing.commands import invoices, vouchers
from billing.commands.vouchers import CapReached
from billing.locks import AccountBusy
from billing.models import Account, CreditLot, CreditUse, VoucherApplication, VoucherScheme
from tenants.scoping import operator_scope
from tests.billing.shorthand import broken, ingest, issue
from tests.concurrency.crowd import account_without_queue, at_once
from tests.factories import billing as make
from tests.factories import credits as give

pytestmark = pytest.mark.django_db(transaction=True)


def test_fifty_askers_of_one_budget_get_exactly_what_there_is() -> None:
    give.scheme(budget=Decimal("200.00"))
    tenants = [give.verified(f"t{index}") for index in range(50)]
    results = at_once(50, lambda index: give.ask(tenants[index], "10.00"))
    # Waiting for the scheme's row may end in a refusal on a slow machine; they ask again then.
    late = [index for index, result in enumerate(results) if isinstance(result, AccountBusy)]
    for index in late:
        (results[index],) = at_once(1, lambda _one, late=index: give.ask(tenants[late], "10.00"))
    granted = [one for one in results if isinstance(one, VoucherApplication)]
    refused = [one for one in results if isinstance(one, CapReached)]
    assert (len(granted), len(refused)) == (20, 30)
    with operator_scope():
        assert VoucherScheme.objects.get().committed == Decimal("200.00")
        assert sum(CreditLot.objects.values_list("face", flat=True)) == Decimal("200.00")
    assert broken() == ()


def test_without_the_account_lock_the_database_still_keeps_a_tenants_cap(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The control: askers of one tenant who do not queue meet the cap's own row."""
    give.scheme(cap_per_tenant_year=Decimal("100.00"))
    alice = give.verified("alice")

    monkeypatch.setattr(vouchers, "lock_account", account_without_queue)
    results = at_once(16, lambda index: give.ask(alice, "10.00", key=f"k{index}"))
    assert sum(isinstance(one, VoucherApplication) for one in results) == 10
    assert broken() == ()


def test_two_invoices_and_one_lot_never_use_it_twice() -> None:
    make.make_prices()
    alice = give.verified("alice")
    lot = give.promo(alice, "5.00")
    ingest(alice, make.cards("c1", 3600, make.NOW - 3 * make.HOUR))
    ingest(alice, make.cards("c2", 3600, make.NOW - make.HOUR))
    untils = (make.NOW - 2 * make.HOUR, make.NOW)
    at_once(2, lambda index: issue(alice, untils[index]))
    with operator_scope():
        amounts = CreditUse.objects.values_list("amount", flat=True)
        assert sum(amounts) == 5 - give.fresh(lot).remaining
        assert sum(amounts) == Decimal("5.00")
    assert broken() == ()


def test_without_the_account_lock_the_database_refuses_the_second_use(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The control: issuers of one tenant who do not queue both believe the credit is there."""
    make.make_prices()
    alice = give.verified("alice")
    lot = give.promo(alice, "5.00")
    ingest(alice, make.cards("c1", 3600))

    def unlocked(tenant_id: object) -> Account:
        return Account.objects.get(tenant_id=tenant_id)

    monkeypatch.setattr(invoices, "lock_account", unlocked)
    results = at_once(6, lambda _index: issue(alice))
    assert sum(not isinstance(one, Exception) for one in results) == 1
    assert any(isinstance(one, Exception) for one in results)
    assert not any(isinstance(one, DatabaseError) and "deadlock" in str(one) for one in results)
    assert give.fresh(lot).remaining == Decimal("1.18")
    assert broken() == ()
