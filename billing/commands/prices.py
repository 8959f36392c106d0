"""Publishing price lists."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from django.db import connection, transaction
from django.utils.translation import gettext_lazy as _

from billing.models import Price, PriceVersion, TaxRate, VersionState
from billing.pricing import MODELS
from billing.seed import read_price_seed
from common.errors import DomainError, FieldError
from common.period import floor_hour
from tenants.audit import record
from tenants.permissions import Actor, Permission, require


@dataclass(frozen=True)
class PriceLine:
    """One price to publish. Units: net, per ``unit_quantity`` base units of the meter."""

    meter: str
    sku: str
    title_en: str
    title_zh: str
    unit_price: Decimal
    unit_quantity: int
    tax_code: str
    match: Mapping[str, str] = field(default_factory=dict)
    model: str = "flat"


class PriceListRefused(DomainError):
    """The list as a whole, or one of its lines, cannot be published."""

    code = "price_list_refused"
    status = 422
    message = _("The price list cannot be published as it is.")


@transaction.atomic
def publish_version(
    *,
    actor: Actor,
    lines: Sequence[PriceLine],
    effective_at: datetime,
    now: datetime,
    title: str = "",
) -> PriceVersion:
    """Put a whole price list in force from ``effective_at`` on; it never changes afterwards.

    A list starts on a whole hour and not in the past, so that no hour already used changes its
    price; only the very first list may reach back.
    Raises: PermissionRefused, PriceListRefused.
    """
    require(actor, Permission.PRICE_PUBLISH)
    _serialise()
    errors = [*_time_errors(effective_at, now), *_line_errors(lines)]
    if errors:
        raise PriceListRefused(errors=errors)

    version = PriceVersion.objects.create(title=title, effective_at=effective_at)
    Price.objects.bulk_create(
        Price(
            version=version,
            meter=line.meter,
            match=dict(line.match),
            sku=line.sku,
            title_en=line.title_en,
            title_zh=line.title_zh,
            model=line.model,
            unit_price=line.unit_price,
            unit_quantity=line.unit_quantity,
            tax_code=line.tax_code,
        )
        for line in lines
    )
    PriceVersion.objects.filter(pk=version.pk, state=VersionState.DRAFT).update(
        state=VersionState.PUBLISHED, published_at=now, published_by=actor.name[:200]
    )
    record(
        actor,
        "billing.price_version.published",
        subject=f"billing.price_version:{version.pk}",
        detail={"effective_at": effective_at.isoformat(), "prices": len(lines)},
    )
    version.refresh_from_db()
    return version


def _serialise() -> None:
    # Two publishers would each see no other list; there is no row yet that both could lock.
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('billing_priceversion'))")


def _time_errors(effective_at: datetime, now: datetime) -> list[FieldError]:
    if effective_at != floor_hour(effective_at):
        return [FieldError("/effective_at", "not_whole_hour", _("Start on a whole hour."))]
    published = PriceVersion.objects.filter(state=VersionState.PUBLISHED)
    if published.filter(effective_at=effective_at).exists():
        return [FieldError("/effective_at", "taken", _("Another list starts at this hour."))]
    if effective_at < now and published.exists():
        return [FieldError("/effective_at", "past", _("A price list cannot start in the past."))]
    return []


def _line_errors(lines: Sequence[PriceLine]) -> list[FieldError]:
    errors = []
    seen: set[tuple[str, frozenset[tuple[str, str]]]] = set()
    skus: set[str] = set()
    rated = set(TaxRate.objects.values_list("tax_code", flat=True))
    if not lines:
        errors.append(FieldError("/lines", "empty", _("A price list has at least one price.")))
    for index, line in enumerate(lines):
        where = f"/lines/{index}"
        if not line.unit_price.is_finite() or line.unit_price < 0 or line.unit_quantity <= 0:
            errors.append(FieldError(where, "amount", _("A price is zero or more, per unit.")))
        if line.model not in MODELS:
            errors.append(FieldError(where, "model", _("There is no such price model.")))
        if line.tax_code not in rated:
            errors.append(FieldError(where, "tax_code", _("There is no such tax code.")))
        key = (line.meter, frozenset(line.match.items()))
        if key in seen or line.sku in skus:
            errors.append(FieldError(where, "twice", _("This price stands in the list twice.")))
        seen.add(key)
        skus.add(line.sku)
    return errors


@transaction.atomic
def load_default_prices(*, actor: Actor, now: datetime) -> PriceVersion:
    """Publish the example price list and tax rates; does nothing where any list is published.

    Raises: PermissionRefused.
    Idempotent: gives the earliest published list where there is one.
    """
    require(actor, Permission.PRICE_PUBLISH)
    _serialise()
    published = PriceVersion.objects.filter(state=VersionState.PUBLISHED)
    existing = published.order_by("effective_at").first()
    if existing is not None:
        return existing
    seed = read_price_seed()
    for rate in seed.tax_rates:
        if not TaxRate.objects.filter(tax_code=rate.tax_code).exists():
            TaxRate.objects.create(
                tax_code=rate.tax_code,
                rate=rate.rate,
                during=(rate.starts_at, None),
                title_en=rate.title_en,
                title_zh=rate.title_zh,
            )
    return publish_version(
        actor=actor,
        lines=[PriceLine(**vars(price)) for price in seed.prices],
        effective_at=seed.effective_at,
        now=now,
        title=seed.title_zh,
    )
