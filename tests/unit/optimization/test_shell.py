"""The engine alone, from the shell: the same plan from parquet as from frames, and sentences for what is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from apps.optimization.engine.__main__ import main
from apps.optimization.engine.demand import ArrayDemand
from apps.optimization.engine.frames import Limits
from apps.optimization.engine.policies import BY_NAME
from apps.optimization.engine.replenish import plan
from apps.optimization.engine.simulate import difference, replay
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
    assert main(["plan", *(word for option, name in names for word in (option, str(tmp_path / name)))]) == 0
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
    assert main(["plan", *(word for option, name in names for word in (option, str(tmp_path / name)))]) == 2
    assert capsys.readouterr().err.startswith(sentence)
    assert not (tmp_path / "out").exists()


def history_of(sold: np.ndarray) -> pd.DataFrame:
    n, days = sold.shape
    item, day = np.nonzero(sold)
    dates = pd.date_range("2026-01-01", periods=days).to_numpy()
    ids = np.array([f"item-{row}" for row in range(n)], dtype=object)
    return pd.DataFrame({"unique_id": ids[item], "ds": dates[day], "y": sold[item, day]})


def simulate(folder: Path, *more: str, **changed: str) -> int:
    options = {"items": "items.parquet", "history": "history.parquet", "out": "out/replay.parquet"} | changed
    paths = [word for option, name in options.items() for word in (f"--{option}", str(folder / name))]
    return main(["simulate", *paths, *more])


def test_the_replay_from_files_is_the_replay_from_frames(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    items = items_frame({"on_hand": 5}, {"pack_size": 6}, {"lead_time_spread_days": 2.0})
    sold = np.random.default_rng(0).poisson(1.5, (3, 120))
    sold[0, 0] = sold[2, -1] = 1  # the calendar reaches from the first to the last row
    items.to_parquet(tmp_path / "items.parquet")
    history_of(sold).to_parquet(tmp_path / "history.parquet")
    names = ["sales_times_lead_time", "order_up_to"]
    chosen = [word for name in [*names, names[0]] for word in ("--policy", name)]
    asked = [*chosen, "--days", "42", "--run-in", "14", "--seed", "3"]
    assert simulate(tmp_path, *asked, json="told.json") == 0
    lived = [
        replay(items, None, sold[:, 64:], BY_NAME[name], history=sold[:, :64], seed=3, run_in_days=14)
        for name in names
    ]
    table = pd.read_parquet(tmp_path / "out" / "replay.parquet")
    for name, done in zip(names, lived, strict=True):
        found = table[(table["policy"] == name) & (table["figure"] != "profit_gained")].drop(columns="policy")
        pd.testing.assert_frame_equal(found.reset_index(drop=True), done.table(seed=3))
    gained = table[table["figure"] == "profit_gained"].iloc[0]
    expected = difference(lived[1], lived[0], seed=3)
    assert gained.tolist() == [names[1], "profit_gained", expected.money, expected.low, expected.high]
    told = json.loads((tmp_path / "told.json").read_text())
    assert (told["starts_on"], told["ends_on"], told["items"]) == ("2026-03-20", "2026-04-30", 3)
    assert told["policies"]["order_up_to"]["cost"]["value"] == lived[1].totals()["cost"]
    said = capsys.readouterr()
    assert said.out.splitlines()[-1].startswith("order_up_to")
    assert said.err.splitlines()[0].startswith("1 of 2: sales_times_lead_time, 3 items, 56 days ...")


@pytest.mark.parametrize(
    ("more", "history", "sentences"),
    [
        (["--policy", "guess"], {}, ["policy: 'guess' is not known; there are sales_times_lead_time, order_up_to"]),
        (["--days", "200"], {}, ["history: it holds 120 days; 200 and 28 to run in are asked for."]),
        (["--days", "0"], {}, ["days: 0 days and 28 to run in; there must be at least 1 and 0."]),
        ([], {"y": -1}, ["history: y must be whole units of at least 0, and is not in 120 rows."]),
        ([], {"y": 0.5, "ds": "soon"}, ["history: ds is missing or no date in 120", "history: y must be whole units"]),
        ([], None, ["history: history.parquet cannot be read"]),
    ],
)
def test_what_cannot_be_replayed_is_said_in_sentences(
    more: list[str], history: dict[str, Any] | None, sentences: list[str], tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    items_frame({}).to_parquet(tmp_path / "items.parquet")
    if history is None:
        (tmp_path / "history.parquet").write_text("no parquet")
    else:
        history_of(np.ones((1, 120), dtype=np.int64)).assign(**history).to_parquet(tmp_path / "history.parquet")
    given = {"--policy": "min_max", "--days": "42"} | dict(zip(more[::2], more[1::2], strict=True))
    assert simulate(tmp_path, *(word for option in given.items() for word in option)) == 2
    said = capsys.readouterr().err.splitlines()
    assert len(said) == len(sentences)
    assert all(line.startswith(sentence) for line, sentence in zip(said, sentences, strict=True))
    assert not (tmp_path / "out").exists()


def test_columns_that_are_missing_are_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    items_frame({}).drop(columns="unique_id").to_parquet(tmp_path / "items.parquet")
    history_of(np.ones((1, 50), dtype=np.int64)).drop(columns=["ds", "y"]).to_parquet(tmp_path / "history.parquet")
    assert simulate(tmp_path, "--policy", "min_max", "--days", "7") == 2
    assert capsys.readouterr().err.splitlines() == [
        "history: the column 'ds' is missing.", "history: the column 'y' is missing.",
        "items: the column 'unique_id' is missing."]
    assert simulate(tmp_path, "--policy", "min_max", "--days", "7", items="nowhere.parquet") == 2
    assert capsys.readouterr().err.startswith("items: nowhere.parquet cannot be read")
