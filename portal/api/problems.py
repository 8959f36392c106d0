"""Refusals for programs: RFC 9457 problem documents with a stable code each."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from rest_framework import exceptions

from common.errors import DomainError, FieldError
from common.trace import request_id

MEDIA_TYPE = "application/problem+json"
TYPE = "/docs/api/#problem-{code}"


@dataclass(frozen=True)
class Problem:
    """What is wrong, for a program and for the person reading its log."""

    status: int
    code: str
    detail: str | Promise = ""
    errors: Sequence[FieldError] = ()
    retryable: bool = False
    retry_after_seconds: int | None = None
    # What this kind of refusal says beside what all say; never one of their names.
    members: Mapping[str, object] = field(default_factory=dict)


class RateExceeded(exceptions.APIException):
    """More requests than the key may send in a minute."""

    status_code = 429
    default_code = "rate_limited"

    def __init__(self, wait_seconds: int) -> None:
        super().__init__(_("Too many requests with this key."))
        self.wait_seconds = wait_seconds


def problem_response(request: HttpRequest, problem: Problem) -> HttpResponse:
    """The answer; it repeats neither the query nor the body of what was asked."""
    document: dict[str, object] = {
        "type": TYPE.format(code=problem.code),
        "title": _(HTTPStatus(problem.status).phrase),
        "status": problem.status,
        "detail": str(problem.detail) or _title_of(problem.status),
        "instance": f"urn:request:{request_id.get()}",
        "code": problem.code,
        "errors": [
            {"pointer": error.pointer, "code": error.code, "detail": str(error.detail)}
            for error in problem.errors
        ],
        "request_id": request_id.get(),
        "retryable": problem.retryable,
    }
    document = {**problem.members, **document}
    body = json.dumps(document, ensure_ascii=False).encode()
    response = HttpResponse(body, status=problem.status, content_type=MEDIA_TYPE)
    wait = problem.retry_after_seconds or (1 if problem.retryable else None)
    if wait is not None:
        response["Retry-After"] = str(wait)
    return response


def handle(error: Exception, context: Mapping[str, Any]) -> HttpResponse | None:
    """DRF's hook: every anticipated error of a resource as a problem; None lets it be a 500."""
    # DRF types the context as a plain mapping; "request" is its own wrapper.
    request = context["request"]
    problem = _of_domain(error) or _of_database(error) or _of_framework(error)
    if problem is None:
        return None
    response = problem_response(request, problem)
    if isinstance(error, exceptions.APIException):
        if isinstance(error, exceptions.MethodNotAllowed):
            response["Allow"] = ", ".join(context["view"].allowed_methods)
        if challenge := getattr(error, "auth_header", None):
            response["WWW-Authenticate"] = challenge
    return response


def _of_domain(error: Exception) -> Problem | None:
    if not isinstance(error, DomainError):
        return None
    return Problem(
        status=error.status,
        code=error.code,
        detail=str(error),
        errors=error.errors,
        retryable=error.retryable,
        members=error.members,
    )


def _of_database(error: Exception) -> Problem | None:
    if not isinstance(error, OperationalError | InterfaceError):
        return None
    return Problem(503, "unavailable", _("The portal cannot answer right now."), retryable=True)


def _of_framework(error: Exception) -> Problem | None:
    if isinstance(error, Http404):
        return Problem(404, "not_found")
    if isinstance(error, PermissionDenied):
        return Problem(403, "forbidden")
    if isinstance(error, RequestDataTooBig):
        return Problem(413, "body_too_large", _("The request body is too large."))
    if isinstance(error, RateExceeded):
        return Problem(
            429,
            "rate_limited",
            str(error.detail),
            retryable=True,
            retry_after_seconds=error.wait_seconds,
        )
    if isinstance(error, exceptions.ValidationError):
        detail = _("Some of the input is not valid.")
        return Problem(
            422, "invalid_input", detail, errors=tuple(_pointers(error.get_full_details()))
        )
    if isinstance(error, exceptions.APIException):
        code = error.get_codes()
        return Problem(
            error.status_code, code if isinstance(code, str) else "refused", str(error.detail)
        )
    return None


def _pointers(details: Any, path: str = "") -> Iterator[FieldError]:
    """DRF's nested details as one flat list with JSON pointers.

    Shape: ``details`` is what get_full_details gives: dictionaries by field, lists by position,
    leaves with "message" and "code"; a serializer's own errors sit under "non_field_errors".
    """
    if (
        isinstance(details, dict)
        and set(details) == {"message", "code"}
        and isinstance(details["code"], str)
    ):
        yield FieldError(path or "/", details["code"], str(details["message"]))
    elif isinstance(details, dict):
        for name, inner in details.items():
            step = "" if name == "non_field_errors" else f"/{_escaped(str(name))}"
            yield from _pointers(inner, path + step)
    else:
        leaves = [set(inner) == {"message", "code"} for inner in details]
        for position, inner in enumerate(details):
            yield from _pointers(inner, path if all(leaves) else f"{path}/{position}")


def _escaped(name: str) -> str:
    return name[:100].replace("~", "~0").replace("/", "~1")


def _title_of(status: int) -> str:
    titles = {
        400: _("The request could not be read."),
        403: _("This is not allowed."),
        404: _("Not found."),
        500: _("Something failed on our side."),
        503: _("The portal cannot answer right now."),
    }
    return titles.get(status, HTTPStatus(status).phrase)
