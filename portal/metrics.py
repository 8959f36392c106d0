"""Numbers for Prometheus, of this process."""

import hmac

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from prometheus_client import CONTENT_TYPE_LATEST, Counter, Histogram, generate_latest

from portal.refusals import not_found

REQUESTS = Counter("portal_http_requests", "Requests answered.", ["method", "route", "status"])
SECONDS = Histogram("portal_http_request_seconds", "Time to answer a request.", ["route"])
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def observe_request(request: HttpRequest, response: HttpResponse, seconds: float) -> None:
    """Count one answered request under its route, which is bounded, never under its path."""
    route = request.resolver_match.route if request.resolver_match else "(none)"
    method = request.method if request.method in _METHODS else "other"
    REQUESTS.labels(str(method), route, str(response.status_code)).inc()
    SECONDS.labels(route).observe(seconds)


def metrics(request: HttpRequest) -> HttpResponse:
    """The numbers, open where settings say so, otherwise for the scraper's token."""
    if not settings.METRICS_OPEN:
        given = request.headers.get("Authorization", "")
        wanted = f"Bearer {settings.METRICS_TOKEN}"
        if not settings.METRICS_TOKEN or not hmac.compare_digest(given.encode(), wanted.encode()):
            return not_found(request)
    return HttpResponse(generate_latest(), content_type=CONTENT_TYPE_LATEST)
