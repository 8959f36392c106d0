"""The approvals inbox: what waits for a decision, and deciding it."""

from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_POST

from common.clock import utc_now
from common.errors import DomainError, InvalidInput, NotFound
from compute.commands.reservations import approve, reject
from compute.queries.approvals import inbox
from portal.console.htmx import render_fragment, render_page, wants_fragment
from portal.console.operator_forms import allowed
from portal.requests import ActorRequest
from tenants.permissions import Permission, PermissionRefused

PAGE = "console/operator/approvals.html"
ROW = f"{PAGE}#approval-row"


class RejectForm(forms.Form):
    """Why not; the tenant reads it."""

    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        help_text=gettext_lazy("The tenant reads it."),
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 2}),
    )


@require_GET
@allowed(Permission.RESERVATION_APPROVE)
def approval_list(request: ActorRequest) -> HttpResponse:
    """Everything that waits, the earliest start first."""
    return _page(request)


@require_POST
@allowed(Permission.RESERVATION_APPROVE)
def approval_approve(request: ActorRequest, reservation_id: UUID) -> HttpResponse:
    """Confirm one reservation: htmx gets its row back, a plain form the inbox."""
    refusal = None
    try:
        approve(actor=request.actor, reservation_id=reservation_id, now=utc_now())
    except (NotFound, PermissionRefused):
        raise
    except DomainError as error:
        refusal = error
    return _decided(request, reservation_id, "confirmed", refusal, _("Approved."))


@require_POST
@allowed(Permission.RESERVATION_APPROVE)
def approval_reject(request: ActorRequest, reservation_id: UUID) -> HttpResponse:
    """Refuse one reservation with a reason: htmx gets its row back, a plain form the inbox."""
    form = RejectForm(request.POST)
    refusal: DomainError | None = None
    if not form.is_valid():
        refusal = InvalidInput()
    else:
        try:
            reject(
                actor=request.actor,
                reservation_id=reservation_id,
                reason=form.cleaned_data["reason"],
                now=utc_now(),
            )
        except (NotFound, PermissionRefused):
            raise
        except DomainError as error:
            refusal = error
    return _decided(request, reservation_id, "rejected", refusal, _("Rejected."), form)


def _decided(
    request: ActorRequest,
    reservation_id: UUID,
    state: str,
    refusal: DomainError | None,
    done: str,
    form: RejectForm | None = None,
) -> HttpResponse:
    if refusal is not None and not wants_fragment(request):
        return _page(request, refusal, reservation_id, form)
    if not wants_fragment(request):
        messages.success(request, done)
        return redirect("ops:approval-list")
    waiting = {r.reservation.pk: r for r in inbox(actor=request.actor, now=utc_now())}
    context = {
        "one": waiting.get(reservation_id),
        "gone_id": reservation_id,
        "gone_state": state if refusal is None else "",
        "refused_id": reservation_id if refusal else None,
        "form": form if refusal else None,
        "now": utc_now(),
    }
    return render_fragment(request, ROW, context, refusal=refusal)


def _page(
    request: ActorRequest,
    refusal: DomainError | None = None,
    refused_id: UUID | None = None,
    form: RejectForm | None = None,
) -> HttpResponse:
    now = utc_now()
    requests = inbox(actor=request.actor, now=now)
    shown_in_row = any(one.reservation.pk == refused_id for one in requests)
    return render_page(
        request,
        PAGE,
        {
            "requests": requests,
            "refused_id": refused_id if shown_in_row else None,
            "refused_elsewhere": refusal is not None and not shown_in_row,
            "form": form,
            "now": now,
        },
        refusal=refusal,
    )
