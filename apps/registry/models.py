"""Versions of anything trained, the aliases that point at them, and the history of those."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.tenants.tables import TenantForeignKey, TenantModel


class ModelVersion(TenantModel):
    """One trained model: its lineage (data, code, seed), its metrics, and its signed artifact."""

    name = models.CharField(_("what it predicts"), max_length=40)
    version = models.PositiveIntegerField(_("version"))
    model = models.CharField(_("model"), max_length=60)
    family = models.CharField(_("family"), max_length=40)
    parameters = models.JSONField(_("parameters"), default=dict)
    seed = models.BigIntegerField(_("seed"))
    trained_through = models.DateField(_("trained through"))
    data_fingerprint = models.CharField(_("data"), max_length=64)
    code_version = models.CharField(_("code"), max_length=64)
    lock_hash = models.CharField(_("libraries"), max_length=64)
    metrics = models.JSONField(_("metrics"), default=dict)
    tags = models.JSONField(_("tags"), default=dict)
    artifact_path = models.CharField(max_length=200)
    artifact_sha256 = models.CharField(_("artifact"), max_length=64)
    signature = models.CharField(max_length=64)
    job_id = models.BigIntegerField(null=True)
    created_at = models.DateTimeField(_("trained"), default=timezone.now)

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["tenant", "name", "version"], name="registry_version_once")]

    def __str__(self) -> str:
        return f"{self.model} v{self.version}"

    def signed_facts(self) -> dict[str, Any]:
        """What the artifact's manifest says of this version, so that no other version's artifact passes for it."""
        return {"version": self.version, "model": self.model, "family": self.family, "parameters": self.parameters,
                "seed": self.seed, "trained_through": self.trained_through.isoformat(),
                "data_fingerprint": self.data_fingerprint, "code_version": self.code_version,
                "lock_hash": self.lock_hash}


class ModelAlias(TenantModel):
    """A name that points at a version: champion, challenger."""

    CHAMPION = "champion"
    CHALLENGER = "challenger"

    name = models.CharField(_("what it predicts"), max_length=40)
    alias = models.CharField(_("alias"), max_length=20)
    version = TenantForeignKey(ModelVersion, models.PROTECT)
    set_at = models.DateTimeField(_("since"), default=timezone.now)

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["tenant", "name", "alias"], name="registry_alias_once")]


class AliasChange(TenantModel):
    """Who moved an alias, from where, and why; written once."""

    name = models.CharField(max_length=40)
    alias = models.CharField(max_length=20)
    before = TenantForeignKey(ModelVersion, models.PROTECT, null=True)
    after = TenantForeignKey(ModelVersion, models.PROTECT)
    actor_label = models.CharField(_("who"), max_length=160)
    reason = models.TextField(_("why"))
    is_rollback = models.BooleanField(_("went back"), default=False)
    created_at = models.DateTimeField(_("when"), default=timezone.now)

    class Meta(TenantModel.Meta):
        indexes = [models.Index(fields=["tenant", "name", "-created_at"], name="registry_change_recent")]
