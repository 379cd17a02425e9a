"""The engine works from the shell: parquet in, parquet out, one sentence for what is wrong."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from apps.forecasting.engine import automatic
from apps.forecasting.engine.__main__ import main
from apps.forecasting.engine.base import OnProgress, Panel
from apps.forecasting.engine.models import make
from apps.forecasting.engine.periods import LEVELS
from apps.forecasting.engine.tuning import Tried, Tuned
from tests.unit.forecasting import shops

N_SERIES = 60
COLUMNS = ["unique_id", "ds", "mean", "q0.01", "q0.025", "q0.05", "q0.10", "q0.25", "q0.50", "q0.75", "q0.90", "q0.95",
           "q0.975", "q0.99"]


@pytest.fixture
def shop(tmp_path: Path) -> list[str]:
    """A shop of some items and 120 days, whose mailer is known for the four weeks to come."""
    sales, static, covariates = shops.frames(n_series=N_SERIES, n_days=120)
    days = pd.date_range(shops.FIRST_DAY, periods=120)
    every = pd.MultiIndex.from_product([static["unique_id"], days], names=["unique_id", "ds"]).to_frame(index=False)
    history = every.merge(sales, how="left").merge(covariates, how="left").fillna({"y": 0, "mailer": 0, "display": 0})
    write(tmp_path, history=history, static=static.drop(columns="start"),
          future=covariates.loc[covariates["ds"] > days[-1], ["unique_id", "ds", "mailer"]])
    return ["--history", str(tmp_path / "history.parquet"), "--static", str(tmp_path / "static.parquet"),
            "--future", str(tmp_path / "future.parquet"), "--country", "US", "--horizon", "28"]


def write(folder: Path, **frames: pd.DataFrame) -> None:
    for name, frame in frames.items():
        frame.to_parquet(folder / f"{name}.parquet")


def forecast(folder: Path, *arguments: str) -> pd.DataFrame:
    assert main(["forecast", *arguments, "--out", str(folder / "out.parquet")]) == 0
    return pd.read_parquet(folder / "out.parquet")


def test_a_forecast_has_a_row_for_each_series_and_day_with_quantiles_that_never_fall(
    shop: list[str], tmp_path: Path
) -> None:
    written = forecast(tmp_path, *shop, "--model", "tsb")
    assert list(written) == COLUMNS
    assert len(LEVELS) == len(COLUMNS) - 3
    assert written.groupby("unique_id")["ds"].apply(list).tolist() == [
        list(pd.date_range("2024-04-30", periods=28))] * N_SERIES
    assert (np.diff(written[COLUMNS[3:]].to_numpy(), axis=1) >= 0).all()
    assert (written["mean"] >= 0).all()
    assert written["mean"].sum() > 0


def test_the_same_seed_gives_the_same_file_and_the_mailer_to_come_is_seen(shop: list[str], tmp_path: Path) -> None:
    first = forecast(tmp_path, *shop, "--model", "lightgbm", "--seed", "3")
    pd.testing.assert_frame_equal(first, forecast(tmp_path, *shop, "--model", "lightgbm", "--seed", "3"))
    blind = [argument for argument in shop if argument != "--future" and not argument.endswith("future.parquet")]
    assert not first["mean"].equals(forecast(tmp_path, *blind, "--model", "lightgbm", "--seed", "3")["mean"])


def test_what_a_model_did_otherwise_than_its_name_says_is_told(
    shop: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(automatic, "make", lambda name: make(name, most_series=2))
    forecast(tmp_path, *shop, "--model", "ets")
    said = "ets answers for the 2 series with the most money of 60, theta for the others."
    assert said in capsys.readouterr().err.splitlines()


def series(freq: str, count: int, units: float) -> pd.DataFrame:
    days = pd.date_range("2021-01-01", periods=count, freq=freq)
    return pd.DataFrame({"unique_id": "a", "ds": days, "y": units})


@pytest.mark.parametrize(("freq", "count", "first", "second"), [
    ("W-MON", 60, "2022-02-28", "2022-03-07"), ("W-SUN", 60, "2022-02-27", "2022-03-06"),
    ("MS", 30, "2023-07-01", "2023-08-01"), ("ME", 30, "2023-07-31", "2023-08-31")])
def test_weeks_and_months_are_called_and_added_up_as_they_came(
    tmp_path: Path, freq: str, count: int, first: str, second: str
) -> None:
    write(tmp_path, history=series(freq, count, 7.0))
    written = forecast(tmp_path, "--history", str(tmp_path / "history.parquet"), "--freq", freq[0], "--horizon", "2",
                       "--model", "eight_week_mean")
    assert written["ds"].tolist() == [pd.Timestamp(first), pd.Timestamp(second)]
    assert written["mean"].to_numpy() == pytest.approx([7.0, 7.0], rel=1e-4)


@pytest.mark.parametrize("freq", ["W-MON", "MS"])
def test_the_bands_of_weeks_and_months_are_as_wide_as_these_were(tmp_path: Path, freq: str) -> None:
    stream, n = np.random.default_rng(5), 200
    days = pd.date_range("2020-01-01", periods=60, freq=freq)
    units = stream.poisson(40 * stream.gamma(4.0, 0.25, (n, 61)))  # a variance eleven times the mean
    write(tmp_path, history=pd.DataFrame({"unique_id": np.repeat([f"item-{place:03d}" for place in range(n)], 60),
                                          "ds": np.tile(days, n), "y": units[:, :60].reshape(-1)}))
    written = forecast(tmp_path, "--history", str(tmp_path / "history.parquet"), "--freq", freq[0], "--horizon", "1",
                       "--model", "eight_week_mean")
    inside = ((written["q0.05"] <= units[:, 60]) & (units[:, 60] <= written["q0.95"])).mean()
    assert 0.8 < inside < 0.98, inside


def test_where_time_runs_out_a_cheaper_model_answers_and_it_is_said(
    shop: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written = forecast(tmp_path, *shop, "--budget-seconds", "0.001")
    assert len(written) == N_SERIES * 28
    told = capsys.readouterr().err
    assert "blend is tried: there was no past, or no time, to judge by." in told
    assert "blend was not done in its part of the 0.001 seconds." in told
    assert "lightgbm was not done in its part of the 0.001 seconds." in told
    assert "The eight_week_mean stands in." in told
    assert f"{N_SERIES} series by eight_week_mean, 28 days each." in told


def test_with_time_and_history_enough_the_blend_answers(
    shop: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    forecast(tmp_path, *shop)
    assert f"{N_SERIES} series by blend, 28 days each." in capsys.readouterr().err


def test_settings_that_a_search_keeps_make_the_forecast_and_it_is_said(
    shop: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    usual = forecast(tmp_path, *shop, "--model", "ridge")
    asked: dict[str, Any] = {}

    def found(panel: Panel, name: str, **given: Any) -> Tuned:
        asked.update(given, name=name)
        tried = (Tried({"penalty": 0.001}, (0.2, 0.2)), Tried({"penalty": 0.05}, (0.1, 0.2)))
        return Tuned(name, {"penalty": 0.05}, "kept", tried, 0.25, 0.02, (), panel.dates[-29])

    monkeypatch.setattr("apps.forecasting.engine.__main__.tune", found)
    tuned = forecast(tmp_path, *shop, "--model", "ridge", "--tune-seconds", "9", "--seed", "5")
    assert (asked["name"], asked["sum_days"], asked["seed"], asked["clock"].seconds) == ("ridge", 28, 5, 9.0)
    assert not tuned["mean"].equals(usual["mean"])
    assert ("Of ridge, 2 settings were tried at 2 past cutoffs, 0 of them given up early: the best gained 25.0% there "
            "and +2.0% at 2024-04-01, which the search had not seen; used: penalty 0.05."
            ) in capsys.readouterr().err.splitlines()


def test_where_nothing_could_be_searched_the_defaults_answer_and_it_is_said(
    shop: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    usual = forecast(tmp_path, *shop, "--model", "ridge")
    pd.testing.assert_frame_equal(usual, forecast(tmp_path, *shop, "--model", "ridge", "--tune-seconds", "1"))
    assert "Tuning ridge needs 140 days of history and there are 120." in capsys.readouterr().err.splitlines()


@pytest.mark.parametrize("model", [[], ["--model", "tsb"], ["--model", "blend"]])
def test_a_model_without_settings_to_search_is_told_of_before_anything_is_read(
    tmp_path: Path, model: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["forecast", "--history", "none", "--out", str(tmp_path / "out.parquet"), "--horizon", "7",
             "--tune-seconds", "9", *model]
    assert main(asked) == 2
    name = model[-1] if model else "auto"
    assert capsys.readouterr().err == (
        f"{name} has no settings to search: name a model that is trained, such as lightgbm.\n")


@pytest.mark.parametrize("seconds", ["0", "-3", "many", "nan", "inf"])
def test_seconds_to_search_for_are_a_number_above_0(seconds: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["forecast", "--history", "x", "--out", "y", "--horizon", "7", f"--tune-seconds={seconds}"])
    assert ended.value.code == 2
    assert "is not a number of seconds above 0" in capsys.readouterr().err


def test_of_weeks_no_model_of_days_is_blended(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sales, _, _ = shops.frames(n_series=30, n_days=182)
    sales["ds"] = shops.FIRST_DAY + pd.to_timedelta((sales["ds"] - shops.FIRST_DAY).dt.days // 7 * 7, unit="D")
    write(tmp_path, history=sales.groupby(["unique_id", "ds"], as_index=False).sum())
    forecast(tmp_path, "--history", str(tmp_path / "history.parquet"), "--freq", "W", "--horizon", "2")
    chosen = next(line for line in capsys.readouterr().err.splitlines() if "is chosen" in line)
    assert "random_forest" in chosen and "ridge" in chosen and "lightgbm_daily" not in chosen


def test_an_explanation_adds_up_to_the_forecast_of_the_same_days(
    shop: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    foretold = forecast(tmp_path, *shop, "--model", "lightgbm").groupby("unique_id")["mean"].sum()
    assert main(["explain", *shop, "--model", "lightgbm", "--out", str(tmp_path / "why.parquet")]) == 0
    why = pd.read_parquet(tmp_path / "why.parquet").set_index("unique_id")
    assert {"usual", "stockouts", "recent_sales", "trend", "season", "holiday", "kind", "mailer"} < set(why)
    assert why["mean"].to_numpy() == pytest.approx(foretold[why.index].to_numpy(), rel=1e-4)
    assert why.drop(columns="mean").sum(axis=1).to_numpy() == pytest.approx(why["mean"].to_numpy())
    printed = capsys.readouterr().out
    assert "Units over 28 days, 60 series by lightgbm" in printed
    assert "recent sales" in printed
    one = ["explain", *shop, "--model", "lightgbm", "--out", str(tmp_path / "one.parquet"), "--series", "item-003"]
    assert main(one) == 0
    alone = pd.read_parquet(tmp_path / "one.parquet")
    pd.testing.assert_frame_equal(alone, why.loc[["item-003"]].reset_index())


def test_where_there_is_no_time_to_explain_a_sentence_says_what_to_do(
    shop: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Spent(automatic.Clock):
        def until(self, share: float, tell: OnProgress, start: float, end: float) -> OnProgress:
            def told(done: float, words: str) -> None:
                if share == 1.0:
                    raise automatic.OutOfTime

            return told

    monkeypatch.setattr("apps.forecasting.engine.__main__.Clock", Spent)
    asked = ["explain", *shop, "--model", "tsb", "--budget-seconds", "9", "--out", str(tmp_path / "why.parquet")]
    assert main(asked) == 2
    assert "explaining 60 series takes longer than the 9 seconds: name some by --series" in capsys.readouterr().err
    assert not (tmp_path / "why.parquet").exists()


def test_a_tree_is_drawn_and_a_series_that_is_not_there_is_named(
    shop: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["explain", *shop, "--model", "decision_tree", "--out", str(tmp_path / "why.parquet")]
    assert main(asked) == 0
    lines = capsys.readouterr().out.split("\n\n", 1)[1].splitlines()
    assert lines[0].endswith("?")
    assert sum("x the level" in line for line in lines) == sum(line.endswith("?") for line in lines) + 1
    assert main([*asked, "--series", "item-999"]) == 2
    assert capsys.readouterr().err.splitlines()[-1] == "The panel has no series item-999."


def test_a_backtest_prints_the_leaderboard_and_names_the_best(
    shop: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    models = ["--model", "tsb", "--model", "weekday_mean", "--cutoffs", "2"]
    assert main(["backtest", *shop, *models]) == 0
    printed = capsys.readouterr().out
    assert {"scaled_pinball", "crps", "rmsse", "wrmsse"} <= set(printed.splitlines()[0].split())
    assert "stays" in printed
    assert main(["backtest", *shop, *models, "--json", str(tmp_path / "scores.json")]) == 0
    written = json.loads((tmp_path / "scores.json").read_text())
    assert {row["model"] for row in written["scores"]} == {"tsb", "weekday_mean"}
    assert {row["cutoff"] for row in written["scores"]} == {"2024-03-04", "2024-04-01"}
    assert {"all", "category", "abc", "abc_xyz", "demand", "week", "promotion"} == {
        row["segment_kind"] for row in written["scores"]}
    assert {"crps", "rmsse", "wrmsse"} < {row["metric"] for row in written["scores"]}
    assert written["champion"] in {"tsb", "weekday_mean"}
    capsys.readouterr()
    assert main(["backtest", *shop, *models, "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out) | {"seconds": 0} == written | {"seconds": 0}


def bad(**changes: Any) -> pd.DataFrame:
    return series("D", 60, 2.0).assign(**changes)


@pytest.mark.parametrize(("history", "arguments", "sentence"), [
    (bad().drop(columns="y"), [], "The history frame lacks the column y."),
    (bad(ds="soon"), [], "The history frame has a ds that is not a date."),
    (bad(y="many"), [], "The history frame has a y that is not a number."),
    (bad(y=np.inf), [], "The history frame has an infinite y."),
    (bad(y=-1.0), [], "The history frame has 60 rows with a y below zero."),
    (bad(unique_id=None), [], "The history frame has 60 rows without a unique_id."),
    (bad().iloc[:0], [], "The history frame has no rows."),
    (bad(), ["--freq", "W"], "The history frame has weeks that begin on 7 different weekdays."),
    (bad(), ["--freq", "M"], "The history frame has months that are neither all first nor all last days."),
    (bad(weather=[b"x"] * 60), [], "The covariates frame has a weather that is neither numbers nor text."),
    (bad(), ["--country", "XX"], "No public holidays are known for the country code 'XX'."),
])
def test_what_is_wrong_with_a_file_is_one_sentence_and_code_2(
    tmp_path: Path, history: pd.DataFrame, arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, history=history)
    asked = ["forecast", "--history", str(tmp_path / "history.parquet"), "--horizon", "7", "--model", "lightgbm",
             "--out", str(tmp_path / "out.parquet"), *arguments]
    assert main(asked) == 2
    assert capsys.readouterr().err.splitlines()[-1] == sentence
    assert not (tmp_path / "out.parquet").exists()


def test_files_that_are_not_there_or_not_parquet_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["forecast", "--horizon", "7", "--out", str(tmp_path / "out.parquet"), "--history"]
    assert main([*asked, str(tmp_path / "none.parquet")]) == 2
    assert "There is no file" in capsys.readouterr().err
    (tmp_path / "text.parquet").write_text("unique_id,ds,y")
    assert main([*asked, str(tmp_path / "text.parquet")]) == 2
    assert "is not a parquet file that can be read" in capsys.readouterr().err


@pytest.mark.parametrize("horizon", ["0", "-3", "many", "1.5"])
def test_a_horizon_is_a_whole_number_above_0(horizon: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["forecast", "--history", "x", "--out", "y", f"--horizon={horizon}"])
    assert ended.value.code == 2
    assert "is not a whole number above 0" in capsys.readouterr().err
