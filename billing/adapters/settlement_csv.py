"""The settlement file for the city: one row for each use, safe to open in a spreadsheet."""

import csv
import io

from billing.adapters.csv import ZONE, escaped
from billing.queries.settlements import BatchSheet

COLUMNS = (
    ("企业名称", "tenant"),
    ("统一社会信用代码", "credit_code"),
    ("合同编号", "contract"),
    ("账单编号", "invoice_number"),
    ("账单行", "invoice_line"),
    ("服务开始", "service_from"),
    ("服务结束", "service_to"),
    ("卡时", "card_hours"),
    ("行金额（含税）", "line_amount"),
    ("抵扣比例", "share"),
    ("卡源", "card_origin"),
    ("抵扣金额", "amount"),
    ("算力券编号", "voucher_code"),
    ("证明材料", "evidence"),
)
ORIGINS = {"domestic": "国产", "other": "其他"}


def settlement_csv(sheet: BatchSheet) -> bytes:
    """The batch in UTF-8 with a mark that spreadsheets know it by; its total is the last row.

    Shape: the heading names each column in Chinese and in English, whatever the reader's language:
    it is the city's file.
    """
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow([f"{chinese} {english}" for chinese, english in COLUMNS])
    for row in sheet.rows:
        evidence = "; ".join(f"{kind}: {told}" for kind, told in sorted(row.evidence.items()))
        cells = (
            row.tenant_name,
            row.credit_code,
            row.contract,
            row.invoice_number,
            str(row.line_position),
            row.service_from.astimezone(ZONE).isoformat(timespec="seconds"),
            row.service_to.astimezone(ZONE).isoformat(timespec="seconds"),
            "" if row.card_hours is None else f"{row.card_hours.normalize():f}",
            f"{row.line_gross:.2f}",
            f"{row.share.normalize():f}",
            ORIGINS.get(row.origin, ""),
            # A number of our own making: a refund's minus is no formula.
            f"{row.amount:.2f}",
            row.voucher_code,
            evidence,
        )
        writer.writerow(
            [cell if place == 11 else escaped(cell) for place, cell in enumerate(cells)]
        )
    writer.writerow(["合计 total", *[""] * 10, f"{sheet.batch.total:.2f}", "", ""])
    return b"\xef\xbb\xbf" + out.getvalue().encode()
