"""Every address of the web process."""

from django.conf import settings
from django.urls import include, path

urlpatterns = [
    path("accounts/", include("allauth.urls")),
    path("", include("portal.console.preferences")),
]

if settings.STYLEGUIDE:
    urlpatterns.append(path("_styleguide/", include("portal.console.styleguide")))

handler400 = "portal.console.trouble.bad_request"
handler403 = "portal.console.trouble.forbidden"
handler404 = "portal.console.trouble.not_found"
handler500 = "portal.console.trouble.server_error"
