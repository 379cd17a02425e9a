"""Scores of forecasts after the fact: right by hand, blind to days without stock, and additive over segments."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from apps.feedback.pipeline import scores
from apps.forecasting.engine.base import Panel
from apps.forecasting.engine.forecast import Forecast
from apps.forecasting.engine.grid import Grid


def panel_of(units: np.ndarray, available: np.ndarray | None = None) -> Panel:
    n, days = units.shape
    ids = np.repeat([f"{i}/1" for i in range(n)], days)
    ds = np.tile(np.datetime64("2017-01-02") + np.arange(days), n).astype("datetime64[ns]")
    frame = pd.DataFrame({"unique_id": ids, "ds": ds, "y": units.ravel()})
    if available is not None:
        frame["available"] = available.ravel()
    static = pd.DataFrame({"unique_id": [f"{i}/1" for i in range(n)], "category": ["Food > Milk", "Food > Tea",
                                                                                   "Home > Soap"][:n],
                           "price": [10.0, 1.0, 1.0][:n]})
    return Panel.from_frames(frame, static)


def forecast_of(panel: Panel, cutoff_column: int, mean: float) -> Forecast:
    n = panel.n_series
    return Forecast(model="test", unique_ids=panel.ids, cutoff=panel.dates[cutoff_column], grid=Grid(days=28),
                    mean=np.full((n, 28), mean, dtype=np.float32), level_variance=np.zeros(n, dtype=np.float32),
                    day_dispersion=np.zeros(n, dtype=np.float32), weekday_profile=np.ones(7, dtype=np.float32))


def after(now: Panel, cutoff_column: int) -> np.ndarray:
    return np.where(now.available == 1, now.sales, np.nan)[:, cutoff_column + 1:].astype(float)


def wape(row: dict[str, float]) -> float:
    return row["absolute_error"] / row["actual_units"]


def pick(rows: list[dict[str, object]], horizon: str, kind: str, segment: str) -> dict[str, float]:
    [row] = [row for row in rows if (row["horizon"], row["segment_kind"], row["segment"]) == (horizon, kind, segment)]
    return row  # type: ignore[return-value]


def test_errors_are_those_of_sums_counted_from_the_day_after_the_cutoff() -> None:
    units = np.zeros((3, 40))
    units[:, 10:17] = [[1], [2], [4]]  # the week after column 9
    units[:, 17:] = 3
    now = panel_of(units)
    rows = scores.rows(forecast_of(now, 9, 2.0), after(now, 9), scores.Segments.of(now), ["week_1", "week_2"])
    first = pick(rows, "week_1", "all", "all")
    assert first["actual_units"] == pytest.approx(7 + 14 + 28)
    assert first["absolute_error"] == pytest.approx(7 + 0 + 14)
    assert first["error"] == pytest.approx(7 - 14)
    assert first["squared_error"] == pytest.approx(49 + 196)
    assert wape(first) == pytest.approx(21 / 49)
    assert pick(rows, "week_2", "all", "all")["error"] == pytest.approx(-3 * 7)


def test_segments_add_up_to_all() -> None:
    drawn = np.random.default_rng(5)
    now = panel_of(drawn.poisson(2.0, (3, 60)).astype(float))
    rows = scores.rows(forecast_of(now, 20, 1.7), after(now, 20), scores.Segments.of(now), scores.due_horizons(28))
    for horizon in scores.HORIZONS:
        everything = pick(rows, horizon, "all", "all")
        for kind in ("category", "abc"):
            parts = [row for row in rows if row["segment_kind"] == kind and row["horizon"] == horizon]
            for figure in ("series", "actual_units", "absolute_error", "error", "squared_error", "pinball"):
                assert sum(part[figure] for part in parts) == pytest.approx(everything[figure])
    assert {row["segment"] for row in rows if row["segment_kind"] == "category"} == {"Food", "Home"}


def test_what_could_not_be_bought_is_not_held_against_a_forecast() -> None:
    units = np.full((2, 40), 2.0)
    available = np.ones_like(units)
    available[1, 12] = 0  # one day of the first week
    now = panel_of(units, available)
    rows = scores.rows(forecast_of(now, 9, 5.0), after(now, 9), scores.Segments.of(now), ["week_1", "week_2"])
    assert pick(rows, "week_1", "all", "all")["series"] == 1
    assert pick(rows, "week_2", "all", "all")["series"] == 2


def test_bands_of_a_true_forecast_cover_as_often_as_they_say() -> None:
    drawn = np.random.default_rng(11)
    n = 4000
    units = drawn.poisson(3.0, (n, 30)).astype(float)
    ids = np.array([f"{i:05d}/1" for i in range(n)])
    now = Panel(ids=ids, dates=np.datetime64("2017-01-02") + np.arange(30), y=units.astype(np.float32),
                available=np.ones_like(units, dtype=np.float32), static=pd.DataFrame({"unique_id": ids}))
    everyone = scores.Segments({"all": np.full(n, "all")})
    [row] = scores.rows(forecast_of(now, 9, 3.0), after(now, 9), everyone, ["days_14"])
    assert row["covered_80"] == pytest.approx(0.80, abs=0.02)
    assert row["covered_95"] == pytest.approx(0.95, abs=0.01)


def test_only_what_has_wholly_happened_is_due() -> None:
    assert scores.due_horizons(6) == []
    assert scores.due_horizons(13) == ["week_1"]
    assert scores.due_horizons(14) == ["week_1", "week_2", "days_14"]
    assert len(scores.due_horizons(28)) == len(scores.HORIZONS)


def test_abc_classes_follow_money() -> None:
    units = np.array([[1.0] * 30, [8.0] * 30, [0.5] * 30])  # at prices of 10, 1 and 1: shares of 54, 43 and 3 %
    assert list(scores.money_classes(panel_of(units))) == ["A", "A", "C"]


def test_rivals_know_nothing_after_their_cutoff() -> None:
    drawn = np.random.default_rng(2)
    units = drawn.poisson(2.0, (3, 120)).astype(float)
    then = panel_of(units).upto(panel_of(units).dates[99])
    poisoned = units.copy()
    poisoned[:, 100:] = 999
    again = panel_of(poisoned).upto(panel_of(units).dates[99])
    for name, forecast in scores.rival_forecasts(then).items():
        np.testing.assert_array_equal(forecast.mean, scores.rival_forecasts(again)[name].mean)


def test_sales_stand_on_their_days_and_unknown_days_are_not_zeros() -> None:
    day = dt.date(2017, 12, 4)
    units = pd.DataFrame({"item_id": [7, 7, 9, 8], "location_id": [1, 1, 1, 1], "units": [2.0, 3.0, 5.0, 1.0],
                          "date": [day, day + dt.timedelta(days=2), day + dt.timedelta(days=1), day]})
    sold = scores.sold_matrix(np.array(["9/1", "7/1", "6/1"]), units, day, day + dt.timedelta(days=4),
                              [day + dt.timedelta(days=3), day + dt.timedelta(days=30)])
    np.testing.assert_array_equal(sold, [[0, 5, 0, np.nan], [2, 0, 3, np.nan], [0, 0, 0, np.nan]])
