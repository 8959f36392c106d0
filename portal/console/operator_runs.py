"""Invoice runs: watching them, looking at what is odd, agreeing to what they drafted."""

from datetime import timedelta
from uuid import UUID

from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from billing.commands.invoices import due_month_end
from billing.commands.runs import approve_items, retry_items, start_run
from billing.queries.invoices import unbilled
from billing.queries.runs import invoice_run, invoice_runs, run_items
from common.clock import utc_now
from common.errors import DomainError, FieldError, InvalidInput
from common.nudge import after_commit
from portal.console.htmx import render_page
from portal.console.operator_forms import allowed, answer
from portal.console.wording import ODDITIES
from portal.exports import month_label
from portal.requests import ActorRequest
from portal.templatetags.ui import Crumb, Tab
from tenants.permissions import Permission
from tenants.queries.desk import tenant_of_code

LIST = "console/operator/runs.html"
DETAIL = "console/operator/run.html"
DRAFT = "console/operator/run_draft.html"


@require_safe
@allowed(Permission.INVOICE_ISSUE)
def run_list(request: ActorRequest) -> HttpResponse:
    """Every run, the latest month first."""
    return _list(request)


@require_POST
@allowed(Permission.INVOICE_ISSUE)
def run_start(request: ActorRequest) -> HttpResponse:
    """Begin the run of the last month that is due, or add who is missing from it."""

    def effect() -> str:
        now = utc_now()
        run_id = start_run(actor=request.actor, period_end=due_month_end(now), now=now)
        if run_id is None:
            return reverse("ops:run-list")
        after_commit("billing.work_run", run_id=run_id)
        return reverse("ops:run", args=[run_id])

    return answer(request, effect, shown=lambda refusal: _list(request, refusal))


@require_safe
@allowed(Permission.INVOICE_ISSUE)
def run(request: ActorRequest, run_id: UUID) -> HttpResponse:
    """One run: how far it is, and each tenant's invoice in it; its progress renews itself."""
    return _page(request, run_id)


@require_safe
@allowed(Permission.INVOICE_ISSUE)
def run_draft(request: ActorRequest, run_id: UUID, code: str) -> HttpResponse:
    """The lines of one tenant's draft, as they stand now for the run's period."""
    one = invoice_run(actor=request.actor, run_id=run_id)
    organisation = tenant_of_code(actor=request.actor, code=code)
    month = month_label(one.period_end - timedelta(seconds=1))
    context = {
        "one": one,
        "organisation": organisation,
        "draft": unbilled(tenant_id=organisation.pk, until=one.period_end),
        "crumbs": [
            Crumb(_("Invoice runs"), reverse("ops:run-list")),
            Crumb(month, reverse("ops:run", args=[run_id])),
        ],
    }
    return render_page(request, DRAFT, context)


@require_POST
@allowed(Permission.INVOICE_ISSUE)
def run_approve(request: ActorRequest, run_id: UUID) -> HttpResponse:
    """Agree to the chosen invoices, or to all that wait."""

    def effect() -> str:
        approve_items(actor=request.actor, run_id=run_id, item_ids=_chosen(request), now=utc_now())
        after_commit("billing.work_run", run_id=run_id)
        return reverse("ops:run", args=[run_id])

    done = _("Agreed; they are being issued.")
    return answer(request, effect, shown=lambda told: _page(request, run_id, told), done=done)


@require_POST
@allowed(Permission.INVOICE_ISSUE)
def run_retry(request: ActorRequest, run_id: UUID) -> HttpResponse:
    """Draft again what failed or had no price."""

    def effect() -> str:
        invoice_run(actor=request.actor, run_id=run_id)
        retry_items(actor=request.actor, run_id=run_id, item_ids=_chosen(request), now=utc_now())
        after_commit("billing.work_run", run_id=run_id)
        return reverse("ops:run", args=[run_id])

    done = _("They are drafted again.")
    return answer(request, effect, shown=lambda told: _page(request, run_id, told), done=done)


def _chosen(request: ActorRequest) -> list[UUID] | None:
    if request.POST.get("which") == "all":
        return None
    try:
        return [UUID(told) for told in request.POST.getlist("item")]
    except ValueError as error:
        raise InvalidInput(errors=[FieldError("/item", "invalid", "")]) from error


def _list(request: ActorRequest, refusal: DomainError | None = None) -> HttpResponse:
    context = {"runs": invoice_runs(actor=request.actor), "due": due_month_end(utc_now())}
    return render_page(request, LIST, context, refusal=refusal)


def _page(request: ActorRequest, run_id: UUID, refusal: DomainError | None = None) -> HttpResponse:
    state = request.GET.get("state", "")
    here = reverse("ops:run", args=[run_id])
    one = invoice_run(actor=request.actor, run_id=run_id)
    counts = (
        ("", _("All"), one.total),
        ("odd", _("To look at"), one.odd),
        ("drafted", _("Drafted"), one.drafted),
        ("failed", _("Failed"), one.failed),
        ("issued", _("Issued"), one.issued),
    )
    context = {
        "one": one,
        "page": run_items(
            actor=request.actor,
            run_id=run_id,
            state=state,
            cursor=request.GET.get("cursor") or None,
        ),
        "tabs": [
            Tab(label, f"{here}?state={name}" if name else here, state == name, count)
            for name, label, count in counts
        ],
        "oddities": ODDITIES,
        "crumbs": [Crumb(_("Invoice runs"), reverse("ops:run-list"))],
    }
    return render_page(request, DETAIL, context, partial="run-progress", refusal=refusal)
