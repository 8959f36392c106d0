"""The money part of a snapshot as its file keeps it; amounts are strings."""

from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from billing.money import CURRENCY
from portal.gateway.money import CallPrice, Funds, Limit, Money

PRICES = tuple(one.name for one in fields(CallPrice))


def _text(price: Decimal | None) -> str | None:
    return None if price is None else str(price)


def dumped(
    prices: Mapping[UUID, CallPrice],
    limits: Mapping[UUID, tuple[Limit, ...]],
    funds: Mapping[UUID, Funds],
) -> dict[str, object]:
    return {
        "prices": {
            str(deployment): [_text(getattr(price, name)) for name in PRICES]
            for deployment, price in prices.items()
        },
        "limits": {
            str(tenant): [
                {
                    "scope": one.scope,
                    "subject": str(one.subject_id) if one.subject_id else None,
                    "amount": str(one.amount),
                    "left": str(one.left),
                    "currency": one.currency,
                }
                for one in rows
            ]
            for tenant, rows in limits.items()
        },
        "funds": {
            str(tenant): {
                "available": str(one.available),
                "read_at": one.read_at.isoformat() if one.read_at else None,
                "carried": one.is_carried,
            }
            for tenant, one in funds.items()
        },
    }


# The parsed file; one that an older gateway left says nothing of money.
def parsed(content: Mapping[str, Any]) -> Money:
    return Money(
        prices={
            UUID(deployment): CallPrice(
                # Cached tokens come last, and have no price or two.
                *(Decimal(value) for value in values if value is not None)
            )
            for deployment, values in content.get("prices", {}).items()
        },
        limits={
            UUID(tenant): tuple(
                Limit(
                    scope=row["scope"],
                    subject_id=UUID(row["subject"]) if row["subject"] else None,
                    amount=Decimal(row["amount"]),
                    left=Decimal(row["left"]),
                    # A file that an older gateway left knows one currency only.
                    currency=row.get("currency", CURRENCY),
                )
                for row in rows
            )
            for tenant, rows in content.get("limits", {}).items()
        },
        funds={
            UUID(tenant): Funds(
                available=Decimal(one["available"]),
                read_at=datetime.fromisoformat(one["read_at"]) if one["read_at"] else None,
                is_carried=one["carried"],
            )
            for tenant, one in content.get("funds", {}).items()
        },
    )
