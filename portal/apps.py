"""The delivery layer as a Django app, for its commands, templates tags and static files."""

from django.apps import AppConfig
from django.core.checks import Tags, register

from portal import checks
from portal.celery import app


class PortalConfig(AppConfig):
    name = "portal"
    verbose_name = "Portal"

    def ready(self) -> None:
        # Celery's application must exist before the first nudge is sent from this process.
        app.set_default()
        register(checks.check_sign_in_role, Tags.security, deploy=True)
        register(checks.check_second_factor, Tags.security, deploy=True)
