"""Markdowns from the shell: the same as from frames, the past read for what items do not say, and sentences."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from apps.optimization.engine import elasticity
from apps.optimization.engine.__main__ import main
from apps.optimization.engine.demand import ArrayDemand
from apps.optimization.engine.elasticity import fit
from apps.optimization.engine.markdown import Rules, plan
from tests.unit.optimization.shops import PricedShop, priced_shop

DAY = pd.Timestamp("2026-03-02")
RULES: dict[str, Any] = {"cadence_days": 7, "horizon_days": 28, "ending": ""}
N = 12


@pytest.fixture(scope="module")
def made() -> PricedShop:
    return priced_shop(1, n=N, horizon=20)


@pytest.fixture(autouse=True)
def few_spreads(monkeypatch: pytest.MonkeyPatch) -> None:
    """A coarse grid for elasticities: quicker."""
    monkeypatch.setattr(elasticity, "TAUS", np.array([0.2, 0.4, 0.6]))
    monkeypatch.setattr(elasticity, "OMEGAS", np.array([0.2, 0.5, 0.8]))


@pytest.fixture
def folder(tmp_path: Path, made: PricedShop) -> Path:
    items = made.static.assign(on_hand=60, price=8.0, unit_cost=4.0, holding_cost_rate=0.2, group=None,
                               sell_by=DAY + pd.Timedelta(days=27))  # fmt: skip
    items.loc[N - 1, "sell_by"] = pd.NaT
    items.to_parquet(tmp_path / "items.parquet")
    made.weeks.to_parquet(tmp_path / "weeks.parquet")
    paths().to_parquet(tmp_path / "demand.parquet")
    (tmp_path / "rules.json").write_text(json.dumps(RULES))
    return tmp_path


def units() -> np.ndarray:
    return np.random.default_rng(0).poisson(1.0, (N, 3, 28))


def paths() -> pd.DataFrame:
    row, path, day = (each.ravel() for each in np.indices((N, 3, 28)))
    return pd.DataFrame({"unique_id": [f"item-{each}" for each in row], "path": path,
                         "ds": DAY + pd.to_timedelta(day, unit="D"), "y": units().ravel()})


def run(folder: Path, *more: str) -> int:
    names = {"--items": "items", "--demand": "demand", "--history": "weeks", "--out": "out/made"}
    words = [word for option, name in names.items() for word in (option, str(folder / f"{name}.parquet"))]
    return main(["markdown", *words, "--rules", str(folder / "rules.json"), *more])


def test_files_give_what_frames_give(folder: Path, made: PricedShop, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(folder, "--json", "-") == 0
    said = capsys.readouterr()
    found = fit(made.weeks, made.static).table
    items = pd.read_parquet(folder / "items.parquet").drop(columns=["sell_by", "group"])
    items["sell_by_day"] = [*[28.0] * (N - 1), np.nan]
    items[["elasticity", "elasticity_sd", "lowest_price"]] = found[["elasticity", "sd", "lowest_price"]]
    expected = plan(items, ArrayDemand(units()), Rules(**RULES))
    table = pd.read_parquet(folder / "out" / "made.parquet")
    assert [list(each) for each in table["prices"]] == expected.table["prices"].tolist()
    pd.testing.assert_frame_equal(
        table.drop(columns=["days", "prices"]), expected.table.drop(columns=["days", "prices"]), check_dtype=False)
    told = json.loads(said.out)
    assert told["proposed"] == expected.summary["proposed"] > 0
    assert told["day"] == "2026-03-02"
    assert "association" in told["elasticity"]["words"]
    assert "candidates proposed" in said.err


def test_a_holdout_says_first_what_it_can_see(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(folder, "--hold-out", "4", "--json", str(folder / "told.json")) == 0
    table = pd.read_parquet(folder / "out" / "made.parquet")
    told = json.loads((folder / "told.json").read_text())
    proposed = table[table["is_proposed"]]
    assert told["test"]["pairs"] == proposed["pair"].max() + 1 > 2
    assert (proposed.loc[proposed["pair"] >= 0].groupby("pair")["arm"].nunique() == 2).all()
    assert set(table.loc[~table["is_proposed"], "arm"]) <= {""}
    assert f"an uplift of {told['test']['smallest_uplift']:.0%} or more" in capsys.readouterr().err


def test_means_and_variances_serve_as_well_as_paths(folder: Path) -> None:
    row, day = (each.ravel() for each in np.indices((N, 28)))
    pd.DataFrame({"unique_id": [f"item-{each}" for each in row], "ds": DAY + pd.to_timedelta(day, unit="D"),
                  "mean": 1.0, "variance": 1.5}).to_parquet(folder / "demand.parquet")
    assert run(folder) == 0
    table = pd.read_parquet(folder / "out" / "made.parquet")
    doing_nothing = table.loc[table["reason"] == "end_of_season", "money_nothing"]
    assert doing_nothing.mean() == pytest.approx(28 * 8, rel=0.1)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"items": {"on_hand": 1.5}}, "items: on_hand is no whole number in 12 rows (first: 'item-0')."),
        ({"items": {"sell_by": "soon"}}, "items: sell_by holds something that is no date."),
        ({"demand": {"unique_id": "other"}}, "demand: it tells nothing of 12 items (first: 'item-0')."),
        ({"demand": {"y": -1}}, "demand: it holds a missing or negative number"),
        ({"weeks": {"price": -1.0}}, "weeks: price must be above 0"),
        ({"rules": {"cadence": 7}}, "rules: 'cadence' is not known; there are depths"),
        ({"rules": {"cadence_days": 7.5}}, "rules: cadence_days is 7.5; it must be a whole number."),
        ({"rules": {"depths": 0.5}}, "rules: depths must be a list of shares"),
        ({"rules": {"ending": 99}}, "rules: ending is 99; it must be text"),
        ({"rules": {"horizon_days": 60}}, "demand: it reaches 28 days; the horizon is 60."),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(
    wrong: dict[str, dict[str, Any]], sentence: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, change in wrong.items():
        if name == "rules":
            (folder / "rules.json").write_text(json.dumps(change))
        else:
            path = folder / f"{name}.parquet"
            pd.read_parquet(path).assign(**change).to_parquet(path)
    assert run(folder) == 2
    assert sentence in capsys.readouterr().err


def test_without_a_past_items_must_say_their_elasticity(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["markdown", "--items", str(folder / "items.parquet"), "--demand", str(folder / "demand.parquet")]
    assert main([*words, "--out", str(folder / "made.parquet")]) == 2
    assert "items: the column 'elasticity' is missing; give it, or the past by --history." in capsys.readouterr().err
    assert main([*words, "--out", str(folder / "made.parquet"), "--hold-out", "4"]) == 2
    assert "hold-out: a test needs the past" in capsys.readouterr().err
