"""Registering what was trained, and moving the aliases that say what is in use."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Max
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.registry import selectors
from apps.registry.adapters import artifacts
from apps.registry.adapters.artifacts import ArtifactTampered
from apps.registry.models import AliasChange, ModelAlias, ModelVersion
from apps.tenants.models import User
from apps.tenants.scope import current_tenant_id
from apps.tenants.selectors import tenant_by_id
from apps.tenants.services import record_audit

__all__ = ["ArtifactTampered", "CannotRollBack", "Lineage", "ModelVersion", "lock_hash", "register_version",
           "roll_back", "set_alias", "source_hash"]


@dataclass(frozen=True, kw_only=True)
class Lineage:
    """Where a version comes from: what made it, out of what; enough to make it again."""

    trained_through: dt.date
    data_fingerprint: str
    code_version: str
    seed: int
    parameters: Mapping[str, Any] = field(default_factory=dict)
    job_id: int | None = None


@transaction.atomic
def register_version(*, name: str, model: str, family: str, artifact: Mapping[str, bytes], lineage: Lineage,
                     metrics: dict[str, Any] | None = None, tags: dict[str, Any] | None = None) -> ModelVersion:
    """The next version of what predicts `name`, with its lineage and its artifact, stored and signed."""
    tenant_id = current_tenant_id()
    _lock(name)
    newest = ModelVersion.objects.filter(name=name).aggregate(newest=Max("version"))["newest"] or 0
    version = ModelVersion(
        name=name, version=newest + 1, model=model, family=family, metrics=metrics or {}, tags=tags or {},
        parameters=json.loads(json.dumps(dict(lineage.parameters))), seed=lineage.seed,
        trained_through=lineage.trained_through, data_fingerprint=lineage.data_fingerprint,
        code_version=lineage.code_version, lock_hash=lock_hash(), job_id=lineage.job_id)
    folder, manifest = artifacts.write(tenant_id=tenant_id, name=name, files=artifact, about=version.signed_facts())
    version.artifact_path = folder
    version.artifact_sha256 = artifacts.sha256(manifest)
    version.signature = artifacts.sign(manifest)
    try:
        version.save()
    except Exception:
        artifacts.remove(folder=folder, files=artifact)
        raise
    return version


@transaction.atomic
def set_alias(*, name: str, alias: str, version: ModelVersion, reason: str, actor: User | None = None,
              is_rollback: bool = False) -> ModelAlias:
    """Point an alias at a version, and write down who did it and why; pointing it where it points changes nothing."""
    if version.name != name:
        raise ValueError(f"{version} predicts {version.name}, not {name}.")
    tenant_id = current_tenant_id()
    _lock(name)
    pointer: ModelAlias | None = ModelAlias.objects.filter(name=name, alias=alias).first()
    before = pointer.version if pointer else None
    if pointer is not None and pointer.version_id == version.pk:
        return pointer
    if pointer is None:
        pointer = ModelAlias(name=name, alias=alias)
    pointer.version, pointer.set_at = version, timezone.now()
    pointer.save()
    label = str(actor) if actor else "Stockwright"
    AliasChange.objects.create(name=name, alias=alias, before=before, after=version, actor_label=label[:160],
                               reason=reason, is_rollback=is_rollback)
    record_audit(tenant=tenant_by_id(tenant_id), actor=actor, action="model.alias", target=f"{name}: {alias}",
                 detail={"before": str(before or ""), "after": str(version), "reason": reason})
    return pointer


class CannotRollBack(ValueError):
    """There is no earlier version to go back to."""


@transaction.atomic
def roll_back(*, name: str, reason: str, actor: User | None = None,
              alias: str = ModelAlias.CHAMPION) -> ModelVersion:
    """Point an alias at what it pointed at before the present one; again, at the one before that."""
    _lock(name)
    earlier = selectors.earlier_version(name, alias)
    if earlier is None:
        raise CannotRollBack(_("There is no earlier version to go back to."))
    set_alias(name=name, alias=alias, version=earlier, reason=reason, actor=actor, is_rollback=True)
    return earlier


def lock_hash() -> str:
    """The digest of the locked libraries that everything here runs on."""
    return artifacts.sha256((settings.BASE_DIR / "requirements" / "base.txt").read_bytes())


def source_hash(folder: Path) -> str:
    """The digest of the Python sources in a folder: which code trained something."""
    sources = sorted(folder.rglob("*.py"))
    return artifacts.sha256(b"".join(str(file.relative_to(folder)).encode() + b"\0" + file.read_bytes()
                                     for file in sources))


def _lock(name: str) -> None:
    """One writer at a time for what predicts `name`, until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, %s))",
                       [f"registry.{name}", current_tenant_id()])
