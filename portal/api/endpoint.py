"""The base of every resource: a method is one command or query, everything around it is here.

A resource module reads like this, and nothing else:

    class Projects(Endpoint):
        @says(_("List the projects, newest first."))
        @reads(Permission.PROJECT_READ, ProjectOut, page=True)
        def get(self, call: Call) -> Page[Project]:
            return projects(actor=call.actor, tenant_id=call.tenant_id, **call.page)
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from functools import wraps
from typing import Any, BinaryIO
from uuid import UUID

from django.core.cache import cache
from django.http import FileResponse, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.functional import Promise
from rest_framework import serializers
from rest_framework.exceptions import NotAuthenticated, ParseError
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from billing.queries.arrears import refuse_in_arrears
from common.clock import utc_now
from portal.api.authentication import KeyAuthentication
from portal.api.fields import Strict
from portal.api.idempotency import HEADER, hash_of, key_of
from portal.api.limits import Allowance, spend
from portal.api.pagination import PageQuery, page_of
from portal.api.parsing import StrictJSONParser
from portal.api.problems import RateExceeded, handle
from portal.api.streaming import NDJSON, check_stream
from tenants.commands import idempotency
from tenants.commands.keys import note_use
from tenants.permissions import Actor, Permission, require
from tenants.queries.actors import KeyCaller
from tenants.scoping import tenant_scope

JSON = "application/json"
# An output serializer's instance type differs by resource; only its fields matter here.
Answer = type[serializers.BaseSerializer[Any]]


@dataclass(frozen=True)
class Call:
    """One request as its resource sees it: proved, allowed, and with its input checked."""

    actor: Actor
    tenant_id: UUID
    # Validated input is as various as the serializers that made it.
    body: Mapping[str, Any]
    query: Mapping[str, Any]
    now: datetime

    @property
    def page(self) -> dict[str, Any]:
        """``limit`` and ``cursor``, as every list query takes them."""
        return {"limit": self.query["limit"], "cursor": self.query["cursor"] or None}


class Repeats(Enum):
    """Whether a request is told from its repetition by an Idempotency-Key."""

    UNMARKED = "unmarked"
    BY_KEY = "by key"
    # Its parts carry identities of their own; a key is honoured where one is sent.
    BY_KEY_IF_SENT = "by key if sent"


@dataclass(frozen=True)
class Download:
    """A document to keep, with the name it is offered under."""

    name: str
    content: bytes


@dataclass(frozen=True)
class FileDownload:
    """A document of any size: sent from a file in portions, which is closed at the end."""

    name: str
    media_type: str
    content: BinaryIO


@dataclass(frozen=True)
class Operation:
    """What one method of a resource takes and gives; the OpenAPI document is made from it."""

    permission: Permission
    answer: Answer | None
    body: type[Strict] | None
    query: type[Strict] | None
    status: int
    repeats: Repeats
    # A body that is judged part by part by the domain, so that one bad part never fails the rest.
    takes_parts: bool = False
    # The types a document is sent in as it is; none where the answer is JSON.
    media_types: tuple[str, ...] = ()
    # Lines in and lines out, taken in chunk by chunk.
    is_stream: bool = False
    # A GET of the one thing of its kind, which may not be there yet.
    may_be_missing: bool = False

    @property
    def is_idempotent(self) -> bool:
        return self.repeats is not Repeats.UNMARKED


Handler = Callable[..., object]
Decorator = Callable[[Handler], Handler]


def says(*paragraphs: Promise) -> Decorator:
    """What a method does, in each reader's language; the OpenAPI document quotes it."""

    def decorate(method: Handler) -> Handler:
        method.paragraphs = paragraphs  # type: ignore[attr-defined]  # read by portal.api.schema
        return method

    return decorate


def reads(
    permission: Permission,
    answer: Answer,
    *,
    query: type[Strict] | None = None,
    page: bool = False,
    may_be_missing: bool = False,
) -> Decorator:
    """A GET; with ``page`` the method gives a Page and takes ``limit`` and ``cursor``."""
    if page:
        answer, query = page_of(answer), query or PageQuery
    return _performing(
        Operation(
            permission,
            answer,
            None,
            query,
            200,
            Repeats.UNMARKED,
            may_be_missing=may_be_missing,
        )
    )


def posts(
    permission: Permission, body: type[Strict], answer: Answer, *, status: int = 201
) -> Decorator:
    """A POST: one command, its effect and the kept answer in one transaction."""
    return _performing(Operation(permission, answer, body, None, status, Repeats.BY_KEY))


def replaces(permission: Permission, body: type[Strict], answer: Answer) -> Decorator:
    """A PUT: one command that says a thing anew; sent twice it is said twice, so it has no key."""
    return _performing(Operation(permission, answer, body, None, 200, Repeats.UNMARKED))


def takes_in(permission: Permission, part: type[Strict], answer: Answer) -> Decorator:
    """A POST of one thing or many, each with a result of its own; 200 whatever became of them."""
    return _performing(
        Operation(permission, answer, part, None, 200, Repeats.BY_KEY_IF_SENT, takes_parts=True)
    )


def takes_stream(permission: Permission, part: type[Strict], answer: Answer) -> Decorator:
    """A POST of lines; the method gives the lines of the answer and opens a scope for each chunk.

    What a chunk did stays done when a later one fails: its parts carry identities of their own.
    """
    return _performing(
        Operation(
            permission,
            answer,
            part,
            None,
            200,
            Repeats.UNMARKED,
            media_types=(NDJSON,),
            is_stream=True,
        )
    )


def downloads(permission: Permission, *media_types: str, query: type[Strict]) -> Decorator:
    """A GET of a document; the method gives a Download, or a FileDownload of one of the types."""
    return _performing(
        Operation(permission, None, None, query, 200, Repeats.UNMARKED, media_types=media_types)
    )


def deletes(permission: Permission) -> Decorator:
    """A DELETE: one command; 204."""
    return _performing(Operation(permission, None, None, None, 204, Repeats.UNMARKED))


def _performing(operation: Operation) -> Decorator:
    def decorate(handler: Handler) -> Handler:
        @wraps(handler)
        def method(self: "Endpoint", request: Request, **path: object) -> HttpResponseBase:
            if operation.is_stream:
                return self.stream(operation, handler, request)
            return self.perform(operation, handler, request, path)

        method.operation = operation  # type: ignore[attr-defined]  # read by portal.api.schema
        return method

    return decorate


class Endpoint(APIView):
    """A resource of the API, reached with a tenant's key."""

    authentication_classes = (KeyAuthentication,)
    permission_classes = ()
    parser_classes: Sequence[type[BaseParser]] = (StrictJSONParser,)
    renderer_classes: Sequence[type[BaseRenderer]] = (JSONRenderer,)
    http_method_names = ["get", "post", "put", "delete", "head"]
    _allowance: Allowance | None = None

    def get_exception_handler(self) -> Any:
        return handle

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        caller = self._caller(request)
        key_id = caller.actor.id
        assert key_id is not None  # noqa: S101 - narrows the type: a key always has an id
        self._allowance = spend(key_id=key_id, requests_per_minute=caller.requests_per_minute)
        if self._allowance.is_exceeded:
            raise RateExceeded(self._allowance.reset_seconds)
        if cache.add(f"api-key-used:{key_id}", 1, timeout=60):
            with tenant_scope(_tenant_of(caller.actor)):
                note_use(key_id=key_id, now=utc_now())

    def perform(
        self, operation: Operation, handler: Handler, request: Request, path: dict[str, object]
    ) -> HttpResponseBase:
        """Run one method inside its tenant's scope; an error leaves nothing behind."""
        actor = self._caller(request).actor
        tenant_id = _tenant_of(actor)
        with tenant_scope(tenant_id):
            require(actor, operation.permission, tenant_id)
            key = _key_of(operation, request)
            replay = self._begin(key, request, actor)
            if replay is not None:
                response = HttpResponse(replay.body, status=replay.status, content_type=JSON)
                response["Idempotent-Replayed"] = "true"
                return response
            now = utc_now()
            if operation.body is not None:
                # Before its input is read, so that nothing is looked up for what cannot be done.
                refuse_in_arrears(tenant_id, operation.permission, now)
            call = Call(
                actor=actor,
                tenant_id=tenant_id,
                body=_body(operation, request),
                query=_checked(operation.query, lambda: request.query_params.dict()),
                now=now,
            )
            result = handler(self, call, **path)
            if isinstance(result, Download):
                return _download(operation, result)
            if isinstance(result, FileDownload):
                return _file_download(result)
            body = _rendered(operation, result)
            if key:
                idempotency.finish(actor=actor, key=key, status=operation.status, body=body)
        return HttpResponse(body, status=operation.status, content_type=JSON)

    def stream(self, operation: Operation, handler: Handler, request: Request) -> HttpResponse:
        """Run a method that reads the body itself, in as many transactions as it has chunks."""
        actor = self._caller(request).actor
        tenant_id = _tenant_of(actor)
        with tenant_scope(tenant_id):
            require(actor, operation.permission, tenant_id)
        check_stream(request)
        call = Call(actor, tenant_id, {"lines": request._request}, {}, utc_now())
        # The lines of the answer, which the method gives as bytes.
        lines: Any = handler(self, call)
        return HttpResponse(
            b"".join(lines), status=operation.status, content_type=operation.media_types[0]
        )

    # DRF takes any response of Django's here; its stubs know only its own.
    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        final = super().finalize_response(request, response, *args, **kwargs)
        if self._allowance is not None:
            left = max(self._allowance.remaining, 0)
            final["RateLimit-Policy"] = f'"key";q={self._allowance.limit};w=60'
            final["RateLimit"] = f'"key";r={left};t={self._allowance.reset_seconds}'
        return final

    def _caller(self, request: Request) -> KeyCaller:
        caller = request.auth
        if not isinstance(caller, KeyCaller):
            raise NotAuthenticated
        return caller

    def _begin(self, key: str, request: Request, actor: Actor) -> idempotency.Replay | None:
        if not key:
            return None
        return idempotency.begin(
            actor=actor,
            key=key,
            method=str(request.method),
            path=request.get_full_path(),
            body_hash=hash_of(request),
        )


def _tenant_of(actor: Actor) -> UUID:
    if actor.tenant_id is None:
        raise NotAuthenticated
    return actor.tenant_id


def _key_of(operation: Operation, request: Request) -> str:
    """The Idempotency-Key this request goes by, or nothing. Raises: KeyRequired."""
    if operation.repeats is Repeats.BY_KEY:
        return key_of(request)
    if operation.repeats is Repeats.BY_KEY_IF_SENT and HEADER in request.headers:
        return key_of(request)
    return ""


def _body(operation: Operation, request: Request) -> Mapping[str, Any]:
    if operation.body is not None:
        # Read whole here, where the limit on its size holds; DRF would stream past it.
        _ = request._request.body
    if operation.takes_parts:
        parts = request.data
        # DRF asks no parser about an empty body.
        if not isinstance(parts, list):
            raise ParseError("JSON parse error")
        return {"parts": parts}
    return _checked(operation.body, lambda: request.data)


def _checked(serializer: type[Strict] | None, given: Callable[[], Any]) -> Mapping[str, Any]:
    """The validated input, read only where there is something to read it with."""
    if serializer is None:
        return {}
    checked = serializer(data=given())
    checked.is_valid(raise_exception=True)
    return dict(checked.validated_data)


def _download(operation: Operation, document: Download) -> HttpResponse:
    response = HttpResponse(document.content, content_type=operation.media_types[0])
    response["Content-Disposition"] = f'attachment; filename="{document.name}"'
    response["X-Content-Type-Options"] = "nosniff"
    return response


def _file_download(document: FileDownload) -> FileResponse:
    response = FileResponse(
        document.content,
        as_attachment=True,
        filename=document.name,
        content_type=document.media_type,
    )
    response["X-Content-Type-Options"] = "nosniff"
    return response


def _rendered(operation: Operation, result: object) -> bytes:
    if operation.answer is None:
        return b""
    rendered = JSONRenderer().render(operation.answer(result).data)
    return bytes(rendered)
