"""The lots that a granted application becomes: the voucher, and the scheme's free card-hours."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings

from billing.commands.credit_lots import new_code, state_at
from billing.credit_days import day_of, end_of_day
from billing.four_eyes import author_of
from billing.models import (
    AfterExpiry,
    CreditKind,
    CreditLot,
    CreditScope,
    Funder,
    VoucherApplication,
    VoucherMode,
    VoucherScheme,
)
from tenants.permissions import Actor


def _expires_at(scheme: VoucherScheme, now: datetime) -> datetime | None:
    zone = settings.CENTRE_TIME_ZONE
    ends = [] if scheme.valid_until is None else [scheme.valid_until]
    if scheme.valid_days is not None:
        ends.append(end_of_day(day_of(now + timedelta(days=scheme.valid_days), zone), zone))
    return min(ends, default=None)


def voucher_lot(
    application: VoucherApplication, amount: Decimal, actor: Actor, now: datetime
) -> CreditLot:
    """The voucher, by the scheme's rules as they are now; not written yet."""
    scheme = application.scheme
    return CreditLot(
        tenant_id=application.tenant_id,
        code=new_code(CreditKind.VOUCHER),
        kind=CreditKind.VOUCHER,
        state=state_at(now, now),
        funder=Funder.GOVERNMENT,
        mode=VoucherMode(scheme.mode),
        scheme=scheme,
        application=application,
        cap_year=application.cap_year,
        title=scheme.title_zh,
        face=amount,
        priority=scheme.priority,
        scope=CreditScope.SERVICE,
        scope_values=scheme.scope_services,
        excluded_services=scheme.excluded_services,
        eligible_pools=scheme.eligible_pools,
        share_domestic=scheme.share_domestic,
        share_other=scheme.share_other,
        min_spend=scheme.min_spend,
        is_stackable=scheme.is_stackable,
        after_expiry=scheme.after_expiry,
        effective_at=now,
        expires_at=_expires_at(scheme, now),
        key=f"application:{application.pk}",
        created_at=now,
        **_people(application, actor, now),
    )


# Columns' values are as various as their types.
def _people(application: VoucherApplication, actor: Actor, now: datetime) -> dict[str, Any]:
    """Who looked at the application and who agreed, as a proposed credit keeps them."""
    second = author_of(actor)
    return {
        "created_by": application.reviewed_by or actor.name[:200],
        "proposed_by_id": application.reviewed_by_id,
        "approved_by": "" if second is None else actor.name[:200],
        "approved_by_id": second,
        "approved_at": None if second is None else now,
    }


def package_lot(
    application: VoucherApplication, voucher: CreditLot, actor: Actor, now: datetime
) -> CreditLot:
    """The free card-hours that come with the scheme."""
    scheme = application.scheme
    return CreditLot(
        tenant_id=application.tenant_id,
        code=new_code(CreditKind.PACKAGE),
        kind=CreditKind.PACKAGE,
        state=state_at(now, now),
        funder=Funder.CENTRE,
        application=application,
        title=scheme.title_zh,
        face=Decimal(scheme.package_quantity or 0),
        meter=scheme.package_meter,
        after_expiry=AfterExpiry.LAPSE,
        effective_at=now,
        expires_at=voucher.expires_at,
        key=f"application:{application.pk}:package",
        created_at=now,
        **_people(application, actor, now),
    )
