"""Django's registration of this app."""

from django.apps import AppConfig


class BillingConfig(AppConfig):
    name = "billing"

    def ready(self) -> None:
        # Imported here because models may be read only from now on.
        from billing import notices  # noqa: PLC0415

        notices.declare_kinds()
