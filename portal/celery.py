"""The Celery application; tasks are nudges and rows are the queue."""

import os

from celery import Celery

from portal.broker import register

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings.dev")

register()
app = Celery("portal")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
