"""Publishing the list that ships with the product; what people change is a draft first."""

from collections.abc import Sequence
from datetime import datetime

from django.db import connection, transaction
from django.utils.translation import gettext_lazy as _

from billing.four_eyes import FourEyesRequired
from billing.models import Price, PriceVersion, TaxRate, VersionState
from billing.money import CURRENCY
from billing.pricing.stored import tier_rows
from billing.queries.price_faults import PriceLine, line_faults, time_faults
from billing.seed import read_price_seed
from common.errors import DomainError
from tenants.audit import record
from tenants.permissions import Actor, Permission, require


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
    currency: str = CURRENCY,
) -> PriceVersion:
    """Put a whole price list that nobody here wrote in force from ``effective_at`` on.

    A list starts on a whole hour and not in the past, so that no hour already used changes its
    price; only the very first list of its currency may reach back. People go through a draft and
    four eyes.
    Raises: PermissionRefused, FourEyesRequired, PriceListRefused.
    """
    require(actor, Permission.PRICE_PUBLISH)
    if actor.id is not None:
        raise FourEyesRequired
    serialise_publishing()
    errors = [
        *time_faults(effective_at, now, currency, may_reach_back=True),
        *line_faults(lines),
    ]
    if errors:
        raise PriceListRefused(errors=errors)

    version = PriceVersion.objects.create(title=title, effective_at=effective_at, currency=currency)
    write_lines(version, lines)
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


def write_lines(version: PriceVersion, lines: Sequence[PriceLine]) -> None:
    """Add prices to a draft; part of the caller's transaction."""
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
            tiers=tier_rows(line.tiers),
        )
        for line in lines
    )


def serialise_publishing() -> None:
    """Let publishers queue: two would each see no other list, and there is no row to lock yet."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('billing_priceversion'))")


@transaction.atomic
def load_default_prices(*, actor: Actor, now: datetime) -> PriceVersion:
    """Publish the example price list and tax rates; does nothing where any list is published.

    Raises: PermissionRefused.
    Idempotent: gives the earliest published list where there is one.
    """
    require(actor, Permission.PRICE_PUBLISH)
    serialise_publishing()
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
