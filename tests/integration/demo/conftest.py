"""Files below a folder of the test's own, and jobs that are tried again at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(autouse=True)
def own_storage(settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path
    settings.JOBS_RETRY_SECONDS = 0
