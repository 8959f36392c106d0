"""Correcting what was billed: credit notes, answers to objections, adjustments."""

from decimal import Decimal, InvalidOperation
from uuid import UUID

from django import forms
from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from billing.commands.adjustments import (
    approve_adjustment,
    propose_adjustment,
    reject_adjustment,
)
from billing.commands.credit_notes import issue_credit_note
from billing.commands.disputes import accept_dispute, reject_dispute
from billing.queries.corrections import (
    adjustment_page,
    dispute_queue,
    note_detail,
    tax_codes,
)
from billing.queries.money_decisions import waiting_decisions
from common.clock import utc_now
from common.errors import DomainError, FieldError, InvalidInput, NotFound
from portal.console.forms import add_refusal, checked
from portal.console.htmx import render_page
from portal.console.operator_forms import allowed, answer
from portal.console.operator_invoices import invoice_page_of
from portal.requests import ActorRequest
from portal.templatetags.ui import Crumb, Tab
from portal.templatetags.ui_names import named
from tenants.permissions import Permission
from tenants.queries.desk import tenant_of_code

DISPUTES = "console/operator/disputes.html"
ADJUSTMENTS = "console/operator/adjustments.html"
NOTE = "console/operator/credit_note.html"


class AnswerForm(forms.Form):
    """What the tenant reads, and how much is credited where it is accepted."""

    answer = forms.CharField(max_length=1000)
    net = forms.DecimalField(max_digits=18, decimal_places=2, required=False)


class AdjustmentForm(forms.Form):
    """An amount on a tenant's next invoice."""

    code = forms.CharField(label=gettext_lazy("Tenant's code"), max_length=40)
    net = forms.DecimalField(
        label=gettext_lazy("Net"),
        max_digits=18,
        decimal_places=2,
        help_text=gettext_lazy("In the tenant's currency. Below zero gives, above zero charges."),
    )
    tax_code = forms.ChoiceField(label=gettext_lazy("Tax code"))
    title_zh = forms.CharField(label=gettext_lazy("What it is, in Chinese"), max_length=150)
    title_en = forms.CharField(label=gettext_lazy("What it is, in English"), max_length=150)
    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=500,
        help_text=gettext_lazy("For the centre's own record."),
    )


@require_POST
@allowed(Permission.INVOICE_VOID)
def credit_note_new(request: ActorRequest, code: str, invoice_id: UUID) -> HttpResponse:
    """Take an invoice back, or net amounts of its lines."""
    tenant = tenant_of_code(actor=request.actor, code=code)

    def effect() -> str:
        note = issue_credit_note(
            actor=request.actor,
            tenant_id=tenant.pk,
            invoice_id=invoice_id,
            reason=request.POST.get("reason", ""),
            nets=_nets(request),
            now=utc_now(),
        )
        return reverse("ops:credit-note", args=[code, note.pk])

    return answer(
        request,
        effect,
        shown=lambda refusal: invoice_page_of(request, code, invoice_id, refusal),
        done=_("The credit note is issued."),
        tenant_id=tenant.pk,
    )


def _nets(request: ActorRequest) -> dict[int, Decimal] | None:
    """The net amounts by line; None where the whole invoice is void."""
    if request.POST.get("which") == "all":
        return None
    found = {}
    for name in request.POST:
        told = request.POST.get(name, "").strip()
        if not name.startswith("net-") or not told:
            continue
        try:
            found[int(name.removeprefix("net-"))] = Decimal(told)
        except (ValueError, InvalidOperation) as error:
            wrong = str(_("This is no amount."))
            raise InvalidInput(errors=[FieldError(f"/{name}", "invalid", wrong)]) from error
    if not found:
        needed = str(_("Give an amount for at least one line."))
        raise InvalidInput(errors=[FieldError("/net", "required", needed)])
    return found


@require_safe
@allowed(Permission.INVOICE_READ)
def credit_note(request: ActorRequest, code: str, note_id: UUID) -> HttpResponse:
    """One credit note; a credited line may be charged again from here."""
    tenant = tenant_of_code(actor=request.actor, code=code)
    one = note_detail(actor=request.actor, tenant_id=tenant.pk, note_id=note_id)
    crumbs = [
        Crumb(_("Invoices"), reverse("ops:invoice-list")),
        Crumb(one.invoice_number, reverse("ops:invoice", args=[code, one.invoice_id])),
    ]
    may_rebill = Permission.ADJUSTMENT_PROPOSE in request.actor.permissions
    context = {"one": one, "organisation": tenant, "crumbs": crumbs, "may_rebill": may_rebill}
    return render_page(request, NOTE, context)


@require_POST
@allowed(Permission.ADJUSTMENT_PROPOSE)
def credit_note_rebill(
    request: ActorRequest, code: str, note_id: UUID, position: int
) -> HttpResponse:
    """Charge a credited line again on the next invoice, by explicit choice."""
    tenant = tenant_of_code(actor=request.actor, code=code)
    one = note_detail(actor=request.actor, tenant_id=tenant.pk, note_id=note_id)
    line = next((each for each in one.lines if each.position == position), None)
    if line is None:
        raise NotFound

    def effect() -> str:
        propose_adjustment(
            actor=request.actor,
            tenant_id=tenant.pk,
            net=line.net,
            tax_code=line.of.tax_code,
            title_en=f"Charged again: {line.of.title_en}"[:150],
            title_zh=f"重新计费：{line.of.title_zh}"[:150],
            reason=f"{one.number}: {one.reason}"[:500],
            rebills=line.id,
            now=utc_now(),
        )
        return reverse("ops:adjustment-list")

    return answer(
        request,
        effect,
        shown=lambda refusal: adjustments_page(request, refusal),
        done=_("It stands on the next invoice."),
        tenant_id=tenant.pk,
    )


@require_safe
@allowed(Permission.DISPUTE_ANSWER)
def dispute_list(request: ActorRequest) -> HttpResponse:
    """The objections that wait for an answer."""
    return _disputes(request)


@require_POST
@allowed(Permission.DISPUTE_ANSWER)
def dispute_answer(request: ActorRequest, dispute_id: UUID, step: str) -> HttpResponse:
    """Accept an objection, which credits the line, or reject it; the tenant reads why."""
    if step not in {"accept", "reject"}:
        raise NotFound
    form = AnswerForm(request.POST)

    def effect() -> str:
        said = checked(form)
        actor, text, now = request.actor, said["answer"], utc_now()
        if step == "accept":
            accept_dispute(
                actor=actor, dispute_id=dispute_id, answer=text, net=said["net"], now=now
            )
        else:
            reject_dispute(actor=actor, dispute_id=dispute_id, answer=text, now=now)
        return reverse("ops:dispute-list")

    return answer(
        request,
        effect,
        shown=lambda refusal: _disputes(request, refusal, dispute_id),
        done=_("The tenant is told."),
    )


@require_http_methods(["GET", "HEAD", "POST"])
@allowed(Permission.ADJUSTMENT_PROPOSE)
def adjustment_list(request: ActorRequest) -> HttpResponse:
    """What was adjusted, and adjusting."""
    if request.method != "POST":
        return adjustments_page(request)
    form = _form(request)
    if not form.is_valid():
        return adjustments_page(request, InvalidInput(), form)
    said = dict(form.cleaned_data)
    tenant = tenant_of_code(actor=request.actor, code=said.pop("code"))

    def effect() -> str:
        propose_adjustment(actor=request.actor, tenant_id=tenant.pk, now=utc_now(), **said)
        return reverse("ops:adjustment-list")

    def shown(refusal: DomainError) -> HttpResponse:
        add_refusal(form, refusal)
        return adjustments_page(request, refusal, form)

    done = _("The adjustment is proposed.")
    return answer(request, effect, shown=shown, done=done, tenant_id=tenant.pk)


@require_POST
@allowed(Permission.ADJUSTMENT_APPROVE)
def adjustment_decide(request: ActorRequest, adjustment_id: UUID, step: str) -> HttpResponse:
    """Agree to an adjustment, or refuse it."""
    commands = {"approve": approve_adjustment, "reject": reject_adjustment}
    if step not in commands:
        raise NotFound

    def effect() -> str:
        commands[step](actor=request.actor, adjustment_id=adjustment_id, now=utc_now())
        return reverse("ops:adjustment-list")

    return answer(
        request,
        effect,
        shown=lambda refusal: adjustments_page(request, refusal),
        done=_("It is decided."),
    )


def _form(request: ActorRequest | None = None) -> AdjustmentForm:
    form = AdjustmentForm(request.POST if request is not None else None)
    form.fields["tax_code"].choices = [  # type: ignore[attr-defined]  # a choice field
        (one.code, f"{one.code} · {named(one, 'title')}") for one in tax_codes()
    ]
    return form


def adjustments_page(
    request: ActorRequest,
    refusal: DomainError | None = None,
    form: AdjustmentForm | None = None,
) -> HttpResponse:
    """The adjustments, and what else waits for a second person to agree."""
    decides = Permission.MONEY_OUT_APPROVE in request.actor.permissions
    context = {
        "decisions": waiting_decisions(actor=request.actor) if decides else (),
        "page": adjustment_page(actor=request.actor, cursor=request.GET.get("cursor") or None),
        "form": form or _form(),
        "me": request.actor.id,
    }
    return render_page(request, ADJUSTMENTS, context, refusal=refusal)


def _disputes(
    request: ActorRequest, refusal: DomainError | None = None, refused: UUID | None = None
) -> HttpResponse:
    state = request.GET.get("state", "")
    here = reverse("ops:dispute-list")
    page = dispute_queue(actor=request.actor, state=state, cursor=request.GET.get("cursor") or None)
    # One that was answered meanwhile is not in the list any more; its refusal stands above it.
    is_shown = any(one.pk == refused for one in page.items)
    context = {
        "page": page,
        "tabs": [
            Tab(_("Waiting"), here, current=state == ""),
            Tab(_("All"), f"{here}?state=all", current=state == "all"),
        ],
        "refused": refused if is_shown else None,
        "told": request.POST.get("answer", ""),
    }
    return render_page(request, DISPUTES, context, refusal=refusal)
