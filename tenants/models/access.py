"""Programs' keys, operators' visits, and requests already answered."""

from datetime import timedelta

from django.contrib.postgres.fields import ArrayField
from django.db import models

from tenants.models.base import TenantOwned

VISIT_LIMIT = timedelta(minutes=60)


class ApiKey(TenantOwned):
    """A program's credential, shown once and kept only as a SHA-256.

    Shape: the secret reads ``acp_<32 base62 characters>_<6 of checksum>``; ``scopes`` are
    permission names; empty ``allowed_models`` means every model of the tenant.
    """

    project = models.ForeignKey(
        "tenants.Project", on_delete=models.PROTECT, related_name="+", null=True, blank=True
    )
    name = models.CharField(max_length=100)
    prefix = models.CharField(max_length=12)
    last_four = models.CharField(max_length=4)
    key_hash = models.BinaryField(max_length=32, unique=True)
    scopes = ArrayField(models.CharField(max_length=60))
    allowed_models = ArrayField(models.CharField(max_length=100), default=list, blank=True)
    requests_per_minute = models.PositiveIntegerField(null=True, blank=True)
    created_by = models.ForeignKey(
        "tenants.User", on_delete=models.PROTECT, related_name="+", null=True
    )
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)


class OperatorAccess(TenantOwned):
    """A time-boxed, reasoned visit of an operator to a tenant's console; read-only.

    Units: at most ``VISIT_LIMIT`` long, which the database checks too.
    """

    operator = models.ForeignKey("tenants.User", on_delete=models.PROTECT, related_name="+")
    reason = models.CharField(max_length=500)
    ticket = models.CharField(max_length=100, blank=True)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(ends_at__gt=models.F("starts_at")),
                name="tenants_operatoraccess_period",
            ),
            models.CheckConstraint(
                condition=models.Q(ends_at__lte=models.F("starts_at") + VISIT_LIMIT),
                name="tenants_operatoraccess_limit",
            ),
            models.CheckConstraint(
                condition=~models.Q(reason=""), name="tenants_operatoraccess_reasoned"
            ),
        ]


class IdempotencyKey(TenantOwned):
    """A POST already answered: the same key gives the same answer, another body is refused.

    Shape: ``sealed_answer`` is the answer's bytes, encrypted because an answer may hold a secret
    that is shown only once.
    """

    key = models.CharField(max_length=255)
    actor_ref = models.CharField(max_length=60)
    method = models.CharField(max_length=10)
    path = models.CharField(max_length=500)
    body_hash = models.BinaryField(max_length=32)
    status = models.PositiveSmallIntegerField(null=True)
    sealed_answer = models.BinaryField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "actor_ref", "key"], name="tenants_idempotencykey_key"
            ),
            models.CheckConstraint(
                condition=models.Q(status=None, sealed_answer=None)
                | models.Q(status__isnull=False, sealed_answer__isnull=False),
                name="tenants_idempotencykey_answered",
            ),
        ]
