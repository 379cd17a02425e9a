"""Maps of errors: what a contest tells and a page shows adds up, and the costliest items are those that cost most."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.forecasting.engine.backtest import BacktestResult, backtest, rolling_cutoffs
from apps.forecasting.engine.base import Grid, Panel
from apps.forecasting.engine.models import make
from apps.forecasting.pipeline import report
from apps.forecasting.selectors import HEAT_CATEGORIES_SHOWN, heat_of, weekday_rows
from apps.forecasting.templatetags.model_words import heat, heat_key
from tests.unit.forecasting import shops


@pytest.fixture(scope="module")
def judged() -> tuple[Panel, BacktestResult]:
    """Twenty series by ids as a shop has them, some without a price; two models at three origins."""
    panel = shops.panel(n_series=20, n_days=154)
    prices = panel.static["price"].where(np.arange(20) % 5 > 0)
    panel = replace(panel, ids=np.array([f"{100 + place}/7" for place in range(20)]),
                    static=panel.static.assign(price=prices))
    return panel, backtest(panel, {name: partial(make, name) for name in ("weekday_mean", "tsb")},
                           rolling_cutoffs(panel, 3))


def test_the_costliest_items_are_found_week_by_week(judged: tuple[Panel, BacktestResult]) -> None:
    panel, result = judged
    found = report.worst_items(result, "tsb", panel)
    cutoffs = rolling_cutoffs(panel, 3)
    starts = [cutoff + np.timedelta64(1 + 7 * week, "D") for cutoff in cutoffs for week in (0, 1)]
    assert found["weeks"] == [str(start) for start in starts]
    cost, told = np.zeros(20), np.zeros((2, 20, 6))
    prices = panel.static["price"].fillna(1.0).to_numpy()
    for place, cutoff in enumerate(cutoffs):
        known = panel.upto(cutoff)
        foretold = make("tsb").fit(known).predict(Grid(28)).daily_mean
        for week in (0, 1):
            days = slice(known.n_days + 7 * week, known.n_days + 7 * week + 7)
            sold, meant = panel.sales[:, days].sum(axis=1), foretold[:, 7 * week : 7 * week + 7].sum(axis=1)
            told[:, :, 2 * place + week] = sold, meant
            cost += np.abs(meant - sold) * prices
    order = np.argsort(-cost)[: report.WORST_ITEMS]
    assert [row["item_id"] - 100 for row in found["rows"]] == order.tolist()
    assert found["cost_share"] == pytest.approx(cost[order].sum() / cost.sum(), abs=1e-4)
    for row, place in zip(found["rows"], order, strict=True):
        assert row["location_id"] == 7
        assert (row["price"] is None) == (place % 5 == 0)
        assert row["sold"] == pytest.approx(told[0, place])
        assert row["foretold"] == pytest.approx(told[1, place], abs=1e-4)


def test_a_week_that_was_not_scored_is_nothing_and_a_model_that_was_not_either(
        judged: tuple[Panel, BacktestResult]) -> None:
    panel, result = judged
    worst = report.worst_items(result, "tsb", panel)["rows"][0]
    first = result.cutoffs[0]
    gone = (result.series["unique_id"] == f"{worst['item_id']}/7") & (result.series["cutoff"] == first)
    partly = replace(result, series=result.series[~gone])
    [row] = [row for row in report.worst_items(partly, "tsb", panel)["rows"] if row["item_id"] == worst["item_id"]]
    assert row["sold"] == [None, None, *worst["sold"][2:]]
    assert report.worst_items(result, "lightgbm", panel) == report.no_worst_items()
    assert report.weekdays(result, "lightgbm") == []


def test_all_rows_of_the_map_of_weekdays_add_up_to_the_last(judged: tuple[Panel, BacktestResult]) -> None:
    _panel, result = judged
    told = report.weekdays(result, "tsb")
    assert [sum(part["units"]) for part in told] == sorted((sum(part["units"]) for part in told), reverse=True)
    *kinds, everything = weekday_rows(told)
    assert len(kinds) == 4
    for place in range(7):
        sold, missed = (sum(values) for values in zip(*(
            (row.cells[place].sold, (row.cells[place].missed or 0) * row.cells[place].sold) for row in kinds),
            strict=True))
        assert everything.cells[place].sold == pytest.approx(sold)
        assert everything.cells[place].missed == pytest.approx(missed / sold)
    own = result.by_weekday[result.by_weekday["model"] == "tsb"]
    assert everything.total.missed == pytest.approx(own["absolute"].sum() / own["units"].sum(), rel=1e-6)
    assert everything.total.off == pytest.approx(own["error"].sum() / own["units"].sum(), abs=1e-6)
    units = result.by_weekday.query("model == 'tsb'").groupby("cutoff")["units"].sum()
    wape = result.table("wape").loc["tsb"]
    assert everything.total.missed == pytest.approx((wape * units).sum() / units.sum(), rel=1e-6)


@given(st.lists(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=7, max_size=7), max_size=20))
def test_many_kinds_are_folded_and_nothing_is_lost(kinds: list[list[tuple[int, int]]]) -> None:
    told = [{"segment": f"Food > kind {place}", "units": [float(sold) for sold, _ in days],
             "missed": [float(abs(meant - sold)) for sold, meant in days],
             "error": [float(meant - sold) for sold, meant in days]} for place, days in enumerate(kinds)]
    rows = weekday_rows(told)
    assert len(rows) == (min(len(kinds), HEAT_CATEGORIES_SHOWN) + (len(kinds) > HEAT_CATEGORIES_SHOWN) + 1
                         if kinds else 0)
    for place in range(7) if rows else ():
        assert sum(row.cells[place].sold for row in rows[:-1]) == rows[-1].cells[place].sold
        assert sum(row.cells[place].foretold for row in rows[:-1]) == rows[-1].cells[place].foretold
        assert all(abs(cell.off or 0) <= (cell.missed or 0) + 1e-9 for row in rows for cell in row.cells)


@pytest.mark.parametrize(("error", "step", "css"), [
    (0.0, 0, "heat"), (9.4, 0, "heat"), (9.6, 1, "heat heat-high-1"), (-10.0, -1, "heat heat-low-1"),
    (26.0, 2, "heat heat-high-2"), (-49.0, -2, "heat heat-low-2"), (-50.0, -3, "heat heat-low-3"),
    (400.0, 3, "heat heat-high-3")])
def test_colours_go_by_the_figure_that_is_shown(error: float, step: int, css: str) -> None:
    cell = heat_of(100.0, abs(error), error)
    assert (cell.step, heat(cell)) == (step, css)


def test_nothing_sold_has_no_share_and_no_colour_and_the_key_names_every_colour() -> None:
    assert heat_of(0.0, 3.0, 3.0).missed is None
    assert heat(heat_of(0.0, 3.0, 3.0)) == "heat"
    assert heat_key() == [("heat-low-3", "−50%"), ("heat-low-2", "−25%"), ("heat-low-1", "−10%"), ("", "within 10%"),
                          ("heat-high-1", "+10%"), ("heat-high-2", "+25%"), ("heat-high-3", "+50%")]
