"""Fapiao: asked for over what is left, handed to the tax software, issued, taken back."""

from datetime import timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from django.db import DatabaseError, IntegrityError, transaction

from billing.commands import fapiao as asking
from billing.commands.credit_notes import issue_credit_note
from billing.commands.fapiao import (
    FapiaoBasisRefused,
    FapiaoNotPossible,
    NoTaxProfile,
    request_fapiao,
    save_tax_profile,
    set_fapiao_basis,
)
from billing.commands.fapiao_desk import (
    FapiaoMoved,
    FapiaoResult,
    deliver_fapiao,
    export_fapiao,
    fail_fapiao,
    mark_overdue_fapiao,
    record_result,
    record_results,
)
from billing.commands.fapiao_red import RedLetterRefused, confirm_red, request_red
from billing.models import (
    Fapiao,
    FapiaoCover,
    FapiaoLine,
    Invoice,
    LedgerTransaction,
    PriceVersion,
    TaxProfile,
)
from billing.queries.invoiceable import (
    Invoiceable,
    invoiceable_invoices,
    over_covered,
    voucher_covered,
)
from common.errors import InvalidInput, NotFound
from tenants.models import AuditEntry, Notice, Organisation
from tenants.permissions import SYSTEM
from tenants.scoping import operator_scope, tenant_scope
from tests.billing.shorthand import broken, ingest, issue, pay_in
from tests.factories import billing as make

pytestmark = pytest.mark.django_db
CODE = "91330106673959654P"


def profile(tenant: Organisation, **changes: str) -> TaxProfile:
    said = {"buyer_name": "爱丽丝智能", "kind": "digital_special", "tax_number": CODE, **changes}
    with tenant_scope(tenant.pk):
        return save_tax_profile(actor=SYSTEM, tenant_id=tenant.pk, now=make.NOW, **said)


def ask(tenant: Organisation, *wanted: UUID) -> Fapiao:
    with tenant_scope(tenant.pk):
        return request_fapiao(actor=SYSTEM, tenant_id=tenant.pk, wanted=wanted, now=make.NOW)


def left(tenant: Organisation) -> list[Decimal]:
    with tenant_scope(tenant.pk):
        return [one.left for one in invoiceable_invoices(tenant_id=tenant.pk)]


def invoiced(tenant: Organisation, event: str = "t1", until_hours: int = 0) -> Invoice:
    at = make.NOW - (until_hours + 1) * make.HOUR
    ingest(tenant, make.tokens(event, 100_000_000, at), make.cards(f"c{event}", 36_000, at))
    return issue(tenant, until=make.NOW - until_hours * make.HOUR)


def number(last: int) -> str:
    return f"2611{last:016d}"


def exported(tenant: Organisation, *wanted: UUID) -> Fapiao:
    made = ask(tenant, *wanted)
    with operator_scope():
        assert export_fapiao(actor=SYSTEM, fapiao_ids=[made.pk], now=make.NOW) == (made.pk,)
    return made


def answered(made: Fapiao, last: int = 1) -> Fapiao:
    with operator_scope():
        result = FapiaoResult(made.serial, number(last), make.NOW, "f.pdf", "f.ofd")
        return record_result(actor=SYSTEM, result=result)


def again(made: Fapiao) -> Fapiao:
    with operator_scope():
        return Fapiao.objects.get(pk=made.pk)


@pytest.fixture
def bill(alice: Organisation, prices: PriceVersion) -> Invoice:
    return invoiced(alice)


def test_a_fapiao_copies_whom_it_is_for_and_adds_up_to_the_invoice(
    alice: Organisation, bill: Invoice
) -> None:
    profile(alice)
    made = ask(alice, bill.pk)
    with operator_scope():
        (line,) = FapiaoLine.objects.filter(fapiao=made)
        (cover,) = FapiaoCover.objects.filter(fapiao=made)
    assert (made.state, made.kind, made.buyer_tax_number) == ("requested", "digital_special", CODE)
    assert str(bill.gross) == "144.16"
    assert (str(made.net), str(made.tax), str(made.gross)) == ("136.00", "8.16", "144.16")
    assert made.gross_words == "壹佰肆拾肆元壹角陆分"
    assert (line.item, line.goods_code) == ("*信息技术服务*算力服务费", "3040201990000000000")
    assert (line.net, line.tax_rate, line.tax) == (made.net, Decimal("0.06"), made.tax)
    assert (cover.invoice_id, cover.amount) == (bill.pk, bill.gross)
    assert left(alice) == [0]
    assert broken() == ()


def test_one_fapiao_covers_several_invoices_and_none_twice(
    alice: Organisation, prices: PriceVersion
) -> None:
    profile(alice)
    first, second = invoiced(alice, "t1", 10), invoiced(alice, "t2")
    made = ask(alice, first.pk, second.pk, first.pk)
    assert made.gross == first.gross + second.gross
    with pytest.raises(FapiaoNotPossible, match=first.number):
        ask(alice, first.pk)
    with operator_scope():
        assert Fapiao.objects.count() == 1


def test_without_a_profile_and_for_foreign_invoices_there_is_none(
    alice: Organisation, bob: Organisation, bill: Invoice
) -> None:
    with pytest.raises(NoTaxProfile):
        ask(alice, bill.pk)
    profile(bob)
    with pytest.raises(NotFound):
        ask(bob, bill.pk)
    with pytest.raises(InvalidInput):
        ask(bob)
    with operator_scope():
        assert Fapiao.objects.count() == 0


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"tax_number": "91330106673959654X"}, "/tax_number"),
        ({"tax_number": ""}, "/tax_number"),
        ({"buyer_name": " "}, "/buyer_name"),
        ({"kind": "paper"}, "/kind"),
    ],
)
def test_a_profile_that_the_tax_system_would_refuse_is_refused(
    alice: Organisation, changes: dict[str, str], pointer: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        profile(alice, **changes)
    assert [error.pointer for error in refused.value.errors] == [pointer]
    with operator_scope():
        assert TaxProfile.objects.count() == 0


def test_vouchers_pay_nothing_until_they_exist(alice: Organisation, bill: Invoice) -> None:
    with operator_scope():
        assert voucher_covered([bill.pk]) == {bill.pk: 0}


def test_the_database_refuses_more_than_is_left_by_itself(
    alice: Organisation, bill: Invoice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: the command's own reckoning is taken away."""
    profile(alice)
    ask(alice, bill.pk)
    whole = Invoiceable(bill.pk, bill.number, bill.issued_at, bill.gross, *[Decimal(0)] * 3)
    monkeypatch.setattr(asking, "invoiceable_invoices", lambda **_: (whole,))
    with pytest.raises(IntegrityError, match="stands for money that is there, once"):
        ask(alice, bill.pk)
    with operator_scope():
        assert Fapiao.objects.count() == 1


def test_a_fapiao_is_issued_with_its_number_once_and_told(
    alice: Organisation, bill: Invoice
) -> None:
    profile(alice)
    made = exported(alice, bill.pk)
    assert (again(made).state, again(made).deadline_at) == (
        "issuing",
        make.NOW + timedelta(days=1),
    )
    for _ in range(2):
        found = answered(made)
    assert (found.state, found.number, found.pdf_reference) == ("issued", number(1), "f.pdf")
    with operator_scope():
        assert [n.kind for n in Notice.objects.filter(kind__startswith="fapiao")] == [
            "fapiao.issued"
        ]
        assert AuditEntry.objects.filter(action="billing.fapiao.issued").count() == 1
        deliver_fapiao(actor=SYSTEM, fapiao_id=made.pk, now=make.NOW)
        with pytest.raises(FapiaoMoved):
            fail_fapiao(actor=SYSTEM, fapiao_id=made.pk, reason="late", now=make.NOW)
    assert again(made).state == "delivered"
    assert broken() == ()


def test_answers_are_taken_one_by_one(alice: Organisation, prices: PriceVersion) -> None:
    profile(alice)
    first, second = invoiced(alice, "t1", 10), invoiced(alice, "t2")
    one, two = exported(alice, first.pk), exported(alice, second.pk)
    with operator_scope():
        outcomes = record_results(
            actor=SYSTEM,
            results=[
                FapiaoResult("F-nobody", number(1), make.NOW),
                FapiaoResult(one.serial, "123", make.NOW),
                FapiaoResult(one.serial, number(2), make.NOW),
                FapiaoResult(two.serial, number(2), make.NOW),
                FapiaoResult(two.serial, number(3), make.NOW),
                FapiaoResult(two.serial, number(4), make.NOW),
            ],
        )
    assert [outcome.code for outcome in outcomes] == [
        "not_found",
        "fapiao_number_refused",
        "",
        "fapiao_number_refused",
        "",
        "fapiao_moved",
    ]
    assert (again(one).number, again(two).number) == (number(2), number(3))


def test_a_failed_fapiao_frees_its_money_and_says_why(alice: Organisation, bill: Invoice) -> None:
    profile(alice)
    made = exported(alice, bill.pk)
    with operator_scope():
        fail_fapiao(actor=SYSTEM, fapiao_id=made.pk, reason="Wrong address", now=make.NOW)
    assert (again(made).state, again(made).failure, left(alice)) == (
        "failed",
        "Wrong address",
        [bill.gross],
    )
    with pytest.raises(FapiaoMoved):
        answered(made)
    assert ask(alice, bill.pk).gross == bill.gross


def test_what_the_tax_software_keeps_too_long_is_marked_and_not_taken_back(
    alice: Organisation, bill: Invoice
) -> None:
    profile(alice)
    made = exported(alice, bill.pk)
    with operator_scope():
        assert mark_overdue_fapiao(now=make.NOW + timedelta(hours=23)) == 0
        assert mark_overdue_fapiao(now=make.NOW + timedelta(days=1)) == 1
        assert mark_overdue_fapiao(now=make.NOW + timedelta(days=2)) == 0
    assert (again(made).state, again(made).is_overdue, left(alice)) == ("issuing", True, [0])
    assert answered(made).is_overdue is False


def test_a_red_letter_needs_its_confirmation_and_then_frees_the_money(
    alice: Organisation, bill: Invoice
) -> None:
    profile(alice)
    made = answered(exported(alice, bill.pk))
    with operator_scope():
        red = request_red(
            actor=SYSTEM,
            fapiao_id=made.pk,
            reason="Wrong buyer",
            initiator="seller",
            now=make.NOW,
        )
        assert (red.state, str(red.net), str(red.tax), str(red.gross)) == (
            "red_pending",
            "-136.00",
            "-8.16",
            "-144.16",
        )
        assert red.gross_words == "（负数）壹佰肆拾肆元壹角陆分"
        with pytest.raises(FapiaoMoved):
            record_result(actor=SYSTEM, result=FapiaoResult(red.serial, number(9), make.NOW))
    assert left(alice) == [0]
    with operator_scope():
        confirm_red(actor=SYSTEM, fapiao_id=red.pk, confirmation_number="C-77")
        with pytest.raises(FapiaoMoved):
            confirm_red(actor=SYSTEM, fapiao_id=red.pk, confirmation_number="C-78")
    assert answered(red, 9).state == "red_issued"
    assert left(alice) == [bill.gross]
    assert ask(alice, bill.pk).gross == bill.gross
    assert broken() == ()


def test_red_letters_in_part_take_back_no_more_than_there_is(
    alice: Organisation, bill: Invoice
) -> None:
    profile(alice)
    made = answered(exported(alice, bill.pk))

    def take(amount: str | None) -> Fapiao:
        with operator_scope():
            return request_red(
                actor=SYSTEM,
                fapiao_id=made.pk,
                reason="Discount",
                initiator="buyer",
                amount=None if amount is None else Decimal(amount),
                now=make.NOW,
            )

    assert take("44.16").gross == Decimal("-44.16")
    for wrong in ("100.01", "0", "-1", "0.001", "NaN"):
        with pytest.raises(RedLetterRefused):
            take(wrong)
    rest = take(None)
    assert (rest.gross, made.gross) == (Decimal("-100.00"), bill.gross)
    with pytest.raises(RedLetterRefused):
        take(None)
    assert broken() == ()


def test_a_tenants_fapiao_stand_for_what_is_paid_in_or_for_what_is_invoiced_never_both(
    alice: Organisation, prices: PriceVersion
) -> None:
    pay_in(alice, "1000.00")
    bill = invoiced(alice)
    profile(alice)
    with operator_scope():
        paid = LedgerTransaction.objects.get(kind="top_up")
        set_fapiao_basis(actor=SYSTEM, tenant_id=alice.pk, basis="on_topup", now=make.NOW)
    with pytest.raises(NotFound):
        ask(alice, bill.pk)
    made = ask(alice, paid.pk)
    with operator_scope():
        (line,) = FapiaoLine.objects.filter(fapiao=made)
        assert (line.zero_rate, line.tax, made.gross) == ("non_taxable", 0, Decimal("1000.00"))
        with pytest.raises(FapiaoBasisRefused):
            set_fapiao_basis(actor=SYSTEM, tenant_id=alice.pk, basis="on_consumption", now=make.NOW)
        fail_fapiao(actor=SYSTEM, fapiao_id=made.pk, reason="Changed", now=make.NOW)
        set_fapiao_basis(actor=SYSTEM, tenant_id=alice.pk, basis="on_consumption", now=make.NOW)
    assert ask(alice, bill.pk).gross == bill.gross


@pytest.mark.parametrize(
    "change",
    [
        {"state": "delivered"},
        {"state": "issued", "number": "12", "issued_at": make.NOW},
        {"state": "issuing"},
    ],
)
def test_the_database_lets_no_fapiao_skip_a_step(
    alice: Organisation, bill: Invoice, change: dict[str, object]
) -> None:
    profile(alice)
    made = ask(alice, bill.pk)
    with operator_scope(), pytest.raises(DatabaseError), transaction.atomic():
        Fapiao.objects.filter(pk=made.pk).update(**change)
    assert again(made).state == "requested"


def test_what_a_fapiaos_face_says_is_frozen(alice: Organisation, bill: Invoice) -> None:
    profile(alice)
    made = ask(alice, bill.pk)
    for rows, change in (
        (Fapiao.objects, {"gross": 1}),
        (Fapiao.objects, {"buyer_name": "Mallory"}),
        (FapiaoLine.objects, {"net": 1}),
        (FapiaoCover.objects, {"amount": 1}),
    ):
        with operator_scope(), pytest.raises(DatabaseError), transaction.atomic():
            rows.update(**change)
    assert again(made).buyer_name == "爱丽丝智能"


def test_a_credit_after_the_fapiao_asks_for_a_red_letter(
    alice: Organisation, bill: Invoice
) -> None:
    profile(alice)
    made = answered(exported(alice, bill.pk))
    with operator_scope():
        assert over_covered() == ()
        issue_credit_note(
            actor=SYSTEM,
            tenant_id=alice.pk,
            invoice_id=bill.pk,
            reason="Outage",
            nets={1: Decimal("6.00")},
            now=make.NOW,
        )
        (wanted,) = over_covered()
        assert (wanted.fapiao_id, wanted.amount) == (made.pk, Decimal("6.36"))
        red = request_red(
            actor=SYSTEM,
            fapiao_id=made.pk,
            reason="Outage",
            initiator="seller",
            amount=wanted.amount,
            now=make.NOW,
        )
        confirm_red(actor=SYSTEM, fapiao_id=red.pk, confirmation_number="C-1")
    answered(red, 5)
    with operator_scope():
        assert over_covered() == ()
    assert left(alice) == [0]
