"""Terms as rows keep them: tiers are a JSON list whose amounts are text, never floats."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Protocol

from billing.pricing.terms import Terms, Tier

Row = Mapping[str, str | int | None]


class HasTerms(Protocol):
    """A row with a price in it."""

    @property
    def unit_price(self) -> Decimal: ...

    @property
    def unit_quantity(self) -> int: ...

    @property
    def tiers(self) -> Sequence[Row]: ...


def tier_rows(tiers: Iterable[Tier]) -> list[dict[str, str | int | None]]:
    """Tiers as a column keeps them."""
    return [
        {"up_to": tier.up_to, "unit_price": f"{tier.unit_price:f}", "fee": f"{tier.fee:f}"}
        for tier in tiers
    ]


def tiers_of(rows: Iterable[Row]) -> tuple[Tier, ...]:
    """Tiers as a column keeps them, read back."""
    return tuple(
        Tier(
            up_to=None if row["up_to"] is None else int(row["up_to"]),
            unit_price=Decimal(str(row["unit_price"])),
            fee=Decimal(str(row.get("fee") or 0)),
        )
        for row in rows
    )


def terms_of(price: HasTerms) -> Terms:
    """The terms of a stored price."""
    return Terms(price.unit_price, price.unit_quantity, tiers_of(price.tiers))
