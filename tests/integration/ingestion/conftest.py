"""Every import test stands in a shop's scope, and its files in a folder of their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from apps.tenants.models import Tenant
from apps.tenants.scope import tenant_context
from tests.integration.ingestion.shops import make_shop


@pytest.fixture(autouse=True)
def own_media(settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path


@pytest.fixture
def shop(db: None) -> Iterator[Tenant]:
    tenant = make_shop()
    with tenant_context(tenant.pk):
        yield tenant
