"""What was trained, what is in use, and its artifact, verified."""

from __future__ import annotations

from django.db.models import QuerySet

from apps.registry.adapters import artifacts
from apps.registry.adapters.artifacts import ArtifactTampered
from apps.registry.models import AliasChange, ModelAlias, ModelVersion

__all__ = ["ArtifactTampered", "ModelVersion", "alias_changes", "aliased_version", "aliased_versions", "champion",
           "earlier_version", "load_artifact", "version_by_id", "versions"]


def versions(name: str) -> QuerySet[ModelVersion]:
    """The versions of what predicts `name`, newest first."""
    return ModelVersion.objects.filter(name=name).order_by("-version")


def version_by_id(version_id: int) -> ModelVersion | None:
    return ModelVersion.objects.filter(pk=version_id).first()


def aliased_version(name: str, alias: str) -> ModelVersion | None:
    pointer = ModelAlias.objects.filter(name=name, alias=alias).select_related("version").first()
    return pointer.version if pointer else None


def aliased_versions(name: str) -> dict[str, ModelVersion]:
    """The versions that the aliases point at, by alias."""
    return {pointer.alias: pointer.version
            for pointer in ModelAlias.objects.filter(name=name).select_related("version")}


def champion(name: str) -> ModelVersion | None:
    """The version in use."""
    return aliased_version(name, ModelAlias.CHAMPION)


def alias_changes(name: str) -> QuerySet[AliasChange]:
    """Who moved which alias, newest first."""
    return AliasChange.objects.filter(name=name).select_related("before", "after").order_by("-created_at", "-pk")


def earlier_version(name: str, alias: str = ModelAlias.CHAMPION) -> ModelVersion | None:
    """What the alias would go back to: each change lays a version on the pile, each roll-back takes one off."""
    pile: list[ModelVersion] = []
    for change in AliasChange.objects.filter(name=name, alias=alias).select_related("after").order_by("pk"):
        if change.is_rollback and len(pile) > 1:
            pile.pop()
        else:
            pile.append(change.after)
    return pile[-2] if len(pile) > 1 else None


def load_artifact(version: ModelVersion) -> dict[str, bytes]:
    """The files that a version's trainer stored, by name; raises ArtifactTampered before anything could parse them."""
    return artifacts.read(folder=version.artifact_path, digest=version.artifact_sha256, signature=version.signature,
                          about={**version.signed_facts(), "tenant_id": version.tenant_id, "name": version.name})
