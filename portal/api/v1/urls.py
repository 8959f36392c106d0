"""Every address of the metered billing API, version 1; addresses have no slash at the end."""

from django.urls import URLPattern, path

from portal.api.v1 import tenants

urlpatterns: list[URLPattern] = [
    path("organisation", tenants.Organisation.as_view(), name="organisation"),
    path("projects", tenants.Projects.as_view(), name="projects"),
    path("projects/<uuid:project_id>", tenants.Project.as_view(), name="project"),
    path("members", tenants.Members.as_view(), name="members"),
    path("keys", tenants.Keys.as_view(), name="keys"),
    path("keys/<uuid:key_id>", tenants.Key.as_view(), name="key"),
    path("audit", tenants.Audit.as_view(), name="audit"),
]
