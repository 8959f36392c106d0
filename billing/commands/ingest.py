"""Usage reported by a tenant's own programs, as CloudEvents."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from billing.cloudevents import named_projects, read_events
from billing.commands.usage import NOTHING, record_usage
from billing.usage import EventResult, EventStatus
from common.errors import DomainError
from tenants.models import Project
from tenants.permissions import Actor, Permission, require

MOST_EVENTS = 1_000


class BatchTooLarge(DomainError):
    """More events at once than one request may carry."""

    code = "batch_too_large"
    status = 422
    message = _("Send at most %(most)s events at once; this batch has %(count)s.")


@dataclass(frozen=True)
class Receipt:
    """What became of a batch: one result per event, in order, and how many of each."""

    results: tuple[EventResult, ...]

    @property
    def counts(self) -> Mapping[EventStatus, int]:
        """How many of each, also of those that there are none of."""
        return Counter(result.status for result in self.results)


@transaction.atomic
def ingest(
    *,
    actor: Actor,
    tenant_id: UUID,
    items: Sequence[object],
    now: datetime,
    broken: Mapping[int, str] = NOTHING,
) -> Receipt:
    """Count a batch of CloudEvents, each on its own; one look-up for all projects they name.

    Shape: ``broken`` names by position what was no JSON at all, with the code of the reason.

    Idempotent: by (tenant, source, id), for ever.
    Raises: PermissionRefused, BatchTooLarge.
    """
    require(actor, Permission.USAGE_INGEST, tenant_id)
    if len(items) > MOST_EVENTS:
        raise BatchTooLarge(most=MOST_EVENTS, count=len(items))
    codes = named_projects(items)
    rows = Project.objects.filter(tenant_id=tenant_id, code__in=_writable(codes))
    projects = dict(rows.values_list("code", "pk")) if codes else {}
    read = read_events(items, projects)
    results = record_usage(
        actor=actor,
        tenant_id=tenant_id,
        events=read.events,
        now=now,
        unreadable={**read.unreadable, **broken},
    )
    return Receipt(results)


def _writable(codes: Collection[str]) -> list[str]:
    """What PostgreSQL can be asked for at all: codes are ASCII."""
    return sorted(code for code in codes if code.isascii() and code.isprintable())
