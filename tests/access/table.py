"""The access table: one row for every address, saying who gets what answer.

Rows live in ``tests/access/rows/<area>.py`` as a list ``ROWS``; that is all an author adds. An
address without a row fails the suite, and so does a row without an address.
"""

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from django.db.models import Model
from django.urls import URLPattern, URLResolver, get_resolver

from tenants.permissions import Permission
from tests.access import rows as _rows

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
EVERY_MEMBER = frozenset({"owner", "admin", "developer", "finance", "viewer"})
EVERY_OPERATOR = frozenset({"support", "capacity", "finance", "admin"})


class Names(Protocol):
    """Whose ids are put into an address or a body: a tenant's, or nobody's."""

    code: str

    def pk(self, model: type[Model]) -> Any: ...


def nothing(names: Names) -> dict[str, Any]:
    return {}


@dataclass(frozen=True)
class Expect:
    """One method of one address.

    Shape: ``status`` is what the allowed get; ``who`` are the member or operator roles that are
    allowed, everybody else of their kind gets ``refused``; ``scope`` is the same for keys.
    ``body`` makes what is sent, from the names of the tenant whose ids it should carry.
    """

    status: int = 200
    who: frozenset[str] = frozenset()
    refused: int = 403
    scope: Permission | None = None
    body: Callable[[Names], dict[str, Any]] = nothing
    # A suspended tenant keeps looking; what it gets where that differs from ``status``.
    suspended: int | None = None


@dataclass(frozen=True)
class Row:
    """One address.

    Shape: ``kind`` is "public" (no sign-in), "account" (a person's own sign-in pages), "tenant"
    (under /t/), "operator" (under /ops/) or "api"; ``route`` is written as the URLconf joins it;
    ``names`` makes its parameters. Methods not listed are refused with 405.
    """

    route: str
    kind: str
    methods: Mapping[str, Expect]
    names: Callable[[Names], dict[str, Any]] = nothing
    # Why this row is exempt from the matrix, where it is.
    exempt: str = field(default="")


def table() -> list[Row]:
    found: list[Row] = []
    for module in pkgutil.iter_modules(_rows.__path__):
        found.extend(importlib.import_module(f"{_rows.__name__}.{module.name}").ROWS)
    return found


def routes() -> dict[str, URLPattern]:
    """Every address of the product, as the URLconf joins it."""
    found: dict[str, URLPattern] = {}

    def walk(resolver: URLResolver, prefix: str) -> None:
        for entry in resolver.url_patterns:
            if isinstance(entry, URLResolver):
                walk(entry, prefix + str(entry.pattern))
            else:
                found[prefix + str(entry.pattern)] = entry

    walk(get_resolver(), "")
    return found


def address(route: str, parameters: Mapping[str, Any]) -> str:
    """The path of a route with its parameters filled in."""
    path = route
    for name, value in parameters.items():
        for converter in ("uuid:", "int:", "str:", "slug:", "path:", ""):
            path = path.replace(f"<{converter}{name}>", str(value))
    assert "<" not in path, f"{route} needs a parameter its row does not give."
    return "/" + path
