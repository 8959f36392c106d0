"""Django's registration of this app."""

from django.apps import AppConfig


class ComputeConfig(AppConfig):
    name = "compute"

    def ready(self) -> None:
        # Imported here because models may be read only from now on.
        from compute import meters, notices  # noqa: PLC0415

        meters.declare()
        notices.declare_kinds()
