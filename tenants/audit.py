"""The audit trail, written inside the caller's transaction."""

from collections.abc import Mapping
from uuid import UUID

from common.trace import request_id
from tenants.models import AuditEntry
from tenants.permissions import Actor

__all__ = ["record", "request_id"]


def record(
    actor: Actor,
    action: str,
    *,
    subject: str,
    tenant_id: UUID | None = None,
    detail: Mapping[str, object] | None = None,
) -> None:
    """Write who did what to which thing.

    Shape: ``action`` is past tense, ``app.noun.verb`` ("compute.reservation.confirmed");
    ``subject`` is "compute.reservation:<id>". Secrets and prompts never go into ``detail``.
    """
    AuditEntry.objects.create(
        tenant_id=tenant_id or actor.tenant_id,
        actor_kind=actor.kind,
        actor_id=actor.id,
        actor_name=actor.name[:200],
        on_behalf_of=actor.on_behalf_of,
        action=action,
        subject=subject,
        request_id=request_id.get(),
        detail=dict(detail or {}),
    )
