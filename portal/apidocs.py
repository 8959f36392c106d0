"""The API's documentation as one page of plain HTML, made from the OpenAPI document itself."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.translation import get_language
from django.views.decorators.http import require_safe

from portal.api.schema import REFUSALS, Document, document


@dataclass(frozen=True)
class Member:
    """One parameter or one member of a body."""

    name: str
    place: str
    kind: str
    is_required: bool
    description: str


@dataclass(frozen=True)
class OperationDoc:
    """One method of one address, ready to be shown."""

    anchor: str
    method: str
    path: str
    summary: str
    scope: str
    parameters: tuple[Member, ...]
    body: tuple[Member, ...]
    answer: tuple[Member, ...]
    status: str
    refusals: tuple[str, ...]
    example: str


@cache
def _document(language: str) -> Document:
    return document(language)


@require_safe
def openapi(request: HttpRequest) -> HttpResponse:
    """The OpenAPI document, for programs that make clients."""
    return JsonResponse(_document("en"), json_dumps_params={"ensure_ascii": False})


@require_safe
def browse(request: HttpRequest) -> HttpResponse:
    """Every operation with its parameters, members, refusals and an example."""
    whole = _document(get_language() or "en")
    context = {
        "operations": tuple(_operations(whole)),
        "refusals": REFUSALS.items(),
        "info": whole["info"],
    }
    return render(request, "docs/api.html", context)


def _operations(whole: Document) -> Iterator[OperationDoc]:
    for path, methods in whole["paths"].items():
        for method, operation in methods.items():
            yield _operation(whole, path, method, operation)


def _operation(whole: Document, path: str, method: str, operation: Document) -> OperationDoc:
    done = next(status for status in operation["responses"] if status.startswith("2"))
    body = _schema_in(operation.get("requestBody", {}))
    return OperationDoc(
        anchor=operation["operationId"],
        method=method.upper(),
        path=path,
        summary=operation.get("description", ""),
        scope=operation["x-required-scope"],
        parameters=tuple(
            Member(
                name=each["name"],
                place=each["in"],
                kind=_kind(whole, each["schema"]),
                is_required=each.get("required", False),
                description=each.get("description", ""),
            )
            for each in operation.get("parameters", [])
        ),
        body=tuple(_members(whole, body)),
        answer=tuple(_members(whole, _schema_in(operation["responses"][done]))),
        status=done,
        refusals=tuple(status for status in operation["responses"] if not status.startswith("2")),
        example=_example(path, method, has_body=bool(body)),
    )


def _schema_in(part: Document) -> Document:
    content: Document = part.get("content", {}).get("application/json", {})
    schema: Document = content.get("schema", {})
    return schema


def _members(whole: Document, schema: Document, prefix: str = "") -> Iterator[Member]:
    resolved = _resolved(whole, schema)
    for name, inner in resolved.get("properties", {}).items():
        yield Member(
            name=prefix + name,
            place="body",
            kind=_kind(whole, inner),
            is_required=name in resolved.get("required", []),
            description=inner.get("description", ""),
        )
        items = _resolved(whole, inner.get("items", {}))
        if items.get("properties"):
            yield from _members(whole, items, f"{prefix}{name}[].")


def _resolved(whole: Document, schema: Document) -> Document:
    reference = schema.get("$ref", "")
    if not reference and len(schema.get("allOf", [])) == 1:
        reference = schema["allOf"][0].get("$ref", "")
    if not reference:
        return schema
    found: Document = whole["components"]["schemas"][reference.rpartition("/")[2]]
    return found


def _kind(whole: Document, schema: Document) -> str:
    resolved = _resolved(whole, schema)
    # OpenAPI 3.1 writes a member that may be null with a list of types or a choice of schemas.
    kinds: Any = resolved.get("type", "")
    if not kinds and "oneOf" in resolved:
        return " | ".join(_kind(whole, choice) for choice in resolved["oneOf"])
    text = " | ".join(kinds) if isinstance(kinds, list) else str(kinds)
    if "items" in resolved:
        text = f"{text} <{_kind(whole, resolved['items'])}>"
    if resolved.get("format"):
        text = f"{text} ({resolved['format']})"
    if resolved.get("enum"):
        text = f"{text}: {', '.join(str(value) for value in resolved['enum'])}"
    return text


def _example(path: str, method: str, *, has_body: bool) -> str:
    lines = [f"curl -X {method.upper()} $PORTAL{path}", '  -H "Authorization: Bearer $KEY"']
    if method == "post":
        lines.append('  -H "Idempotency-Key: $(uuidgen)"')
    if has_body:
        lines += ['  -H "Content-Type: application/json"', "  -d @body.json"]
    return " \\\n".join(lines)
