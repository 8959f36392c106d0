"""Tenants that use things, prices for them, and the moments of a made-up month."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from billing.commands.prices import publish_version
from billing.meters import Meter, register
from billing.models import PriceVersion, TaxRate
from billing.money import CURRENCY
from billing.queries.price_faults import PriceLine
from billing.usage import UsageEvent
from tenants.models import Organisation
from tenants.permissions import SYSTEM
from tenants.scoping import operator_scope

# 2026-11-15 12:00 in UTC; the centre's month began at 2026-10-31 16:00.
NOW = datetime(2026, 11, 15, 12, 0, tzinfo=UTC)
MONTH_START = datetime(2026, 10, 31, 16, 0, tzinfo=UTC)
MONTH_END = datetime(2026, 11, 30, 16, 0, tzinfo=UTC)
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)

TOKENS_IN = register(
    Meter("test.tokens_in", "token", "Tokens in", ("model", "key"), "million tokens", 1_000_000)
)
TOKENS_OUT = register(
    Meter("test.tokens_out", "token", "Tokens out", ("model", "key"), "million tokens", 1_000_000)
)
CARDS = register(
    Meter(
        "test.card_seconds",
        "card-second",
        "Cards",
        ("chip", "service_class", "workload"),
        "card-hours",
        3600,
        line_dimensions=("chip", "service_class"),
    )
)


def make_tenant(code: str = "alice", **fields: str) -> Organisation:
    with operator_scope():
        return Organisation.objects.create(code=code, name=code.title(), **fields)


def make_tax(rate: str = "0.06", code: str = "it_service") -> TaxRate:
    with operator_scope():
        return TaxRate.objects.create(
            tax_code=code,
            rate=Decimal(rate),
            during=(datetime(2016, 4, 30, 16, tzinfo=UTC), None),
            title_en="IT services",
            title_zh="信息技术服务",
        )


def price_line(
    meter: str,
    unit_price: str,
    unit_quantity: int,
    match: Mapping[str, str] | None = None,
    sku: str = "",
) -> PriceLine:
    return PriceLine(
        meter=meter,
        sku=sku or meter + "".join(f".{value}" for value in (match or {}).values()),
        title_en=f"{meter} price",
        title_zh=f"{meter} 价格",
        unit_price=Decimal(unit_price),
        unit_quantity=unit_quantity,
        tax_code="it_service",
        match=match or {},
    )


STANDARD_LINES = (
    price_line("test.tokens_in", "1.00", 1_000_000),
    price_line("test.tokens_out", "4.00", 1_000_000),
    price_line("test.card_seconds", "3.60", 3600, {"chip": "c1", "service_class": "on_demand"}),
    price_line("test.card_seconds", "0", 3600, {"service_class": "covered"}),
)
DOLLAR_LINES = (
    price_line("test.tokens_in", "0.14", 1_000_000),
    price_line("test.tokens_out", "0.55", 1_000_000),
    price_line("test.card_seconds", "0.50", 3600, {"chip": "c1", "service_class": "on_demand"}),
    price_line("test.card_seconds", "0", 3600, {"service_class": "covered"}),
)


def publish(
    lines: Sequence[PriceLine] = STANDARD_LINES,
    effective_at: datetime = LONG_AGO,
    now: datetime = NOW,
    currency: str = CURRENCY,
) -> PriceVersion:
    with operator_scope():
        return publish_version(
            actor=SYSTEM, lines=lines, effective_at=effective_at, now=now, currency=currency
        )


def make_prices() -> PriceVersion:
    make_tax()
    return publish()


def tokens(
    event_id: str,
    quantity: int,
    at: datetime = NOW - HOUR,
    *,
    meter: str = "test.tokens_in",
    model: str = "tiny",
    key: str = "k1",
    source: str = "gateway",
    price_id: UUID | None = None,
    project_id: UUID | None = None,
) -> UsageEvent:
    return UsageEvent(
        source=source,
        id=event_id,
        meter=meter,
        subject="appliances.deployment:1",
        at=at,
        quantity=quantity,
        dimensions={"model": model, "key": key},
        price_id=price_id,
        project_id=project_id,
    )


def cards(
    event_id: str, quantity: int, at: datetime = NOW - HOUR, *, service_class: str = "on_demand"
) -> UsageEvent:
    return UsageEvent(
        source="engine",
        id=event_id,
        meter="test.card_seconds",
        subject="compute.workload:1",
        at=at,
        quantity=quantity,
        dimensions={"chip": "c1", "service_class": service_class, "workload": "w1"},
    )
