"""The settlement file for the city: one row for each use, safe to open in a spreadsheet."""

from billing.adapters.csv import ZONE, csv_file
from billing.models import SettlementRow
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
    heading = [f"{chinese} {english}" for chinese, english in COLUMNS]
    total = ("合计 total", *[""] * 10, f"{sheet.batch.total:.2f}", "", "")
    # A refund's minus is no formula.
    return csv_file(heading, [*map(_cells, sheet.rows), total], figures=(11,))


def _cells(row: SettlementRow) -> tuple[str, ...]:
    evidence = "; ".join(f"{kind}: {told}" for kind, told in sorted(row.evidence.items()))
    return (
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
        f"{row.amount:.2f}",
        row.voucher_code,
        evidence,
    )
