"""The audit trail: who did what in this organisation, and which operators looked in."""

from django.http import HttpResponse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from portal.console.forms import address
from portal.console.htmx import render_page
from portal.requests import ActorRequest
from portal.templatetags.ui import Tab
from tenants.permissions import Permission, require
from tenants.queries.trail import audit_entries, visits

PAGE = 50
AREAS = (
    ("", _("Everything")),
    ("compute.reservation.", _("Reservations")),
    ("appliances.deployment.", _("Deployments")),
    ("billing.", _("Money")),
    ("tenants.key.", _("API keys")),
    ("tenants.member", _("Members")),
    ("tenants.project.", _("Projects")),
    ("tenants.webhook.", _("Webhooks")),
)


@require_safe
def audit(request: ActorRequest, tenant_code: str) -> HttpResponse:
    """Acts by area, or operators' visits."""
    require(request.actor, Permission.AUDIT_READ, request.tenant.pk)
    here = address(request, "audit")
    looking_in = request.GET.get("show") == "visits"
    cursor = request.GET.get("cursor") or None
    area = next((key for key, _word in AREAS if key == request.GET.get("area")), "")
    page: object = (
        visits(actor=request.actor, tenant_id=request.tenant.pk, cursor=cursor, limit=PAGE)
        if looking_in
        else audit_entries(
            actor=request.actor,
            tenant_id=request.tenant.pk,
            action=area,
            cursor=cursor,
            limit=PAGE,
        )
    )
    context = {
        "page": page,
        "areas": AREAS,
        "area": area,
        "looking_in": looking_in,
        "tabs": [
            Tab(_("Acts"), here, current=not looking_in),
            Tab(_("Visits of operators"), f"{here}?show=visits", current=looking_in),
        ],
    }
    return render_page(request, "console/audit/page.html", context)
