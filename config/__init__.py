"""Settings, URL table, Celery app, the night's chain and the embedded servers."""

from config.celery import app as celery_app

__all__ = ["celery_app"]
