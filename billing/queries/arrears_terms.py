"""Which figures hold for a tenant at an instant, and the tiers they come from."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from django.db.models import Q

from billing.arrears import Figures
from billing.models import ArrearsFigures, ArrearsTerms, ArrearsTier


@dataclass(frozen=True)
class TermsInForce:
    """A tenant's figures with what was agreed with it alone.

    Shape: ``tier`` is the tier's code, empty where operators keep none; ``exempt_until`` lies in
    the future or is None.
    """

    figures: Figures
    tier: str = ""
    exempt_until: datetime | None = None
    exempt_reason: str = ""
    exempt_by: str = ""
    own_tier: str = ""
    own_payment_days: int | None = None


def terms_of(tenant_id: UUID, at: datetime) -> TermsInForce:
    """What holds for the tenant at an instant; two statements, three where a tier says nothing."""
    own = ArrearsTerms.objects.filter(tenant_id=tenant_id).first()
    agreed = own.tier_id if own is not None else None
    row = _in_force(Q(tier_id=agreed) if agreed else Q(tier__is_default=True), at)
    tier = agreed or (row.tier_id if row is not None else _default_tier())
    figures = row.as_figures if row is not None else Figures()
    if own is None:
        return TermsInForce(figures=figures, tier=tier)
    if own.payment_days is not None:
        figures = replace(figures, payment_days=own.payment_days)
    exempt = own.exempt_until is not None and own.exempt_until > at
    return TermsInForce(
        figures=figures,
        tier=tier,
        exempt_until=own.exempt_until if exempt else None,
        exempt_reason=own.exempt_reason if exempt else "",
        exempt_by=own.exempt_by if exempt else "",
        own_tier=own.tier_id or "",
        own_payment_days=own.payment_days,
    )


def _default_tier() -> str:
    code = ArrearsTier.objects.filter(is_default=True).values_list("code", flat=True).first()
    return code or ""


def _in_force(tier: Q, at: datetime) -> ArrearsFigures | None:
    rows = ArrearsFigures.objects.filter(tier, effective_at__lte=at)
    return rows.order_by("-effective_at").first()


@dataclass(frozen=True)
class TierRow:
    """One set of figures of a tier, and whether it is the one in force."""

    code: str
    title_en: str
    title_zh: str
    is_default: bool
    effective_at: datetime
    source: str
    figures: Figures
    is_in_force: bool


def tiers(now: datetime) -> Sequence[TierRow]:
    """Every tier's figures, past and coming, tier by tier and the latest first."""
    rows = list(
        ArrearsFigures.objects.select_related("tier").order_by(
            "tier__position", "tier__code", "-effective_at"
        )
    )
    in_force: dict[str, datetime] = {}
    for row in rows:
        if row.effective_at <= now:
            in_force.setdefault(row.tier_id, row.effective_at)
    return [
        TierRow(
            code=row.tier_id,
            title_en=row.tier.title_en,
            title_zh=row.tier.title_zh,
            is_default=row.tier.is_default,
            effective_at=row.effective_at,
            source=row.source,
            figures=row.as_figures,
            is_in_force=in_force.get(row.tier_id) == row.effective_at,
        )
        for row in rows
    ]
