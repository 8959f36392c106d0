"""What every way of running the product shares."""

from pathlib import Path
from typing import Any

from csp.constants import NONCE, NONE, SELF
from django.utils.translation import gettext_lazy as _

from portal.settings.broker import broker_options
from portal.settings.env import Environment, EnvironmentRefused, postgres_settings
from portal.settings.schedule import beat_schedule

BASE_DIR = Path(__file__).resolve().parent.parent.parent
env = Environment()

STATE_DIR = env.folder("PORTAL_STATE_DIR", BASE_DIR / ".state")
SECRET_KEY = env.text("SECRET_KEY", "")
SECRET_KEY_FALLBACKS = env.names("SECRET_KEY_FALLBACKS", "")
DEBUG = False
ALLOWED_HOSTS = env.names("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")
PUBLIC_URL = env.text("PUBLIC_URL", "http://127.0.0.1:8000").rstrip("/")
GATEWAY_URL = env.text("GATEWAY_URL", "http://127.0.0.1:8001").rstrip("/")
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "portal.support_app.SupportConfig",
    "django.contrib.humanize",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "rest_framework",
    "drf_spectacular",
    "django_htmx",
    # The plain configuration: the default one rewrites TEMPLATES behind our back, and any other
    # app that does the same would undo it. The loaders below say the same in the open.
    "template_partials.apps.SimpleAppConfig",
    "csp",
    "tenants",
    "billing",
    "compute",
    "appliances",
    "portal",
]

MIDDLEWARE = [
    "portal.middleware.RequestId",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "portal.middleware.SameOrigin",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "portal.middleware.TenantRoute",
    "portal.middleware.OperatorRoute",
    "portal.middleware.Refusals",
]
CSRF_FAILURE_VIEW = "portal.refusals.csrf_failed"

ROOT_URLCONF = "portal.urls"
WSGI_APPLICATION = "portal.wsgi.application"
ASGI_APPLICATION = "portal.asgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "OPTIONS": {
            "loaders": [
                (
                    "template_partials.loader.Loader",
                    [
                        (
                            "django.template.loaders.cached.Loader",
                            [
                                "django.template.loaders.filesystem.Loader",
                                "django.template.loaders.app_directories.Loader",
                            ],
                        )
                    ],
                )
            ],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "portal.console.context.shell",
            ],
        },
    },
]

# The application always works as the role "acp_app", which owns no table and cannot bypass row
# security; only migrations use the owner. In production the two are different sign-ins.
_default = postgres_settings("DATABASE_URL", env.text("DATABASE_URL"))
_owner_url = env.text("DATABASE_OWNER_URL", env.text("DATABASE_URL"))
_owner = postgres_settings("DATABASE_OWNER_URL", _owner_url)
_default["OPTIONS"] = {**_default["OPTIONS"], "assume_role": "acp_app"}
_default["CONN_MAX_AGE"] = env.whole("DATABASE_CONN_MAX_AGE", 60)
_default["CONN_HEALTH_CHECKS"] = True
DATABASES: dict[str, dict[str, Any]] = {"default": _default, "owner": _owner}
DATABASE_ROUTERS: list[str] = []

AUTH_USER_MODEL = "tenants.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
]
ACCOUNT_ADAPTER = "portal.accounts.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = env.text("ACCOUNT_EMAIL_VERIFICATION", "mandatory")
ACCOUNT_SESSION_REMEMBER = None
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_REAUTHENTICATION_TIMEOUT = 300
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
# Whether operators and everybody near money must have a second factor.
MFA_REQUIRED = env.flag("MFA_REQUIRED", default=False)
MFA_ADAPTER = "portal.accounts.MFAAdapter"
MFA_RECOVERY_CODES_SHOW_ONCE = True
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"

LANGUAGE_CODE = "zh-hans"
LANGUAGES = [("zh-hans", _("Simplified Chinese")), ("en", _("English"))]
LOCALE_PATHS = [BASE_DIR / "portal" / "locale"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"
CENTRE_TIME_ZONE = "Asia/Shanghai"

STATIC_URL = "/static/"
STATIC_ROOT = STATE_DIR / "static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = True

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF, NONCE],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "connect-src": [SELF],
        "object-src": [NONE],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
        "form-action": [SELF],
    }
}
X_FRAME_OPTIONS = "DENY"
# The page that shows every component; only development and tests have it.
STYLEGUIDE = False
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 12 * 3600

EMAIL_BACKEND = env.text("EMAIL_BACKEND", "django.core.mail.backends.smtp.EmailBackend")
EMAIL_HOST = env.text("EMAIL_HOST", "localhost")
EMAIL_PORT = env.whole("EMAIL_PORT", 25)
EMAIL_HOST_USER = env.text("EMAIL_HOST_USER", "")
EMAIL_HOST_PASSWORD = env.text("EMAIL_HOST_PASSWORD", "")
# STARTTLS on the port, or TLS from the first byte; never both.
EMAIL_USE_TLS = env.flag("EMAIL_USE_TLS", default=False)
EMAIL_USE_SSL = env.flag("EMAIL_USE_SSL", default=False)
EMAIL_TIMEOUT = 10
EMAIL_FILE_PATH = STATE_DIR / "mail"
DEFAULT_FROM_EMAIL = env.text("DEFAULT_FROM_EMAIL", "portal@localhost")

CELERY_BROKER_URL = env.text("CELERY_BROKER_URL", env.text("REDIS_URL", "pgmq://"))
CELERY_BROKER_TRANSPORT_OPTIONS = broker_options(
    CELERY_BROKER_URL,
    database=_default,
    visibility_seconds=env.whole("CELERY_VISIBILITY_SECONDS", 600),
)
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_SOFT_TIME_LIMIT = 240
CELERY_TASK_TIME_LIMIT = 300
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = True
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False
CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_TASK_DEFAULT_QUEUE = "engine"
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULE = beat_schedule()
CELERY_TASK_ROUTES = {
    "compute.*": {"queue": "engine"},
    "appliances.*": {"queue": "engine"},
    "billing.*": {"queue": "billing"},
    "tenants.*": {"queue": "notify"},
    "portal.*": {"queue": "notify"},
}

# Adapters are found by name, so nothing imports them.
COMPUTE_ENGINES = {
    "local": "compute.engines.local.LocalEngine",
    "slurm": "compute.engines.slurm.SlurmEngine",
}

CACHE_URL = env.text("CACHE_URL", env.text("REDIS_URL", ""))
CACHES: dict[str, dict[str, Any]] = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": CACHE_URL,
        "KEY_PREFIX": "portal",
    }
    if CACHE_URL
    else {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
}
API_REQUESTS_PER_MINUTE = env.whole("API_REQUESTS_PER_MINUTE", 6000)
METRICS_OPEN = env.flag("METRICS_OPEN", default=True)
METRICS_TOKEN = env.text("METRICS_TOKEN", "")
# The demonstration centre's cluster; a Slurm laboratory takes the embedded engine's place with
# "slurm" and its connection as JSON.
DEMONSTRATION_ENGINE = env.text("DEMONSTRATION_ENGINE", "local")
DEMONSTRATION_CONNECTION = env.text("DEMONSTRATION_CONNECTION", "")

APPLIANCE_RUNTIMES = {
    "builtin": "appliances.runtimes.builtin.BuiltinRuntime",
    "profile": "appliances.runtimes.profile.ProfileRuntime",
}

# The model gateway: its own process, its own state on disk (snapshot and spool).
GATEWAY_STATE_DIR = env.folder("GATEWAY_STATE_DIR", STATE_DIR / "gateway")
GATEWAY_BODY_BYTES = env.whole("GATEWAY_BODY_BYTES", 16 * 1024 * 1024)
GATEWAY_REQUESTS_PER_MINUTE = env.whole("GATEWAY_REQUESTS_PER_MINUTE", 600)
# How many gateway processes serve in all: each admits a like part of what a budget has left.
GATEWAY_PROCESSES = env.whole("GATEWAY_PROCESSES", 1)
GATEWAY_SNAPSHOT_SECONDS = 1.0
GATEWAY_SNAPSHOT_AGE_SECONDS = env.whole("GATEWAY_SNAPSHOT_AGE_SECONDS", 24 * 3600)
GATEWAY_FLUSH_SECONDS = 2.0
GATEWAY_CONNECT_SECONDS = 5.0
GATEWAY_READ_SECONDS = env.whole("GATEWAY_READ_SECONDS", 600)

# Webhooks go to public addresses over TLS. An operator may name private hosts, such as an ERP in
# the same building; development also calls plain http.
WEBHOOK_PRIVATE_HOSTS = [name.lower() for name in env.names("WEBHOOK_PRIVATE_HOSTS", "")]
WEBHOOK_PLAIN_HTTP = False
# What failed can be sent again for thirty days, so its row is there at least as long.
WEBHOOK_LOG_DAYS = env.whole("WEBHOOK_LOG_DAYS", 90)
if WEBHOOK_LOG_DAYS < 30:
    raise EnvironmentRefused("WEBHOOK_LOG_DAYS must be at least 30.")
WEBHOOK_RESOLVER = "tenants.webhooks.addresses.resolve"

REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["portal.api.parsing.StrictJSONParser"],
    "DEFAULT_SCHEMA_CLASS": "portal.api.schema.ApiSchema",
    "EXCEPTION_HANDLER": "portal.api.problems.handle",
    "URL_FORMAT_OVERRIDE": None,
    "COERCE_DECIMAL_TO_STRING": True,
    "UNAUTHENTICATED_USER": None,
}

SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "AI computing centre: metered billing API",
    "DESCRIPTION": _(
        "Times are RFC 3339 with an offset, decimal numbers are strings, lists are pages of at "
        "most 100 rows, every POST carries an Idempotency-Key, refusals follow RFC 9457."
    ),
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "DEFAULT_GENERATOR_CLASS": "portal.api.schema.EnglishGenerator",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_ADD_EXPLICIT_BLANK_NULL_CHOICE": False,
    # The values are their own names here: a list of them says nothing more.
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "ENUM_NAME_OVERRIDES": {
        "StateEnum": ["active", "suspended", "closed"],
        "WebhookStateEnum": ["enabled", "disabled", "auto_disabled"],
        "DeliveryStateEnum": ["pending", "delivered", "failed"],
        "KindEnum": ["correct", "void"],
        "FapiaoKindEnum": ["digital_ordinary", "digital_special"],
    },
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "portal.api.schema.share_refusals",
    ],
}

LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "portal.logs.JsonLines"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "json"}},
    "root": {"handlers": ["console"], "level": env.text("LOG_LEVEL", "INFO")},
    # It writes a line for each call it makes.
    "loggers": {"httpx": {"level": "WARNING"}},
}

# Who issues invoices: the code begins every number, the name and credit code stand on the page.
INVOICE_ISSUER = env.text("INVOICE_ISSUER", "ACC")
INVOICE_SELLER_NAME = env.text("INVOICE_SELLER_NAME", "示例智算中心 Example AI Computing Centre")
INVOICE_SELLER_CREDIT_CODE = env.text("INVOICE_SELLER_CREDIT_CODE", "")
FAPIAO_SELLER_ADDRESS_PHONE = env.text("FAPIAO_SELLER_ADDRESS_PHONE", "")
FAPIAO_SELLER_BANK_ACCOUNT = env.text("FAPIAO_SELLER_BANK_ACCOUNT", "")
FAPIAO_DRAWER = env.text("FAPIAO_DRAWER", "")
# What each tax code is called on a fapiao: goods code of 19 digits, item with its short form, unit,
# and why no tax is charged where none is. An accountant confirms the codes before real use.
FAPIAO_GOODS = {
    "it_service": ("3040201990000000000", "*信息技术服务*算力服务费", "项", ""),
    "prepayment": ("6010000000000000000", "*预付卡销售*算力服务预付款", "项", "non_taxable"),
}
# An adjustment of more than this, net, needs somebody else's agreement.
ADJUSTMENT_TWO_PERSON_ABOVE = env.whole("ADJUSTMENT_TWO_PERSON_ABOVE", 10_000)
# Whether a run issues what it drafted by itself; otherwise an operator approves it first.
INVOICE_RUN_AUTOMATIC = env.flag("INVOICE_RUN_AUTOMATIC", default=True)
