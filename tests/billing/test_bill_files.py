"""Credit notes and statements on paper and in spreadsheets; files of the tax software."""

import csv
import io
import json
from datetime import timedelta
from decimal import Decimal

import pytest

from billing.adapters.fapiao_file import (
    COLUMNS,
    ResultFileRefused,
    fapiao_csv,
    fapiao_json,
    read_results,
)
from billing.adapters.sheets import (
    credit_note_csv,
    credit_note_pdf,
    statement_csv,
    statement_pdf,
)
from billing.commands.credit_notes import issue_credit_note
from billing.commands.fapiao import request_fapiao, save_tax_profile
from billing.commands.fapiao_desk import export_fapiao
from billing.models import Invoice, PriceVersion
from billing.queries.account_statement import AccountStatement, account_statement
from billing.queries.corrections import NoteDetail, note_detail
from billing.queries.fapiao import exported
from common.period import Period
from tenants.models import Organisation
from tenants.permissions import SYSTEM
from tenants.scoping import operator_scope, tenant_scope
from tests.billing.shorthand import ingest, issue, pay_in
from tests.factories import billing as make

pytestmark = pytest.mark.django_db


def rows(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))


@pytest.fixture
def bill(alice: Organisation, prices: PriceVersion) -> Invoice:
    pay_in(alice, "100.00", now=make.NOW - 2 * make.HOUR)
    ingest(alice, make.tokens("t1", 100_000_000), make.cards("c1", 36_000))
    return issue(alice)


def credited(tenant: Organisation, invoice: Invoice, reason: str = "Cards failed") -> NoteDetail:
    with operator_scope():
        note = issue_credit_note(
            actor=SYSTEM,
            tenant_id=tenant.pk,
            invoice_id=invoice.pk,
            reason=reason,
            nets={1: Decimal("6.00")},
            now=make.NOW + make.HOUR,
        )
        return note_detail(actor=SYSTEM, tenant_id=tenant.pk, note_id=note.pk)


@pytest.mark.parametrize(
    ("language", "heading"), [("en", "Credits invoice"), ("zh-hans", "冲减账单")]
)
def test_a_credit_note_prints_and_lists_its_lines(
    alice: Organisation, bill: Invoice, language: str, heading: str
) -> None:
    note = credited(alice, bill)
    document = credit_note_pdf(note, language)
    assert document.startswith(b"%PDF-1.7")
    assert document == credit_note_pdf(note, language)
    head, line = rows(credit_note_csv(note, language))
    told = dict(zip(head, line, strict=True))
    assert told[heading] == bill.number
    assert [told[name] for name in head[9:13]] == ["6.00", "0.06", "0.36", "6.36"]


@pytest.mark.parametrize("reason", ["=1+1", "+1", "-1", "@x", "\tx"])
def test_no_cell_of_a_credit_note_is_a_formula(
    alice: Organisation, bill: Invoice, reason: str
) -> None:
    # A reason is trimmed where it is written, so the mark stands inside what is kept.
    note = credited(alice, bill, reason if reason.strip() == reason else f"={reason}")
    (_head, line) = rows(credit_note_csv(note, "en"))
    assert line[-1].startswith("'")


def told(tenant: Organisation, start_hours: int, end_hours: int) -> AccountStatement:
    period = Period(make.NOW + start_hours * make.HOUR, make.NOW + end_hours * make.HOUR)
    with tenant_scope(tenant.pk):
        return account_statement(actor=SYSTEM, tenant_id=tenant.pk, period=period)


def test_a_statement_leads_from_its_opening_to_its_closing_balance(
    alice: Organisation, bill: Invoice
) -> None:
    credited(alice, bill)
    whole = told(alice, -3, 3)
    assert (whole.opening, whole.closing) == (0, Decimal("-37.80"))
    assert (whole.topped_up, whole.invoiced, whole.credited, whole.paid) == (
        Decimal("100.00"),
        Decimal("144.16"),
        Decimal("6.36"),
        Decimal("100.00"),
    )
    assert [(entry.kind, str(entry.amount)) for entry in whole.entries] == [
        ("top_up", "100.000000"),
        ("invoice", "-144.160000"),
        ("settlement", "0.000000"),
        ("credit_note", "6.360000"),
    ]
    before, after = told(alice, -3, 0), told(alice, 0, 3)
    assert (before.closing, after.opening, after.closing) == (
        Decimal("100.00"),
        before.closing,
        whole.closing,
    )


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_a_statement_prints_and_its_figures_stay_figures(
    alice: Organisation, bill: Invoice, language: str
) -> None:
    whole = told(alice, -3, 3)
    assert statement_pdf(whole, language, "Centre").startswith(b"%PDF-1.7")
    table = rows(statement_csv(whole, language))
    assert [row[6] for row in table[1:]] == ["0.00", "100.00", "-44.16", "-44.16", "-44.16"]
    assert table[2][2] == "bank slip"


def handed_over(tenant: Organisation, invoice: Invoice, buyer: str) -> tuple[bytes, bytes, str]:
    with tenant_scope(tenant.pk):
        save_tax_profile(
            actor=SYSTEM,
            tenant_id=tenant.pk,
            buyer_name=buyer,
            kind="digital_ordinary",
            now=make.NOW,
        )
        made = request_fapiao(actor=SYSTEM, tenant_id=tenant.pk, wanted=[invoice.pk], now=make.NOW)
    with operator_scope():
        ids = export_fapiao(actor=SYSTEM, fapiao_ids=[made.pk], now=make.NOW)
        batch = exported(actor=SYSTEM, fapiao_ids=ids)
        return fapiao_csv(batch), fapiao_json(batch), made.serial


def test_the_tax_softwares_file_says_all_of_a_fapiao_and_computes_nothing(
    alice: Organisation, bill: Invoice
) -> None:
    sheet, program, serial = handed_over(alice, bill, "=HYPERLINK(1)")
    head, line = rows(sheet)
    said = dict(zip(head, line, strict=True))
    assert head == list(COLUMNS)
    assert (said["流水号"], said["购方名称"]) == (serial, "'=HYPERLINK(1)")
    assert (said["金额"], said["税率"], said["税额"]) == ("136.00", "0.06", "8.16")
    assert said["价税合计（大写）"] == "壹佰肆拾肆元壹角陆分"
    (one,) = json.loads(program)["fapiao"]
    assert (one["gross"], one["lines"][0]["gross"]) == ("144.16", "144.16")


def test_results_are_read_row_by_row() -> None:
    content = (
        "\ufeffserial,number,issued_at,pdf,ofd\n"
        "F1,26110000000000000001,2026-12-01T10:00:00,a.pdf,a.ofd\n"
        "F2,'26110000000000000002,2026-12-01T02:00:00Z,,\n"
        ",26110000000000000003,2026-12-01T02:00:00Z,,\n"
        "F4,26110000000000000004,yesterday,,\n"
    ).encode()
    results, bad = read_results(content)
    assert [(one.serial, one.number[-1], one.pdf_reference) for one in results] == [
        ("F1", "1", "a.pdf"),
        ("F2", "2", ""),
    ]
    assert results[1].issued_at - results[0].issued_at == timedelta(0)
    assert [(one.row, one.serial) for one in bad] == [(4, ""), (5, "F4")]


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n", b"\xff\xfe\x00", b"x" * 2_000_001])
def test_what_is_no_file_of_results_is_refused(content: bytes) -> None:
    with pytest.raises(ResultFileRefused):
        read_results(content)
