"""The fixed words of issued documents, in both languages side by side.

They are not in the catalogues: what a document said when it was issued must not depend on which
translations happen to be compiled on the machine that prints it again.
"""

from typing import Final

from django.utils.functional import Promise
from django.utils.translation import override

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
    english, chinese = _WORDS[name]
    return chinese if language.startswith("zh") else english


def unit(name: str | Promise, language: str) -> str:
    """A display unit in a language, whatever language this process works in."""
    with override(language):
        text = str(name)
    return _UNITS.get(text, text) if language.startswith("zh") else text


def words(language: str) -> dict[str, str]:
    """All the document's words in a language."""
    return {name: word(name, language) for name in _WORDS}
