"""Credit notes: gapless and chained, never more than a line, paid parts paid back."""

from decimal import Decimal

import pytest
from django.db import DatabaseError, IntegrityError, transaction

from billing.commands import credit_notes as issuing
from billing.commands.adjustments import (
    AdjustmentDecided,
    RebilledAlready,
    SecondPersonNeeded,
    approve_adjustment,
    propose_adjustment,
    reject_adjustment,
)
from billing.commands.credit_notes import (
    Credited,
    CreditNoteRefused,
    InvoiceNotCreditable,
    due_of,
    issue_credit_note,
    note_hash,
)
from billing.commands.disputes import (
    DisputeAnswered,
    DisputeOpen,
    accept_dispute,
    open_dispute,
    reject_dispute,
    withdraw_dispute,
)
from billing.commands.wallet import set_currency
from billing.models import (
    Adjustment,
    CreditNote,
    CreditNoteLine,
    Dispute,
    Invoice,
    InvoiceLine,
    PriceVersion,
)
from common.errors import InvalidInput, NotFound
from common.ids import uuid7
from tenants.models import Notice, Organisation
from tenants.permissions import OPERATOR_ROLES, SYSTEM, Actor, ActorKind
from tenants.scoping import operator_scope, tenant_scope
from tests.billing.shorthand import broken, ingest, issue, pay_in, stands
from tests.factories import billing as make

pytestmark = pytest.mark.django_db


def somebody(name: str) -> Actor:
    return Actor(
        kind=ActorKind.OPERATOR,
        id=uuid7(),
        name=name,
        tenant_id=None,
        permissions=OPERATOR_ROLES["finance"],
    )


def credit(invoice: Invoice, **nets: str) -> CreditNote:
    """Credit net amounts by position (``_1="2.00"``), or everything."""
    chosen = {int(name[1:]): Decimal(net) for name, net in nets.items()} or None
    with operator_scope():
        return issue_credit_note(
            actor=SYSTEM,
            tenant_id=invoice.tenant_id,
            invoice_id=invoice.pk,
            reason="Cards failed",
            nets=chosen,
            now=make.NOW,
        )


def due(invoice: Invoice) -> Decimal:
    with operator_scope():
        return due_of(invoice)


@pytest.fixture
def bill(alice: Organisation, prices: PriceVersion) -> Invoice:
    """Cards for 36.00 and tokens for 100.00 net; 144.16 with tax."""
    ingest(alice, make.tokens("t1", 100_000_000), make.cards("c1", 36_000))
    return issue(alice)


def test_a_void_takes_back_what_is_owed_and_no_more(alice: Organisation, bill: Invoice) -> None:
    note = credit(bill)
    assert (note.number, note.is_full) == ("ACC-CN-2026-000001", True)
    assert (str(note.net), str(note.tax), str(note.gross)) == ("136.00", "8.16", "144.16")
    assert (note.from_due, note.to_wallet) == (bill.gross, 0)
    assert (stands(alice).balance, due(bill)) == (0, 0)
    with operator_scope():
        kinds = set(Notice.objects.values_list("kind", flat=True))
    assert {"credit_note.issued", "invoice.voided"} <= kinds
    with pytest.raises(InvoiceNotCreditable):
        credit(bill)
    assert broken() == ()


def test_what_was_paid_goes_back_to_the_wallet(alice: Organisation, bill: Invoice) -> None:
    pay_in(alice, "100.00")
    assert stands(alice).balance == Decimal("-44.16")
    part = credit(bill, _2="50.00")
    assert (part.gross, part.from_due, part.to_wallet) == (
        Decimal("53.00"),
        Decimal("44.16"),
        Decimal("8.84"),
    )
    assert (part.is_full, due(bill), stands(alice).balance) == (False, 0, Decimal("8.84"))
    rest = credit(bill)
    assert (rest.gross, rest.from_due, rest.to_wallet, rest.is_full) == (
        Decimal("91.16"),
        0,
        Decimal("91.16"),
        True,
    )
    assert stands(alice).balance == 100
    assert broken() == ()


def test_money_paid_back_settles_what_else_is_open(
    alice: Organisation, prices: PriceVersion
) -> None:
    ingest(alice, make.cards("c1", 36_000, make.NOW - 5 * make.HOUR))
    first = issue(alice, until=make.NOW - 3 * make.HOUR)
    pay_in(alice, "38.16")
    ingest(alice, make.cards("c2", 36_000))
    second = issue(alice)
    assert (due(first), due(second)) == (0, Decimal("38.16"))
    credit(first)
    assert (due(first), due(second), stands(alice).balance) == (0, 0, 0)
    assert broken() == ()


def test_a_credited_invoice_takes_no_payment_for_what_was_credited(
    alice: Organisation, bill: Invoice
) -> None:
    credit(bill, _1="36.00")
    pay_in(alice, "500.00")
    assert due(bill) == 0
    assert stands(alice).balance == Decimal("394.00")
    assert broken() == ()


def test_the_last_part_of_a_line_takes_the_tax_that_is_left(
    alice: Organisation, prices: PriceVersion
) -> None:
    ingest(alice, make.tokens("t1", 250_000))
    invoice = issue(alice)
    assert (str(invoice.net), str(invoice.tax)) == ("0.25", "0.02")
    notes = [credit(invoice, _1=part) for part in ("0.09", "0.09", "0.07")]
    assert [str(note.tax) for note in notes] == ["0.01", "0.01", "0.00"]
    assert notes[-1].is_full
    assert stands(alice).balance == 0
    assert broken() == ()


@pytest.mark.parametrize("net", ["36.01", "0", "-1", "0.001", "NaN", "Infinity"])
def test_no_line_is_credited_beyond_itself(alice: Organisation, bill: Invoice, net: str) -> None:
    with pytest.raises(CreditNoteRefused):
        credit(bill, _1=net)
    with operator_scope():
        assert CreditNote.objects.count() == 0
    assert stands(alice).balance == -bill.gross


def test_foreign_lines_and_invoices_and_empty_reasons_are_refused(
    alice: Organisation, bob: Organisation, bill: Invoice
) -> None:
    with pytest.raises(NotFound):
        credit(bill, _9="1.00")
    for tenant, reason, refusal in ((bob, "x", NotFound), (alice, " ", InvalidInput)):
        with operator_scope(), pytest.raises(refusal):
            issue_credit_note(
                actor=SYSTEM,
                tenant_id=tenant.pk,
                invoice_id=bill.pk,
                reason=reason,
                now=make.NOW,
            )
    with operator_scope():
        assert CreditNote.objects.count() == 0


def test_the_database_refuses_a_line_credited_twice_by_itself(
    alice: Organisation, bill: Invoice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: what the command and the credits reckon to be left is taken away."""
    credit(bill, _1="36.00")
    with operator_scope():
        line = InvoiceLine.objects.get(invoice=bill, position=1)
    again = (Credited(line, line.net, line.tax),)
    monkeypatch.setattr(issuing, "_credited", lambda *_: again)
    monkeypatch.setattr(issuing, "_restored", lambda *_: Decimal(0))
    with pytest.raises(IntegrityError, match="no line is credited twice"):
        credit(bill)
    with operator_scope():
        assert CreditNote.objects.count() == 1
    assert broken() == ()


def test_a_note_never_changes_and_its_hash_says_all_of_it(
    alice: Organisation, bill: Invoice
) -> None:
    note = credit(bill, _1="10.00")
    with operator_scope():
        stored = CreditNote.objects.get(pk=note.pk)
        lines = list(CreditNoteLine.objects.filter(credit_note=note).order_by("position"))
        assert note_hash(stored, bill.number, lines) == stored.content_hash
        stored.reason = "Something else"
        assert note_hash(stored, bill.number, lines) != stored.content_hash
    for rows in (CreditNote.objects, CreditNoteLine.objects):
        with operator_scope(), pytest.raises(DatabaseError), transaction.atomic():
            rows.update(gross=0)
        with operator_scope(), pytest.raises(DatabaseError), transaction.atomic():
            rows.all().delete()


def test_notes_form_a_chain_of_their_own(alice: Organisation, bill: Invoice) -> None:
    notes = [credit(bill, _1="1.00") for _ in range(3)]
    assert [note.sequence for note in notes] == [1, 2, 3]
    assert [note.previous_hash for note in notes] == ["", *[n.content_hash for n in notes[:2]]]
    assert broken() == ()


def dispute(tenant: Organisation, invoice: Invoice, position: int = 1) -> Dispute:
    with tenant_scope(tenant.pk):
        return open_dispute(
            actor=SYSTEM,
            tenant_id=tenant.pk,
            invoice_id=invoice.pk,
            position=position,
            reason="We never used these cards.",
            now=make.NOW,
        )


def test_an_accepted_objection_credits_the_line(alice: Organisation, bill: Invoice) -> None:
    made = dispute(alice, bill)
    with pytest.raises(DisputeOpen):
        dispute(alice, bill)
    assert stands(alice).balance == -bill.gross
    with operator_scope():
        note = accept_dispute(
            actor=SYSTEM, dispute_id=made.pk, answer="You are right.", now=make.NOW
        )
        with pytest.raises(DisputeAnswered):
            reject_dispute(actor=SYSTEM, dispute_id=made.pk, answer="No.", now=make.NOW)
        found = Dispute.objects.get(pk=made.pk)
        assert Notice.objects.filter(kind="dispute.answered").count() == 1
    assert (found.state, found.credit_note_id, str(note.net)) == ("accepted", note.pk, "36.00")
    assert stands(alice).balance == Decimal("-106.00")


def test_a_rejected_or_withdrawn_objection_changes_no_money(
    alice: Organisation, bob: Organisation, bill: Invoice
) -> None:
    first, second = dispute(alice, bill, 1), dispute(alice, bill, 2)
    with operator_scope():
        reject_dispute(actor=SYSTEM, dispute_id=first.pk, answer="They ran.", now=make.NOW)
    with tenant_scope(bob.pk), pytest.raises(NotFound):
        withdraw_dispute(
            actor=SYSTEM, tenant_id=bob.pk, invoice_id=bill.pk, dispute_id=second.pk, now=make.NOW
        )
    with tenant_scope(alice.pk):
        withdraw_dispute(
            actor=SYSTEM, tenant_id=alice.pk, invoice_id=bill.pk, dispute_id=second.pk, now=make.NOW
        )
    with operator_scope():
        states = list(Dispute.objects.order_by("pk").values_list("state", flat=True))
        assert CreditNote.objects.count() == 0
    assert states == ["rejected", "withdrawn"]
    assert stands(alice).balance == -bill.gross
    dispute(alice, bill, 1)


def propose(tenant: Organisation, net: str, actor: Actor, **more: object) -> Adjustment:
    with operator_scope():
        return propose_adjustment(
            actor=actor,
            tenant_id=tenant.pk,
            net=Decimal(net),
            tax_code="it_service",
            title_en="Goodwill",
            title_zh="补偿",
            reason="Two days of trouble",
            now=make.NOW,
            **more,  # type: ignore[arg-type]
        )


def test_an_adjustment_above_the_limit_takes_two_people(
    alice: Organisation, prices: PriceVersion
) -> None:
    one, other = somebody("one"), somebody("other")
    assert propose(alice, "-10000.00", one).state == "approved"
    large = propose(alice, "-10000.01", one)
    assert large.state == "proposed"
    with operator_scope(), pytest.raises(SecondPersonNeeded):
        approve_adjustment(actor=one, adjustment_id=large.pk, now=make.NOW)
    with operator_scope(), pytest.raises(IntegrityError), transaction.atomic():
        Adjustment.objects.filter(pk=large.pk).update(state="approved", decided_by=one.id)
    with operator_scope():
        approve_adjustment(actor=other, adjustment_id=large.pk, now=make.NOW)
        with pytest.raises(AdjustmentDecided):
            approve_adjustment(actor=other, adjustment_id=large.pk, now=make.NOW)
        reject_adjustment(actor=one, adjustment_id=large.pk, now=make.NOW)
        assert Adjustment.objects.get(pk=large.pk).state == "rejected"


def test_in_another_currency_every_adjustment_takes_two_people(
    alice: Organisation, prices: PriceVersion
) -> None:
    with operator_scope():
        set_currency(actor=SYSTEM, tenant_id=alice.pk, currency="USD", now=make.NOW)
    one, other = somebody("Anna"), somebody("Bert")
    small = propose(alice, "0.50", one)
    assert (small.needs_two, small.state) == (True, "proposed")
    with operator_scope(), pytest.raises(SecondPersonNeeded):
        approve_adjustment(actor=one, adjustment_id=small.pk, now=make.NOW)
    with operator_scope():
        small.refresh_from_db()
        assert small.state == "proposed"
        approve_adjustment(actor=other, adjustment_id=small.pk, now=make.NOW)
        small.refresh_from_db()
    assert small.state == "approved"


@pytest.mark.parametrize("net", ["0", "0.001", "NaN", "100000000.01"])
def test_an_adjustment_is_an_amount(alice: Organisation, prices: PriceVersion, net: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        propose(alice, net, SYSTEM)
    assert [error.pointer for error in refused.value.errors] == ["/net"]
    with operator_scope():
        assert Adjustment.objects.count() == 0


def test_credited_usage_is_charged_again_only_once_and_by_choice(
    alice: Organisation, bill: Invoice
) -> None:
    note = credit(bill, _1="36.00")
    with operator_scope():
        line = CreditNoteLine.objects.get(credit_note=note)
    made = propose(alice, "36.00", SYSTEM, rebills=line.pk)
    with pytest.raises(RebilledAlready):
        propose(alice, "36.00", SYSTEM, rebills=line.pk)
    with pytest.raises(NotFound):
        propose(alice, "36.00", SYSTEM, rebills=uuid7())
    with operator_scope():
        reject_adjustment(actor=SYSTEM, adjustment_id=made.pk, now=make.NOW)
    assert propose(alice, "30.00", SYSTEM, rebills=line.pk).state == "approved"
