"""The engine alone, from the shell: the same plan from parquet as from frames, and sentences for what is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from apps.optimization.engine.__main__ import main
from apps.optimization.engine.demand import ArrayDemand
from apps.optimization.engine.frames import Limits
from apps.optimization.engine.replenish import plan
from tests.unit.optimization.shops import arrivals_frame, items_frame, poisson


def long(demand: ArrayDemand) -> pd.DataFrame:
    item, path, day = np.nonzero(demand.array)
    ids = np.array([f"item-{row}" for row in range(len(demand.array))], dtype=object)
    return pd.DataFrame(
        {"unique_id": ids[item], "path": path, "day": day, "quantity": demand.array[item, path, day]}
    )


def test_the_plan_from_files_is_the_plan_from_frames(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    items, arrivals, demand = items_frame({}, {"pack_size": 6}), arrivals_frame(("item-1", 2, 3)), poisson([1.0, 2.0])
    limits = {"cash_budget": 60.0, "supplier_minimums": {"acme": 20.0}}
    items.to_parquet(tmp_path / "items.parquet")
    arrivals.to_parquet(tmp_path / "arrivals.parquet")
    long(demand).to_parquet(tmp_path / "demand.parquet")
    (tmp_path / "limits.json").write_text(json.dumps(limits))
    names = [("--items", "items.parquet"), ("--demand", "demand.parquet"), ("--arrivals", "arrivals.parquet")]
    names += [("--limits", "limits.json"), ("--out", "out")]
    assert main([word for option, name in names for word in (option, str(tmp_path / name))]) == 0
    expected = plan(items, arrivals, demand, limits=Limits(**limits))  # type: ignore[arg-type]
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "out" / "lines.parquet"), expected.lines)
    assert json.loads(capsys.readouterr().out)["status"] == expected.status


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"items": {"moq": -1}}, "items: moq is below 0 in 1 row (first: 'item-0')."),
        ({"demand": "path"}, "demand: the column 'path' is missing."),
        ({"limits": "{"}, "limits: limits.json cannot be read"),
        ({"limits": '{"cash": 1}'}, "limits: limits.json cannot be read"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(
    wrong: dict[str, object], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    items_frame(wrong.get("items", {})).to_parquet(tmp_path / "items.parquet")  # type: ignore[arg-type]
    demand = long(poisson([1.0]))
    demand.drop(columns=[str(wrong["demand"])] if "demand" in wrong else []).to_parquet(tmp_path / "demand.parquet")
    (tmp_path / "limits.json").write_text(str(wrong.get("limits", "{}")))
    names = [("--items", "items.parquet"), ("--demand", "demand.parquet"), ("--limits", "limits.json")]
    names += [("--out", "out")]
    assert main([word for option, name in names for word in (option, str(tmp_path / name))]) == 2
    assert capsys.readouterr().err.startswith(sentence)
    assert not (tmp_path / "out").exists()
