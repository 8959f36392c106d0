"""Reading the audit trail and operators' visits."""

from uuid import UUID

from common.paging import Page, newest_first
from tenants.models import AuditEntry, OperatorAccess
from tenants.permissions import Actor, Permission, require


def audit_entries(
    *,
    actor: Actor,
    tenant_id: UUID | None,
    action: str = "",
    subject: str = "",
    cursor: str | None = None,
    limit: int = 50,
) -> Page[AuditEntry]:
    """What was done, newest first; operators may leave the tenant open.

    Shape: ``action`` is a whole name or the beginning of one ("tenants.key."); ``subject`` is
    whole.
    Raises: PermissionRefused, NotFound, InvalidInput.
    """
    require(actor, Permission.AUDIT_READ, tenant_id)
    if tenant_id is None:
        require(actor, Permission.TENANT_READ_ALL)
    rows = AuditEntry.objects.all()
    if tenant_id is not None:
        rows = rows.filter(tenant_id=tenant_id)
    if action:
        rows = rows.filter(action__startswith=action)
    if subject:
        rows = rows.filter(subject=subject)
    return newest_first(rows, cursor=cursor, limit=limit)


def visits(
    *, actor: Actor, tenant_id: UUID, cursor: str | None = None, limit: int = 50
) -> Page[OperatorAccess]:
    """Which operators looked into this tenant, when and why, newest first.

    Raises: PermissionRefused, NotFound, InvalidInput.
    """
    require(actor, Permission.AUDIT_READ, tenant_id)
    rows = OperatorAccess.objects.select_related("operator").filter(tenant_id=tenant_id)
    return newest_first(rows, cursor=cursor, limit=limit)
