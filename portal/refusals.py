"""How a refusal looks: a page for people, a problem document for programs.

A missing thing and someone else's are one page: it is made without looking at either.
"""

import sys

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from common.errors import DomainError
from common.trace import request_id
from portal.api.problems import Problem, problem_response
from portal.console.trouble import TROUBLES, trouble


def is_for_programs(request: HttpRequest) -> bool:
    return request.path.startswith("/api/")


def refusal(
    request: HttpRequest, status: int, code: str, detail: str = "", *, retryable: bool = False
) -> HttpResponse:
    """The answer for a request that ends here."""
    if is_for_programs(request):
        problem = Problem(status=status, code=code, detail=detail, retryable=retryable)
        return problem_response(request, problem)
    if status in TROUBLES:
        return trouble(request, status)
    context = {"code": code, "detail": detail, "request_id": request_id.get()}
    response = render(request, "refused.html", context, status=status)
    if retryable:
        response["Retry-After"] = "5"
    return response


def refuse(request: HttpRequest, error: DomainError) -> HttpResponse:
    """The answer for an anticipated refusal nobody nearer to it has shown."""
    detail = "" if error.status == 404 else str(error)
    return refusal(request, error.status, error.code, detail, retryable=error.retryable)


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return refusal(request, 404, "not_found")


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return refusal(request, 403, "forbidden")


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return refusal(request, 400, "bad_request")


def csrf_failed(request: HttpRequest, reason: str = "") -> HttpResponse:
    return refusal(request, 403, "csrf_failed")


def server_error(request: HttpRequest) -> HttpResponse:
    """Our own mistake, or a database that is away; says which without saying more."""
    if isinstance(sys.exc_info()[1], OperationalError | InterfaceError):
        return refusal(request, 503, "unavailable", retryable=True)
    return refusal(request, 500, "internal_error")
