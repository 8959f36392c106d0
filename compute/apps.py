"""Django's registration of this app."""

from django.apps import AppConfig


class ComputeConfig(AppConfig):
    name = "compute"
