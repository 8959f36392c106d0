"""Which tenants' work is to be taken off its cards, and how far that has come."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from billing.arrears import ResourceClass
from billing.queries.arrears import frozen_tenants, standing_of
from compute.models import Freeze, FreezeState
from compute.models.freezes import OPEN

ENDED = frozenset({FreezeState.RELEASED, FreezeState.LIFTED})


def tenants_to_obey(now: datetime) -> Sequence[UUID]:
    """Tenants with a freeze to begin, to go on with, or to lift; needs the operators' scope."""
    frozen = frozen_tenants(now)
    ended = {
        (row.tenant_id, row.episode, row.resource_class)
        for row in Freeze.objects.filter(tenant_id__in=list(frozen), state__in=ENDED)
    }
    due = {
        tenant_id
        for tenant_id, arrears in frozen.items()
        if any((tenant_id, arrears.episode, kind) not in ended for kind in arrears.must_freeze)
    }
    open_ones = Freeze.objects.filter(state__in=OPEN).values_list("tenant_id", flat=True)
    return sorted(due | set(open_ones))


def frozen_classes(tenant_id: UUID) -> frozenset[ResourceClass]:
    """Whose endpoints are to be stopped by now: the jobs have had their notice and their time."""
    rows = Freeze.objects.filter(tenant_id=tenant_id, state=FreezeState.FROZEN)
    return frozenset(ResourceClass(row.resource_class) for row in rows)


def is_blocked(tenant_id: UUID, now: datetime) -> bool:
    """Whether the tenant's reservations must not begin now."""
    return ResourceClass.RESERVED in standing_of(tenant_id, now).must_freeze
