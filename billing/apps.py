"""Django's registration of this app."""

from django.apps import AppConfig


class BillingConfig(AppConfig):
    name = "billing"
