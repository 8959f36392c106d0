"""The product's addresses and a few probes under the tenant's and the operators' routes."""

from django.db import OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import include, path

from common.errors import NotFound
from portal.urls import handler400, handler403, handler404, handler500
from portal.urls import urlpatterns as product
from tenants.commands.projects import CodeTaken
from tenants.models import Organisation, Project
from tenants.permissions import PermissionRefused

__all__ = ["handler400", "handler403", "handler404", "handler500", "urlpatterns"]

ERRORS = {
    "bug": ZeroDivisionError(),
    "database": OperationalError("gone"),
    "missing": NotFound(),
    "refused": CodeTaken(),
    "forbidden": PermissionRefused(),
}


def names(request: HttpRequest, code: str = "") -> HttpResponse:
    """The projects that exist for this request."""
    found = sorted(Project.objects.values_list("name", flat=True))
    actor = request.actor  # type: ignore[attr-defined]
    return JsonResponse({"projects": found, "kind": actor.kind, "actor": actor.name})


def write(request: HttpRequest, code: str, ending: str) -> HttpResponse:
    """Write a project, then end in some way."""
    tenant: Organisation = request.tenant  # type: ignore[attr-defined]
    Project.objects.create(tenant=tenant, code=f"half-{ending}", name="x")
    if ending in ERRORS:
        raise ERRORS[ending]
    return HttpResponse(status=int(ending))


urlpatterns = [
    path("t/<str:code>/probe/", names),
    path("t/<str:code>/write/<str:ending>/", write),
    path("ops/probe/", names),
    *product,
    # The frame of a page names the console's home; the product's own comes first.
    path("t/<str:code>/", include(([path("", names, name="home")], "console"))),
]
