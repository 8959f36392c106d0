"""The wallet, holds and the ledger, and what the database refuses when the guards are gone."""

from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from billing.commands.accrual import accrue
from billing.commands.holds import InsufficientFunds, release_hold, set_hold
from billing.commands.ledger import KeyUsedDifferently
from billing.commands.wallet import AmountRefused, set_credit_limit, top_up
from billing.locks import open_account
from billing.models import (
    Account,
    Hold,
    LedgerAccount,
    LedgerEntry,
    LedgerTransaction,
    PriceVersion,
)
from billing.queries.wallet import funds_snapshot, statement
from tenants.models import Organisation
from tenants.permissions import SYSTEM, Actor, ActorKind, PermissionRefused
from tenants.scoping import operator_scope, tenant_scope
from tests.billing.shorthand import broken, ingest, issue, pay_in, stands
from tests.factories import billing as make

pytestmark = pytest.mark.django_db


def hold(tenant: Organisation, amount: str, key: str = "r1", minutes: int | None = None) -> None:
    expires_at = None if minutes is None else make.NOW + timedelta(minutes=minutes)
    with tenant_scope(tenant.pk):
        set_hold(
            actor=SYSTEM,
            tenant_id=tenant.pk,
            key=key,
            amount=Decimal(amount),
            expires_at=expires_at,
            now=make.NOW,
        )


def test_the_same_top_up_twice_is_credited_once(alice: Organisation) -> None:
    assert pay_in(alice, "100.00").balance == 100
    assert pay_in(alice, "100.00").balance == 100
    assert broken() == ()


def test_a_key_used_for_another_amount_is_refused(alice: Organisation) -> None:
    pay_in(alice, "100.00")
    with pytest.raises(KeyUsedDifferently):
        pay_in(alice, "200.00")
    assert stands(alice).balance == 100


@pytest.mark.parametrize("amount", ["0", "-1", "0.001", "NaN", "Infinity", "1000000000.01"])
def test_an_absurd_amount_is_refused(alice: Organisation, amount: str) -> None:
    with pytest.raises(AmountRefused):
        pay_in(alice, amount)
    assert stands(alice).balance == 0


def test_only_finance_may_top_up(alice: Organisation) -> None:
    member = Actor(ActorKind.MEMBER, uuid4(), "m", alice.pk, frozenset())
    with tenant_scope(alice.pk), pytest.raises(PermissionRefused):
        top_up(
            actor=member,
            tenant_id=alice.pk,
            amount=Decimal(1),
            key="k",
            reference="",
            now=make.NOW,
        )


def test_holds_take_from_what_is_available_and_never_more(alice: Organisation) -> None:
    pay_in(alice, "100.00")
    hold(alice, "60.00")
    hold(alice, "60.00")
    assert stands(alice).available == 40
    with pytest.raises(InsufficientFunds) as refusal:
        hold(alice, "40.01", key="r2")
    told = {"needed": Decimal("40.01"), "available": Decimal("40.00"), "currency": "CNY"}
    assert refusal.value.params == told
    with pytest.raises(InsufficientFunds):
        hold(alice, "100.01")
    hold(alice, "100.00")
    hold(alice, "10.00")
    assert (stands(alice).held, stands(alice).available) == (10, 90)
    assert broken() == ()


def test_a_released_hold_gives_its_money_back_once(alice: Organisation) -> None:
    pay_in(alice, "100.00")
    hold(alice, "60.00")
    with tenant_scope(alice.pk):
        assert release_hold(actor=SYSTEM, tenant_id=alice.pk, key="r1", now=make.NOW)
        assert not release_hold(actor=SYSTEM, tenant_id=alice.pk, key="r1", now=make.NOW)
    assert stands(alice).available == 100


def test_an_overdue_hold_makes_room_for_the_next_and_is_swept(alice: Organisation) -> None:
    pay_in(alice, "100.00")
    hold(alice, "100.00", minutes=0)
    hold(alice, "70.00", key="r2", minutes=10)
    assert stands(alice).held == 70
    with tenant_scope(alice.pk):
        accrue(tenant_id=alice.pk, now=make.NOW + timedelta(minutes=10))
    assert stands(alice).held == 0
    assert broken() == ()


def test_a_credit_limit_is_spendable_and_unbilled_usage_is_not(
    alice: Organisation, prices: PriceVersion
) -> None:
    with tenant_scope(alice.pk):
        set_credit_limit(actor=SYSTEM, tenant_id=alice.pk, amount=Decimal(10), now=make.NOW)
    ingest(alice, make.cards("c1", 7200))
    with tenant_scope(alice.pk):
        accrue(tenant_id=alice.pk, now=make.NOW)
    # Two card-hours at 3.60 and 6 % tax.
    assert (stands(alice).unbilled, stands(alice).available) == (Decimal("7.63"), Decimal("2.37"))
    with pytest.raises(InsufficientFunds):
        hold(alice, "2.38")
    hold(alice, "2.37")
    with operator_scope():
        assert funds_snapshot()[alice.pk].available == 0


def test_the_statement_shows_movements_newest_first_page_by_page(alice: Organisation) -> None:
    for number in range(3):
        pay_in(alice, f"{number + 1}.00", key=str(number), now=make.NOW + make.HOUR * number)
    with tenant_scope(alice.pk):
        first = statement(tenant_id=alice.pk, limit=2)
        second = statement(tenant_id=alice.pk, after=first[-1].cursor, limit=2)
    assert [row.wallet for row in first] == [3, 2]
    assert [row.wallet for row in second] == [1]


# The database without our guards.


def write_legs(tenant: Organisation, *legs: tuple[int, str, str], into: str | None = None) -> None:
    """Write (line, kind, amount) legs in one statement, into a new or an existing movement."""
    with transaction.atomic(), tenant_scope(tenant.pk):
        movement = (
            LedgerTransaction.objects.create(
                tenant=tenant, kind="test", idem_key=str(uuid4()), booked_at=make.NOW
            )
            if into is None
            else LedgerTransaction.objects.get(tenant=tenant, kind=into)
        )
        LedgerEntry.objects.bulk_create(
            LedgerEntry(
                tenant=tenant,
                transaction=movement,
                line=line,
                account=LedgerAccount.objects.get(tenant=tenant, kind=kind),
                amount=Decimal(amount),
            )
            for line, kind, amount in legs
        )


def test_an_unbalanced_transaction_is_refused_by_the_database(alice: Organisation) -> None:
    pay_in(alice, "100.00")
    with pytest.raises(IntegrityError, match="sums to zero"):
        write_legs(alice, (1, "cash", "5"), (2, "wallet", "-4.999999"))
    assert stands(alice).balance == 100
    assert broken() == ()


def test_legs_written_one_by_one_are_refused_by_the_database(alice: Organisation) -> None:
    pay_in(alice, "100.00")
    with pytest.raises(DatabaseError, match="in one statement"):
        write_legs(alice, (1, "cash", "5"))
    assert stands(alice).balance == 100


def test_nothing_is_added_to_a_transaction_later(alice: Organisation) -> None:
    pay_in(alice, "100.00")
    with pytest.raises(DatabaseError, match="in one statement"):
        write_legs(alice, (3, "cash", "5"), (4, "wallet", "-5"), into="top_up")
    assert stands(alice).balance == 100


def test_a_wallet_below_zero_is_refused_by_the_database(alice: Organisation) -> None:
    pay_in(alice, "100.00")
    with pytest.raises(IntegrityError, match="never_negative"):
        write_legs(alice, (1, "cash", "-100.01"), (2, "wallet", "100.01"))
    assert stands(alice).balance == 100


def test_a_hold_beyond_the_funds_is_refused_by_the_database(alice: Organisation) -> None:
    pay_in(alice, "100.00")
    with (
        pytest.raises(IntegrityError, match="exceeds the available funds"),
        transaction.atomic(),
        tenant_scope(alice.pk),
    ):
        Hold.objects.create(
            tenant=alice,
            key="r1",
            amount=Decimal("100.01"),
            created_at=make.NOW,
            updated_at=make.NOW,
        )
    assert stands(alice).held == 0


@pytest.mark.parametrize(
    "statement_text",
    [
        "UPDATE billing_account SET wallet = 1000000",
        "UPDATE billing_account SET held = 0",
        "UPDATE billing_ledgeraccount SET balance = 0",
        "UPDATE billing_ledgerentry SET amount = amount * 2",
        "DELETE FROM billing_ledgerentry",
        "DELETE FROM billing_ledgertransaction",
        "UPDATE billing_ledgertransaction SET idem_key = 'other'",
        "DELETE FROM billing_hold",
    ],
)
def test_money_cannot_be_edited_in_any_scope(alice: Organisation, statement_text: str) -> None:
    pay_in(alice, "100.00")
    hold(alice, "10.00")
    for scope in (tenant_scope(alice.pk), operator_scope()):
        with (
            scope,
            pytest.raises(DatabaseError),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(statement_text)
    assert (stands(alice).balance, stands(alice).held) == (100, 10)


def test_an_account_opened_with_money_in_it_is_empty(alice: Organisation) -> None:
    with tenant_scope(alice.pk):
        Account.objects.create(tenant=alice, wallet=Decimal(5), held=Decimal(0))
        open_account(alice.pk)
    assert stands(alice).balance == 0


def test_another_tenants_money_does_not_exist(alice: Organisation, bob: Organisation) -> None:
    pay_in(alice, "100.00")
    with tenant_scope(bob.pk), connection.cursor() as cursor:
        for table in ("account", "ledgeraccount", "ledgertransaction", "ledgerentry", "hold"):
            cursor.execute(f"SELECT count(*) FROM billing_{table}")
            assert cursor.fetchone() == (0,)


def test_a_top_up_pays_open_invoices_oldest_first(
    alice: Organisation, prices: PriceVersion
) -> None:
    ingest(alice, make.cards("c1", 3600, make.NOW - 30 * make.HOUR))
    first = issue(alice, until=make.NOW - 20 * make.HOUR)
    ingest(alice, make.cards("c2", 3600))
    second = issue(alice)
    assert stands(alice).balance == Decimal("-7.63")
    pay_in(alice, "5.00")
    pay_in(alice, "1.00", key="second")
    with tenant_scope(alice.pk):
        paid = [
            sum(invoice.payments.values_list("amount", flat=True)) for invoice in (first, second)
        ]
    assert paid == [Decimal("3.82"), Decimal("2.18")]
    assert stands(alice).balance == Decimal("-1.63")
    assert broken() == ()
