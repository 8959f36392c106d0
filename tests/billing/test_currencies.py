"""A tenant's money is in its own currency from the first top-up to the last document."""

import csv
import io
from decimal import Decimal
from typing import Any

import pytest

from billing.adapters.csv import invoice_csv
from billing.adapters.pdf import _page, invoice_pdf
from billing.adapters.sheets import (
    credit_note_csv,
    credit_note_pdf,
    statement_csv,
    statement_pdf,
)
from billing.commands.accrual import accrue
from billing.commands.credit_notes import issue_credit_note
from billing.commands.fapiao import FapiaoCurrency, request_fapiao
from billing.commands.holds import InsufficientFunds, release_hold, set_hold
from billing.commands.vouchers import VoucherCurrency
from billing.commands.wallet import set_credit_limit
from billing.models import (
    CreditLot,
    CreditNote,
    Fapiao,
    Invoice,
    PriceVersion,
    VoucherApplication,
    VoucherCap,
)
from billing.queries.account_statement import AccountStatement, account_statement
from billing.queries.corrections import NoteDetail, note_detail
from billing.queries.credits import open_credits
from billing.queries.drafts import draft
from billing.queries.invoices import InvoiceDetail, invoice_detail
from billing.queries.wallet import Standing
from common.period import Period
from tenants.models import Notice, Organisation
from tenants.permissions import SYSTEM
from tenants.scoping import operator_scope, tenant_scope
from tests.billing.shorthand import bill_in, broken, ingest, issue, pay_in, rows, stands
from tests.factories import billing as make
from tests.factories import credits as give

pytestmark = pytest.mark.django_db
D = Decimal


@pytest.fixture
def lists(prices: PriceVersion) -> None:
    """The yuan list and, beside it, one in dollars."""
    make.publish(make.DOLLAR_LINES, currency="USD")


@pytest.fixture
def abroad(db: None) -> Organisation:
    tenant = give.verified("abroad")
    bill_in(tenant, "USD")
    return tenant


def use(tenant: Organisation) -> None:
    ingest(
        tenant,
        make.tokens("in", 100_000_000),
        make.tokens("out", 10_000_000, meter="test.tokens_out"),
        make.cards("cards", 36_000),
        make.cards("reserved", 7_200, service_class="covered"),
    )


def hold(tenant: Organisation, amount: str) -> None:
    with tenant_scope(tenant.pk):
        set_hold(
            actor=SYSTEM,
            tenant_id=tenant.pk,
            key="order",
            amount=D(amount),
            expires_at=None,
            now=make.NOW,
        )


def detail(invoice: Invoice) -> InvoiceDetail:
    with tenant_scope(invoice.tenant_id):
        return invoice_detail(tenant_id=invoice.tenant_id, invoice_id=invoice.pk, now=make.NOW)


def charged(invoice: Invoice) -> dict[str, tuple[str, str]]:
    return {line.sku: (str(line.net), str(line.tax)) for line in detail(invoice).lines}


def credit_a_part(invoice: Invoice, sku: str, net: str) -> CreditNote:
    position = next(line.position for line in detail(invoice).lines if line.sku == sku)
    with operator_scope():
        return issue_credit_note(
            actor=SYSTEM,
            tenant_id=invoice.tenant_id,
            invoice_id=invoice.pk,
            reason="Cards failed",
            nets={position: D(net)},
            now=make.NOW + make.HOUR,
        )


def told_of(note: CreditNote) -> NoteDetail:
    with operator_scope():
        return note_detail(actor=SYSTEM, tenant_id=note.tenant_id, note_id=note.pk)


def statement_of(tenant: Organisation) -> AccountStatement:
    period = Period(make.MONTH_START, make.MONTH_END)
    with tenant_scope(tenant.pk):
        return account_statement(actor=SYSTEM, tenant_id=tenant.pk, period=period)


def currencies_said(content: bytes) -> set[str]:
    heading, *lines = csv.reader(io.StringIO(content.decode("utf-8-sig")))
    place = heading.index("Currency")
    return {line[place] for line in lines}


def test_from_top_up_to_statement_a_tenant_abroad_pays_the_dollar_list(
    abroad: Organisation, lists: None
) -> None:
    assert pay_in(abroad, "100.00").currency == "USD"
    use(abroad)
    with tenant_scope(abroad.pk):
        accrue(tenant_id=abroad.pk, now=make.NOW)
        of = draft(tenant_id=abroad.pk, until=make.NOW)
    assert (of.currency, of.net, of.tax, of.gross) == ("USD", D("24.50"), D("1.47"), D("25.97"))
    hold(abroad, "30.00")
    assert stands(abroad) == Standing("USD", D(100), D(0), D(30), D("25.97"), D("44.03"))

    invoice = issue(abroad)
    assert (invoice.currency, invoice.net, invoice.gross) == ("USD", D("24.50"), D("25.97"))
    assert charged(invoice) == {
        "test.tokens_in": ("14.00", "0.84"),
        "test.tokens_out": ("5.50", "0.33"),
        "test.card_seconds.c1.on_demand": ("5.00", "0.30"),
        "test.card_seconds.covered": ("0.00", "0.00"),
    }
    assert stands(abroad) == Standing("USD", D("74.03"), D(0), D(30), D(0), D("44.03"))
    note = credit_a_part(invoice, "test.tokens_in", "4.00")
    assert (note.currency, note.net, note.gross) == ("USD", D("4.00"), D("4.24"))
    assert told_of(note).currency == "USD"
    with tenant_scope(abroad.pk):
        release_hold(actor=SYSTEM, tenant_id=abroad.pk, key="order", now=make.NOW)
    assert stands(abroad) == Standing("USD", D("78.27"), D(0), D(0), D(0), D("78.27"))

    told = statement_of(abroad)
    assert (told.currency, told.topped_up, told.invoiced) == ("USD", D("100.00"), D("25.97"))
    assert (told.credited, told.paid, told.closing) == (D("4.24"), D("25.97"), D("78.27"))
    assert rows("SELECT DISTINCT currency FROM billing_ledgeraccount") == [("USD",)]
    assert broken() == ()


def test_the_same_use_costs_each_tenant_what_its_own_list_says(
    alice: Organisation, abroad: Organisation, lists: None
) -> None:
    bills = []
    for tenant in (alice, abroad):
        pay_in(tenant, "1000.00")
        use(tenant)
        bills.append(issue(tenant))
    at_home, beyond = bills
    assert (at_home.currency, at_home.net, at_home.gross) == ("CNY", D("176.00"), D("186.56"))
    assert (beyond.currency, beyond.net, beyond.gross) == ("USD", D("24.50"), D("25.97"))
    assert charged(at_home)["test.tokens_in"] == ("100.00", "6.00")
    assert [stands(one).balance for one in (alice, abroad)] == [D("813.44"), D("974.03")]
    assert [stands(one).currency for one in (alice, abroad)] == ["CNY", "USD"]
    assert broken() == ()


def test_invoices_and_credit_notes_of_all_currencies_share_their_numbers(
    alice: Organisation, bob: Organisation, abroad: Organisation, lists: None
) -> None:
    bills = []
    for tenant in (alice, abroad, bob):
        use(tenant)
        bills.append(issue(tenant))
    assert [bill.sequence for bill in bills] == [1, 2, 3]
    assert [bill.currency for bill in bills] == ["CNY", "USD", "CNY"]
    assert [bill.previous_hash for bill in bills[1:]] == [bill.content_hash for bill in bills[:2]]
    notes = [credit_a_part(bill, "test.tokens_in", "1.00") for bill in bills[:2]]
    assert [(note.sequence, note.currency) for note in notes] == [(1, "CNY"), (2, "USD")]
    assert broken() == ()


def test_every_document_says_the_currency(abroad: Organisation, lists: None) -> None:
    pay_in(abroad, "100.00")
    use(abroad)
    invoice = issue(abroad)
    note = told_of(credit_a_part(invoice, "test.tokens_in", "4.00"))
    of = detail(invoice)
    page: dict[str, Any] = _page(of, "en")
    assert page["currency"] == "USD"
    assert [row["amount"] for row in page["summary"]] == [
        "USD 25.97",
        "USD -25.97",
        "USD -4.24",
        "USD 4.24",
        "USD 0.00",
    ]
    assert currencies_said(invoice_csv(of, "en")) == {"USD"}
    assert currencies_said(credit_note_csv(note, "en")) == {"USD"}
    assert currencies_said(statement_csv(statement_of(abroad), "en")) == {"USD"}
    for document in (
        invoice_pdf(of, "zh-hans"),
        credit_note_pdf(note, "zh-hans"),
        statement_pdf(statement_of(abroad), "zh-hans", "Centre"),
    ):
        assert document.startswith(b"%PDF-1.7")


def test_notices_name_the_currency(abroad: Organisation, lists: None) -> None:
    pay_in(abroad, "100.00")
    use(abroad)
    issue(abroad)
    with operator_scope():
        said = Notice.objects.filter(tenant=abroad).values_list("kind", "detail")
        told = {(kind, of["gross"], of["currency"]) for kind, of in said}
    assert told == {("invoice.issued", "25.97", "USD"), ("invoice.paid", "25.97", "USD")}


def test_a_refusal_for_money_names_the_currency(abroad: Organisation) -> None:
    pay_in(abroad, "10.00")
    with pytest.raises(InsufficientFunds) as refused:
        hold(abroad, "10.01")
    told = {"needed": D("10.01"), "currency": "USD", "available": D("10.00")}
    assert refused.value.params == told
    assert stands(abroad).held == 0


def test_credit_in_dollars_lets_an_invoice_in_dollars_wait_for_its_payment(
    abroad: Organisation, lists: None
) -> None:
    with operator_scope():
        set_credit_limit(actor=SYSTEM, tenant_id=abroad.pk, amount=D("50.00"), now=make.NOW)
    use(abroad)
    issue(abroad)
    assert stands(abroad) == Standing("USD", D("-25.97"), D(50), D(0), D(0), D("24.03"))
    assert pay_in(abroad, "20.00").balance == D("-5.97")
    assert broken() == ()


def test_a_promotional_credit_and_a_package_in_dollars_pay_a_dollar_invoice(
    abroad: Organisation, lists: None
) -> None:
    pay_in(abroad, "100.00")
    bought = give.package(abroad, 18_000, price="2.00")
    given = give.promo(abroad, "10.00")
    assert (bought.currency, given.currency) == ("USD", "USD")
    assert stands(abroad).balance == D("97.88")  # two dollars and six per cent
    with tenant_scope(abroad.pk):
        units = {row.kind: row.unit for row in open_credits(tenant_id=abroad.pk, now=make.NOW)}
    assert units == {"package": "card-hours", "promo": "USD"}

    use(abroad)
    invoice = issue(abroad)
    # Five of the ten card-hours are covered: 24.50 less 2.50, and 1.32 of tax.
    assert (invoice.currency, invoice.net, invoice.gross) == ("USD", D("22.00"), D("23.32"))
    assert (give.fresh(bought).remaining, give.fresh(given).remaining) == (0, 0)
    assert stands(abroad).balance == D("84.56")
    assert broken() == ()


def test_a_voucher_is_refused_to_an_account_in_dollars(abroad: Organisation) -> None:
    give.scheme()
    with pytest.raises(VoucherCurrency) as refused:
        give.ask(abroad, "10.00")
    assert refused.value.code == "voucher_currency"
    assert refused.value.params == {"own": "CNY", "currency": "USD"}
    with operator_scope():
        assert VoucherApplication.objects.count() == 0
        assert CreditLot.objects.count() == 0
        assert VoucherCap.objects.count() == 0


def test_a_fapiao_is_refused_to_an_account_in_dollars(abroad: Organisation, lists: None) -> None:
    use(abroad)
    invoice = issue(abroad)
    with tenant_scope(abroad.pk), pytest.raises(FapiaoCurrency) as refused:
        request_fapiao(actor=SYSTEM, tenant_id=abroad.pk, wanted=[invoice.pk], now=make.NOW)
    assert refused.value.code == "fapiao_currency"
    assert refused.value.params == {"own": "CNY", "currency": "USD"}
    with operator_scope():
        assert Fapiao.objects.count() == 0
