"""Who did what, across all tenants."""

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from portal.console.htmx import render_page
from portal.console.operator_forms import allowed
from portal.requests import ActorRequest
from tenants.permissions import Permission
from tenants.queries.desk import tenant_codes
from tenants.queries.trail import audit_entries


@require_safe
@allowed(Permission.AUDIT_READ)
def audit(request: ActorRequest) -> HttpResponse:
    """The trail, newest first, by what was done or to what."""
    action = request.GET.get("action", "").strip()
    subject = request.GET.get("subject", "").strip()
    page = audit_entries(
        actor=request.actor,
        tenant_id=None,
        action=action,
        subject=subject,
        cursor=request.GET.get("cursor") or None,
    )
    tenant_ids = (entry.tenant_id for entry in page.items if entry.tenant_id)
    codes = tenant_codes(actor=request.actor, ids=tenant_ids)
    return render_page(
        request,
        "console/operator/audit.html",
        {
            "rows": [
                (entry, codes[entry.tenant_id] if entry.tenant_id else "") for entry in page.items
            ],
            "next_cursor": page.next_cursor,
            "action": action,
            "subject": subject,
        },
    )
