"""The test suite: real PostgreSQL by DATABASE_URL, everything else in this process."""

from portal.settings.base import *  # noqa: F403

SECRET_KEY = "only-for-tests-" + "x" * 40  # noqa: S105 - never leaves the test process
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
CELERY_BROKER_URL = "memory://"
CELERY_BROKER_TRANSPORT_OPTIONS = {}
ALLOWED_HOSTS = ["*"]
STYLEGUIDE = True
