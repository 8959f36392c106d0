"""The centre's fapiao desk: what waits, the files to and from the tax software, red letters."""

from uuid import UUID

from django import forms
from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from billing.adapters.fapiao_file import fapiao_csv, fapiao_json, read_results
from billing.commands.fapiao import set_fapiao_basis
from billing.commands.fapiao_desk import (
    FapiaoResult,
    deliver_fapiao,
    export_fapiao,
    fail_fapiao,
    record_result,
    record_results,
)
from billing.commands.fapiao_red import confirm_red, request_red
from billing.queries.fapiao import (
    exported,
    fapiao_at_desk,
    fapiao_queue,
    left_to_take_back,
    with_tax_system,
)
from billing.queries.invoiceable import over_covered
from common.clock import utc_now
from common.errors import DomainError, FieldError, InvalidInput, NotFound
from portal.console.forms import CentreInstantField, add_refusal, checked
from portal.console.htmx import render_page
from portal.console.operator_forms import allowed, answer
from portal.console.wording import FAPIAO_KINDS
from portal.requests import ActorRequest
from portal.templatetags.ui import Crumb, Tab
from tenants.permissions import Permission
from tenants.queries.desk import tenant_of_code

LIST = "console/operator/fapiao_queue.html"
DETAIL = "console/operator/fapiao.html"
STEPS = ("deliver", "fail", "red", "confirm", "result")


class ResultForm(forms.Form):
    """The tax system's answer to one fapiao."""

    number = forms.CharField(label=gettext_lazy("Fapiao number"), max_length=20)
    issued_at = CentreInstantField(label=gettext_lazy("Issued"))
    pdf = forms.CharField(label=gettext_lazy("PDF"), max_length=500, required=False)
    ofd = forms.CharField(label=gettext_lazy("OFD"), max_length=500, required=False)


class FailForm(forms.Form):
    """Why it is given up; the tenant reads it."""

    reason = forms.CharField(label=gettext_lazy("Reason"), max_length=500)


class ConfirmForm(forms.Form):
    """The number of the red letter's confirmation form."""

    confirmation_number = forms.CharField(
        label=gettext_lazy("Confirmation form's number"), max_length=40
    )


class RedForm(forms.Form):
    """A red letter over all that is left, or over an amount."""

    red_reason = forms.CharField(label=gettext_lazy("Reason"), max_length=200)
    initiator = forms.ChoiceField(
        label=gettext_lazy("Who asks"),
        choices=(("seller", gettext_lazy("The centre")), ("buyer", gettext_lazy("The tenant"))),
    )
    amount = forms.DecimalField(
        label=gettext_lazy("Amount with tax"),
        max_digits=18,
        decimal_places=2,
        required=False,
        help_text=gettext_lazy("Empty takes back all that is left."),
    )


class BasisForm(forms.Form):
    """What a tenant's fapiao stand for."""

    code = forms.CharField(label=gettext_lazy("Tenant's code"), max_length=40)
    basis = forms.ChoiceField(
        label=gettext_lazy("Its fapiao stand for"),
        choices=(
            ("on_consumption", gettext_lazy("What is invoiced")),
            ("on_topup", gettext_lazy("What is paid in")),
        ),
    )


@require_safe
@allowed(Permission.FAPIAO_ISSUE)
def fapiao_list(request: ActorRequest) -> HttpResponse:
    """What waits for somebody, or what was asked for."""
    return _queue(request)


@require_POST
@allowed(Permission.FAPIAO_ISSUE)
def fapiao_export(request: ActorRequest) -> HttpResponse:
    """Hand the chosen ones to the tax software, and give the file."""
    try:
        ids = export_fapiao(
            actor=request.actor, fapiao_ids=_ids(request.POST.getlist("fapiao")), now=utc_now()
        )
    except NotFound:
        raise
    except DomainError as refusal:
        return _queue(request, refusal)
    return _file(request, ids, request.POST.get("format", "csv"))


@require_safe
@allowed(Permission.FAPIAO_ISSUE)
def fapiao_file(request: ActorRequest) -> HttpResponse:
    """The file once more, of all that the tax software has and has not answered."""
    ids = with_tax_system(actor=request.actor)
    return _file(request, ids, request.GET.get("format", "csv"))


@require_POST
@allowed(Permission.FAPIAO_ISSUE)
def fapiao_results(request: ActorRequest) -> HttpResponse:
    """Take in the tax software's file of numbers, row by row."""
    sent = request.FILES.get("file")
    content = sent.read() if sent is not None else request.POST.get("rows", "").encode()
    try:
        if not content:
            needed = str(_("Choose a file."))
            raise InvalidInput(errors=[FieldError("/file", "required", needed)])
        results, bad = read_results(content)
        outcomes = record_results(actor=request.actor, results=results)
    except DomainError as refusal:
        return _queue(request, refusal)
    return _queue(request, None, outcomes=outcomes, bad=bad, taken=True)


@require_POST
@allowed(Permission.FAPIAO_ISSUE)
def fapiao_basis(request: ActorRequest) -> HttpResponse:
    """Say what a tenant's fapiao stand for."""
    form = BasisForm(request.POST)

    def effect() -> str:
        said = checked(form)
        tenant = tenant_of_code(actor=request.actor, code=said["code"])
        set_fapiao_basis(
            actor=request.actor, tenant_id=tenant.pk, basis=said["basis"], now=utc_now()
        )
        return reverse("ops:fapiao-list")

    return answer(
        request,
        effect,
        shown=lambda refusal: _queue(request, refusal, basis_form=form),
        done=_("It is set."),
    )


@require_safe
@allowed(Permission.FAPIAO_ISSUE)
def fapiao(request: ActorRequest, fapiao_id: UUID) -> HttpResponse:
    """One fapiao, and what can be done with it now."""
    return _detail(request, fapiao_id)


@require_POST
@allowed(Permission.FAPIAO_ISSUE)
def fapiao_step(request: ActorRequest, fapiao_id: UUID, step: str) -> HttpResponse:
    """Move one fapiao on: ``step`` is one of STEPS."""
    if step not in STEPS:
        raise NotFound
    form = _form(step, request)

    def effect() -> str:
        _take(step, request, fapiao_id, form)
        return reverse("ops:fapiao", args=[fapiao_id])

    def shown(refusal: DomainError) -> HttpResponse:
        if form.is_valid():
            names = {"/reason": "red_reason" if step == "red" else "reason"}
            add_refusal(form, refusal, names)
        return _detail(request, fapiao_id, refusal, **{f"{step}_form": form})

    return answer(request, effect, shown=shown, done=_("Done."))


def _form(step: str, request: ActorRequest) -> forms.Form:
    kinds: dict[str, type[forms.Form]] = {
        "fail": FailForm,
        "red": RedForm,
        "confirm": ConfirmForm,
        "result": ResultForm,
    }
    return kinds.get(step, forms.Form)(request.POST)


def _take(step: str, request: ActorRequest, fapiao_id: UUID, form: forms.Form) -> None:
    said = checked(form)
    actor, now = request.actor, utc_now()
    if step == "deliver":
        deliver_fapiao(actor=actor, fapiao_id=fapiao_id, now=now)
    elif step == "fail":
        fail_fapiao(actor=actor, fapiao_id=fapiao_id, reason=said["reason"], now=now)
    elif step == "confirm":
        number = said["confirmation_number"]
        confirm_red(actor=actor, fapiao_id=fapiao_id, confirmation_number=number)
    elif step == "red":
        request_red(
            actor=actor,
            fapiao_id=fapiao_id,
            reason=said["red_reason"],
            initiator=said["initiator"],
            amount=said["amount"],
            now=now,
        )
    else:
        serial = fapiao_at_desk(actor=actor, fapiao_id=fapiao_id).serial
        told = FapiaoResult(
            serial, said["number"].strip(), said["issued_at"], said["pdf"], said["ofd"]
        )
        record_result(actor=actor, result=told)


def _ids(told: list[str]) -> list[UUID]:
    try:
        return [UUID(one) for one in told]
    except ValueError as error:
        raise InvalidInput(errors=[FieldError("/fapiao", "invalid", "")]) from error


def _file(request: ActorRequest, ids: tuple[UUID, ...], form: str) -> HttpResponse:
    batch = exported(actor=request.actor, fapiao_ids=ids)
    as_json = form == "json"
    body = fapiao_json(batch) if as_json else fapiao_csv(batch)
    kind = "application/json" if as_json else "text/csv; charset=utf-8"
    response = HttpResponse(body, content_type=kind)
    name = f"fapiao-{utc_now():%Y%m%d-%H%M}.{'json' if as_json else 'csv'}"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _queue(
    request: ActorRequest, refusal: DomainError | None = None, **more: object
) -> HttpResponse:
    state = request.GET.get("state", "")
    here = reverse("ops:fapiao-list")
    tabs = [
        Tab(label, f"{here}?state={name}" if name else here, current=state == name)
        for name, label in (
            ("", _("Waiting")),
            ("overdue", _("Overdue")),
            ("all", _("All")),
        )
    ]
    page = fapiao_queue(actor=request.actor, state=state, cursor=request.GET.get("cursor") or None)
    context = {
        "page": page,
        "tabs": tabs,
        "kinds": FAPIAO_KINDS,
        "basis_form": BasisForm(),
        "over": over_covered(),
        **more,
    }
    return render_page(request, LIST, context, refusal=refusal)


def _detail(
    request: ActorRequest, fapiao_id: UUID, refusal: DomainError | None = None, **sent: object
) -> HttpResponse:
    one = fapiao_at_desk(actor=request.actor, fapiao_id=fapiao_id)
    left = left_to_take_back(one) if one.direction == "blue" else None
    context = {
        "one": one,
        "kind": FAPIAO_KINDS[one.kind],
        "left": left,
        "may_redden": left and one.state in {"issued", "delivered"},
        "may_fail": one.state in {"requested", "issuing", "red_pending"},
        "may_answer": one.state == "issuing"
        or (one.state == "red_pending" and one.red_confirmation_number != ""),
        "may_confirm": one.state == "red_pending" and one.red_confirmation_number == "",
        "result_form": ResultForm(),
        "fail_form": FailForm(),
        "red_form": RedForm(),
        "confirm_form": ConfirmForm(),
        "crumbs": [Crumb(_("Fapiao"), reverse("ops:fapiao-list"))],
        **sent,
    }
    return render_page(request, DETAIL, context, refusal=refusal)
