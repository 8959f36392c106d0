"""A tenant's usage in the operators' hands: what was counted and refused, and putting it right."""

from datetime import timedelta
from urllib.parse import urlencode
from uuid import UUID

from django import forms
from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from billing import meters
from billing.commands.correcting import correct_event
from billing.commands.forced import LATEST_FORCED, force_late_event
from billing.queries.pages import counted_events
from billing.queries.rejected import counted_since
from billing.queries.usage_corrections import counted_event
from billing.usage import LARGEST_QUANTITY
from common.clock import utc_now
from common.errors import DomainError
from common.period import Period
from portal.console.htmx import render_page
from portal.console.operator_forms import allowed, answer, answer_form, form_key
from portal.console.rejected import rejected_context
from portal.console.usage import SPANS
from portal.requests import ActorRequest
from portal.templatetags.ui import Crumb
from tenants.permissions import Permission, require
from tenants.queries.desk import tenant_of_code

USAGE = "console/operator/tenant_usage.html"
EVENT = "console/operator/tenant_event.html"
# The one reason that an operator can set aside.
TOO_OLD = "too_old"
REFUSED = "console/operator/tenant_refused.html"


class CorrectionForm(forms.Form):
    """What the event should have said, or that it never was, and why."""

    kind = forms.ChoiceField(
        label=gettext_lazy("What was wrong"),
        choices=[
            ("correct", gettext_lazy("The quantity")),
            ("void", gettext_lazy("It never happened")),
        ],
    )
    quantity = forms.IntegerField(
        label=gettext_lazy("Right quantity"),
        min_value=0,
        max_value=LARGEST_QUANTITY,
        required=False,
        help_text=gettext_lazy("In base units of the meter; left out where it never happened."),
    )
    reason = forms.CharField(label=gettext_lazy("Reason"), max_length=500)

    def clean(self) -> dict[str, object]:
        cleaned = super().clean() or self.cleaned_data
        if cleaned.get("kind") == "correct" and cleaned.get("quantity") is None:
            if "quantity" not in self.errors:
                self.add_error("quantity", _("Say how much it was."))
        elif cleaned.get("kind") == "void":
            cleaned["quantity"] = None
        return cleaned


def _crumbs(code: str, name: str) -> list[Crumb]:
    return [
        Crumb(_("Tenants"), reverse("ops:tenant-list")),
        Crumb(name, reverse("ops:tenant", args=[code])),
    ]


def _inner_crumbs(code: str, name: str) -> list[Crumb]:
    return [*_crumbs(code, name), Crumb(_("Usage"), reverse("ops:tenant-usage", args=[code]))]


def _event_address(code: str, source: str, event_id: str) -> str:
    said = urlencode({"source": source, "id": event_id})
    return f"{reverse('ops:tenant-event', args=[code])}?{said}"


@require_safe
@allowed(Permission.USAGE_READ)
def tenant_usage(request: ActorRequest, code: str) -> HttpResponse:
    """What was counted in the last days, the latest use first; each opens to be corrected."""
    organisation = tenant_of_code(actor=request.actor, code=code)
    now = utc_now()
    days = next((days for days in SPANS if request.GET.get("days") == str(days)), 30)
    known = meters.declared()
    meter = request.GET.get("meter", "")
    meter = meter if meter in known else ""
    page = counted_events(
        actor=request.actor,
        tenant_id=organisation.pk,
        period=Period(now - timedelta(days=days), now + timedelta(days=1)),
        meter=meter,
        cursor=request.GET.get("cursor") or None,
    )
    context = {
        "organisation": organisation,
        "page": page,
        "rows": [(row, _event_address(code, row.source, row.id)) for row in page.items],
        "meters": [(name, one.title) for name, one in sorted(known.items())],
        "meter": meter,
        "days": days,
        "spans": SPANS,
        "crumbs": _crumbs(code, organisation.name),
    }
    return render_page(request, USAGE, context)


@require_http_methods(["GET", "HEAD", "POST"])
@allowed(Permission.USAGE_READ)
def tenant_event(request: ActorRequest, code: str) -> HttpResponse:
    """One event with what was said of it since; the form says what it should have been."""
    organisation = tenant_of_code(actor=request.actor, code=code)
    source, event_id = request.GET.get("source", ""), request.GET.get("id", "")
    if request.method != "POST":
        return _event_page(request, code, source, event_id, CorrectionForm())
    require(request.actor, Permission.USAGE_CORRECT)
    form = CorrectionForm(request.POST)

    def effect() -> str:
        correct_event(
            actor=request.actor,
            tenant_id=organisation.pk,
            source=source,
            event_id=event_id,
            quantity=form.cleaned_data["quantity"],
            reason=form.cleaned_data["reason"],
            key=form_key(request),
            now=utc_now(),
        )
        return _event_address(code, source, event_id)

    def page(refusal: DomainError) -> HttpResponse:
        return _event_page(request, code, source, event_id, form, refusal)

    done = _("The correction is booked.")
    return answer_form(request, form, effect, page=page, done=done, tenant_id=organisation.pk)


def _event_page(
    request: ActorRequest,
    code: str,
    source: str,
    event_id: str,
    form: CorrectionForm,
    refusal: DomainError | None = None,
) -> HttpResponse:
    organisation = tenant_of_code(actor=request.actor, code=code)
    found = counted_event(
        actor=request.actor, tenant_id=organisation.pk, source=source, event_id=event_id
    )
    context = {
        "organisation": organisation,
        "one": found,
        "meter": meters.declared().get(found.meter),
        "form": form,
        "may_correct": Permission.USAGE_CORRECT in request.actor.permissions,
        "crumbs": _inner_crumbs(code, organisation.name),
    }
    return render_page(request, EVENT, context, refusal=refusal)


@require_safe
@allowed(Permission.USAGE_READ)
def tenant_refused(request: ActorRequest, code: str) -> HttpResponse:
    """What was refused in the last days, by reason; what came too late may be counted."""
    return _refused_page(request, code)


@require_POST
@allowed(Permission.USAGE_FORCE)
def tenant_force(request: ActorRequest, code: str, rejected_id: UUID) -> HttpResponse:
    """Count one event all the same, because an operator says why."""
    organisation = tenant_of_code(actor=request.actor, code=code)

    def effect() -> str:
        force_late_event(
            actor=request.actor,
            tenant_id=organisation.pk,
            rejected_id=rejected_id,
            reason=request.POST.get("reason", ""),
            now=utc_now(),
        )
        return reverse("ops:tenant-refused", args=[code])

    return answer(
        request,
        effect,
        shown=lambda refusal: _refused_page(request, code, refusal),
        done=_("The event is counted; it stands on the next invoice."),
    )


def _refused_page(
    request: ActorRequest, code: str, refusal: DomainError | None = None
) -> HttpResponse:
    organisation = tenant_of_code(actor=request.actor, code=code)
    context = rejected_context(request, organisation.pk)
    late = [row for row in context["page"].items if row.code == TOO_OLD]
    context |= {
        "organisation": organisation,
        "latest_days": LATEST_FORCED.days,
        "counted": counted_since(tenant_id=organisation.pk, rows=late),
        "may_force": Permission.USAGE_FORCE in request.actor.permissions,
        "crumbs": _inner_crumbs(code, organisation.name),
    }
    return render_page(request, REFUSED, context, refusal=refusal)
