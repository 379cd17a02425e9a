"""Lots that share a machine, in a process of their own: MathOpt and TensorFlow crash each other in one."""

from __future__ import annotations

import subprocess
import sys
from types import ModuleType

import pytest

from apps.optimization.engine.lot_sizing import schedule_lots
from tests.unit.optimization import lot_sizing_cases


def test_all_that_is_promised_of_schedules_holds() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(lot_sizing_cases.__file__)],
        check=False, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert " passed" in done.stdout


def test_beside_tensorflow_it_is_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorflow", ModuleType("tensorflow"))
    with pytest.raises(RuntimeError, match="a process of their own"):
        schedule_lots(lot_sizing_cases.SMALL)
