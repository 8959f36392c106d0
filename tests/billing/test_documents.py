"""The invoice on paper and in a spreadsheet, in both languages."""

import csv
import io
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from django.utils.translation import gettext_lazy, override
from fontTools.ttLib import TTFont

from billing.adapters.csv import escaped, invoice_csv
from billing.adapters.pdf import FONTS, GETA, invoice_pdf, printable
from billing.adapters.wording import CHINESE, unit, words
from billing.seed import read_price_seed
from tests.factories.invoices import sample_invoice, sample_line


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


@pytest.mark.parametrize("working_in", ["en", "zh-hans"])
def test_a_unit_is_in_the_documents_language_whatever_the_page_is_in(working_in: str) -> None:
    line = sample_line(1, display_unit=gettext_lazy("card-hour"))
    with override(working_in):
        assert (unit(line.display_unit, "en"), unit(line.display_unit, "zh-hans")) == (
            "card-hour",
            "卡时",
        )
