"""The fixed words of issued documents, in both languages side by side.

They are not in the catalogues: what a document said when it was issued must not depend on which
translations happen to be compiled on the machine that prints it again.
"""

from typing import Final

from django.utils.functional import Promise
from django.utils.translation import override

from billing.documents import LineDetail

ENGLISH: Final = "en"
CHINESE: Final = "zh-hans"

_WORDS: Final[dict[str, tuple[str, str]]] = {
    "title": ("Invoice", "账单"),
    "number": ("Number", "账单号"),
    "period": ("Billing period", "账期"),
    "issued": ("Issued", "出账时间"),
    "seller": ("From", "出账方"),
    "buyer": ("To", "客户"),
    "credit_code": ("Unified social credit code", "统一社会信用代码"),
    "customer_code": ("Customer", "客户代码"),
    "position": ("No.", "序号"),
    "description": ("Description", "项目"),
    "service": ("Service period", "服务期间"),
    "quantity": ("Quantity", "数量"),
    "unit": ("Unit", "单位"),
    "unit_price": ("Unit price", "单价"),
    "net": ("Net", "不含税金额"),
    "tax_rate": ("Tax rate", "税率"),
    "tax": ("Tax", "税额"),
    "gross": ("Total", "价税合计"),
    "project": ("Project", "项目组"),
    "late": ("Usage of an earlier period", "前期用量"),
    "totals": ("Total due", "应付合计"),
    "paid": ("Paid from the wallet", "钱包已付"),
    "open": ("Still open", "尚未支付"),
    "note": (
        "This is a statement of charges and not a tax invoice (fapiao). Amounts are rounded once, "
        "half up, on each line. Periods include their start and exclude their end.",
        "本账单为费用结算凭据，不是发票。金额在每行四舍五入一次，精确到分。期间含起始时刻，不含结束时刻。",
    ),
    "hash": ("Content hash", "内容哈希"),
    "page": ("Page", "页"),
    "times": ("Times are in China Standard Time (UTC+8).", "时间为北京时间（UTC+8）。"),
    "meter": ("Meter", "计量项"),
    "sku": ("SKU", "规格代码"),
    "service_from": ("Service from", "服务开始"),
    "service_to": ("Service to", "服务结束"),
    "base_quantity": ("Base units", "基本单位数量"),
    "currency": ("Currency", "币种"),
    "credited_title": ("Credit note", "贷项通知单"),
    "credited_number": ("Number", "单号"),
    "credited_of": ("Credits invoice", "冲减账单"),
    "credited_of_line": ("Invoice line", "账单行"),
    "reason": ("Reason", "原因"),
    "full": ("The whole invoice is taken back.", "全额冲销。"),
    "credited_total": ("Credited", "冲减合计"),
    "from_due": ("Owed no more", "冲减应付"),
    "to_wallet": ("Paid back into the wallet", "退回钱包"),
    "to_credits": ("Of it given back to vouchers and credits", "其中退回算力券与代金券"),
    "credited_note": (
        "This credit note takes back charges of the invoice named above. It is not a red-letter "
        "fapiao.",
        "本单冲减上述账单的费用，不是红字发票。",
    ),
    "statement_title": ("Account statement", "对账单"),
    "date": ("Date", "日期"),
    "what": ("What", "事项"),
    "reference": ("Reference", "编号"),
    "amount": ("Amount", "金额"),
    "balance": ("Balance", "余额"),
    "opening": ("Opening balance", "期初余额"),
    "closing": ("Closing balance", "期末余额"),
    "sum_invoices": ("Invoices", "账单"),
    "sum_notes": ("Credit notes", "贷项通知单"),
    "sum_top_ups": ("Top-ups", "充值"),
    "sum_other": ("Other", "其他"),
    "sum_paid": ("Invoices paid from the wallet", "钱包支付账单"),
    "kind_invoice": ("Invoice", "账单"),
    "kind_credit_note": ("Credit note", "贷项通知单"),
    "kind_top_up": ("Top-up", "充值"),
    "kind_settlement": ("Payment of an invoice", "支付账单"),
    "kind_credit": ("Vouchers and credits", "算力券与代金券"),
    "kind_credit_restored": ("Credits given back", "退回代金券"),
    "kind_package_sold": ("Resource package", "资源包"),
    # In characters that the bold font has.
    "kind_settlement_paid": ("Voucher claim paid by the city", "算力券结算款"),
    "kind_settlement_returned": ("Voucher claim lowered by the city", "算力券结算退回"),
    "kind_shortfall_paid": ("Payment of what was owed", "支付应付款"),
    "statement_note": (
        "The balance is what the wallet holds less what is owed on invoices. Paying an invoice "
        "from the wallet does not change it.",
        "余额为钱包余额减去账单应付金额；用钱包支付账单不改变余额。",
    ),
    "list_price": ("List price", "目录价"),
    "payment_due": ("Payment due", "付款期限"),
    "credits": ("Paid by credits", "代金支付"),
    "payable": ("Left to pay", "其余应付"),
    "credit_list": ("Credits used", "已用代金"),
    "credit_voucher": ("Computing voucher", "算力券"),
    "credit_promo": ("Promotional credit", "代金券"),
    "credit_package": ("Resource package", "资源包"),
    "covered": ("%(amount)s %(unit)s covered", "包内 %(amount)s %(unit)s"),
    "gross_total": ("Total with tax", "价税合计"),
    "summary_amount": ("Summary amount", "合计金额"),
    "credited_so_far": ("Credited", "已冲减"),
    "correction": ("Correction of an earlier period", "前期更正"),
}
# Never set in bold either: the bold font lacks some of their characters.
_PLAIN: Final[dict[str, tuple[str, str]]] = {
    "written_off": ("Written off", "坏账核销"),
    "kind_top_up_reversal": ("Top-up taken back", "充值冲正"),
    "kind_pay_out": ("Paid back", "退款"),
    "kind_write_off": ("Debt written off", "坏账核销"),
    "kind_write_off_recovery": ("Written-off debt recovered", "坏账收回"),
}
# Classes of service are codes in the rows. Never set in bold: that font has few characters.
_CLASSES: Final[dict[str, tuple[str, str]]] = {
    "on_demand": ("On demand", "按需"),
    "covered": ("Inside a reservation", "预约内"),
    "committed": ("Reserved", "预约"),
    "shared": ("Shared, may be preempted", "共享，可被抢占"),
    "urgent": ("Urgent, goes first", "紧急，优先"),
    "spot": ("Spot", "现货"),
}
# Display units of meters are declared once, in English, by the app that measures.
_UNITS: Final[dict[str, str]] = {
    "card-hour": "卡时",
    "card-hours": "卡时",
    "card-seconds": "卡秒",
    "million tokens": "百万词元",
    "tokens": "词元",
    "thousand tokens": "千词元",
}


def word(name: str, language: str) -> str:
    """One of the document's words in a language; English for any but Chinese."""
    english, chinese = _WORDS.get(name) or _PLAIN[name]
    return chinese if language.startswith("zh") else english


def unit(name: str | Promise, language: str) -> str:
    """A display unit in a language, whatever language this process works in."""
    with override(language):
        text = str(name)
    return _UNITS.get(text, text) if language.startswith("zh") else text


def movement(kind: str, language: str) -> str:
    """What a movement of the ledger is called on a statement; one without a name by its code."""
    name = f"kind_{kind}"
    return word(name, language) if name in {*_WORDS, *_PLAIN} else kind.replace("_", " ")


def properties(line: LineDetail, language: str) -> tuple[str, ...]:
    """What a line's dimensions say, in the meter's order; a class of service in words."""
    return tuple(
        _class(value, language) if name == "service_class" and line.names_classes else value
        for name, value in line.dimensions
    )


def _class(code: str, language: str) -> str:
    english, chinese = _CLASSES.get(code, (code, code))
    return chinese if language.startswith("zh") else english


def words(language: str) -> dict[str, str]:
    """All the document's words in a language."""
    return {name: word(name, language) for name in _WORDS}
