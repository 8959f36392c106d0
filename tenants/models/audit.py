"""Who did what, when, on whose behalf."""

from django.db import models

from common.ids import uuid7
from tenants.scoping import TenantManager


class AuditEntry(models.Model):
    """One act, append-only. Acts of the centre that concern no tenant have none."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    tenant = models.ForeignKey(
        "tenants.Organisation", on_delete=models.PROTECT, related_name="+", null=True
    )
    at = models.DateTimeField(auto_now_add=True)
    actor_kind = models.CharField(max_length=20)
    actor_id = models.UUIDField(null=True)
    actor_name = models.CharField(max_length=200)
    on_behalf_of = models.UUIDField(null=True)
    action = models.CharField(max_length=100)
    subject = models.CharField(max_length=200)
    request_id = models.CharField(max_length=64, blank=True)
    detail = models.JSONField(default=dict)

    objects = TenantManager()

    class Meta:
        indexes = [
            models.Index(fields=["tenant", "-at"], name="tenants_audit_recent"),
            models.Index(fields=["subject", "-at"], name="tenants_audit_subject"),
        ]
