"""One sets the currency while another moves money: one order or the other, with a control."""

from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, connection

from billing.commands import wallet
from billing.commands.wallet import CurrencyFixed
from billing.models import Contract
from billing.queries.wallet import Standing
from tenants.models import AuditEntry, Organisation
from tenants.scoping import operator_scope
from tests.billing.shorthand import bill_in, broken, pay_in, rows, stands
from tests.billing.test_contracts import drafted
from tests.concurrency.crowd import account_without_queue, at_once
from tests.factories import billing as make

pytestmark = pytest.mark.django_db(transaction=True)
ATTEMPTS = 8


def ledger_of(tenant: Organisation) -> set[str]:
    found = rows("SELECT currency FROM billing_ledgeraccount WHERE tenant_id = %s", tenant.pk)
    return {str(currency) for (currency,) in found}


def told(tenant: Organisation) -> int:
    with operator_scope():
        audited = AuditEntry.objects.filter(tenant=tenant, action="billing.account.currency_set")
        return audited.count()


def test_a_currency_set_while_money_comes_in_is_the_moneys_or_refused() -> None:
    for attempt in range(ATTEMPTS):
        tenant = make.make_tenant(f"alice-{attempt}")

        def work(index: int, tenant: Organisation = tenant) -> object:
            return pay_in(tenant, "100.00") if index else bill_in(tenant, "USD")

        setting, paying = at_once(2, work)
        assert not isinstance(paying, Exception), paying
        kept = "CNY" if isinstance(setting, CurrencyFixed) else "USD"
        assert not isinstance(setting, Exception) or kept == "CNY", setting
        assert (stands(tenant).currency, stands(tenant).balance) == (kept, 100)
        assert ledger_of(tenant) == {kept}
        assert told(tenant) == (kept == "USD")
    assert broken() == ()


def test_without_the_lock_the_database_still_keeps_the_ledger_in_the_accounts_currency(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The control: neither waits, and what the other committed meanwhile is refused."""
    monkeypatch.setattr(wallet, "lock_account", account_without_queue)
    for attempt in range(ATTEMPTS):
        tenant = make.make_tenant(f"alice-{attempt}")
        bill_in(tenant, "EUR")

        def work(index: int, tenant: Organisation = tenant) -> object:
            return pay_in(tenant, "100.00") if index else bill_in(tenant, "USD")

        results = at_once(2, work)
        refused = [one for one in results if isinstance(one, Exception)]
        assert all(isinstance(one, CurrencyFixed | DatabaseError) for one in refused), refused
        kept = stands(tenant)
        assert ledger_of(tenant) <= {kept.currency}
        assert kept.currency == ("USD" if not isinstance(results[0], Exception) else "EUR")
        assert kept.balance == (0 if isinstance(results[1], Exception) else 100)
    assert broken() == ()


def test_money_that_read_the_old_currency_is_refused_by_the_database(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The same control in its worst order: read, overtaken, booked."""
    monkeypatch.setattr(wallet, "lock_account", account_without_queue)
    alice = make.make_tenant("alice")
    bill_in(alice, "EUR")
    overtaken: list[object] = []

    def overtake(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        result = execute(sql, params, many, context)
        if sql.startswith('SELECT "billing_account"."currency"') and not overtaken:
            overtaken.extend(at_once(1, lambda _index: bill_in(alice, "USD")))
        return result

    with (
        connection.execute_wrapper(overtake),
        pytest.raises(IntegrityError, match="billing_ledgeraccount_in_own_currency"),
    ):
        pay_in(alice, "100.00")
    assert [type(one) for one in overtaken] == [Standing]
    assert (stands(alice).currency, stands(alice).balance) == ("USD", 0)
    assert ledger_of(alice) == set()
    assert broken() == ()


def test_a_contract_drafted_while_the_currency_is_set_is_in_the_one_that_stays() -> None:
    for attempt in range(ATTEMPTS):
        tenant = make.make_tenant(f"alice-{attempt}")

        def work(index: int, tenant: Organisation = tenant, number: int = attempt) -> object:
            return drafted(tenant, number=f"HT-{number}") if index else bill_in(tenant, "USD")

        setting, drafting = at_once(2, work)
        kept = "CNY" if isinstance(setting, CurrencyFixed) else "USD"
        with operator_scope():
            assert Contract.objects.get(pk=drafting).currency == kept
        assert stands(tenant).currency == kept
    assert broken() == ()
