"""Projects: the cost centres that reservations, deployments and usage belong to."""

from uuid import UUID

from django import forms
from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST

from billing.queries.arrears import refuse_in_arrears
from common.clock import utc_now
from common.errors import DomainError
from portal.console.forms import add_refusal, address, checked, kept_idem, perform
from portal.console.htmx import render_page
from portal.requests import ActorRequest
from tenants.commands.projects import archive_project, create_project
from tenants.permissions import Permission, require
from tenants.queries.projects import projects

TEMPLATE = "console/projects/page.html"
PAGE = 50


class ProjectForm(forms.Form):
    """A new project."""

    name = forms.CharField(label=gettext_lazy("Name"), max_length=100)
    code = forms.RegexField(
        label=gettext_lazy("Code"),
        regex=r"^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$",
        help_text=gettext_lazy("Lower-case letters, digits and hyphens; programs use it."),
        error_messages={"invalid": gettext_lazy("Use lower-case letters, digits and hyphens.")},
    )


@require_http_methods(["GET", "HEAD", "POST"])
def project_list(request: ActorRequest, tenant_code: str) -> HttpResponse:
    """The projects, and the form that makes one."""
    require(request.actor, Permission.PROJECT_READ, request.tenant.pk)
    if request.method != "POST":
        return _page(request)
    require(request.actor, Permission.PROJECT_MANAGE, request.tenant.pk)

    def made() -> str:
        refuse_in_arrears(request.tenant.pk, Permission.PROJECT_MANAGE, utc_now())
        said = checked(ProjectForm(request.POST))
        create_project(
            actor=request.actor,
            tenant_id=request.tenant.pk,
            code=said["code"],
            name=said["name"],
        )
        return address(request, "project-list")

    return perform(
        request,
        made,
        shown=lambda refusal: _page(request, refusal, bound=True),
        done=_("The project is there."),
    )


@require_POST
def project_archive(request: ActorRequest, tenant_code: str, project_id: UUID) -> HttpResponse:
    """Close a project for anything new; what it used stays on its invoices."""
    require(request.actor, Permission.PROJECT_MANAGE, request.tenant.pk)

    def archived() -> str:
        archive_project(
            actor=request.actor,
            tenant_id=request.tenant.pk,
            project_id=project_id,
            now=utc_now(),
        )
        return address(request, "project-list")

    return perform(
        request,
        archived,
        shown=lambda refusal: _page(request, refusal),
        done=_("The project is archived."),
    )


def _page(
    request: ActorRequest, refusal: DomainError | None = None, *, bound: bool = False
) -> HttpResponse:
    page = projects(
        actor=request.actor,
        tenant_id=request.tenant.pk,
        cursor=request.GET.get("cursor") or None,
        limit=PAGE,
    )
    may_manage = Permission.PROJECT_MANAGE in request.actor.permissions
    form = ProjectForm(request.POST if bound else None) if may_manage else None
    if form is not None and bound and form.is_valid():
        add_refusal(form, refusal)
    context = {
        "page": page,
        "form": form,
        "may_manage": may_manage,
        "idem": kept_idem(request, refusal),
    }
    return render_page(request, TEMPLATE, context, refusal=refusal)
