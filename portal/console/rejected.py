"""Usage that was not counted: how much for which reason, and each event with what it said."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from billing.queries.rejected import rejected_counts, rejected_page
from common.clock import utc_now
from portal.console.forms import address
from portal.console.htmx import render_page
from portal.console.usage import SPANS
from portal.reasons import REASONS
from portal.requests import ActorRequest
from portal.templatetags.ui import Crumb

LONGEST_SOURCE = 100


@require_safe
def rejected(request: ActorRequest, tenant_code: str) -> HttpResponse:
    """What was refused in a stretch of days, by reason and by source."""
    context = rejected_context(request, request.tenant.pk)
    context["crumbs"] = [Crumb(_("Usage and cost"), address(request, "usage"))]
    return render_page(request, "console/usage/rejected.html", context)


# A template's context holds whatever the page shows.
def rejected_context(request: ActorRequest, tenant_id: UUID) -> dict[str, Any]:
    """What both consoles show of a tenant's refused events, as the page's filters ask for it."""
    days = next((days for days in SPANS if request.GET.get("days") == str(days)), 30)
    since = utc_now() - timedelta(days=days)
    source = request.GET.get("source", "").replace("\0", "")[:LONGEST_SOURCE]
    code = request.GET.get("code", "")
    code = code if code in REASONS else ""
    page = rejected_page(
        actor=request.actor,
        tenant_id=tenant_id,
        source=source,
        code=code,
        since=since,
        cursor=request.GET.get("cursor") or None,
    )
    counts = rejected_counts(actor=request.actor, tenant_id=tenant_id, source=source, since=since)
    return {
        "page": page,
        "rows": [(row, REASONS.get(row.code, row.code), _told(row.said)) for row in page.items],
        "counts": [(one, REASONS.get(one.code, one.code)) for one in counts],
        "total": sum(one.count for one in counts),
        "days": days,
        "spans": SPANS,
        "source": source,
        "code": code,
    }


def _told(said: object) -> list[tuple[str, str]]:
    """What an event said, name by name; nested names come after a dot."""
    parts: list[tuple[str, str]] = []
    if not isinstance(said, Mapping):
        return parts
    for name, value in said.items():
        if isinstance(value, Mapping):
            parts += [(f"{name}.{inner}", str(part)) for inner, part in value.items() if part]
        elif value:
            parts.append((name, str(value)))
    return parts
