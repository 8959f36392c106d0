"""The model gateway's own process: ``uvicorn portal.gateway.app:application``."""

import os

import django

from portal.gateway.server import Gateway

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings.dev")
django.setup()
application = Gateway()
