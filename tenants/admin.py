"""Pages of the support admin: what is there, never a secret, never a change."""

from typing import Any

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest

from tenants.models import (
    ApiKey,
    AuditEntry,
    Invitation,
    Membership,
    OperatorAccess,
    Organisation,
    Project,
    User,
)


# ModelAdmin is generic for type checkers only.
class ReadOnlyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Shows rows and changes none; other apps register their models with it too."""

    is_for_looking_only = True
    show_full_result_count = False
    list_per_page = 50
    actions = None

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Organisation)
class OrganisationAdmin(ReadOnlyAdmin):
    list_display = ["code", "name", "state", "created_at"]
    search_fields = ["code", "name"]
    ordering = ["-id"]


@admin.register(Project)
class ProjectAdmin(ReadOnlyAdmin):
    list_display = ["code", "name", "tenant", "archived_at"]
    list_select_related = ["tenant"]
    ordering = ["-id"]


@admin.register(Membership)
class MembershipAdmin(ReadOnlyAdmin):
    list_display = ["user", "tenant", "role", "created_at"]
    list_select_related = ["tenant", "user"]
    ordering = ["-id"]


@admin.register(Invitation)
class InvitationAdmin(ReadOnlyAdmin):
    list_display = ["email", "tenant", "role", "mailed_at", "mail_attempts", "accepted_at"]
    list_select_related = ["tenant"]
    exclude = ["token_hash"]
    ordering = ["-id"]


@admin.register(ApiKey)
class ApiKeyAdmin(ReadOnlyAdmin):
    list_display = ["name", "tenant", "last_four", "last_used_at", "revoked_at"]
    list_select_related = ["tenant"]
    exclude = ["key_hash"]
    ordering = ["-id"]


@admin.register(OperatorAccess)
class OperatorAccessAdmin(ReadOnlyAdmin):
    list_display = ["operator", "tenant", "reason", "starts_at", "ends_at"]
    list_select_related = ["tenant", "operator"]
    ordering = ["-id"]


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    list_display = ["at", "actor_name", "action", "subject", "tenant"]
    list_select_related = ["tenant"]
    ordering = ["-id"]


@admin.register(User)
class UserAdmin(ReadOnlyAdmin):
    list_display = ["email", "display_name", "operator_role", "is_active", "last_login"]
    search_fields = ["email"]
    exclude = ["password"]
    ordering = ["-id"]
