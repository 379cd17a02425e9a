"""Settings of production: everything from the environment, nothing secret by default, and refusal of what is unsafe."""

from django.core.exceptions import ImproperlyConfigured

from config import logs
from config.settings.base import *

SECRET_KEY = env.str("SECRET_KEY", default="")
if len(SECRET_KEY) < 50 or len(set(SECRET_KEY)) < 10 or "not secret" in SECRET_KEY or "django-insecure" in SECRET_KEY:
    raise ImproperlyConfigured(
        "SECRET_KEY must be set to at least 50 random characters before this may run in production.")
DEBUG = False
if env.bool("DEBUG", default=False):
    raise ImproperlyConfigured("DEBUG is set: it shows settings and code to strangers and is refused in production.")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=[])
if not ALLOWED_HOSTS or "*" in ALLOWED_HOSTS:
    raise ImproperlyConfigured(
        "ALLOWED_HOSTS must name the hosts that this installation answers for, separated by commas.")


def required(name: str) -> str:
    """A variable that production does not guess."""
    value = str(env.str(name, default=""))
    if not value:
        raise ImproperlyConfigured(f"{name} must be set before this may run in production.")
    return value


# The owner's URL is given only to the process that migrates; web and workers do without it.
DATABASES = databases(required("DATABASE_URL"), env.str("DATABASE_OWNER_URL", default="") or None)
REDIS_URL = required("REDIS_URL")
CELERY_BROKER_URL = REDIS_URL
CACHES = caches(REDIS_URL)

CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", default=True)
# Only where a proxy in front sets this header itself, and strips it from what comes in.
if BEHIND_TLS_PROXY := env.bool("BEHIND_TLS_PROXY", default=False):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
# How many proxies in front add to X-Forwarded-For: tries to sign in are counted for the address that the outermost saw.
ALLAUTH_TRUSTED_PROXY_COUNT = int(env.str("TRUSTED_PROXIES", default="") or int(BEHIND_TLS_PROXY))
SECURE_HSTS_SECONDS = env.int("SECURE_HSTS_SECONDS", default=31_536_000)
# A promise for every host under this one, and one that browsers carry for months: for who runs them to make.
SECURE_HSTS_INCLUDE_SUBDOMAINS = env.bool("SECURE_HSTS_INCLUDE_SUBDOMAINS", default=False)
SECURE_HSTS_PRELOAD = env.bool("SECURE_HSTS_PRELOAD", default=False)
SESSION_COOKIE_SECURE = True
CSRF_COOKIE_SECURE = True

vars().update(env.email_url("EMAIL_URL", default="smtp://localhost:25"))
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="Stockwright <stockwright@localhost>")

LOGGING = logs.logging_settings(env.str("LOG_LEVEL", default="INFO"), as_json=True)
