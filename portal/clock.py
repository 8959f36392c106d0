"""Celery's beat without the product: it pokes by name, so it needs settings and a broker alone.

Neither Django's applications nor a task is loaded, which makes it less than half as large.
"""

import os

from celery import Celery

from portal.broker import register

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings.dev")

register()
app = Celery("portal", fixups=[])
app.config_from_object("django.conf:settings", namespace="CELERY")
