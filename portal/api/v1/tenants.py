"""The tenant itself: organisation, projects, members, keys, audit trail."""

from uuid import UUID

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from portal.api.endpoint import Call, Endpoint, deletes, posts, reads, says
from portal.api.fields import Identifier, Instant, Strict, Text, Whole
from portal.api.pagination import PageQuery
from tenants.commands.keys import create_key, revoke_key
from tenants.commands.projects import create_project
from tenants.permissions import KEY_SCOPES, Permission
from tenants.queries.keys import keys
from tenants.queries.members import members
from tenants.queries.organisations import organisation
from tenants.queries.projects import project, projects
from tenants.queries.trail import audit_entries


# Output serializers are generic over models this layer must not import.
class OrganisationOut(serializers.Serializer):  # type: ignore[type-arg]
    id = serializers.UUIDField()
    code = serializers.CharField()
    name = serializers.CharField()
    legal_name = serializers.CharField()
    credit_code = serializers.CharField()
    state = serializers.ChoiceField(choices=["active", "suspended", "closed"])
    created_at = Instant()


class Organisation(Endpoint):
    """The organisation this key belongs to."""

    @says(_("Show the organisation."))
    @reads(Permission.ORGANISATION_READ, OrganisationOut)
    def get(self, call: Call) -> object:
        return organisation(actor=call.actor, tenant_id=call.tenant_id)


class ProjectIn(Strict):
    code = Text(
        max_length=40,
        help_text=_("Lower-case letters, digits and hyphens; never changes."),
    )
    name = Text(max_length=100)


class ProjectOut(serializers.Serializer):  # type: ignore[type-arg]
    id = serializers.UUIDField()
    code = serializers.CharField()
    name = serializers.CharField()
    created_at = Instant()
    archived_at = Instant(allow_null=True)


class Projects(Endpoint):
    """Cost centres: reservations, deployments and usage belong to one."""

    @says(_("List the projects, newest first."))
    @reads(Permission.PROJECT_READ, ProjectOut, page=True)
    def get(self, call: Call) -> object:
        return projects(actor=call.actor, tenant_id=call.tenant_id, **call.page)

    @says(_("Open a project."))
    @posts(Permission.PROJECT_MANAGE, ProjectIn, ProjectOut)
    def post(self, call: Call) -> object:
        return create_project(actor=call.actor, tenant_id=call.tenant_id, **call.body)


class Project(Endpoint):
    """One cost centre."""

    @says(_("Show one project."))
    @reads(Permission.PROJECT_READ, ProjectOut)
    def get(self, call: Call, project_id: UUID) -> object:
        return project(actor=call.actor, tenant_id=call.tenant_id, project_id=project_id)


class MemberOut(serializers.Serializer):  # type: ignore[type-arg]
    id = serializers.UUIDField()
    email = serializers.EmailField(source="user.email")
    name = serializers.CharField(source="user.display_name")
    role = serializers.ChoiceField(choices=["owner", "admin", "developer", "finance", "viewer"])
    created_at = Instant()


class Members(Endpoint):
    """People of the organisation."""

    @says(_("List the members, newest first."))
    @reads(Permission.MEMBER_READ, MemberOut, page=True)
    def get(self, call: Call) -> object:
        return members(actor=call.actor, tenant_id=call.tenant_id, **call.page)


class KeyIn(Strict):
    name = Text(max_length=100)
    scopes = serializers.ListField(
        child=serializers.ChoiceField(choices=sorted(scope.value for scope in KEY_SCOPES)),
        min_length=1,
        max_length=len(KEY_SCOPES),
        help_text=_("At most what the asking key holds itself."),
    )
    project_id = Identifier(
        required=False,
        help_text=_(
            "Narrow the key to one project; what is the whole organisation's, such as invoices "
            "and the wallet, is then refused whatever the scopes."
        ),
    )
    allowed_models = serializers.ListField(
        child=Text(max_length=100),
        required=False,
        max_length=100,
        help_text=_("Models the gateway lets this key call; none named means all."),
    )
    expires_at = Instant(required=False)
    requests_per_minute = Whole(required=False, min_value=1, max_value=100_000)


class KeyOut(serializers.Serializer):  # type: ignore[type-arg]
    id = serializers.UUIDField()
    name = serializers.CharField()
    prefix = serializers.CharField()
    last_four = serializers.CharField()
    scopes = serializers.ListField(child=serializers.CharField())
    project_id = serializers.UUIDField(allow_null=True)
    allowed_models = serializers.ListField(child=serializers.CharField())
    requests_per_minute = serializers.IntegerField(allow_null=True)
    created_at = Instant()
    expires_at = Instant(allow_null=True)
    revoked_at = Instant(allow_null=True)
    last_used_at = Instant(allow_null=True)


class NewKeyOut(KeyOut):
    secret = serializers.CharField(help_text=_("Shown this once; keep it."))


class Keys(Endpoint):
    """Keys of programs."""

    @says(_("List the keys, newest first, revoked ones too; never their secrets."))
    @reads(Permission.KEY_READ, KeyOut, page=True)
    def get(self, call: Call) -> object:
        return keys(actor=call.actor, tenant_id=call.tenant_id, **call.page)

    @says(_("Make a key; its secret is in this answer only."))
    @posts(Permission.KEY_MANAGE, KeyIn, NewKeyOut)
    def post(self, call: Call) -> object:
        key, secret = create_key(
            actor=call.actor, tenant_id=call.tenant_id, now=call.now, **call.body
        )
        key.secret = secret  # type: ignore[attr-defined]  # for NewKeyOut, never stored
        return key


class Key(Endpoint):
    """One key."""

    @says(_("Revoke a key; its next request is refused."))
    @deletes(Permission.KEY_MANAGE)
    def delete(self, call: Call, key_id: UUID) -> None:
        revoke_key(actor=call.actor, tenant_id=call.tenant_id, key_id=key_id, now=call.now)


class AuditQuery(PageQuery):
    action = Text(
        max_length=100, default="", help_text=_('An action, or its beginning ("tenants.key.").')
    )
    subject = Text(max_length=200, default="", help_text=_("One thing, written whole."))


class AuditEntryOut(serializers.Serializer):  # type: ignore[type-arg]
    id = serializers.UUIDField()
    at = Instant()
    actor_kind = serializers.CharField()
    actor_id = serializers.UUIDField(allow_null=True)
    actor_name = serializers.CharField()
    action = serializers.CharField()
    subject = serializers.CharField()
    request_id = serializers.CharField()
    detail = serializers.DictField()


class Audit(Endpoint):
    """Who did what."""

    @says(_("List what was done, newest first."))
    @reads(Permission.AUDIT_READ, AuditEntryOut, query=AuditQuery, page=True)
    def get(self, call: Call) -> object:
        return audit_entries(
            actor=call.actor,
            tenant_id=call.tenant_id,
            action=call.query["action"],
            subject=call.query["subject"],
            **call.page,
        )
