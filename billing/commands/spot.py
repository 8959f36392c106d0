"""Spot quotes: what a unit of a spot SKU costs from a coming hour on."""

from datetime import datetime
from decimal import Decimal

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from billing.commands.prices import serialise_publishing
from billing.models import SpotPrice
from billing.money import CURRENCY
from billing.queries.prices import price_book
from common.errors import DomainError, FieldError
from common.period import floor_hour
from tenants.audit import record
from tenants.permissions import Actor, Permission, require


class SpotQuoteRefused(DomainError):
    """A quote is for a spot price of the list, for an hour to come, and not above the list."""

    code = "spot_quote_refused"
    status = 422
    message = _("This spot price cannot be quoted.")


@transaction.atomic
def quote_spot(
    *,
    actor: Actor,
    sku: str,
    starts_at: datetime,
    unit_price: Decimal,
    now: datetime,
    currency: str = CURRENCY,
) -> SpotPrice:
    """Say what a spot SKU of one currency's list costs from a whole hour to come, until the next
    quote.

    The list's own price is the most it may cost, and what it costs before the first quote.
    Raises: PermissionRefused, SpotQuoteRefused.
    """
    require(actor, Permission.PRICE_PUBLISH)
    serialise_publishing()
    listed = next((price for price in price_book(starts_at, currency) if price.sku == sku), None)
    errors = []
    if listed is None or listed.model != "spot":
        errors.append(FieldError("/sku", "sku", _("The list has no spot price with this SKU.")))
    elif not unit_price.is_finite() or not 0 <= unit_price <= listed.unit_price:
        text = _("A spot price is zero or more and at most the list's.")
        errors.append(FieldError("/unit_price", "amount", text))
    if starts_at != floor_hour(starts_at) or starts_at < now:
        text = _("A quote starts on a whole hour to come.")
        errors.append(FieldError("/starts_at", "starts_at", text))
    elif SpotPrice.objects.filter(sku=sku, currency=currency, starts_at=starts_at).exists():
        errors.append(FieldError("/starts_at", "taken", _("This hour has its quote already.")))
    if errors:
        raise SpotQuoteRefused(errors=errors)
    made = SpotPrice.objects.create(
        sku=sku,
        currency=currency,
        starts_at=starts_at,
        unit_price=unit_price,
        quoted_at=now,
        quoted_by=actor.name[:200],
    )
    record(
        actor,
        "billing.spot_price.quoted",
        subject=f"billing.spot_price:{made.pk}",
        detail={
            "sku": sku,
            "currency": currency,
            "starts_at": starts_at.isoformat(),
            "unit_price": str(unit_price),
        },
    )
    return made
