"""Money leaves the wallet and debts end: by two people, once, and never more than is there."""

from datetime import timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.utils.translation import override

from billing.adapters.wording import CHINESE, ENGLISH, movement
from billing.commands.arrears import reassess
from billing.commands.credit_notes import InvoiceWrittenOff, issue_credit_note
from billing.commands.fapiao import request_fapiao, save_tax_profile, set_fapiao_basis
from billing.commands.fapiao_desk import fail_fapiao
from billing.commands.holds import set_hold
from billing.commands.ledger import book
from billing.commands.money_decisions import (
    MoneyDecided,
    approve_money_decision,
    pay_out,
    recover_debt,
    reject_money_decision,
    reverse_top_up,
    write_off,
)
from billing.commands.money_limits import (
    DebtChanged,
    FapiaoStands,
    NotFree,
    NotOverdue,
    RecoveryExceeds,
    TopUpReversed,
    TopUpSmaller,
    WalletLacksIt,
    WrittenOff,
)
from billing.commands.wallet import AmountRefused, set_credit_limit
from billing.four_eyes import FourEyesRequired
from billing.models import (
    Account,
    ArrearsStanding,
    Fapiao,
    Invoice,
    LedgerEntry,
    LedgerKind,
    LedgerTransaction,
    MoneyDecision,
    PriceVersion,
)
from billing.queries.account_statement import account_statement
from billing.queries.arrears_desk import debtors
from billing.queries.invoices import invoice_detail
from billing.queries.revenue import received
from common.errors import InvalidInput, NotFound
from common.ids import uuid7
from common.period import Period
from tenants.models import AuditEntry, Notice, Organisation
from tenants.notices import body_of, title_of
from tenants.permissions import (
    OPERATOR_ROLES,
    SYSTEM,
    Actor,
    ActorKind,
    PermissionRefused,
)
from tenants.scoping import operator_scope, tenant_scope
from tests.billing.shorthand import bill_in, broken, ingest, issue, pay_in, stands
from tests.factories import billing as make

pytestmark = pytest.mark.django_db
OVERDUE = make.NOW + timedelta(days=16)


def somebody(name: str, role: str = "finance") -> Actor:
    return Actor(ActorKind.OPERATOR, uuid7(), name, None, OPERATOR_ROLES[role])


ANNE, BERT = somebody("Anne"), somebody("Bert")


def top_up_of(tenant: Organisation) -> LedgerTransaction:
    with operator_scope():
        rows = LedgerTransaction.objects.filter(tenant=tenant, kind="top_up")
        return rows.order_by("-pk")[0]


def reverse(tenant: Organisation, amount: str | None = None, actor: Actor = ANNE) -> MoneyDecision:
    with operator_scope():
        return reverse_top_up(
            actor=actor,
            tenant_id=tenant.pk,
            top_up_id=top_up_of(tenant).pk,
            amount=None if amount is None else Decimal(amount),
            reason="A zero too many",
            now=make.NOW,
        )


def give_back(tenant: Organisation, amount: str, actor: Actor = ANNE) -> MoneyDecision:
    with operator_scope():
        return pay_out(
            actor=actor,
            tenant_id=tenant.pk,
            amount=Decimal(amount),
            reference="ICBC 4711",
            reason="The tenant leaves",
            now=make.NOW,
        )


def lose(invoice: Invoice, actor: Actor = ANNE) -> MoneyDecision:
    with operator_scope():
        return write_off(
            actor=actor,
            tenant_id=invoice.tenant_id,
            invoice_id=invoice.pk,
            reason="Insolvent",
            now=OVERDUE,
        )


def recover(lost: MoneyDecision, amount: str) -> MoneyDecision:
    with operator_scope():
        return recover_debt(
            actor=ANNE,
            tenant_id=lost.tenant_id,
            write_off_id=lost.pk,
            amount=Decimal(amount),
            reason="The estate paid",
            now=OVERDUE,
        )


def approve(decision: MoneyDecision, actor: Actor = BERT) -> None:
    now = OVERDUE if decision.kind.startswith("write_off") else make.NOW
    with operator_scope():
        approve_money_decision(actor=actor, decision_id=decision.pk, now=now)


def refused(decision: MoneyDecision) -> None:
    """Nothing happened: the decision still waits and nothing is booked under it."""
    with operator_scope():
        found = MoneyDecision.objects.get(pk=decision.pk)
        assert (found.state, found.transaction_id, found.decided_at) == ("proposed", None, None)
        assert not LedgerTransaction.objects.filter(kind=decision.kind).exists()


def legs(kind: str) -> list[tuple[str, Decimal]]:
    with operator_scope():
        rows = LedgerEntry.objects.filter(transaction__kind=kind).order_by("account__kind")
        return list(rows.values_list("account__kind", "amount"))


def told(kind: str, language: str = "en") -> tuple[str, str]:
    with operator_scope(), override(language):
        notice = Notice.objects.get(kind=kind)
        return title_of(kind, notice.detail), body_of(kind, notice.detail)


@pytest.fixture
def bill(alice: Organisation, prices: PriceVersion) -> Invoice:
    """Cards for 36.00 and tokens for 100.00 net; 144.16 with tax."""
    ingest(alice, make.tokens("t1", 100_000_000), make.cards("c1", 36_000))
    return issue(alice)


# A top-up taken back


def test_the_wrong_part_of_a_top_up_is_taken_back(alice: Organisation) -> None:
    pay_in(alice, "100000.00")
    decision = reverse(alice, "90000.00")
    assert stands(alice).balance == Decimal("100000.00")
    approve(decision)
    assert stands(alice).balance == Decimal("10000.00")
    assert legs("top_up_reversal") == [
        ("cash", Decimal("-90000.000000")),
        ("wallet", Decimal("90000.000000")),
    ]
    assert told("wallet.top_up_reversed") == (
        "A top-up is taken back",
        "90000.00 CNY of the top-up bank slip are taken back: A zero too many",
    )
    assert told("wallet.top_up_reversed", "zh-hans") == (
        "一笔充值已冲正",
        "充值 bank slip 中的 90000.00 CNY 已冲正：A zero too many",
    )
    with operator_scope():
        trail = AuditEntry.objects.filter(subject=f"billing.money_decision:{decision.pk}")
        assert list(trail.order_by("at", "pk").values_list("action", "actor_name")) == [
            ("billing.top_up_reversal.proposed", "Anne"),
            ("billing.top_up_reversal.done", "Bert"),
        ]
    assert broken() == ()


def test_a_top_up_is_taken_back_once(alice: Organisation) -> None:
    pay_in(alice, "100.00")
    decision = reverse(alice, "60.00")
    with pytest.raises(TopUpReversed):
        reverse(alice, "40.00")
    approve(decision)
    with pytest.raises(TopUpReversed):
        reverse(alice, "40.00")
    with pytest.raises(MoneyDecided):
        approve(decision)
    assert stands(alice).balance == Decimal("40.00")
    assert broken() == ()


def test_what_was_rejected_may_be_proposed_again(alice: Organisation) -> None:
    pay_in(alice, "100.00")
    with operator_scope():
        reject_money_decision(actor=BERT, decision_id=reverse(alice).pk, now=make.NOW)
    assert stands(alice).balance == Decimal("100.00")
    approve(reverse(alice))
    assert stands(alice).balance == 0


def test_more_than_was_paid_in_is_not_taken_back(alice: Organisation) -> None:
    pay_in(alice, "50.00", key="other")
    pay_in(alice, "100.00")
    with pytest.raises(TopUpSmaller):
        reverse(alice, "100.01")
    with operator_scope():
        assert not MoneyDecision.objects.exists()


def test_what_paid_an_invoice_is_not_in_the_wallet_any_more(
    alice: Organisation, bill: Invoice
) -> None:
    pay_in(alice, "200.00")
    with pytest.raises(WalletLacksIt) as refusal:
        reverse(alice)
    assert refusal.value.params == {"wallet": Decimal("55.840000"), "currency": "CNY"}
    approve(reverse(alice, "55.84"))
    assert stands(alice).balance == 0
    assert broken() == ()


def test_money_that_was_spent_between_the_two_people_is_not_taken_back(
    alice: Organisation, prices: PriceVersion
) -> None:
    pay_in(alice, "200.00")
    decision = reverse(alice)
    ingest(alice, make.tokens("t1", 100_000_000))
    issue(alice)
    with pytest.raises(WalletLacksIt):
        approve(decision)
    refused(decision)
    assert stands(alice).balance == Decimal("94.00")


def test_a_reversal_that_uncovers_use_puts_the_tenant_in_arrears_at_once(
    alice: Organisation, prices: PriceVersion
) -> None:
    pay_in(alice, "200.00")
    with operator_scope():
        Account.objects.filter(tenant=alice).update(unbilled=Decimal("50.00"))
    approve(reverse(alice))
    with operator_scope():
        assert ArrearsStanding.objects.get(tenant=alice).state == "grace"


def fapiao_over_top_up(tenant: Organisation) -> Fapiao:
    with operator_scope():
        save_tax_profile(
            actor=SYSTEM,
            tenant_id=tenant.pk,
            buyer_name="爱丽丝",
            kind="digital_ordinary",
            now=make.NOW,
        )
        set_fapiao_basis(actor=SYSTEM, tenant_id=tenant.pk, basis="on_topup", now=make.NOW)
        return request_fapiao(
            actor=SYSTEM, tenant_id=tenant.pk, wanted=[top_up_of(tenant).pk], now=make.NOW
        )


def test_a_top_up_with_a_fapiao_is_not_taken_back_before_the_fapiao_is(
    alice: Organisation,
) -> None:
    pay_in(alice, "100.00")
    letter = fapiao_over_top_up(alice)
    for propose in (lambda: reverse(alice, "60.00"), lambda: give_back(alice, "60.00")):
        with pytest.raises(FapiaoStands):
            propose()
    with operator_scope():
        fail_fapiao(actor=SYSTEM, fapiao_id=letter.pk, reason="never sent", now=make.NOW)
    approve(reverse(alice, "60.00"))
    # The next one stands for what is left of the top-up.
    assert fapiao_over_top_up(alice).gross == Decimal("40.00")
    assert broken() == ()


# Paid back


def test_what_is_free_is_paid_back_to_the_tenant(alice: Organisation) -> None:
    pay_in(alice, "100.00")
    approve(give_back(alice, "100.00"))
    assert stands(alice).balance == 0
    assert legs("pay_out") == [
        ("cash", Decimal("-100.000000")),
        ("wallet", Decimal("100.000000")),
    ]
    assert told("wallet.paid_out") == (
        "Money of the wallet is paid back",
        "100.00 CNY are paid back by transfer ICBC 4711: The tenant leaves",
    )
    assert broken() == ()


def test_what_is_held_used_or_lent_is_not_paid_back(
    alice: Organisation, prices: PriceVersion
) -> None:
    pay_in(alice, "200.00")
    ingest(alice, make.cards("c1", 36_000))
    with operator_scope():
        set_credit_limit(actor=SYSTEM, tenant_id=alice.pk, amount=Decimal(1000), now=make.NOW)
        set_hold(
            actor=SYSTEM,
            tenant_id=alice.pk,
            key="r1",
            amount=Decimal(60),
            expires_at=None,
            now=make.NOW,
        )
    # 200.00 less 60.00 held and 38.16 used that nobody had counted yet.
    with pytest.raises(NotFree) as refusal:
        give_back(alice, "101.85")
    assert refusal.value.params == {"free": Decimal("101.84"), "currency": "CNY"}
    approve(give_back(alice, "101.84"))
    assert stands(alice).balance == Decimal("98.16")
    assert broken() == ()


def test_a_hold_between_the_two_people_keeps_the_money_in_the_wallet(alice: Organisation) -> None:
    pay_in(alice, "100.00")
    decision = give_back(alice, "100.00")
    with operator_scope():
        set_hold(
            actor=SYSTEM,
            tenant_id=alice.pk,
            key="r1",
            amount=Decimal(1),
            expires_at=None,
            now=make.NOW,
        )
    with pytest.raises(NotFree):
        approve(decision)
    refused(decision)
    assert stands(alice).balance == Decimal("100.00")


def test_another_currency_is_paid_back_in_itself(alice: Organisation) -> None:
    bill_in(alice, "USD")
    pay_in(alice, "100.00")
    approve(give_back(alice, "40.00"))
    assert stands(alice).balance == Decimal("60.00")
    assert told("wallet.paid_out")[1].startswith("40.00 USD are paid back")
    assert broken() == ()


# Written off and recovered


def test_an_overdue_debt_is_written_off_and_owed_no_more(
    alice: Organisation, bill: Invoice
) -> None:
    pay_in(alice, "44.16")
    decision = lose(bill)
    assert decision.amount == Decimal("100.00")
    approve(decision)
    assert legs("write_off") == [
        ("bad_debt", Decimal("100.000000")),
        ("receivable", Decimal("-100.000000")),
    ]
    assert stands(alice).balance == 0
    with operator_scope():
        found = invoice_detail(tenant_id=alice.pk, invoice_id=bill.pk, now=make.NOW)
        assert (found.paid, found.written_off, found.due, found.to_wallet) == (
            Decimal("44.16"),
            Decimal("100.00"),
            0,
            0,
        )
        assert [one.code for one in debtors(actor=BERT, now=OVERDUE)] == []
    assert told("invoice.written_off") == (
        f"Invoice {bill.number} is written off",
        "100.00 CNY were not paid and are booked as lost. What is paid for it later is still "
        "taken.",
    )
    assert broken() == ()


def test_a_write_off_ends_the_arrears_that_stood_on_it(alice: Organisation, bill: Invoice) -> None:
    with operator_scope():
        states = [
            reassess(tenant_id=alice.pk, now=make.NOW + timedelta(days=days)).state
            for days in (0, 8, 16)
        ]
    assert states == ["grace", "retention", "released"]
    approve(lose(bill))
    with operator_scope():
        standing = ArrearsStanding.objects.get(tenant=alice)
    assert (standing.state, standing.amount_needed) == ("normal", 0)
    assert broken() == ()


def test_a_debt_that_is_not_due_or_was_paid_meanwhile_is_not_written_off(
    alice: Organisation, bill: Invoice
) -> None:
    with operator_scope(), pytest.raises(NotOverdue):
        write_off(
            actor=ANNE, tenant_id=alice.pk, invoice_id=bill.pk, reason="Too soon", now=make.NOW
        )
    decision = lose(bill)
    with pytest.raises(WrittenOff):
        lose(bill)
    pay_in(alice, "0.16")
    with pytest.raises(DebtChanged) as refusal:
        approve(decision)
    assert refusal.value.params["due"] == Decimal("144.00")
    refused(decision)


def test_what_was_written_off_is_not_credited(alice: Organisation, bill: Invoice) -> None:
    approve(lose(bill))
    with operator_scope(), pytest.raises(InvoiceWrittenOff):
        issue_credit_note(
            actor=SYSTEM, tenant_id=alice.pk, invoice_id=bill.pk, reason="x", now=OVERDUE
        )
    assert stands(alice).balance == 0


def test_a_later_payment_recovers_the_debt_and_no_more_than_it(
    alice: Organisation, bill: Invoice
) -> None:
    decision = lose(bill)
    approve(decision)
    pay_in(alice, "200.00")
    assert stands(alice).balance == Decimal("200.00")
    with pytest.raises(RecoveryExceeds):
        recover(decision, "144.17")
    approve(recover(decision, "100.00"))
    with pytest.raises(RecoveryExceeds) as refusal:
        recover(decision, "44.17")
    assert refusal.value.params["left"] == Decimal("44.16")
    approve(recover(decision, "44.16"))
    assert stands(alice).balance == Decimal("55.84")
    with operator_scope():
        lost = received(actor=BERT, period=Period(make.NOW, OVERDUE + timedelta(days=1)))
    assert (lost.written_off, lost.recovered, lost.owed) == (
        Decimal("144.16"),
        Decimal("144.16"),
        0,
    )
    assert told_bodies("invoice.recovered") == [
        "100.00 CNY of the wallet paid the debt.",
        "44.16 CNY of the wallet paid the debt.",
    ]
    assert broken() == ()


def told_bodies(kind: str) -> list[str]:
    with operator_scope(), override("en"):
        rows = Notice.objects.filter(kind=kind).order_by("pk")
        return [body_of(kind, row.detail) for row in rows]


def test_the_account_statement_says_each_of_them_in_words(
    alice: Organisation, bill: Invoice
) -> None:
    lost = lose(bill)
    approve(lost)
    pay_in(alice, "300.00", now=OVERDUE)
    approve(recover(lost, "44.16"))
    with operator_scope():
        told = account_statement(
            actor=BERT,
            tenant_id=alice.pk,
            period=Period(OVERDUE - timedelta(days=1), OVERDUE + timedelta(days=1)),
        )
    assert [(one.kind, one.reference, one.amount, one.balance) for one in told.entries] == [
        ("write_off", bill.number, Decimal("144.16"), 0),
        ("top_up", "bank slip", Decimal("300.00"), Decimal("300.00")),
        ("write_off_recovery", bill.number, Decimal("-44.16"), Decimal("255.84")),
    ]
    assert (told.opening, told.topped_up, told.other, told.closing) == (
        Decimal("-144.16"),
        Decimal("300.00"),
        Decimal("100.00"),
        Decimal("255.84"),
    )
    kinds = ("top_up_reversal", "pay_out", "write_off", "write_off_recovery")
    assert [movement(kind, ENGLISH) for kind in kinds] == [
        "Top-up taken back",
        "Paid back",
        "Debt written off",
        "Written-off debt recovered",
    ]
    assert [movement(kind, CHINESE) for kind in kinds] == [
        "充值冲正",
        "退款",
        "坏账核销",
        "坏账收回",
    ]


# Two people


def test_nobody_agrees_with_themselves(alice: Organisation) -> None:
    pay_in(alice, "100.00")
    decision = give_back(alice, "10.00")
    for alone in (ANNE, SYSTEM):
        with pytest.raises(FourEyesRequired):
            approve(decision, alone)
    refused(decision)
    assert stands(alice).balance == Decimal("100.00")


def test_only_finance_proposes_and_decides(alice: Organisation) -> None:
    pay_in(alice, "100.00")
    decision = give_back(alice, "10.00")
    for role in ("support", "capacity"):
        with pytest.raises(PermissionRefused):
            give_back(alice, "10.00", somebody("Carl", role))
        with pytest.raises(PermissionRefused):
            approve(decision, somebody("Carl", role))
    refused(decision)


def test_a_proposal_says_how_much_and_why(alice: Organisation, bob: Organisation) -> None:
    pay_in(alice, "100.00")
    for wrong in ("0", "-1", "0.001", "NaN"):
        with pytest.raises(AmountRefused):
            give_back(alice, wrong)
    with operator_scope():
        said = {"actor": ANNE, "tenant_id": alice.pk, "amount": Decimal(1), "now": make.NOW}
        for reference, reason in ((" ", "why"), ("4711", " ")):
            with pytest.raises(InvalidInput):
                pay_out(**said, reference=reference, reason=reason)
        with pytest.raises(NotFound):
            reverse_top_up(
                actor=ANNE,
                tenant_id=bob.pk,
                top_up_id=top_up_of(alice).pk,
                reason="x",
                now=make.NOW,
            )
        assert not MoneyDecision.objects.exists()


# What the database refuses by itself


def put_through(
    decision: MoneyDecision, sides: tuple[LedgerKind, LedgerKind], amount: str, **changes: object
) -> None:
    """Book and close a decision past the command and everything it asks."""
    with operator_scope(), transaction.atomic():
        debit, credit = sides
        made = book(
            tenant_id=decision.tenant_id,
            kind=decision.kind,
            key=f"forced:{uuid7()}",
            legs={debit: Decimal(amount), credit: -Decimal(amount)},
            reference="",
            booked_at=make.NOW,
        )
        done = {
            "state": "done",
            "transaction": made.transaction,
            "decided_at": OVERDUE,
            "decided_by_id": BERT.id,
            "decided_by": "Bert",
            **changes,
        }
        MoneyDecision.objects.filter(pk=decision.pk).update(**done)


def forced(tenant_id: UUID, kind: str, amount: str, **about: object) -> MoneyDecision:
    with operator_scope():
        return MoneyDecision.objects.create(
            tenant_id=tenant_id,
            kind=kind,
            amount=Decimal(amount),
            reason="forced",
            reference="forced",
            proposed_at=make.NOW,
            proposed_by_id=ANNE.id,
            proposed_by="Anne",
            **about,
        )


OUT = (LedgerKind.WALLET, LedgerKind.CASH)
LOST = (LedgerKind.BAD_DEBT, LedgerKind.RECEIVABLE)
BACK = (LedgerKind.WALLET, LedgerKind.BAD_DEBT)


def test_the_database_pays_out_nothing_that_is_held_used_or_lent(alice: Organisation) -> None:
    pay_in(alice, "100.00")
    with operator_scope():
        set_credit_limit(actor=SYSTEM, tenant_id=alice.pk, amount=Decimal(1000), now=make.NOW)
        set_hold(
            actor=SYSTEM,
            tenant_id=alice.pk,
            key="r1",
            amount=Decimal(60),
            expires_at=None,
            now=make.NOW,
        )
    decision = forced(alice.pk, "pay_out", "40.01")
    with pytest.raises(IntegrityError, match="billing_moneydecision_within_free|only what is free"):
        put_through(decision, OUT, "40.01")
    refused(decision)
    assert stands(alice).balance == Decimal("100.00")
    put_through(forced(alice.pk, "pay_out", "40.00"), OUT, "40.00")
    assert stands(alice).balance == Decimal("60.00")
    assert broken() == ()


def test_the_database_takes_back_no_more_than_was_paid_in(alice: Organisation) -> None:
    pay_in(alice, "100.00")
    pay_in(alice, "50.00", key="second")
    small = top_up_of(alice)
    decision = forced(alice.pk, "top_up_reversal", "50.01", top_up=small)
    with pytest.raises(IntegrityError, match="as much is taken back as was paid in"):
        put_through(decision, OUT, "50.01")
    with pytest.raises(IntegrityError, match="billing_moneydecision_top_up_once"):
        forced(alice.pk, "top_up_reversal", "1.00", top_up=small)
    refused(decision)


def test_the_database_takes_back_no_top_up_that_a_fapiao_stands_for(alice: Organisation) -> None:
    pay_in(alice, "100.00")
    fapiao_over_top_up(alice)
    for decision in (
        forced(alice.pk, "top_up_reversal", "60.00", top_up=top_up_of(alice)),
        forced(alice.pk, "pay_out", "60.00"),
    ):
        with pytest.raises(IntegrityError, match="a fapiao stands for"):
            put_through(decision, OUT, "60.00")
        refused(decision)


def test_the_database_makes_out_no_fapiao_over_what_was_taken_back(alice: Organisation) -> None:
    pay_in(alice, "100.00")
    approve(reverse(alice, "60.00"))
    letter = fapiao_over_top_up(alice)
    top_up = top_up_of(alice)
    with pytest.raises(IntegrityError, match="money that is there, once"):
        cover_more(letter, top_up)


def cover_more(letter: Fapiao, top_up: LedgerTransaction) -> None:
    """A second fapiao over the same top-up, past the command."""
    with operator_scope(), transaction.atomic():
        letter.pk, letter.serial = uuid7(), "F-second"
        letter.save(force_insert=True)
        letter.covers.create(tenant_id=top_up.tenant_id, top_up=top_up, amount=Decimal("0.01"))


def test_the_database_writes_off_what_is_open_and_overdue_once(
    alice: Organisation, bill: Invoice
) -> None:
    decision = forced(alice.pk, "write_off", "144.16", invoice=bill)
    with pytest.raises(IntegrityError, match="billing_moneydecision_invoice_once"):
        forced(alice.pk, "write_off", "1.00", invoice=bill)
    with pytest.raises(IntegrityError, match="after it was due"):
        put_through(decision, LOST, "144.16", decided_at=make.NOW)
    refused(decision)
    put_through(decision, LOST, "144.16")
    assert stands(alice).balance == 0
    assert broken() == ()


def test_the_database_writes_off_no_more_than_is_open_of_this_invoice(
    alice: Organisation, prices: PriceVersion
) -> None:
    ingest(alice, make.cards("c1", 36_000, make.NOW - 5 * make.HOUR))
    first = issue(alice, until=make.NOW - 3 * make.HOUR)
    ingest(alice, make.cards("c2", 36_000))
    # A second debt, so that the receivable by itself would bear more.
    issue(alice)
    decision = forced(alice.pk, "write_off", "38.17", invoice=first)
    with pytest.raises(IntegrityError, match="what is open of an invoice is written off, once"):
        put_through(decision, LOST, "38.17")
    refused(decision)


def test_the_database_recovers_no_more_than_was_lost(alice: Organisation, bill: Invoice) -> None:
    lost = lose(bill)
    approve(lost)
    pay_in(alice, "300.00")
    decision = forced(alice.pk, "write_off_recovery", "144.17", write_off=lost)
    with pytest.raises(IntegrityError, match="what was written off is recovered, once"):
        put_through(decision, BACK, "144.17")
    refused(decision)


def test_the_database_lets_no_payment_and_no_note_touch_what_was_written_off(
    alice: Organisation, bill: Invoice
) -> None:
    approve(lose(bill))
    pay_in(alice, "300.00")
    with operator_scope():
        assert not bill.payments.exists()
        top_up = top_up_of(alice)
        with pytest.raises(IntegrityError, match="an invoice is paid once"), transaction.atomic():
            bill.payments.create(
                tenant=alice, transaction=top_up, amount=Decimal("0.01"), paid_at=make.NOW
            )


@pytest.mark.parametrize("changes", [{"decided_by_id": ANNE.id}, {"decided_by_id": None}])
def test_the_database_wants_two_people(alice: Organisation, changes: dict[str, object]) -> None:
    pay_in(alice, "100.00")
    decision = forced(alice.pk, "pay_out", "10.00")
    with pytest.raises(IntegrityError, match="billing_moneydecision_four_eyes"):
        put_through(decision, OUT, "10.00", **changes)
    refused(decision)


@pytest.mark.parametrize(
    ("sides", "amount"), [(OUT, "10.01"), (BACK, "10.00"), ((OUT[1], OUT[0]), "10.00")]
)
def test_the_database_books_what_was_agreed_and_nothing_else(
    alice: Organisation, sides: tuple[LedgerKind, LedgerKind], amount: str
) -> None:
    pay_in(alice, "100.00")
    decision = forced(alice.pk, "pay_out", "10.00")
    with pytest.raises(IntegrityError, match="what was agreed to is what is booked"):
        put_through(decision, sides, amount)
    refused(decision)


def test_the_database_books_nothing_that_nobody_decided(alice: Organisation) -> None:
    pay_in(alice, "100.00")
    with pytest.raises(IntegrityError, match="two people decide"):
        book_alone(alice)
    assert stands(alice).balance == Decimal("100.00")


def book_alone(tenant: Organisation) -> None:
    with operator_scope(), transaction.atomic(), connection.cursor() as cursor:
        book(
            tenant_id=tenant.pk,
            kind="pay_out",
            key="alone",
            legs={LedgerKind.WALLET: Decimal(10), LedgerKind.CASH: Decimal(-10)},
            reference="",
            booked_at=make.NOW,
        )
        # What a commit asks.
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def test_a_decision_begins_as_a_proposal_and_never_changes(alice: Organisation) -> None:
    pay_in(alice, "100.00")
    with pytest.raises(IntegrityError, match="begins as a proposal"):
        forced(alice.pk, "pay_out", "10.00", state="rejected")
    decision = give_back(alice, "10.00")
    approve(decision)
    for changes in ({"amount": Decimal(1)}, {"state": "proposed"}, {"decided_by": "Nobody"}):
        with operator_scope(), pytest.raises(DatabaseError), transaction.atomic():
            MoneyDecision.objects.filter(pk=decision.pk).update(**changes)
    with tenant_scope(alice.pk), pytest.raises(DatabaseError), transaction.atomic():
        MoneyDecision.objects.filter(pk=decision.pk).update(state="rejected")
    with operator_scope():
        found = MoneyDecision.objects.get(pk=decision.pk)
    assert (found.state, found.amount, found.decided_by) == ("done", Decimal("10.00"), "Bert")
    assert broken() == ()
