"""Django's registration of this app."""

from django.apps import AppConfig


class AppliancesConfig(AppConfig):
    name = "appliances"
