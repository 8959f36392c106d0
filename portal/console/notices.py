"""Notices: what the organisation was told, by mail and webhook too."""

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from portal.console.htmx import render_page
from portal.requests import ActorRequest
from tenants.permissions import Permission, require
from tenants.queries.notices import notices

PAGE = 50


@require_safe
def notice_list(request: ActorRequest, tenant_code: str) -> HttpResponse:
    """The notices, newest first."""
    require(request.actor, Permission.NOTICE_READ, request.tenant.pk)
    page = notices(
        actor=request.actor,
        tenant_id=request.tenant.pk,
        cursor=request.GET.get("cursor") or None,
        limit=PAGE,
    )
    context = {
        "page": page,
        "may_see_webhooks": Permission.WEBHOOK_READ in request.actor.permissions,
    }
    return render_page(request, "console/notices/page.html", context)
