"""Settings of a test run: as on this machine, with cheap password hashes and mail kept in memory."""

from config.settings.base import *

SECRET_KEY = "not secret: the test run's own, refused in production"  # noqa: S105
DEBUG = False
ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
# The session's fixtures start servers and put their addresses here; without them there is nothing to reach.
DATABASES = databases(
    env.str("DATABASE_URL", default="postgres://stockwright_app@127.0.0.1:1/stockwright"),
    env.str("DATABASE_OWNER_URL", default="postgres://stockwright_owner@127.0.0.1:1/stockwright"),
)
REDIS_URL = env.str("REDIS_URL", default="redis://127.0.0.1:1/0")
CELERY_BROKER_URL = REDIS_URL
CACHES = caches(REDIS_URL)

STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_RATE_LIMITS = False
