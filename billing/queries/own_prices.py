"""What a tenant pays: the list in force with its contracts and spot quotes applied."""

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from billing import meters
from billing.models import Price
from billing.pricing import Tier
from billing.pricing.agreed import AgreedTerm, agreed_price
from billing.pricing.stored import terms_of
from billing.queries.contracts import agreements
from billing.queries.currencies import billed_in
from billing.queries.prices import spot_prices_at, version_at
from common.paging import Page, in_order
from tenants.permissions import Actor, Permission, require


@dataclass(frozen=True)
class OwnPrice:
    """One price as a tenant pays it; the ``list_`` fields say what the list asks.

    Shape: ``contract_number`` is empty where no agreed term applies to all that the price is for.
    Units: net, per the unit quantity, in base units of the meter; ``unit`` is said in words.
    """

    id: UUID
    currency: str
    sku: str
    title_en: str
    title_zh: str
    meter: str
    match: dict[str, str]
    tax_code: str
    unit: str
    list_model: str
    list_unit_price: Decimal
    list_unit_quantity: int
    list_tiers: tuple[Tier, ...]
    model: str
    unit_price: Decimal
    unit_quantity: int
    tiers: tuple[Tier, ...]
    contract_number: str

    @property
    def is_agreed(self) -> bool:
        return bool(self.contract_number)


def own_prices(*, actor: Actor, tenant_id: UUID, at: datetime) -> tuple[OwnPrice, ...]:
    """Every price of the list of the tenant's currency in force at an instant, by meter and SKU.

    Four statements at most.
    Raises: PermissionRefused.
    """
    require(actor, Permission.PRICE_READ, tenant_id)
    version = version_at(at, billed_in(tenant_id))
    if version is None:
        return ()
    prices = tuple(version.prices.select_related("version").order_by("meter", "sku"))
    spot = spot_prices_at(prices, at, version.currency)
    agreed = agreements(tenant_id).rates
    return tuple(_own(price, agreed, spot.get(price.sku), at) for price in prices)


def own_price_page(
    *, actor: Actor, tenant_id: UUID, at: datetime, cursor: str | None = None, limit: int = 50
) -> Page[OwnPrice]:
    """The same by SKU, a page at a time. Raises: PermissionRefused, InvalidInput."""
    rows = sorted(own_prices(actor=actor, tenant_id=tenant_id, at=at), key=_sku)
    return in_order(rows, _sku, cursor=cursor, limit=limit)


def _sku(price: OwnPrice) -> str:
    return price.sku


def _own(
    price: Price, agreed: tuple[AgreedTerm, ...], spot: Decimal | None, at: datetime
) -> OwnPrice:
    listed = terms_of(price)
    if spot is not None:
        listed = replace(listed, unit_price=spot)
    mine = agreed_price(
        agreed,
        meter=price.meter,
        sku=price.sku,
        dimensions=price.match,
        at=at,
        model=price.model,
        list_terms=listed,
    )
    known = meters.declared().get(price.meter)
    whole = known is not None and known.display_divisor == mine.terms.unit_quantity
    unit = str(known.display_unit) if known is not None and whole else ""
    return OwnPrice(
        id=price.pk,
        currency=price.version.currency,
        sku=price.sku,
        title_en=price.title_en,
        title_zh=price.title_zh,
        meter=price.meter,
        match=price.match,
        tax_code=price.tax_code,
        unit=unit or f"{mine.terms.unit_quantity:,}",
        list_model=price.model,
        list_unit_price=listed.unit_price,
        list_unit_quantity=listed.unit_quantity,
        list_tiers=listed.tiers,
        model=mine.model,
        unit_price=mine.terms.unit_price,
        unit_quantity=mine.terms.unit_quantity,
        tiers=mine.terms.tiers,
        contract_number="" if mine.term is None else mine.term.contract_number,
    )
