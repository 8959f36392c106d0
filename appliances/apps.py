"""Django's registration of this app."""

from django.apps import AppConfig


class AppliancesConfig(AppConfig):
    name = "appliances"

    def ready(self) -> None:
        # Imported here because models may be read only from now on.
        from appliances import meters, notices  # noqa: PLC0415

        meters.declare()
        notices.declare_kinds()
