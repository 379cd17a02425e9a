"""Batches that programs send: kept whole like any file, under the sender's own key, and read by the same job."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

from django.db import connection, transaction
from django.utils.translation import gettext as _

from apps.ingestion.models import ImportFile
from apps.ingestion.services.files import confirm_file, store_file
from apps.tenants.scope import current_tenant_id

API_CHANNEL = "api"


class KeyReused(ValueError):
    """The same idempotency key came with another body."""


@transaction.atomic
def receive_batch(*, kind: str, columns: Sequence[str], rows: Sequence[Mapping[str, Any]], key: str,
                  label: str) -> tuple[ImportFile, bool]:
    """Keep a batch and ask for its job, once for a key: (the file, whether it is new).

    Without a key of the sender's, the batch's own content is its key: the same rows are the same batch. Not so for
    stock: the same count again is news, since stock has moved in between.
    """
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, fieldnames=list(columns), lineterminator="\n")
    writer.writeheader()
    # A line break within a value means nothing here, and could be taken for the end of a row.
    writer.writerows({name: " ".join(value.splitlines()) if isinstance(value, str) else value
                      for name, value in row.items()} for row in rows)
    body = text.getvalue().encode()
    digest = hashlib.sha256(body).hexdigest()
    key = key or (f"count:{uuid4()}" if kind == ImportFile.Kind.STOCK else f"sha256:{digest}")
    with connection.cursor() as cursor:  # two senders of one key: the second waits and finds the first's
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, %s))", [key, current_tenant_id()])
    known = ImportFile.objects.filter(idempotency_key=key).first()
    if known is not None:
        if known.sha256 != digest:
            raise KeyReused(_("This Idempotency-Key was used for another body: take a new key for new rows."))
        if known.state == ImportFile.State.REFUSED:  # what stood in its way may be gone
            return confirm_file(file=known, actor=None), False
        return known, False
    file = store_file(kind=kind, name=f"{kind}-{digest[:12]}.csv", source=io.BytesIO(body), channel=API_CHANNEL,
                      mapping={name: name for name in columns}, options={"numbers": "point"}, uploaded_by=label)
    ImportFile.objects.filter(pk=file.pk).update(idempotency_key=key)
    return confirm_file(file=file, actor=None), True
