"""The centre's limits on reserving."""

from django.db import transaction
from django.utils.translation import gettext as _

from common.errors import FieldError, InvalidInput
from compute.models import ReservationPolicy
from tenants.audit import record
from tenants.permissions import Actor, Permission, require

MOST = 100_000


@transaction.atomic
def change_policy(
    *,
    actor: Actor,
    hold_minutes: int,
    unused_per_tenant: int,
    longest_days: int,
    furthest_days: int,
    early_end_percent: int = 100,
) -> ReservationPolicy:
    """Set how long a hold lasts, how many may wait for use, how long and how far ahead.

    Units: ``early_end_percent`` is the share of given-up time that ending early still costs.

    Raises: PermissionRefused, InvalidInput.
    """
    require(actor, Permission.POOL_MANAGE)
    limits = {
        "hold_minutes": hold_minutes,
        "unused_per_tenant": unused_per_tenant,
        "longest_days": longest_days,
        "furthest_days": furthest_days,
    }
    faults = [
        FieldError(f"/{name}", "out_of_range", _("Ask for a sensible number."))
        for name, value in limits.items()
        if not 1 <= value <= MOST
    ]
    if not 0 <= early_end_percent <= 100:
        faults.append(
            FieldError("/early_end_percent", "out_of_range", _("Give a share from 0 to 100."))
        )
    if faults:
        raise InvalidInput(errors=faults)
    limits["early_end_percent"] = early_end_percent
    policy, _made = ReservationPolicy.objects.update_or_create(pk=1, defaults=limits)
    record(
        actor,
        "compute.policy.changed",
        subject="compute.policy:reservations",
        detail=limits,
    )
    return policy
