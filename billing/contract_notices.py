"""What tenants are told of their contracts."""

from datetime import datetime

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from billing.credit_days import day_of, last_day
from billing.models import Contract
from tenants.notices import Kind, declare, post

ACTIVATED = "contract.activated"
ENDED = "contract.ended"


def declare_kinds() -> None:
    """Declare the kinds; called once when the app is ready."""
    declare(
        Kind(
            ACTIVATED,
            _("Contract %(number)s is active"),
            _("%(title)s: its prices hold from %(starts)s until %(ends)s."),
        )
    )
    declare(
        Kind(
            ENDED,
            _("Contract %(number)s has ended"),
            _("%(title)s ended on %(ends)s. What is used since is priced by the list."),
        )
    )


def tell(contract: Contract, kind: str, now: datetime) -> None:
    """Post one of these kinds about a contract, once."""
    zone = settings.CENTRE_TIME_ZONE
    post(
        tenant_id=contract.tenant_id,
        kind=kind,
        key=f"{kind}:{contract.pk}",
        detail={
            "number": contract.number,
            "title": contract.title,
            "starts": day_of(contract.starts_at, zone).isoformat(),
            "ends": last_day(contract.ends_at, zone).isoformat(),
        },
        now=now,
    )
