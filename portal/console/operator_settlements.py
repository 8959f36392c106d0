"""Settlement batches: a month's voucher uses of one scheme, on their way to the city and back."""

from uuid import UUID

from django import forms
from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from billing.adapters.settlement_csv import settlement_csv
from billing.commands.settlements import (
    claw_back_settlement,
    draft_settlement,
    pay_settlement,
    reject_settlement,
    review_settlement,
    submit_settlement,
)
from billing.queries.settlements import batch_sheet, batches
from billing.queries.vouchers import all_schemes
from common.clock import utc_now
from common.errors import DomainError, InvalidInput, NotFound
from portal.console.forms import add_refusal
from portal.console.htmx import render_page
from portal.console.operator_forms import allowed, answer
from portal.requests import ActorRequest
from portal.templatetags.ui import Crumb
from tenants.permissions import Permission, require

LIST = "console/operator/settlements.html"
SHEET = "console/operator/settlement.html"
STEPS = ("submit", "review", "pay", "reject", "claw-back")


class DraftForm(forms.Form):
    """Which scheme, which month."""

    scheme = forms.ChoiceField(label=gettext_lazy("Scheme"))
    month = forms.DateField(
        label=gettext_lazy("Month"),
        input_formats=["%Y-%m"],
        widget=forms.DateInput(attrs={"type": "month", "placeholder": "2026-11"}, format="%Y-%m"),
        help_text=gettext_lazy("A month that is over, as 2026-11."),
    )

    # A form's own arguments are as various as Django's.
    def __init__(self, choices: list[tuple[str, str]], *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        field = self.fields["scheme"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101 - narrows the declared type
        field.choices = choices


class NoteForm(forms.Form):
    """The bank's number of a payment, or the reason of a refusal."""

    note = forms.CharField(label=gettext_lazy("Reference or reason"), max_length=200)


@require_http_methods(["GET", "HEAD", "POST"])
@allowed(Permission.SETTLEMENT_READ)
def settlement_list(request: ActorRequest) -> HttpResponse:
    """Every batch, and the form that drafts one; drafting twice makes one."""
    if request.method != "POST":
        return _list_page(request, _draft_form(request))
    require(request.actor, Permission.SETTLEMENT_MANAGE)
    form = _draft_form(request, bound=True)

    def shown(refusal: DomainError) -> HttpResponse:
        add_refusal(form, refusal)
        return _list_page(request, form, refusal)

    if not form.is_valid():
        return shown(InvalidInput())

    def effect() -> str:
        batch = draft_settlement(
            actor=request.actor,
            scheme_code=form.cleaned_data["scheme"],
            month=form.cleaned_data["month"],
            now=utc_now(),
        )
        return reverse("ops:settlement", args=[batch.pk])

    return answer(request, effect, shown=shown)


def _draft_form(request: ActorRequest, *, bound: bool = False) -> DraftForm:
    choices = [(one.code, one.code) for one in all_schemes(actor=request.actor)]
    return DraftForm(choices, request.POST if bound else None)


def _list_page(
    request: ActorRequest, form: DraftForm, refusal: DomainError | None = None
) -> HttpResponse:
    context = {
        "page": batches(actor=request.actor, cursor=request.GET.get("cursor") or None),
        "form": form,
        "may_manage": Permission.SETTLEMENT_MANAGE in request.actor.permissions,
    }
    return render_page(request, LIST, context, refusal=refusal)


@require_safe
@allowed(Permission.SETTLEMENT_READ)
def settlement(request: ActorRequest, batch_id: UUID) -> HttpResponse:
    """One batch with its rows."""
    return _sheet_page(request, batch_id)


def _sheet_page(
    request: ActorRequest, batch_id: UUID, refusal: DomainError | None = None
) -> HttpResponse:
    context = {
        "sheet": batch_sheet(actor=request.actor, batch_id=batch_id),
        "may_manage": Permission.SETTLEMENT_MANAGE in request.actor.permissions,
        "note_form": NoteForm(),
        "crumbs": [Crumb(_("Settlements"), reverse("ops:settlement-list"))],
    }
    return render_page(request, SHEET, context, refusal=refusal)


@require_safe
@allowed(Permission.SETTLEMENT_READ)
def settlement_file(request: ActorRequest, batch_id: UUID) -> HttpResponse:
    """The city's file."""
    sheet = batch_sheet(actor=request.actor, batch_id=batch_id)
    response = HttpResponse(settlement_csv(sheet), content_type="text/csv; charset=utf-8")
    name = f"{sheet.scheme.code}-{sheet.month:%Y-%m}-{sheet.batch.attempt}.csv"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


@require_POST
@allowed(Permission.SETTLEMENT_MANAGE)
def settlement_step(request: ActorRequest, batch_id: UUID, step: str) -> HttpResponse:
    """One step on a batch's way; a step made twice changes nothing."""
    if step not in STEPS:
        raise NotFound
    note = NoteForm(request.POST)
    if step in ("pay", "reject", "claw-back") and not note.is_valid():
        return _sheet_page(request, batch_id, InvalidInput())
    told = request.POST.get("note", "")

    def effect() -> str:
        actor, now = request.actor, utc_now()
        if step == "submit":
            submit_settlement(actor=actor, batch_id=batch_id, now=now)
        elif step == "review":
            review_settlement(actor=actor, batch_id=batch_id, now=now)
        elif step == "pay":
            pay_settlement(actor=actor, batch_id=batch_id, reference=told, now=now)
        elif step == "reject":
            reject_settlement(actor=actor, batch_id=batch_id, reason=told, now=now)
        else:
            claw_back_settlement(actor=actor, batch_id=batch_id, reason=told, now=now)
        return reverse("ops:settlement", args=[batch_id])

    return answer(
        request,
        effect,
        shown=lambda refusal: _sheet_page(request, batch_id, refusal),
        done=_("The batch has moved on."),
    )
