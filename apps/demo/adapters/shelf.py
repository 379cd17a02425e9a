"""The recast files of a demo's shops in the storage, below each tenant's own prefix."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files import File
from django.core.files.storage import default_storage

from apps.demo.recast.naming import MANIFEST


class RecastFailed(RuntimeError):
    """The purchases could not be recast; the message is what the recast said."""


def path_of(tenant_id: int, name: str) -> str:
    return f"tenants/{tenant_id}/demo/{name}"


def is_stocked(tenant_id: int) -> bool:
    """Whether a tenant's files are all there: the manifest is put there last."""
    return default_storage.exists(path_of(tenant_id, MANIFEST))


def manifest(tenant_id: int) -> dict[str, Any] | None:
    if not is_stocked(tenant_id):
        return None
    with default_storage.open(path_of(tenant_id, MANIFEST)) as file:
        found: dict[str, Any] = json.load(file)
    return found


def open_file(tenant_id: int, name: str) -> File[bytes] | None:
    """A file of a tenant's shop; None where the recast made none of that name."""
    path = path_of(tenant_id, name)
    return default_storage.open(path) if default_storage.exists(path) else None


def stock(tenants: Mapping[str, int]) -> None:
    """Recast the shops of these slugs and put each one's files below its tenant's prefix, the manifest last.

    The recast is a process of its own: its gigabyte of frames goes when it ends, and no worker that forks loads a
    numeric library for it.
    """
    with tempfile.TemporaryDirectory(prefix="stockwright-recast-") as folder:
        shops = [argument for slug in sorted(tenants) for argument in ("--shop", slug)]
        done = subprocess.run(  # noqa: S603 - our own module, and slugs from our own table
            [sys.executable, "-m", "apps.demo.recast", "--out", folder, *shops], cwd=settings.BASE_DIR, check=False,
            capture_output=True, text=True)
        if done.returncode:
            said = (done.stderr or done.stdout).strip().splitlines()
            raise RecastFailed(said[-1] if said else f"The recast ended with {done.returncode}.")
        for slug, tenant_id in tenants.items():
            names = sorted((path.name for path in (Path(folder) / slug).iterdir()), key=lambda name: name == MANIFEST)
            for name in names:
                _put(tenant_id, name, Path(folder) / slug / name)


def _put(tenant_id: int, name: str, source: Path) -> None:
    path = path_of(tenant_id, name)
    default_storage.delete(path)
    with source.open("rb") as file:
        default_storage.save(path, File(file))
