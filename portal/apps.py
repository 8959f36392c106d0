"""The delivery layer as a Django app, for its commands, templates tags and static files."""

from django.apps import AppConfig

from portal.celery import app


class PortalConfig(AppConfig):
    name = "portal"
    verbose_name = "Portal"

    def ready(self) -> None:
        # Celery's application must exist before the first nudge is sent from this process.
        app.set_default()
