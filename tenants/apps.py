"""Django's registration of this app."""

from django.apps import AppConfig


class TenantsConfig(AppConfig):
    name = "tenants"

    def ready(self) -> None:
        # Imported here because models may be read only from now on.
        from tenants import kinds  # noqa: PLC0415

        kinds.declare_kinds()
