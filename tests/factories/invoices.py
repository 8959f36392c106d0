"""An invoice as a document, without a database."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from billing.documents import CreditPart, InvoiceDetail, LineDetail

START = datetime(2026, 10, 31, 16, tzinfo=UTC)
END = datetime(2026, 11, 30, 16, tzinfo=UTC)
# As it was before documents showed credits, and classes in words.
OLD_FORM = 2


def sample_line(position: int, **changes: object) -> LineDetail:
    values: dict[str, object] = {
        "id": UUID(int=position),
        "position": position,
        "meter": "compute.card_seconds",
        "sku": "card.on_demand.ascend-910b3",
        "title_en": "Ascend 910B3, on demand",
        "title_zh": "昇腾 910B3 按需",
        "project_id": None,
        "project_name": "大模型训练",
        "dimensions": (("chip", "ascend-910b3"), ("pool", "bj-a"), ("service_class", "on_demand")),
        "service_from": START + timedelta(days=position),
        "service_to": START + timedelta(days=position, hours=9),
        "is_late": False,
        "kind": "usage",
        "portion": "flat",
        "priced_quantity": 3600 * 1234 + 1800,
        "list_unit_price": Decimal("3.600000000000000"),
        "quantity": 3600 * 1234 + 1800,
        "unit_price": Decimal("3.600000000000000"),
        "unit_quantity": 3600,
        "display_unit": "card-hours",
        "display_divisor": 3600,
        "tax_code": "it_service",
        "tax_rate": Decimal("0.06000"),
        "net": Decimal("4444.20"),
        "tax": Decimal("266.65"),
        "gross": Decimal("4710.85"),
        **changes,
    }
    return LineDetail(**values)  # type: ignore[arg-type]


def sample_invoice(lines: int = 3, **changes: object) -> InvoiceDetail:
    made = [sample_line(position, form=OLD_FORM) for position in range(1, lines + 1)]
    made[-1] = sample_line(
        lines,
        form=OLD_FORM,
        title_en="Cards inside a reservation",
        title_zh="预留内用卡",
        is_late=True,
        unit_price=Decimal(0),
        net=Decimal(0),
        tax=Decimal(0),
        gross=Decimal(0),
    )
    net = sum((line.net for line in made), Decimal(0))
    tax = sum((line.tax for line in made), Decimal(0))
    values: dict[str, object] = {
        "id": UUID(int=1),
        "number": "ACC-2026-000017",
        "currency": "CNY",
        "period_start": START,
        "period_end": END,
        "issued_at": END + timedelta(hours=6),
        "buyer_code": "alice",
        "buyer_name": "爱丽丝智能科技（北京）有限公司 #set page(fill: red)",
        "buyer_credit_code": "91110108MA01ABCD2X",
        "seller_name": "示例智算中心 Example AI Computing Centre",
        "seller_credit_code": "91110000MA00000000",
        "net": net,
        "tax": tax,
        "gross": net + tax,
        "paid": Decimal("1000.00"),
        "credited": Decimal(0),
        "written_off": Decimal(0),
        "due": net + tax - Decimal("1000.00"),
        "due_at": END + timedelta(days=15, hours=6),
        "form": OLD_FORM,
        "content_hash": "9f" * 32,
        "previous_hash": "",
        "lines": tuple(made),
        "as_of": END + timedelta(days=1),
        **changes,
    }
    return InvoiceDetail(**values)  # type: ignore[arg-type]


def credited_invoice(**changes: object) -> InvoiceDetail:
    """Three lines: a voucher and promotional credit paid for the first, a package covers the last.

    Half of a line was credited when the wallet had paid 1,000.00, of which 400.00 came back.
    """
    voucher = CreditPart("voucher", "AV-3F7K2Q", "=北京市算力券 2026", Decimal("1413.25"))
    promo = CreditPart("promo", "PC-9D2M4X", "Welcome credit", Decimal("500.00"))
    package = CreditPart("package", "RP-7H1B5T", "A month", Decimal(60), "card-hours")
    plain = sample_invoice()
    first, second, third = plain.lines
    values: dict[str, object] = {
        "form": 3,
        "lines": (
            replace(first, credits=Decimal("1913.25"), credit_parts=(voucher, promo)),
            second,
            replace(third, portion="covered", credit_parts=(package,)),
        ),
        "paid": Decimal("2913.25"),
        "credited": Decimal("1000.00"),
        "due": plain.gross - Decimal("2913.25") - Decimal("600.00"),
        **changes,
    }
    return replace(plain, **values)  # type: ignore[arg-type]
