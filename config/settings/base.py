"""Settings that hold everywhere, and the one place where the environment is read."""

from pathlib import Path
from typing import Any

import environ
from csp.constants import NONE, SELF, UNSAFE_EVAL, UNSAFE_INLINE
from django.utils.translation import gettext_lazy as _
from kombu import Exchange, Queue
from redis.backoff import NoBackoff
from redis.retry import Retry
from whitenoise.compress import Compressor

from config import logs
from config.schedule import (
    AFTER_CORRECTION,
    AFTER_IMPORT,
    BEAT,
    BEFORE_SALES,
    CONTEST,
    FIRST_CONTEST,
    NIGHT,
    NIGHT_HOUR,
)

BASE_DIR = Path(__file__).resolve().parent.parent.parent

env = environ.Env()
# What the local servers wrote about themselves (ports, passwords); the environment proper goes first.
LOCAL_ENVIRONMENT = BASE_DIR / ".local" / "environment"


def database(url: str) -> dict[str, Any]:
    """Connection settings of one role from its URL."""
    return {
        **environ.Env.db_url_config(url),
        "ENGINE": "django.db.backends.postgresql",
        "ATOMIC_REQUESTS": True,
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {"connect_timeout": 5},
    }


def databases(app_url: str, owner_url: str | None) -> dict[str, dict[str, Any]]:
    """`default` is the application's role; `owner`, only where migrations run, owns the tables."""
    named = {"default": database(app_url)}
    if owner_url:
        named["owner"] = {**database(owner_url), "ATOMIC_REQUESTS": False, "CONN_MAX_AGE": 0}
    return named


def caches(redis_url: str) -> dict[str, dict[str, Any]]:
    """The cache lives beside the queue, under names of its own."""
    return {"default": {"BACKEND": "config.cache.PatientCache", "LOCATION": redis_url, "KEY_PREFIX": "cache",
                        "OPTIONS": {"socket_connect_timeout": 1, "socket_timeout": 1, "retry": Retry(NoBackoff(), 0)}}}


# --- Apps ---------------------------------------------------------------------------------------------------------

PRODUCT_APPS = [
    f"apps.{label}" for label in (
        "tenants", "jobs", "alerts", "registry", "catalog", "inventory", "sales", "ingestion", "forecasting",
        "optimization", "feedback", "portal", "demo",
    )
]
INSTALLED_APPS = [
    "unfold",  # before the admin, whose templates it replaces
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "config.staticfiles.ServedFiles",
    "django.contrib.postgres",
    *PRODUCT_APPS,
    "allauth",
    "allauth.account",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_filters",
    "django_htmx",
    "csp",
    "django_structlog",
]
MIDDLEWARE = [
    "config.health.HealthMiddleware",
    "config.wellformed.SessionCookieMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "config.policy.ContentPolicyMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_structlog.middlewares.RequestMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "config.wellformed.WellFormedMiddleware",
    "apps.tenants.middleware.TenantMiddleware",
]
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "django.template.context_processors.i18n",
            ],
        },
    },
]
FORM_RENDERER = "django.forms.renderers.DjangoTemplates"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- People -------------------------------------------------------------------------------------------------------

AUTH_USER_MODEL = "tenants.User"
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_FORMS = {"signup": "apps.tenants.forms.SignUpForm"}
ACCOUNT_UNIQUE_EMAIL = True
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_CHANGE_EMAIL = True  # one address for each person: a new one replaces the old when it is confirmed
ACCOUNT_SESSION_REMEMBER = True
EMAIL_TIMEOUT = 10  # seconds: a mail server that hangs must not hold a web thread
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "account_login"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"

# --- Words and time -----------------------------------------------------------------------------------------------

LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English"))]
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"

# --- Files --------------------------------------------------------------------------------------------------------

STATIC_URL = "/static/"
STATIC_ROOT = Path(env.str("STATIC_ROOT", default=str(BASE_DIR / "staticfiles")))
STATICFILES_DIRS = [BASE_DIR / "static"]
MEDIA_ROOT = Path(env.str("MEDIA_ROOT", default=str(BASE_DIR / "media")))
STORAGES: dict[str, dict[str, Any]] = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
# Collecting was seen to spend a minute on compressing each file twice, and maps that no page loads.
WHITENOISE_KEEP_ONLY_HASHED_FILES = True
WHITENOISE_SKIP_COMPRESS_EXTENSIONS = (*Compressor.SKIP_COMPRESS_EXTENSIONS, "map")

# --- What a page may load -----------------------------------------------------------------------------------------

SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
STRICT_POLICY: dict[str, list[str]] = {
    "default-src": [NONE],
    "script-src": [SELF],
    "style-src": [SELF],
    "img-src": [SELF, "data:"],  # Tabler's check marks and arrows are data: images in its own style sheet
    "font-src": [SELF],
    "connect-src": [SELF],
    "manifest-src": [SELF],
    "form-action": [SELF],
    "frame-ancestors": [NONE],
    "base-uri": [NONE],
    "object-src": [NONE],
}
CONTENT_SECURITY_POLICY = {"DIRECTIVES": STRICT_POLICY}
CONTENT_SECURITY_POLICIES: dict[str, dict[str, list[str]]] = {
    # Swagger's page sets styles inline and draws its marks from data addresses.
    "/api/docs/": {**STRICT_POLICY, "style-src": [SELF, UNSAFE_INLINE], "img-src": [SELF, "data:"]},
    # Unfold's Alpine evaluates attributes of its own templates and sets styles inline.
    "/admin/": {**STRICT_POLICY, "script-src": [SELF, UNSAFE_INLINE, UNSAFE_EVAL], "style-src": [SELF, UNSAFE_INLINE]},
}

# --- Long work ----------------------------------------------------------------------------------------------------

CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_DEFAULT_QUEUE = "light"
CELERY_TASK_QUEUES = [Queue(name, Exchange(name), routing_key=name) for name in ("light", "heavy", "batch", "gpu")]
CELERY_TASK_CREATE_MISSING_QUEUES = False
CELERY_TASK_PUBLISH_RETRY = False  # a doorbell that finds no broker is rung again by the sweep
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# Requests ring, too: a broker that takes connections and says nothing holds none of them for longer than this.
CELERY_BROKER_TRANSPORT_OPTIONS = {"socket_connect_timeout": 1, "socket_timeout": 1, "max_retries": 0,
                                   "socket_keepalive": True}
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
CELERY_BEAT_SCHEDULE = BEAT
CELERY_BEAT_SCHEDULER = "celery.beat:Scheduler"  # in memory: a missed ring needs no file to be remembered by
CELERY_TIMEZONE = "UTC"

# --- Jobs ---------------------------------------------------------------------------------------------------------

JOBS_LEASE_SECONDS = 30  # a worker that is silent for so long has lost its job to the next one
JOBS_BEAT_SECONDS = 1.0
JOBS_RETRY_SECONDS = 5  # doubled with each attempt
JOBS_NIGHT = NIGHT
JOBS_AFTER_IMPORT = AFTER_IMPORT
JOBS_AFTER_CORRECTION = AFTER_CORRECTION
JOBS_BEFORE_SALES = BEFORE_SALES
JOBS_CONTEST = CONTEST
JOBS_FIRST_CONTEST = FIRST_CONTEST
JOBS_NIGHT_HOUR = NIGHT_HOUR

# --- What may come in ---------------------------------------------------------------------------------------------

LARGEST_FILE_GB = 1  # ten million order lines
DATA_UPLOAD_MAX_MEMORY_SIZE = 16 * 1024 * 1024  # 10,000 sale lines with long titles; files stream and do not count

# --- API ----------------------------------------------------------------------------------------------------------

REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "apps.tenants.rest.problem",
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "Stockwright API",
    "DESCRIPTION": "Sales in, forecasts and purchase advice out.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    # Choices that several fields share, or whose field names say too little, named for the document.
    "ENUM_NAME_OVERRIDES": {
        "OriginEnum": "apps.catalog.models.Origin",
        "FileKindEnum": "apps.ingestion.models.ImportFile.Kind",
        "FileStateEnum": "apps.ingestion.models.ImportFile.State",
        "JobStateEnum": "apps.jobs.models.Job.State",
    },
    "COMPONENT_SPLIT_REQUEST": True,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
}

# --- Operators' admin ---------------------------------------------------------------------------------------------

UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Stockwright", "SITE_HEADER": _("Stockwright operators"), "SITE_SYMBOL": "inventory_2",
}

# --- Logs ---------------------------------------------------------------------------------------------------------

logs.configure()
LOGGING = logs.logging_settings(env.str("LOG_LEVEL", default="INFO"), as_json=env.bool("LOG_JSON", default=False))
DJANGO_STRUCTLOG_CELERY_ENABLED = True
DJANGO_STRUCTLOG_IP_LOGGING_ENABLED = False
