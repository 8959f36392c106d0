"""What a unit of use can cost a tenant at most, for those who must know before it is used."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import ROUND_UP, Decimal
from uuid import UUID

from billing.models import Account, ContractTerm, TermKind
from billing.money import CURRENCY
from billing.pricing import Terms
from billing.pricing.agreed import AgreedTerm
from billing.queries.book import book_facts
from billing.queries.contracts import agreed_rate
from billing.rating import SeriesUse
from common.period import floor_hour

PLACE = Decimal(1).scaleb(-15)


@dataclass(frozen=True)
class AskedPrice:
    """Use that is about to happen: whose, of which meter, with which dimensions."""

    tenant_id: UUID
    meter: str
    dimensions: Mapping[str, str]


@dataclass(frozen=True)
class HighestPrice:
    """Units: for one base unit of the meter, net and with tax."""

    net: Decimal
    gross: Decimal


def highest_prices(asked: Sequence[AskedPrice], at: datetime) -> tuple[HighestPrice | None, ...]:
    """The highest price of each at an instant, in the same order; None where nothing prices it.

    Shape: of tiers the dearest counts. What is owed once for entering a tier or for beginning a
    block is no price of a unit and not in it. For all tenants together two statements, and three
    more at most for each currency they are billed in. Needs operators' scope.
    """
    if not asked:
        return ()
    hour = floor_hour(at)
    uses = [
        SeriesUse(
            series_id=place,
            meter=one.meter,
            project_id=None,
            quoted_price_id=None,
            dimensions=one.dimensions,
            shown=(),
            first_hour=hour,
            last_hour=hour,
        )
        for place, one in enumerate(asked)
    ]
    currencies = _currencies({one.tenant_id for one in asked})
    books = {
        currency: book_facts(uses, currency=currency) for currency in sorted({*currencies.values()})
    }
    agreed = _agreed(currencies, at)
    found: list[HighestPrice | None] = []
    for one, use in zip(asked, uses, strict=True):
        own = replace(books[currencies[one.tenant_id]], agreed=agreed.get(one.tenant_id, ()))
        price = own.price_for(use, at)
        rate = None if price is None else own.tax_for(price.tax_code, at)
        if price is None or rate is None:
            found.append(None)
            continue
        net = _highest(price.terms)
        found.append(HighestPrice(_upward(net), _upward(net * (1 + rate))))
    return tuple(found)


def _currencies(tenants: Iterable[UUID]) -> Mapping[UUID, str]:
    wanted = set(tenants)
    known = Account.objects.filter(tenant_id__in=wanted).values_list("tenant_id", "currency")
    return {**dict.fromkeys(wanted, CURRENCY), **dict(known)}


def _agreed(tenants: Iterable[UUID], at: datetime) -> Mapping[UUID, tuple[AgreedTerm, ...]]:
    rows = ContractTerm.objects.filter(
        tenant_id__in=list(tenants),
        in_force__contains=at,
        kind__in=[TermKind.DISCOUNT, TermKind.PRICE],
    ).select_related("contract")
    terms: dict[UUID, list[AgreedTerm]] = defaultdict(list)
    for row in rows.order_by("starts_at", "pk"):
        terms[row.tenant_id].append(agreed_rate(row))
    return {tenant_id: tuple(rates) for tenant_id, rates in terms.items()}


def _highest(terms: Terms) -> Decimal:
    prices = [terms.unit_price, *(tier.unit_price for tier in terms.tiers)]
    return max(prices) / terms.unit_quantity


def _upward(price: Decimal) -> Decimal:
    """So few places that sums of products stay exact, and never below the price."""
    return price.quantize(PLACE, rounding=ROUND_UP)
