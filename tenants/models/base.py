"""What every tenant-owned row has in common."""

from django.db import models

from common.ids import uuid7
from tenants.scoping import TenantManager


class TenantOwned(models.Model):
    """A row of one tenant: random public id, forced owner, scoped manager.

    Its migration adds ``walls.tenant_wall`` for the table and ``walls.tenant_reference`` for each
    foreign key to another tenant-owned table; a test refuses a model without them.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    tenant = models.ForeignKey(
        "tenants.Organisation", on_delete=models.PROTECT, related_name="+", db_index=True
    )

    objects = TenantManager()

    class Meta:
        abstract = True
