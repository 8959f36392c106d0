"""The catalogue: what is on sale, and where in this centre it fits."""

from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from appliances.queries.catalogue import one_on_sale
from appliances.queries.fit import verdicts
from appliances.queries.shelf import shelf
from portal.console.forms import address
from portal.console.htmx import render_page
from portal.console.wording import CATEGORIES
from portal.requests import ActorRequest
from portal.templatetags.ui import Crumb
from tenants.permissions import Permission


@require_safe
def catalogue(request: ActorRequest, tenant_code: str) -> HttpResponse:
    """Everything on sale, by task."""
    rows = shelf(actor=request.actor)
    chosen = request.GET.get("task", "")
    present = sorted({row.appliance.category for row in rows})
    tasks = [("", _("All tasks")), *((one, CATEGORIES.get(one, one)) for one in present)]
    shown = [row for row in rows if not chosen or row.appliance.category == chosen]
    context = {
        "rows": shown,
        "tasks": tasks,
        "chosen": chosen,
        "any": bool(rows),
        "may_deploy": Permission.DEPLOYMENT_CREATE in request.actor.permissions,
    }
    return render_page(request, "console/catalogue/list.html", context)


@require_safe
def appliance(request: ActorRequest, tenant_code: str, appliance_code: str) -> HttpResponse:
    """One appliance: its licence, its size, and the arithmetic of its fit in every pool."""
    found = one_on_sale(actor=request.actor, code=appliance_code)
    context = {
        "one": found,
        "category": CATEGORIES.get(found.category, found.category),
        "verdicts": verdicts(found),
        "crumbs": [Crumb(_("Catalogue"), address(request, "catalogue"))],
        "may_deploy": Permission.DEPLOYMENT_CREATE in request.actor.permissions,
    }
    return render_page(request, "console/catalogue/detail.html", context)
