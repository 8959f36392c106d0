"""Cost centres of a tenant."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from common.errors import NotFound
from tenants.audit import record
from tenants.commands.organisations import CodeTaken
from tenants.models import Project
from tenants.naming import clean_code, clean_text
from tenants.permissions import Actor, Permission, require, require_whole_tenant


@transaction.atomic
def create_project(*, actor: Actor, tenant_id: UUID, code: str, name: str) -> Project:
    """Open a cost centre.

    Raises: PermissionRefused, InvalidInput, CodeTaken.
    """
    require(actor, Permission.PROJECT_MANAGE, tenant_id)
    require_whole_tenant(actor)
    project = Project(
        tenant_id=tenant_id, code=clean_code(code), name=clean_text(name, pointer="/name")
    )
    Project.objects.bulk_create([project], ignore_conflicts=True)
    if not Project.objects.filter(pk=project.pk).exists():
        raise CodeTaken
    project.refresh_from_db()
    record(
        actor,
        "tenants.project.created",
        subject=f"tenants.project:{project.pk}",
        tenant_id=tenant_id,
        detail={"code": project.code, "name": project.name},
    )
    return project


@transaction.atomic
def archive_project(*, actor: Actor, tenant_id: UUID, project_id: UUID, now: datetime) -> None:
    """Close a cost centre for new work; its history stays.

    Raises: PermissionRefused, NotFound.
    Idempotent: a closed one stays closed since when it was.
    """
    require(actor, Permission.PROJECT_MANAGE, tenant_id)
    if actor.project_id is not None and actor.project_id != project_id:
        raise NotFound
    rows = Project.objects.filter(pk=project_id, tenant_id=tenant_id)
    if not rows.exists():
        raise NotFound
    if rows.filter(archived_at=None).update(archived_at=now):
        record(
            actor,
            "tenants.project.archived",
            subject=f"tenants.project:{project_id}",
            tenant_id=tenant_id,
        )
