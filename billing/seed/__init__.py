"""The example price book that ships with the product."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from importlib.resources import files
from typing import Any

import yaml

SECONDS_PER_HOUR = 3600
MILLISECONDS_PER_HOUR = 3_600_000
CARDS, SHARES = "compute.card_seconds", "compute.shared_card_milliseconds"
RESERVED = "compute.reserved_card_seconds"
TAX_CODE = "it_service"


@dataclass(frozen=True)
class SeedTaxRate:
    tax_code: str
    rate: Decimal
    starts_at: datetime
    title_en: str
    title_zh: str


@dataclass(frozen=True)
class SeedPrice:
    meter: str
    match: Mapping[str, str]
    sku: str
    title_en: str
    title_zh: str
    unit_price: Decimal
    unit_quantity: int
    tax_code: str = TAX_CODE


@dataclass(frozen=True)
class PriceSeed:
    title_en: str
    title_zh: str
    effective_at: datetime
    tax_rates: tuple[SeedTaxRate, ...]
    prices: tuple[SeedPrice, ...]


def read_price_seed() -> PriceSeed:
    """The example list: each chip by service class, covered use at zero, tokens."""
    # Any: the document is YAML; what is not as expected fails here, in the seed's own test.
    document: dict[str, Any] = yaml.safe_load(
        files("billing.seed").joinpath("prices.yaml").read_text(encoding="utf-8")
    )
    return PriceSeed(
        title_en=document["title_en"],
        title_zh=document["title_zh"],
        effective_at=datetime.fromisoformat(document["effective_at"]),
        tax_rates=tuple(
            SeedTaxRate(
                tax_code=row["tax_code"],
                rate=Decimal(row["rate"]),
                starts_at=datetime.fromisoformat(row["from"]),
                title_en=row["title_en"],
                title_zh=row["title_zh"],
            )
            for row in document["tax_rates"]
        ),
        prices=(
            *_card_prices(document),
            *_covered(),
            *_token_prices(document["million_tokens"]),
            *_other_prices(document["others"]),
        ),
    )


def _covered() -> list[SeedPrice]:
    """Cards inside a reservation, whole and shared, which the reservation itself pays for."""
    return [
        SeedPrice(
            meter=meter,
            match={"service_class": "covered"},
            sku=sku,
            title_en=title_en,
            title_zh=title_zh,
            unit_price=Decimal(0),
            unit_quantity=unit_quantity,
        )
        for meter, sku, title_en, title_zh, unit_quantity in (
            (CARDS, "card.covered", "Cards inside a reservation", "预约内用卡", SECONDS_PER_HOUR),
            (
                SHARES,
                "share.covered",
                "Shares of cards inside a reservation",
                "预约内共享卡",
                MILLISECONDS_PER_HOUR,
            ),
        )
    ]


# Any: rows of the YAML document, as above.
def _card_prices(document: dict[str, Any]) -> list[SeedPrice]:
    classes = [
        (CARDS, row["code"], row["factor"], row["title_en"], row["title_zh"])
        for row in document["service_classes"]
    ]
    share = str(document["committed_share"])
    classes.append((RESERVED, "committed", share, "reserved", "预约"))
    classes.append((SHARES, "on_demand", "1", "shared", "共享"))
    prices = []
    for row in document["card_hours"]:
        for meter, service_class, factor, word_en, word_zh in classes:
            prices.append(
                SeedPrice(
                    meter=meter,
                    match={"chip": row["chip"], "service_class": service_class},
                    sku=f"{'share' if meter == SHARES else 'card'}.{service_class}.{row['chip']}",
                    title_en=f"{row['title_en']}, {word_en}",
                    title_zh=f"{row['title_zh']} {word_zh}",
                    unit_price=Decimal(row["price"]) * Decimal(factor),
                    unit_quantity=MILLISECONDS_PER_HOUR if meter == SHARES else SECONDS_PER_HOUR,
                )
            )
    return prices


def _token_prices(per_million: Mapping[str, str]) -> list[SeedPrice]:
    return [
        SeedPrice(
            meter=f"appliances.tokens_{way}",
            match={},
            sku=f"tokens.{way}",
            title_en=f"Tokens, {word_en}",
            title_zh=f"{word_zh}词元",
            unit_price=Decimal(per_million[way]),
            unit_quantity=1_000_000,
        )
        for way, word_en, word_zh in (
            ("in", "input", "输入"),
            ("out", "output", "输出"),
            ("cached", "cached input", "缓存输入"),
        )
    ]


# Any: rows of the YAML document, as above.
def _other_prices(rows: list[dict[str, Any]]) -> list[SeedPrice]:
    return [
        SeedPrice(
            meter=row["meter"],
            match={},
            sku=row["sku"],
            title_en=row["title_en"],
            title_zh=row["title_zh"],
            unit_price=Decimal(row["price"]),
            unit_quantity=row["unit_quantity"],
        )
        for row in rows
    ]
