"""Django's registration of this app."""

from django.apps import AppConfig


class ComputeConfig(AppConfig):
    name = "compute"

    def ready(self) -> None:
        # Imported here because models may be read only from now on.
        from billing.origins import declare  # noqa: PLC0415
        from compute import meters, notices  # noqa: PLC0415
        from compute.queries.chips import origins  # noqa: PLC0415

        meters.declare()
        notices.declare_kinds()
        declare("chip", origins)
