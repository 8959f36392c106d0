"""What the tenant pays for each thing, and what it agreed with the centre."""

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from billing.queries.contracts import contracts
from billing.queries.own_prices import own_prices
from common.clock import utc_now
from portal.console.contract_terms import shown_terms
from portal.console.htmx import render_page
from portal.console.wording import PRICE_MODELS
from portal.requests import ActorRequest
from tenants.permissions import Permission, require


@require_safe
def price_list(request: ActorRequest, tenant_code: str) -> HttpResponse:
    """The list in force as contracted; contracts for those who look after money."""
    actor, tenant_id = request.actor, request.tenant.pk
    require(actor, Permission.PRICE_READ, tenant_id)
    now = utc_now()
    sees_contracts = Permission.CONTRACT_READ in actor.permissions
    agreed = contracts(actor=actor, tenant_id=tenant_id) if sees_contracts else ()
    context = {
        "prices": own_prices(actor=actor, tenant_id=tenant_id, at=now),
        "models": PRICE_MODELS,
        "contracts": [(one, shown_terms(one.terms.all())) for one in agreed],
        "sees_contracts": sees_contracts,
        "now": now,
    }
    return render_page(request, "console/prices/page.html", context)
