"""Artifacts in the default storage: files beside a signed manifest that says what they are and whose.

Nothing is parsed before the manifest's signature and every file's digest are verified, and nothing is ever unpickled:
a reader gets bytes.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.utils.crypto import salted_hmac

MANIFEST = "manifest.json"
SALT = "registry.artifact"
FILE_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,59}")


class ArtifactTampered(RuntimeError):
    """An artifact is not what its trainer signed; the message says what differs. It is not to be used."""


def write(*, tenant_id: int, name: str, files: Mapping[str, bytes], about: dict[str, Any]) -> tuple[str, bytes]:
    """Store the files and their manifest in a new folder: (folder, manifest). `about` says what they are."""
    wrong = [file for file in files if not FILE_NAME.fullmatch(file) or file == MANIFEST]
    if wrong or not files:
        raise ValueError(f"An artifact needs files with plain names, not {wrong}.")
    folder = f"tenants/{tenant_id}/models/{name}/{secrets.token_hex(8)}"
    manifest = json.dumps({
        **about, "tenant_id": tenant_id, "name": name, "folder": folder,
        "files": {file: {"sha256": sha256(content), "bytes": len(content)} for file, content in files.items()},
    }, sort_keys=True).encode()
    for file, content in {**files, MANIFEST: manifest}.items():
        default_storage.save(f"{folder}/{file}", ContentFile(content))
    return folder, manifest


def read(*, folder: str, digest: str, signature: str, about: Mapping[str, Any]) -> dict[str, bytes]:
    """The files of an artifact, verified: the manifest is the signed one, says `about`, and lists exactly these bytes.

    Raises ArtifactTampered.
    """
    manifest = _stored(f"{folder}/{MANIFEST}")
    if not is_signed(manifest, signature):
        raise ArtifactTampered(f"The manifest in {folder} does not carry our signature.")
    if sha256(manifest) != digest:
        raise ArtifactTampered(f"The manifest in {folder} is not the registered one.")
    told = json.loads(manifest)
    differing = [key for key, value in {**about, "folder": folder}.items() if told.get(key) != value]
    if differing:
        raise ArtifactTampered(f"The artifact in {folder} belongs to another version: {', '.join(differing)} differs.")
    files = {}
    for file, expected in told["files"].items():
        content = _stored(f"{folder}/{file}")
        if sha256(content) != expected["sha256"]:
            raise ArtifactTampered(f"The file {file} in {folder} has changed since it was signed.")
        files[file] = content
    return files


def remove(*, folder: str, files: Mapping[str, bytes]) -> None:
    """Delete what `write` stored, when its registration failed."""
    for file in (*files, MANIFEST):
        default_storage.delete(f"{folder}/{file}")


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def sign(manifest: bytes, key: str | None = None) -> str:
    """HMAC-SHA256 over the manifest, with a key derived from SECRET_KEY and used for nothing else."""
    return salted_hmac(SALT, manifest, secret=key or settings.SECRET_KEY, algorithm="sha256").hexdigest()


def is_signed(manifest: bytes, signature: str) -> bool:
    """Whether the signature is ours, by today's key or by one that is being phased out."""
    keys = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    return any(hmac.compare_digest(sign(manifest, key), signature) for key in keys)


def _stored(path: str) -> bytes:
    try:
        with default_storage.open(path) as file:
            content: bytes = file.read()
    except FileNotFoundError as error:
        raise ArtifactTampered(f"{path} is missing.") from error
    return content
