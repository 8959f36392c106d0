"""The delivery layer as a Django app, for its commands, templates tags and static files."""

from django.apps import AppConfig


class PortalConfig(AppConfig):
    name = "portal"
    verbose_name = "Portal"

    def ready(self) -> None:
        # Celery's application must exist before the first nudge is sent from this process.
        from portal.celery import app

        app.set_current()
