"""Settings of this machine: plain http on loopback, servers as the environment or the local supervisor names them."""

from pathlib import Path

from config.settings.base import *

env.read_env(LOCAL_ENVIRONMENT, overwrite=False)

SECRET_KEY = env.str("SECRET_KEY", default="not secret: this machine's own, refused in production")
DEBUG = env.bool("DEBUG", default=False)
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
DATABASES = databases(
    env.str("DATABASE_URL", default="postgres://stockwright_app@127.0.0.1:5432/stockwright"),
    env.str("DATABASE_OWNER_URL", default="postgres://stockwright_owner@127.0.0.1:5432/stockwright"),
)
REDIS_URL = env.str("REDIS_URL", default="redis://127.0.0.1:6379/0")
CELERY_BROKER_URL = REDIS_URL
CACHES = caches(REDIS_URL)

MEDIA_ROOT = Path(env.str("MEDIA_ROOT", default=str(BASE_DIR / ".local" / "media")))

# Files come straight from their folders: nothing to collect before the first page.
STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = DEBUG

EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
ACCOUNT_EMAIL_VERIFICATION = "none"
