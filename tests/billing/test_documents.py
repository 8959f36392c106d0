"""The invoice on paper and in a spreadsheet, in both languages."""

import csv
import hashlib
import io
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.utils.translation import gettext_lazy, override
from fontTools.ttLib import TTFont

from billing.adapters.csv import escaped, invoice_csv
from billing.adapters.pdf import FONTS, GETA, _page, invoice_pdf, printable
from billing.adapters.wording import CHINESE, properties, unit, word, words
from billing.seed import read_price_seed
from tests.factories.invoices import credited_invoice, sample_invoice, sample_line


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_an_invoice_prints_as_an_archivable_pdf(language: str) -> None:
    document = invoice_pdf(sample_invoice(40), language)
    assert document.startswith(b"%PDF-1.7")
    assert b"pdfaid:part" in document
    assert len(document) < 300_000


def test_names_outside_the_font_and_markup_do_not_stop_the_page() -> None:
    strange = sample_invoice(1, buyer_name="🚀 #panic() $x^2$ \\ *_` 龘 ᠠ مرحبا", seller_name="")
    assert invoice_pdf(strange, "zh-hans").startswith(b"%PDF-")
    assert printable("昇腾 🚀") == f"昇腾 {GETA}"


def test_the_same_invoice_prints_the_same_bytes() -> None:
    assert invoice_pdf(sample_invoice(), "en") == invoice_pdf(sample_invoice(), "en")


def test_the_fonts_cover_our_words_and_our_price_list() -> None:
    seed = "".join(price.title_en + price.title_zh for price in read_price_seed().prices)
    wanted = {
        "NotoSansSC-Regular.ttf": {*"".join(words(CHINESE).values()), *seed, GETA},
        "NotoSansSC-Bold.ttf": set("".join(words(CHINESE).values())),
    }
    for name, characters in wanted.items():
        covered = TTFont(FONTS / name).getBestCmap()
        assert {each for each in characters if ord(each) not in covered} == set()
    assert sum(Path(FONTS / name).stat().st_size for name in wanted) < 3_000_000


@pytest.mark.parametrize(
    ("language", "heading", "title"),
    [("en", "Net", "Ascend 910B3, on demand"), ("zh-hans", "不含税金额", "昇腾 910B3 按需")],
)
def test_a_csv_has_one_row_a_line_and_exact_figures(
    language: str, heading: str, title: str
) -> None:
    text = invoice_csv(sample_invoice(3), language).decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == 3
    assert rows[0][heading] == "4444.20"
    assert title in "".join(rows[0].values())
    assert "2026-11-02T00:00:00+08:00" in rows[0].values()


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\tx", "\rx"])
def test_a_cell_that_a_spreadsheet_would_compute_is_text(text: str) -> None:
    assert escaped(text) == f"'{text}"
    invoice = sample_invoice(1)
    hostile = replace(invoice, lines=(sample_line(1, project_name=text, net=Decimal("1")),))
    rows = list(csv.reader(io.StringIO(invoice_csv(hostile, "en").decode("utf-8-sig"))))
    assert rows[1][5] == f"'{text}"
    assert rows[1][14] == "1.00"


def test_a_file_of_an_older_version_keeps_its_cells() -> None:
    below = sample_line(1, net=Decimal("-1.00"))
    (row,) = table(invoice_csv(replace(sample_invoice(), lines=(below,)), "en"))
    assert row["Net"] == "'-1.00"


@pytest.mark.parametrize("working_in", ["en", "zh-hans"])
def test_a_unit_is_in_the_documents_language_whatever_the_page_is_in(working_in: str) -> None:
    line = sample_line(1, display_unit=gettext_lazy("card-hour"))
    with override(working_in):
        assert (unit(line.display_unit, "en"), unit(line.display_unit, "zh-hans")) == (
            "card-hour",
            "卡时",
        )


def table(text: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text.decode("utf-8-sig"))))


def test_a_csv_says_what_each_credit_paid_of_each_line() -> None:
    first, second, third, *_summary = table(invoice_csv(credited_invoice(), "en"))
    said = [
        (row["Paid by credits"], row["Left to pay"], row["Credits used"])
        for row in (first, second, third)
    ]
    assert said == [
        (
            "1913.25",
            "2797.60",
            "Computing voucher AV-3F7K2Q 1413.25; Promotional credit PC-9D2M4X 500.00",
        ),
        ("0.00", "4710.85", ""),
        ("0.00", "0.00", "Resource package RP-7H1B5T 60 card-hours"),
    ]
    assert {row["Summary amount"] for row in (first, second, third)} == {""}


def test_a_csv_ends_with_the_way_from_the_total_to_what_is_left_to_pay() -> None:
    summary = table(invoice_csv(credited_invoice(), "en"))[3:]
    assert [(row["Description"], row["Summary amount"], row["Unit"]) for row in summary] == [
        ("Total with tax", "9421.70", ""),
        ("Resource package RP-7H1B5T A month", "60", "card-hours"),
        ("Computing voucher AV-3F7K2Q =北京市算力券 2026", "-1413.25", ""),
        ("Promotional credit PC-9D2M4X Welcome credit", "-500.00", ""),
        ("Left to pay", "7508.45", ""),
        ("Paid from the wallet", "-1000.00", ""),
        ("Credited", "-1000.00", ""),
        ("Paid back into the wallet", "400.00", ""),
        ("Still open", "5908.45", ""),
    ]
    assert {row["Payment due"] for row in summary} == {"2026-12-16T06:00:00+08:00"}
    # The columns of the lines still add up to the lines.
    assert {row["Total"] for row in summary} == {""}
    chinese = table(invoice_csv(credited_invoice(), "zh-hans"))[3:]
    assert [row["项目"].split()[0] for row in chinese] == [
        "价税合计",
        "资源包",
        "算力券",
        "代金券",
        "其余应付",
        "钱包已付",
        "已冲减",
        "退回钱包",
        "尚未支付",
    ]


def test_a_csv_of_an_invoice_of_which_all_is_open_has_nothing_to_sum_up() -> None:
    plain = sample_invoice()
    whole = replace(plain, form=3, paid=Decimal(0), due=plain.gross)
    rows = table(invoice_csv(whole, "en"))
    assert [(row["Left to pay"], row["Payment due"]) for row in rows] == [
        ("4710.85", "2026-12-16T06:00:00+08:00"),
        ("4710.85", "2026-12-16T06:00:00+08:00"),
        ("0.00", "2026-12-16T06:00:00+08:00"),
    ]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\tx", "\rx"])
def test_what_people_named_is_text_in_the_new_columns_and_our_figures_are_figures(
    text: str,
) -> None:
    invoice = credited_invoice(number=text)
    *_lines, last = table(invoice_csv(invoice, "en"))
    assert last["Number"] == f"'{text}"
    given = replace(invoice.lines[1], net=Decimal("-1.00"), project_name=text)
    first = table(invoice_csv(credited_invoice(lines=(given,)), "en"))[0]
    assert (first["Net"], first["Project"]) == ("-1.00", f"'{text}")


def test_the_page_says_of_each_line_and_in_all_what_credits_paid() -> None:
    page: dict[str, Any] = _page(credited_invoice(), "en")
    assert page["due"] == "2026-12-16 06:00"
    assert [line["notes"][2:] for line in page["lines"]] == [
        [
            "Computing voucher AV-3F7K2Q: -1,413.25",
            "Promotional credit PC-9D2M4X: -500.00",
            "Left to pay: 2,797.60",
        ],
        [],
        ["Usage of an earlier period", "Resource package RP-7H1B5T: 60 card-hours covered"],
    ]
    assert [(row["name"], row["amount"]) for row in page["summary"]] == [
        ("Total with tax", "CNY 9,421.70"),
        ("Resource package RP-7H1B5T", "60 card-hours covered"),
        ("Computing voucher AV-3F7K2Q", "CNY -1,413.25"),
        ("Promotional credit PC-9D2M4X", "CNY -500.00"),
        ("Left to pay", "CNY 7,508.45"),
        ("Paid from the wallet", "CNY -1,000.00"),
        ("Credited", "CNY -1,000.00"),
        ("Paid back into the wallet", "CNY 400.00"),
        ("Still open", "CNY 5,908.45"),
    ]


def test_what_was_paid_out_of_an_invoice_below_zero_is_said() -> None:
    below = credited_invoice(
        lines=(sample_line(1, net=Decimal("-50"), tax=Decimal("-3"), gross=Decimal("-53")),),
        net=Decimal("-50"),
        tax=Decimal("-3"),
        gross=Decimal("-53"),
        paid=Decimal(0),
        credited=Decimal(0),
        due=Decimal(0),
    )
    page: dict[str, Any] = _page(below, "en")
    assert [(row["name"], row["amount"]) for row in page["summary"]] == [
        ("Total with tax", "CNY -53.00"),
        ("Paid from the wallet", "CNY 0.00"),
        ("Paid back into the wallet", "CNY 53.00"),
        ("Still open", "CNY 0.00"),
    ]


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_an_invoice_that_many_credits_paid_prints(language: str) -> None:
    one = credited_invoice().lines[0]
    parts = tuple(replace(one.credit_parts[0], code=f"AV-{each:06d}") for each in range(60))
    many = credited_invoice(lines=(replace(one, credit_parts=parts),) * 3)
    assert invoice_pdf(many, language).startswith(b"%PDF-1.7")


# What these documents said before credits stood on them.
ISSUED_BEFORE = {
    "en": "e81dfb93a05abf7b650f8d84d3ff4de9af2965b99fa8f6395e47ad0e45e498aa",
    "zh-hans": "4e89909aa4dd9ef396c6a97c8d7d521f9d8c8d91baee999b0fed03fc42895a50",
}


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_what_was_issued_before_credits_stood_on_documents_keeps_its_bytes(language: str) -> None:
    old = sample_invoice(3)
    with_credits = replace(credited_invoice(), form=old.form, paid=old.paid)
    same = replace(with_credits, credited=old.credited, due=old.due, lines=old.lines)
    parts = credited_invoice().lines[0].credit_parts
    used = replace(same, lines=(replace(old.lines[0], credit_parts=parts), *old.lines[1:]))
    table_of = invoice_csv(used, language)
    assert hashlib.sha256(table_of).hexdigest() == ISSUED_BEFORE[language]
    assert invoice_pdf(used, language) == invoice_pdf(old, language)


@pytest.mark.parametrize(
    ("language", "said", "inside"),
    [("en", "On demand", "Inside a reservation"), ("zh-hans", "按需", "预约内")],
)
def test_a_class_of_service_is_said_in_words(language: str, said: str, inside: str) -> None:
    ours = sample_line(1)
    covered = sample_line(2, dimensions=(*ours.dimensions[:2], ("service_class", "covered")))
    assert properties(ours, language) == ("ascend-910b3", "bj-a", said)
    assert properties(covered, language) == ("ascend-910b3", "bj-a", inside)
    invoice = replace(sample_invoice(), form=4, lines=(ours, covered))
    rows = table(invoice_csv(invoice, language))
    assert [row[word("description", language)].split(" · ")[-1] for row in rows[:2]] == [
        said,
        inside,
    ]


def test_what_was_issued_with_codes_and_what_is_no_class_of_ours_keep_them() -> None:
    assert properties(sample_line(1, form=3), "en") == ("ascend-910b3", "bj-a", "on_demand")
    theirs = (("service_class", "gold"), ("model", "covered"))
    assert properties(sample_line(1, dimensions=theirs), "en") == ("gold", "covered")
