"""A centre in operation: everything secret or local must be given."""

from portal.settings.base import *  # noqa: F403
from portal.settings.base import env

SECRET_KEY = env.text("SECRET_KEY")
ALLOWED_HOSTS = env.names("ALLOWED_HOSTS", env.text("ALLOWED_HOSTS"))
SECURE_SSL_REDIRECT = env.flag("SECURE_SSL_REDIRECT", default=True)
# Asked by machines beside the process, not through the proxy that ends TLS.
SECURE_REDIRECT_EXEMPT = ["^(healthz|readyz|metrics)$"]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_HSTS_SECONDS = 31_536_000
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True
SESSION_COOKIE_SECURE = True
SESSION_COOKIE_NAME = "__Host-session"
CSRF_COOKIE_SECURE = True
CSRF_COOKIE_NAME = "__Host-csrf"
CELERY_BROKER_URL = env.text("CELERY_BROKER_URL")
MFA_REQUIRED = env.flag("MFA_REQUIRED", default=True)
METRICS_OPEN = env.flag("METRICS_OPEN", default=False)
