"""Which files of the libraries are served: those that a page of ours loads."""

from django.contrib.staticfiles.apps import StaticFilesConfig


class ServedFiles(StaticFilesConfig):
    """Leaves out a second viewer of the API's document, and pages of the API for browsers, which it does not have."""

    ignore_patterns = [*StaticFilesConfig.ignore_patterns, "redoc", "rest_framework"]
