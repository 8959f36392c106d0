"""An account's currency is chosen before anything happened to it; the database keeps it then."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, ProgrammingError, connection, transaction
from django.db.models import Model

from billing.commands.adjustments import propose_adjustment
from billing.commands.budgets import set_budget
from billing.commands.credit_notes import issue_credit_note
from billing.commands.holds import release_hold, set_hold
from billing.commands.wallet import CurrencyFixed, set_credit_limit, set_currency
from billing.models import (
    Account,
    BudgetScope,
    Contract,
    CreditLot,
    CreditNote,
    Fapiao,
    Invoice,
    LedgerAccount,
    PriceVersion,
)
from billing.queries.currencies import CurrencyUnknown
from common.ids import uuid7
from tenants.models import AuditEntry, Organisation
from tenants.permissions import (
    MEMBER_ROLES,
    OPERATOR_ROLES,
    SYSTEM,
    Actor,
    ActorKind,
    PermissionRefused,
)
from tenants.scoping import operator_scope, tenant_scope
from tests.billing.shorthand import bill_in, broken, ingest, issue, pay_in, stands
from tests.billing.test_contracts import drafted
from tests.billing.test_fapiao import ask, profile
from tests.billing.test_price_drafts import ANNA
from tests.factories import billing as make
from tests.factories import credits as give

pytestmark = pytest.mark.django_db
D = Decimal


def changes_of(tenant: Organisation) -> list[tuple[str, str]]:
    with operator_scope():
        told = AuditEntry.objects.filter(tenant=tenant, action="billing.account.currency_set")
        said = [entry.detail for entry in told.order_by("pk")]
    return [(one["from"], one["to"]) for one in said]


def refused(tenant: Organisation, statement: str, *values: object) -> str:
    """What PostgreSQL says to a raw statement of an operator; nothing of it stays."""
    with (
        operator_scope(),
        pytest.raises(IntegrityError) as refusal,
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement, [*values, tenant.pk])
    return str(refusal.value)


def test_before_anything_happened_it_is_changed_there_and_back(alice: Organisation) -> None:
    assert stands(alice).currency == "CNY"
    assert bill_in(alice, "USD").currency == "USD"
    assert bill_in(alice, "EUR").currency == "EUR"
    assert bill_in(alice, "CNY").currency == "CNY"
    assert stands(alice).currency == "CNY"
    assert changes_of(alice) == [("CNY", "USD"), ("USD", "EUR"), ("EUR", "CNY")]


def test_who_changed_it_is_told_and_no_change_is_told_of_what_stays(alice: Organisation) -> None:
    with operator_scope():
        for _twice in range(2):
            set_currency(actor=ANNA, tenant_id=alice.pk, currency="USD", now=make.NOW)
        account = Account.objects.get(tenant=alice)
        (entry,) = AuditEntry.objects.filter(tenant=alice, action="billing.account.currency_set")
    assert (entry.actor_name, entry.subject) == ("finance-1", f"billing.account:{account.pk}")
    assert entry.detail == {"from": "CNY", "to": "USD", "at": make.NOW.isoformat()}


@pytest.mark.parametrize("currency", ["JPY", "usd", "", "CNYX"])
def test_a_currency_that_nobody_is_billed_in_is_refused(alice: Organisation, currency: str) -> None:
    with pytest.raises(CurrencyUnknown) as refusal:
        bill_in(alice, currency)
    assert refusal.value.params == {"known": "CNY, EUR, GBP, HKD, SGD, USD"}
    assert (stands(alice).currency, changes_of(alice)) == ("CNY", [])


def test_neither_a_tenant_nor_support_chooses_the_currency(alice: Organisation) -> None:
    owner = Actor(ActorKind.MEMBER, alice.pk, "owner", alice.pk, MEMBER_ROLES["owner"])
    support = Actor(ActorKind.OPERATOR, alice.pk, "support", None, OPERATOR_ROLES["support"])
    for actor, scope in ((owner, tenant_scope(alice.pk)), (support, operator_scope())):
        with scope, pytest.raises(PermissionRefused):
            set_currency(actor=actor, tenant_id=alice.pk, currency="USD", now=make.NOW)
    assert (stands(alice).currency, changes_of(alice)) == ("CNY", [])


def top_up_of_a_cent(tenant: Organisation) -> None:
    pay_in(tenant, "0.01")


def credit_limit(tenant: Organisation) -> None:
    with operator_scope():
        set_credit_limit(actor=SYSTEM, tenant_id=tenant.pk, amount=D("0.01"), now=make.NOW)


def hold_that_is_over(tenant: Organisation) -> None:
    names = {"actor": SYSTEM, "tenant_id": tenant.pk, "key": "order", "now": make.NOW}
    with tenant_scope(tenant.pk):
        set_hold(**names, amount=D(0), expires_at=None)  # type: ignore[arg-type]
        release_hold(**names)  # type: ignore[arg-type]


def use(tenant: Organisation) -> None:
    ingest(tenant, make.tokens("t1", 1))


def budget(tenant: Organisation) -> None:
    with operator_scope():
        set_budget(
            actor=SYSTEM,
            tenant_id=tenant.pk,
            scope=BudgetScope.TENANT,
            subject=None,
            amount=D("1.00"),
            now=make.NOW,
        )


def adjustment(tenant: Organisation) -> None:
    with operator_scope():
        propose_adjustment(
            actor=SYSTEM,
            tenant_id=tenant.pk,
            net=D("-1.00"),
            tax_code="it_service",
            title_en="Goodwill",
            title_zh="补偿",
            reason="Trouble",
            now=make.NOW,
        )


def application_for_a_voucher(tenant: Organisation) -> None:
    give.scheme(needs_review=True)
    give.ask(tenant, "1.00")


THINGS: list[Callable[[Organisation], object]] = [
    top_up_of_a_cent,
    credit_limit,
    hold_that_is_over,
    use,
    drafted,
    lambda tenant: give.promo(tenant, "1.00"),
    lambda tenant: give.package(tenant, 3600),
    budget,
    adjustment,
    application_for_a_voucher,
]
NAMES = ["money", "limit", "hold", "use", "contract", "promo", "package", "budget", "adjustment"]


@pytest.mark.parametrize("happens", THINGS, ids=[*NAMES, "voucher"])
def test_each_single_thing_fixes_the_currency(
    prices: PriceVersion, happens: Callable[[Organisation], object]
) -> None:
    tenant = give.verified("alice")
    happens(tenant)
    before = stands(tenant)
    with pytest.raises(CurrencyFixed) as refusal:
        bill_in(tenant, "USD")
    assert (refusal.value.code, refusal.value.params) == ("currency_fixed", {"currency": "CNY"})
    assert (stands(tenant), changes_of(tenant)) == (before, [])
    assert bill_in(tenant, "CNY").currency == "CNY"
    assert broken() == ()


@pytest.mark.parametrize("happens", THINGS, ids=[*NAMES, "voucher"])
def test_the_database_fixes_it_without_the_command(
    prices: PriceVersion, happens: Callable[[Organisation], object]
) -> None:
    tenant = give.verified("alice")
    bill_in(tenant, "CNY")  # opens the account, which use alone does not
    happens(tenant)
    refused(tenant, "UPDATE billing_account SET currency = 'USD' WHERE tenant_id = %s")
    assert stands(tenant).currency == "CNY"


def test_an_account_in_no_known_currency_is_refused_by_the_database(alice: Organisation) -> None:
    bill_in(alice, "USD")
    told = refused(alice, "UPDATE billing_account SET currency = 'JPY' WHERE tenant_id = %s")
    assert "billing_account_currency_known" in told
    assert stands(alice).currency == "USD"


def test_a_tenants_own_role_cannot_write_the_currency(alice: Organisation) -> None:
    bill_in(alice, "USD")
    with (
        tenant_scope(alice.pk),
        pytest.raises(ProgrammingError, match="permission denied"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute("UPDATE billing_account SET currency = 'CNY'")
    assert stands(alice).currency == "USD"


def copied(row: Model, **changes: object) -> None:
    """Write a row once more with some of it changed, as no command of ours would."""
    kept = {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}
    with operator_scope(), transaction.atomic():
        type(row)(**{**kept, "id": uuid7(), **changes}).save(force_insert=True)


def following(row: Invoice | CreditNote) -> dict[str, object]:
    return {
        "sequence": row.sequence + 1,
        "number": f"copy-{row.sequence + 1}",
        "previous_hash": row.content_hash,
    }


def a_ledger_account(tenant: Organisation) -> dict[str, object]:
    return {"row": LedgerAccount(tenant=tenant, kind="cash")}


def a_contract(tenant: Organisation) -> dict[str, object]:
    with operator_scope():
        return {"row": Contract.objects.get(pk=drafted(tenant)), "number": "HT-2"}


def a_credit(tenant: Organisation) -> dict[str, object]:
    return {"row": give.promo(tenant, "1.00"), "code": "C-2", "key": "second"}


def an_invoice(tenant: Organisation) -> dict[str, object]:
    ingest(tenant, make.tokens("t1", 1_000_000))
    row = issue(tenant)
    hours = {"period_start": row.period_end, "period_end": row.period_end + make.HOUR}
    return {"row": row, **following(row), **hours}


def a_credit_note(tenant: Organisation) -> dict[str, object]:
    invoice = an_invoice(tenant)["row"]
    assert isinstance(invoice, Invoice)
    with operator_scope():
        row = issue_credit_note(
            actor=SYSTEM,
            tenant_id=tenant.pk,
            invoice_id=invoice.pk,
            reason="Cards failed",
            nets={1: D("0.01")},
            now=make.NOW,
        )
    return {"row": row, **following(row)}


@pytest.mark.parametrize("currency", ["CNY", "EUR"])
@pytest.mark.parametrize(
    "made", [a_ledger_account, a_contract, a_credit, an_invoice, a_credit_note]
)
def test_the_database_refuses_a_row_in_another_currency_than_the_accounts(
    alice: Organisation,
    prices: PriceVersion,
    made: Callable[[Organisation], dict[str, Any]],
    currency: str,
) -> None:
    make.publish(make.DOLLAR_LINES, currency="USD")
    bill_in(alice, "USD")
    said = made(alice)
    model = type(said["row"])
    with operator_scope():
        before = model.objects.count()
    with pytest.raises(IntegrityError, match=f"{model._meta.db_table}_in_own_currency"):
        copied(**said, currency=currency)
    with operator_scope():
        assert model.objects.count() == before
        assert not model.objects.exclude(currency="USD").exists()


def test_the_database_refuses_a_voucher_in_dollars(bob: Organisation) -> None:
    give.scheme()
    lot = give.lot_of(give.ask(give.verified("alice"), "1.00"))
    bill_in(bob, "USD")
    with pytest.raises(IntegrityError, match="billing_creditlot_voucher_currency"):
        copied(lot, tenant_id=bob.pk, code="V-2", key="second", currency="USD")
    with operator_scope():
        assert CreditLot.objects.count() == 1


def test_the_database_refuses_a_fapiao_in_dollars_and_one_in_yuan_to_a_dollar_account(
    alice: Organisation, bob: Organisation, prices: PriceVersion
) -> None:
    invoice = an_invoice(alice)["row"]
    profile(alice)
    row = ask(alice, invoice.pk)  # type: ignore[attr-defined]
    bill_in(bob, "USD")
    fresh = {"tenant_id": bob.pk, "serial": "F-2"}
    with pytest.raises(IntegrityError, match="billing_fapiao_currency"):
        copied(row, **fresh, currency="USD")
    with pytest.raises(IntegrityError, match="billing_fapiao_in_own_currency"):
        copied(row, **fresh, currency="CNY")
    with operator_scope():
        assert Fapiao.objects.count() == 1


def test_an_account_begins_in_the_centres_currency_whoever_opens_it(alice: Organisation) -> None:
    with (
        tenant_scope(alice.pk),
        pytest.raises(IntegrityError, match="an account begins in the currency of the centre"),
        transaction.atomic(),
    ):
        Account.objects.bulk_create([Account(tenant=alice, currency="USD")])
    with operator_scope():
        assert not Account.objects.filter(tenant=alice).exists()
