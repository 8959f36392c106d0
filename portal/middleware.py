"""What happens around every view: a name for the request, a tenant or an operator, a scope."""

import re
import uuid
from collections.abc import Callable
from time import perf_counter

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.db import InterfaceError, OperationalError, transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.cache import patch_cache_control

from billing.queries.arrears import arrears_and_account
from common.clock import utc_now
from common.errors import DomainError, NotFound
from common.trace import request_id
from portal import metrics
from portal.accounts import second_factor_missing
from portal.refusals import not_found, refusal, refuse
from tenants.models import Organisation
from tenants.permissions import Actor, ActorKind
from tenants.queries.actors import Place, member_places, operator_actor, visitor_actor
from tenants.scoping import operator_scope, tenant_scope

GetResponse = Callable[[HttpRequest], HttpResponse]

_TENANT_PATH = re.compile(r"^/t/([^/]+)(?:/|$)")
_REQUEST_ID = re.compile(r"[A-Za-z0-9-]{8,64}")
_SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_SIGNED_IN = ("/t/", "/ops/", "/accounts/", "/join/", "/api/v1/")


class RequestId:
    """Give every request a name, in the answer's header and in each log line it causes."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.headers.get("X-Request-ID", "")
        name = given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        token = request_id.set(name)
        begun = perf_counter()
        try:
            response = self.get_response(request)
            metrics.observe_request(request, response, perf_counter() - begun)
        finally:
            request_id.reset(token)
        response["X-Request-ID"] = name
        return response


class Refusals:
    """Show an anticipated refusal that a view let through; a lost database is a 503."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if isinstance(error, DomainError):
            return refuse(request, error)
        if isinstance(error, OperationalError | InterfaceError):
            return refusal(request, 503, "unavailable", retryable=True)
        return None


class SameOrigin:
    """Refuse a change that another site's page asks for, whatever its cookies say.

    Programs with a key send no such header and carry no cookie, so /api/ is left to them.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        site = request.headers.get("Sec-Fetch-Site", "none")
        if request.method not in _SAFE and site not in {"none", "same-origin"}:
            return refusal(request, 403, "cross_site")
        response = self.get_response(request)
        if request.path.startswith(_SIGNED_IN) and not response.has_header("Cache-Control"):
            patch_cache_control(response, no_store=True, private=True)
        return response


class TenantRoute:
    """Under /t/<code>/: only members, or an operator on a visit, and only that tenant's rows.

    A stranger, an operator without a visit and a code nobody has get the same page.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        path = _TENANT_PATH.match(request.path_info)
        if path is None:
            return self.get_response(request)
        if not request.user.is_authenticated:
            return _to_sign_in(request)
        try:
            actor, tenant, places = _belonging(request, path[1])
        except NotFound:
            return not_found(request)
        is_visit = actor.kind == ActorKind.OPERATOR
        if second_factor_missing(request.user, actor):
            return redirect(reverse("mfa_index"))
        if is_visit and request.method not in _SAFE:
            return refusal(request, 403, "visit_is_read_only")
        request.actor = actor  # type: ignore[attr-defined]  # portal.requests.ActorRequest
        request.tenant = tenant  # type: ignore[attr-defined]
        request.is_visit = is_visit  # type: ignore[attr-defined]
        request.tenant_choices = tuple(  # type: ignore[attr-defined]
            (place.code, place.name) for place in places
        )
        with tenant_scope(tenant.pk):
            # The one reading more that every page costs: its banner must be on all of them.
            arrears, account = arrears_and_account(tenant.pk, utc_now())
            request.arrears = arrears  # type: ignore[attr-defined]
            request.account = account  # type: ignore[attr-defined]
            return _all_or_nothing(self.get_response, request)


class OperatorRoute:
    """Under /ops/: operators only, who see every tenant's rows; others learn of nothing there."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not (request.path_info == "/ops" or request.path_info.startswith("/ops/")):
            return self.get_response(request)
        if not request.user.is_authenticated:
            return _to_sign_in(request)
        try:
            actor = operator_actor(request.user)
        except NotFound:
            return not_found(request)
        if second_factor_missing(request.user, actor):
            return redirect(reverse("mfa_index"))
        request.actor = actor  # type: ignore[attr-defined]  # portal.requests.ActorRequest
        with operator_scope():
            return _all_or_nothing(self.get_response, request)


def _belonging(request: HttpRequest, code: str) -> tuple[Actor, Organisation, tuple[Place, ...]]:
    # The route middleware stands behind authentication, so the user is one of ours.
    user = request.user
    assert user.is_authenticated  # noqa: S101 - narrows the type
    try:
        return member_places(user=user, tenant_code=code)
    except NotFound:
        return *visitor_actor(user=user, tenant_code=code, now=utc_now()), ()


def _all_or_nothing(get_response: GetResponse, request: HttpRequest) -> HttpResponse:
    """Keep nothing of a view that failed: by now its exception has become a response."""
    response = get_response(request)
    if response.status_code >= 500:
        transaction.set_rollback(True)
    return response


def _to_sign_in(request: HttpRequest) -> HttpResponse:
    address = reverse(settings.LOGIN_URL)
    if request.headers.get("HX-Request") == "true":
        # A fragment cannot show the sign-in page; the whole window has to go there.
        response = HttpResponse(status=204)
        response["HX-Redirect"] = address
        return response
    return redirect_to_login(request.get_full_path(), address)
