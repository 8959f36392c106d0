"""The paying organisation, its cost centres and its members."""

from django.core.validators import RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from common.ids import uuid7
from tenants.models.base import TenantOwned

CODE = RegexValidator(
    r"^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$",
    _("Use lower-case letters, digits and hyphens."),
)


class OrganisationState(models.TextChoices):
    ACTIVE = "active", _("Active")
    SUSPENDED = "suspended", _("Suspended")
    CLOSED = "closed", _("Closed")


class Organisation(models.Model):
    """A tenant: the boundary of isolation and of billing."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    code = models.CharField(max_length=40, unique=True, validators=[CODE])
    name = models.CharField(max_length=100)
    legal_name = models.CharField(max_length=200, blank=True)
    credit_code = models.CharField(max_length=18, blank=True)
    state = models.CharField(
        max_length=20, choices=OrganisationState.choices, default=OrganisationState.ACTIVE
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(code__regex=r"^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$"),
                name="tenants_organisation_code_format",
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=OrganisationState.values),
                name="tenants_organisation_state_known",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Project(TenantOwned):
    """A cost centre inside a tenant; reservations, deployments and usage belong to one."""

    code = models.CharField(max_length=40, validators=[CODE])
    name = models.CharField(max_length=100)
    created_at = models.DateTimeField(auto_now_add=True)
    archived_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "code"], name="tenants_project_code_key"),
            models.CheckConstraint(
                condition=models.Q(code__regex=r"^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$"),
                name="tenants_project_code_format",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class MemberRole(models.TextChoices):
    OWNER = "owner", _("Owner")
    ADMIN = "admin", _("Administrator")
    DEVELOPER = "developer", _("Developer")
    FINANCE = "finance", _("Finance")
    VIEWER = "viewer", _("Viewer")


class Membership(TenantOwned):
    """One person's role in one tenant."""

    user = models.ForeignKey("tenants.User", on_delete=models.PROTECT, related_name="memberships")
    role = models.CharField(max_length=20, choices=MemberRole.choices)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "user"], name="tenants_membership_user_key"),
            models.CheckConstraint(
                condition=models.Q(role__in=MemberRole.values), name="tenants_membership_role_known"
            ),
        ]


class Invitation(TenantOwned):
    """An address asked to join; the mailed token is stored only as its hash."""

    email = models.EmailField()
    role = models.CharField(max_length=20, choices=MemberRole.choices)
    token_hash = models.BinaryField(max_length=32, unique=True)
    invited_by = models.ForeignKey("tenants.User", on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    mailed_at = models.DateTimeField(null=True, blank=True)
