"""The files between us and the tax software: what to issue goes out, numbers come back."""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.adapters.csv import csv_file
from billing.commands.fapiao_desk import FapiaoResult
from billing.models import Fapiao, FapiaoLine
from common.errors import DomainError

# The names the tax software's own templates use, in its language.
COLUMNS = (
    "流水号",
    "发票种类",
    "蓝红标志",
    "购方名称",
    "购方税号",
    "购方地址电话",
    "购方开户行及账号",
    "销方名称",
    "销方税号",
    "行号",
    "商品和服务税收分类编码",
    "项目名称",
    "规格型号",
    "单位",
    "数量",
    "单价",
    "金额",
    "税率",
    "税额",
    "价税合计",
    "优惠政策标识",
    "合计金额",
    "合计税额",
    "价税合计（大写）",
    "备注",
    "开票人",
    "原蓝字发票号码",
    "红字确认单编号",
    "冲红原因",
    "申请方",
)
KINDS = {"digital_special": "增值税专用发票", "digital_ordinary": "普通发票"}
DIRECTIONS = {"blue": "蓝字", "red": "红字"}
ZERO_RATES = {"exempt": "免税", "non_taxable": "不征税", "zero": "零税率", "": ""}
# The tax bureau's own numbers for who asks for a red letter.
INITIATORS = {"seller": "0", "buyer": "1", "": ""}
RESULT_COLUMNS = ("serial", "number", "issued_at", "pdf", "ofd")
BEIJING = ZoneInfo("Asia/Shanghai")
MOST_BYTES = 2_000_000


class ResultFileRefused(DomainError):
    """Not a file of results."""

    code = "result_file_refused"
    status = 422
    message = gettext_lazy("This is no file of results: %(why)s")


@dataclass(frozen=True)
class BadRow:
    """A row that says no result, by its place in the file."""

    row: int
    serial: str
    why: str


def fapiao_csv(batch: Sequence[Fapiao]) -> bytes:
    """One row a line, the head repeated; no cell is taken for a formula."""
    rows = (_cells(letter, line) for letter in batch for line in letter.lines.all())
    return csv_file(COLUMNS, rows)


def fapiao_json(batch: Sequence[Fapiao]) -> bytes:
    """The same for a program: a fapiao an object, its lines within it; amounts are strings."""
    told = [
        {
            **dict(zip(HEAD_NAMES, _head(letter), strict=True)),
            "lines": [
                dict(zip(LINE_NAMES, _line(line), strict=True)) for line in letter.lines.all()
            ],
        }
        for letter in batch
    ]
    return json.dumps({"fapiao": told}, ensure_ascii=False, indent=2).encode()


HEAD_NAMES = (
    "serial",
    "kind",
    "direction",
    "buyer_name",
    "buyer_tax_number",
    "buyer_address_phone",
    "buyer_bank_account",
    "seller_name",
    "seller_tax_number",
    "net",
    "tax",
    "gross",
    "gross_words",
    "remark",
    "drawer",
    "original_number",
    "red_confirmation_number",
    "red_reason",
    "red_initiator",
)
LINE_NAMES = (
    "position",
    "goods_code",
    "item",
    "specification",
    "unit",
    "quantity",
    "price",
    "net",
    "tax_rate",
    "tax",
    "gross",
    "zero_rate",
)


def _head(letter: Fapiao) -> tuple[str, ...]:
    return (
        letter.serial,
        letter.kind,
        letter.direction,
        letter.buyer_name,
        letter.buyer_tax_number,
        letter.buyer_address_phone,
        letter.buyer_bank_account,
        letter.seller_name,
        letter.seller_tax_number,
        f"{letter.net:.2f}",
        f"{letter.tax:.2f}",
        f"{letter.gross:.2f}",
        letter.gross_words,
        letter.remark,
        letter.drawer,
        letter.original.number if letter.original is not None else "",
        letter.red_confirmation_number,
        letter.red_reason,
        INITIATORS[letter.red_initiator],
    )


def _line(line: FapiaoLine) -> tuple[str, ...]:
    return (
        str(line.position),
        line.goods_code,
        line.item,
        line.specification,
        line.unit,
        f"{line.quantity.normalize():f}",
        f"{line.price.normalize():f}",
        f"{line.net:.2f}",
        f"{line.tax_rate.normalize():f}",
        f"{line.tax:.2f}",
        f"{line.gross:.2f}",
        line.zero_rate,
    )


def _cells(letter: Fapiao, line: FapiaoLine) -> tuple[str, ...]:
    head = _head(letter)
    said = _line(line)
    return (
        head[0],
        KINDS[letter.kind],
        DIRECTIONS[letter.direction],
        *head[3:9],
        *said[:-1],
        ZERO_RATES[line.zero_rate],
        head[9],
        head[10],
        head[12],
        head[13],
        head[14],
        *head[15:],
    )


def read_results(content: bytes) -> tuple[list[FapiaoResult], list[BadRow]]:
    """The tax software's answers, CSV with ``serial, number, issued_at, pdf, ofd``.

    A time without an offset is Beijing's. A row that cannot be read is given back with its place,
    and the others stand.
    Raises: ResultFileRefused for what is no such file at all.
    """
    if len(content) > MOST_BYTES:
        raise ResultFileRefused(why=_("it is too large"))
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ResultFileRefused(why=_("it is not in UTF-8")) from error
    rows = csv.DictReader(io.StringIO(text))
    if rows.fieldnames is None or not {"serial", "number", "issued_at"} <= set(rows.fieldnames):
        raise ResultFileRefused(why=_("its first row must name serial, number and issued_at"))
    results, bad = [], []
    for place, row in enumerate(rows, start=2):
        serial = (row["serial"] or "").strip().removeprefix("'")
        number = (row["number"] or "").strip().removeprefix("'")
        issued_at = _instant((row["issued_at"] or "").strip())
        if not serial or issued_at is None:
            bad.append(BadRow(place, serial, _("The serial or the time is missing.")))
            continue
        pdf, ofd = (row.get("pdf") or "").strip(), (row.get("ofd") or "").strip()
        results.append(FapiaoResult(serial, number, issued_at, pdf, ofd))
    return results, bad


def _instant(text: str) -> datetime | None:
    try:
        told = parse_datetime(text)
    except ValueError:
        return None
    if told is None:
        return None
    return told if told.tzinfo is not None else told.replace(tzinfo=BEIJING)
