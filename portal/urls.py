"""Every address of the web process."""

from django.conf import settings
from django.contrib import admin
from django.urls import include, path

from portal.apidocs import browse, openapi
from portal.health import healthz, readyz
from portal.joining import entrance, join
from portal.metrics import metrics

urlpatterns = [
    path("", entrance, name="entrance"),
    path("", include("portal.console.preferences")),
    path("accounts/", include("allauth.urls")),
    path("join/<str:token>/", join, name="join"),
    path("ops/admin/", admin.site.urls),
    path("ops/", include("portal.console.operator_urls")),
    path("t/<str:tenant_code>/", include("portal.console.urls")),
    path("api/v1/", include("portal.api.v1.urls")),
    path("api/v1/openapi.json", openapi, name="openapi"),
    path("docs/api/", browse, name="api-docs"),
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("metrics", metrics, name="metrics"),
]

if settings.STYLEGUIDE:
    urlpatterns.append(path("_styleguide/", include("portal.console.styleguide")))

handler400 = "portal.refusals.bad_request"
handler403 = "portal.refusals.forbidden"
handler404 = "portal.refusals.not_found"
handler500 = "portal.refusals.server_error"
