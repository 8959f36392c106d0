"""Suspending a tenant, giving it back its rights, and looking into its console."""

from datetime import timedelta
from functools import partial
from uuid import UUID

from django.http import HttpResponse
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from common.clock import utc_now
from portal.console.operator_forms import allowed, answer_form
from portal.console.operator_tenant_forms import ReasonForm, VisitForm
from portal.console.operator_tenants import tenant_page
from portal.requests import ActorRequest
from tenants.commands.organisations import reactivate, suspend
from tenants.commands.visits import begin_visit
from tenants.permissions import Permission
from tenants.queries.desk import tenant_of_code


@require_POST
@allowed(Permission.TENANT_OPERATE)
def tenant_suspend(request: ActorRequest, code: str) -> HttpResponse:
    """Leave a tenant only looking, with the reason."""
    return _move(request, code, is_suspension=True, done=_("The tenant is suspended."))


@require_POST
@allowed(Permission.TENANT_OPERATE)
def tenant_reactivate(request: ActorRequest, code: str) -> HttpResponse:
    """Give a suspended tenant back what its roles allow."""
    return _move(request, code, is_suspension=False, done=_("The tenant is active again."))


def _move(
    request: ActorRequest, code: str, *, is_suspension: bool, done: str | Promise
) -> HttpResponse:
    tenant_id = tenant_of_code(actor=request.actor, code=code).pk
    form = ReasonForm(request.POST)

    def effect() -> str:
        move = suspend if is_suspension else reactivate
        move(actor=request.actor, tenant_id=tenant_id, reason=form.cleaned_data["reason"])
        return reverse("ops:tenant", args=[code])

    return answer_form(
        request,
        form,
        effect,
        page=partial(tenant_page, request, code, reason_form=form),
        done=done,
        tenant_id=tenant_id,
    )


@require_POST
@allowed(Permission.TENANT_READ_ALL)
def tenant_visit(request: ActorRequest, code: str) -> HttpResponse:
    """Open the tenant's console to this operator for looking, and go there."""
    tenant_id: UUID = tenant_of_code(actor=request.actor, code=code).pk
    form = VisitForm(request.POST)

    def effect() -> str:
        begin_visit(
            actor=request.actor,
            tenant_id=tenant_id,
            reason=form.cleaned_data["visit_reason"],
            ticket=form.cleaned_data["ticket"],
            length=timedelta(minutes=form.cleaned_data["minutes"]),
            now=utc_now(),
        )
        return f"/t/{code}/"

    return answer_form(
        request,
        form,
        effect,
        page=partial(tenant_page, request, code, visit_form=form),
        names={"/reason": "visit_reason"},
        tenant_id=tenant_id,
    )
