"""The paying organisation, its cost centres and its members."""

from django.core.validators import RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from common.ids import uuid7
from tenants.models.base import TenantOwned

CODE_PATTERN = r"^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$"
CODE = RegexValidator(CODE_PATTERN, _("Use lower-case letters, digits and hyphens."))


class OrganisationState(models.TextChoices):
    ACTIVE = "active", _("Active")
    SUSPENDED = "suspended", _("Suspended")
    CLOSED = "closed", _("Closed")


# From which states an organisation may come into a state.
ORGANISATION_TRANSITIONS: dict[str, frozenset[str]] = {
    OrganisationState.SUSPENDED: frozenset({OrganisationState.ACTIVE}),
    OrganisationState.ACTIVE: frozenset({OrganisationState.SUSPENDED}),
    OrganisationState.CLOSED: frozenset({OrganisationState.SUSPENDED}),
}


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
                condition=models.Q(code__regex=CODE_PATTERN),
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
                condition=models.Q(code__regex=CODE_PATTERN),
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
    """An address asked to join; the mailed token is stored only as its hash.

    The row is the mail queue too: unsent while ``mailed_at`` is empty, one sender at a time by
    ``mail_leased_until``, parked once ``mail_attempts`` reaches the limit.
    """

    email = models.EmailField()
    role = models.CharField(max_length=20, choices=MemberRole.choices)
    token_hash = models.BinaryField(max_length=32, unique=True)
    invited_by = models.ForeignKey(
        "tenants.User", on_delete=models.PROTECT, related_name="+", null=True
    )
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    mailed_at = models.DateTimeField(null=True, blank=True)
    mail_leased_until = models.DateTimeField(null=True, blank=True)
    mail_attempts = models.PositiveSmallIntegerField(default=0)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(role__in=MemberRole.values), name="tenants_invitation_role_known"
            ),
            models.UniqueConstraint(
                fields=["tenant", "email"],
                condition=models.Q(accepted_at=None, revoked_at=None),
                name="tenants_invitation_open_key",
            ),
        ]
        indexes = [
            models.Index(
                fields=["created_at"],
                condition=models.Q(mailed_at=None),
                name="tenants_invitation_unsent",
            ),
        ]
