"""Django's registration of this app."""

from django.apps import AppConfig


class BillingConfig(AppConfig):
    name = "billing"

    def ready(self) -> None:
        # Apps must be loaded before sentences can be declared.
        from billing import notices

        notices.declare_kinds()
