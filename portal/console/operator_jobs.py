"""What must always hold, checked on demand, and what the workers could not finish."""

from django.http import HttpResponse
from django.views.decorators.http import require_http_methods

from common.clock import utc_now
from compute.queries.desk import desk
from compute.queries.workloads import unbilled_records
from portal.console.htmx import render_page
from portal.console.operator_forms import allowed
from portal.invariants import RuleResult, check_everything, last_check
from portal.requests import ActorRequest
from tenants.permissions import Permission


@require_http_methods(["GET", "HEAD", "POST"])
@allowed(Permission.NODE_MANAGE)
def jobs(request: ActorRequest) -> HttpResponse:
    """The last check and what is stuck; a POST checks everything now and shows each rule."""
    results: tuple[RuleResult, ...] = ()
    if request.method == "POST":
        results = check_everything(actor=request.actor)
    context = {
        "results": results,
        "broken": [result for result in results if not result.holds],
        "check": last_check(actor=request.actor),
        "stuck": desk(actor=request.actor).stuck,
        "unbilled": unbilled_records(actor=request.actor),
        "now": utc_now(),
    }
    return render_page(request, "console/operator/jobs.html", context, partial="invariant-results")
