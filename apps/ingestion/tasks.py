"""The job kinds of ingestion."""

from django.utils.translation import gettext_lazy as _

from apps.jobs.kinds import Kind, declare

declare(Kind("ingestion.apply_file", title=_("Read a file"), handler="apps.ingestion.pipeline:apply_file",
             stopped="apps.ingestion.pipeline:give_file_back"))
declare(Kind("ingestion.apply_delivery", title=_("Apply a delivery"), handler="apps.ingestion.pipeline:apply_delivery",
             stopped="apps.ingestion.pipeline:reject_delivery",
             is_listed=False))
