"""Django's registration of the support admin; apart from the site, which needs the models."""

from django.contrib.admin.apps import AdminConfig


class SupportConfig(AdminConfig):
    default_site = "portal.support.SupportSite"
