"""Versions keep their lineage, artifacts that were touched are not opened, and aliases go back one step at a time."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest

from apps.registry import selectors, services
from apps.registry.adapters import artifacts
from apps.registry.models import AliasChange, ModelVersion
from apps.registry.services import ArtifactTampered, CannotRollBack, Lineage
from apps.tenants.models import AuditEntry, Tenant
from apps.tenants.scope import tenant_context
from tests.rows import make_tenant_row, make_user

FILES = {"model.txt": b"tree\nversion=v4\n", "settings.json": b'{"model": "lightgbm"}'}


@pytest.fixture
def tenant(db: None, settings: Any, tmp_path: Path) -> Generator[Tenant]:
    settings.MEDIA_ROOT = tmp_path
    made = make_tenant_row()
    with tenant_context(made.pk):
        yield made


def register(**changes: Any) -> ModelVersion:
    lineage = Lineage(trained_through=dt.date(2017, 12, 3), data_fingerprint="d" * 64, code_version="c" * 64, seed=1,
                      parameters={"rounds": (1, 2), "rate": 0.05})
    return services.register_version(**{"name": "demand", "model": "lightgbm", "family": "trees", "artifact": FILES,
                                        "lineage": lineage, **changes})


def stored(version: ModelVersion, file: str, root: Path) -> Path:
    return root / version.artifact_path / file


def test_a_version_reads_back_as_it_was_registered(tenant: Tenant, tmp_path: Path) -> None:
    version = ModelVersion.objects.get(pk=register().pk)
    assert selectors.load_artifact(version) == FILES
    assert version.artifact_path.startswith(f"tenants/{tenant.pk}/models/")
    assert version.lock_hash == services.lock_hash()
    assert version.parameters == {"rounds": [1, 2], "rate": 0.05}


def test_versions_count_up_by_what_they_predict(tenant: Tenant) -> None:
    assert [register().version, register().version, register(name="returns").version] == [1, 2, 1]
    assert [version.version for version in selectors.versions("demand")] == [2, 1]


def resign(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    manifest = json.loads(path.read_bytes())
    change(manifest)
    path.write_bytes(json.dumps(manifest, sort_keys=True).encode())


def test_a_changed_file_is_not_opened(tenant: Tenant, tmp_path: Path) -> None:
    version = register()
    stored(version, "model.txt", tmp_path).write_bytes(b"tree\nversion=v5\n")
    with pytest.raises(ArtifactTampered, match=r"model\.txt"):
        selectors.load_artifact(version)


def test_a_missing_file_is_told(tenant: Tenant, tmp_path: Path) -> None:
    version = register()
    stored(version, "model.txt", tmp_path).unlink()
    with pytest.raises(ArtifactTampered, match="missing"):
        selectors.load_artifact(version)


def test_a_manifest_that_lists_the_changed_file_does_not_carry_our_signature(tenant: Tenant, tmp_path: Path) -> None:
    version = register()
    evil = b"something else"
    stored(version, "model.txt", tmp_path).write_bytes(evil)
    manifest = stored(version, artifacts.MANIFEST, tmp_path)
    resign(manifest, lambda told: told["files"]["model.txt"].update(sha256=artifacts.sha256(evil)))
    version.artifact_sha256 = artifacts.sha256(manifest.read_bytes())
    with pytest.raises(ArtifactTampered, match="signature"):
        selectors.load_artifact(version)


def test_another_versions_signed_artifact_does_not_pass(tenant: Tenant) -> None:
    first, second = register(), register()
    first.artifact_path, first.artifact_sha256 = second.artifact_path, second.artifact_sha256
    first.signature = second.signature
    with pytest.raises(ArtifactTampered, match="version differs"):
        selectors.load_artifact(first)


def test_a_key_being_phased_out_still_verifies_and_a_strange_one_does_not(tenant: Tenant, settings: Any) -> None:
    version = register()
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "the next key, which is as long as it has to be for a test of keys"
    assert selectors.load_artifact(version) == FILES
    settings.SECRET_KEY_FALLBACKS = []
    with pytest.raises(ArtifactTampered):
        selectors.load_artifact(version)


@pytest.mark.parametrize("file", ["../model.txt", "/etc/passwd", "", artifacts.MANIFEST, "a/b"])
def test_file_names_stay_in_the_artifacts_folder(tenant: Tenant, file: str) -> None:
    with pytest.raises(ValueError, match="plain names"):
        register(artifact={file: b""})


def test_an_alias_moves_with_its_reason_and_its_actor(tenant: Tenant) -> None:
    first, second, person = register(), register(), make_user()
    services.set_alias(name="demand", alias="champion", version=first, reason="the first one")
    services.set_alias(name="demand", alias="champion", version=second, reason="beats it", actor=person)
    services.set_alias(name="demand", alias="champion", version=second, reason="said twice", actor=person)
    assert selectors.champion("demand") == second
    changes = list(selectors.alias_changes("demand"))
    assert [(change.before, change.after, change.reason) for change in changes] == [
        (first, second, "beats it"), (None, first, "the first one")]
    assert changes[0].actor_label == str(person)
    assert AuditEntry.objects.filter(tenant=tenant, action="model.alias").count() == 2


def test_going_back_takes_one_step_at_a_time_and_ends_at_the_first(tenant: Tenant) -> None:
    versions = [register() for _ in range(3)]
    for version in versions:
        services.set_alias(name="demand", alias="champion", version=version, reason="newer")
    assert services.roll_back(name="demand", reason="worse") == versions[1]
    assert services.roll_back(name="demand", reason="worse still") == versions[0]
    with pytest.raises(CannotRollBack):
        services.roll_back(name="demand", reason="nothing left")
    assert selectors.champion("demand") == versions[0]
    services.set_alias(name="demand", alias="champion", version=versions[2], reason="after all")
    assert services.roll_back(name="demand", reason="no") == versions[0]
    assert AliasChange.objects.filter(is_rollback=True).count() == 3


def test_a_version_of_something_else_cannot_take_the_alias(tenant: Tenant) -> None:
    with pytest.raises(ValueError, match="predicts returns"):
        services.set_alias(name="demand", alias="champion", version=register(name="returns"), reason="mixed up")
