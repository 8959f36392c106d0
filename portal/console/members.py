"""Who belongs to the organisation: inviting, changing a role, removing."""

from uuid import UUID

from django import forms
from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from common.clock import utc_now
from common.errors import DomainError
from portal.console.forms import add_refusal, address, checked, kept_idem, perform
from portal.console.htmx import render_page
from portal.requests import ActorRequest
from tenants.commands import members as commands
from tenants.permissions import Permission, require
from tenants.queries.members import members, open_invitations

TEMPLATE = "console/members/page.html"
PAGE = 50
ROLES = (
    ("owner", gettext_lazy("Owner"), gettext_lazy("everything, the organisation itself too")),
    ("admin", gettext_lazy("Administrator"), gettext_lazy("everything but making owners")),
    ("developer", gettext_lazy("Developer"), gettext_lazy("reserves, deploys and calls models")),
    ("finance", gettext_lazy("Finance"), gettext_lazy("sees wallet and invoices")),
    ("viewer", gettext_lazy("Viewer"), gettext_lazy("looks and changes nothing")),
)


class InviteForm(forms.Form):
    """An address to invite."""

    email = forms.EmailField(label=gettext_lazy("E-mail address"), max_length=254)
    role = forms.ChoiceField(label=gettext_lazy("Role"), initial="developer")


@require_safe
def member_list(request: ActorRequest, tenant_code: str) -> HttpResponse:
    """The members, who is invited, and what each role may do."""
    return _page(request)


@require_POST
def member_invite(request: ActorRequest, tenant_code: str) -> HttpResponse:
    """Ask an address to join; the mail is on its way."""
    require(request.actor, Permission.MEMBER_MANAGE, request.tenant.pk)

    def invited() -> str:
        said = checked(_form(request))
        commands.invite(
            actor=request.actor,
            tenant_id=request.tenant.pk,
            email=said["email"],
            role=said["role"],
            now=utc_now(),
        )
        return address(request, "member-list")

    return perform(
        request,
        invited,
        shown=lambda refusal: _page(request, refusal, bound=True),
        done=_("The invitation is on its way by mail."),
    )


@require_POST
def member_role(request: ActorRequest, tenant_code: str, member_id: UUID) -> HttpResponse:
    """Give a member another role."""
    require(request.actor, Permission.MEMBER_MANAGE, request.tenant.pk)

    def changed() -> str:
        commands.change_role(
            actor=request.actor,
            tenant_id=request.tenant.pk,
            member_id=member_id,
            role=request.POST.get("role", ""),
        )
        return address(request, "member-list")

    return perform(
        request,
        changed,
        shown=lambda refusal: _page(request, refusal),
        done=_("The role is changed."),
    )


@require_POST
def member_remove(request: ActorRequest, tenant_code: str, member_id: UUID) -> HttpResponse:
    """End a membership."""
    require(request.actor, Permission.MEMBER_MANAGE, request.tenant.pk)

    def removed() -> str:
        commands.remove_member(
            actor=request.actor, tenant_id=request.tenant.pk, member_id=member_id
        )
        return address(request, "member-list")

    return perform(
        request,
        removed,
        shown=lambda refusal: _page(request, refusal),
        done=_("The member is removed."),
    )


@require_POST
def invitation_revoke(request: ActorRequest, tenant_code: str, invitation_id: UUID) -> HttpResponse:
    """Take an invitation back."""
    require(request.actor, Permission.MEMBER_MANAGE, request.tenant.pk)

    def revoked() -> str:
        commands.revoke_invitation(
            actor=request.actor,
            tenant_id=request.tenant.pk,
            invitation_id=invitation_id,
            now=utc_now(),
        )
        return address(request, "member-list")

    return perform(
        request,
        revoked,
        shown=lambda refusal: _page(request, refusal),
        done=_("The invitation is taken back."),
    )


def _page(
    request: ActorRequest, refusal: DomainError | None = None, *, bound: bool = False
) -> HttpResponse:
    now = utc_now()
    page = members(
        actor=request.actor,
        tenant_id=request.tenant.pk,
        cursor=request.GET.get("cursor") or None,
        limit=PAGE,
    )
    may_manage = Permission.MEMBER_MANAGE in request.actor.permissions
    form = _form(request, bound=bound) if may_manage else None
    if form is not None and bound and form.is_valid():
        add_refusal(form, refusal)
    context = {
        "page": page,
        "invitations": open_invitations(actor=request.actor, tenant_id=request.tenant.pk, now=now),
        "form": form,
        "now": now,
        "roles": ROLES,
        "may_give": _may_give(request),
        "may_manage": may_manage,
        "idem": kept_idem(request, refusal),
    }
    return render_page(request, TEMPLATE, context, refusal=refusal)


def _may_give(request: ActorRequest) -> list[tuple[str, object]]:
    """Only owners make owners."""
    owner = Permission.ORGANISATION_MANAGE in request.actor.permissions
    return [(key, word) for key, word, _text in ROLES if owner or key != "owner"]


def _form(request: ActorRequest, *, bound: bool = True) -> InviteForm:
    form = InviteForm(request.POST if bound else None)
    form.fields["role"].choices = _may_give(request)  # type: ignore[attr-defined]  # a choice field
    return form
