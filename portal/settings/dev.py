"""The embedded default and development: loopback only, mail into files."""

from portal.settings.base import *  # noqa: F403
from portal.settings.base import env

SECRET_KEY = env.text("SECRET_KEY")
DEBUG = env.flag("DEBUG", default=False)
STYLEGUIDE = DEBUG
EMAIL_BACKEND = env.text("EMAIL_BACKEND", "django.core.mail.backends.filebased.EmailBackend")
WEBHOOK_PLAIN_HTTP = True
