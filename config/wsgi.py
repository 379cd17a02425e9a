"""The web process as gunicorn loads it."""

import os

from django.core.wsgi import get_wsgi_application

from config.wellformed import ReadableBodies

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.prod")

application = ReadableBodies(get_wsgi_application())
