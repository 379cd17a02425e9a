"""Scaled errors of series, of their categories and of all together, against figures worked out by hand."""

from functools import partial

import numpy as np
import pytest

from apps.forecasting.engine.backtest import backtest
from apps.forecasting.engine.base import Grid
from apps.forecasting.engine.hierarchy import hierarchy, wrmsse
from apps.forecasting.engine.models import make
from tests.unit.forecasting import shops

# Steps after the first sale: 2, -2 | 0, 4, -4 | 3, 0, -3: means of squares of 4, 32/3 and 6.
SALES = np.array([[0, 1, 3, 1], [2, 2, 6, 2], [1, 4, 4, 1]], dtype=np.float32)
CATEGORIES = np.array(["tea", "soap", "tea"])
MONEY = np.array([1.0, 2.0, 7.0])
ERROR = np.array([[1.0, -1.0], [4.0, 4.0], [-1.0, 1.0]])
KNOWN = np.ones((3, 2), dtype=bool)
EVERY_DAY = np.ones((3, 4), dtype=bool)


def test_each_level_is_that_of_the_formula_worked_out_by_hand() -> None:
    items, categories, total = hierarchy(SALES, EVERY_DAY, MONEY, [CATEGORIES])
    assert items.rmsse(ERROR, KNOWN) == pytest.approx([np.sqrt(1 / 4), np.sqrt(16 / (32 / 3)), np.sqrt(1 / 6)])
    # soap is the second item; tea sold 1, 5, 7, 2, steps 4, 2, -5, and its errors cancel out
    assert categories.rmsse(ERROR, KNOWN) == pytest.approx([np.sqrt(16 / (32 / 3)), 0.0])
    # all sold 3, 7, 13, 4, steps 4, 6, -9
    assert total.rmsse(ERROR, KNOWN) == pytest.approx([np.sqrt(16 / (133 / 3))])
    of_items = 0.1 * np.sqrt(1 / 4) + 0.2 * np.sqrt(1.5) + 0.7 * np.sqrt(1 / 6)
    whole = (of_items + 0.2 * np.sqrt(1.5) + np.sqrt(48 / 133)) / 3
    assert wrmsse([items, categories, total], ERROR, KNOWN) == pytest.approx(whole)


def test_a_day_without_stock_is_no_fall_in_sales_and_no_error() -> None:
    available = EVERY_DAY.copy()
    sales = SALES.copy()
    available[1, 2], sales[1, 2] = False, 0  # the second item's steps to and from that day are unknown
    known = KNOWN.copy()
    known[1, 0] = False
    error = np.where(known, ERROR, 0.0)
    items, categories, total = hierarchy(sales, available, MONEY, [CATEGORIES])
    assert items.scale == pytest.approx([4, 0, 6])
    assert np.isnan(items.rmsse(error, known)[1]), "it never moved on days that are known"
    assert total.scale == pytest.approx([(4**2 + 2**2 + 5**2) / 3])
    assert total.rmsse(error, known) == pytest.approx([np.sqrt(8 / 15)])
    of_items = (0.1 * np.sqrt(1 / 4) + 0.7 * np.sqrt(1 / 6)) / 0.8
    assert wrmsse([items, categories, total], error, known) == pytest.approx((of_items + 0.0 + np.sqrt(8 / 15)) / 3)


def test_what_never_sold_or_has_no_known_day_has_no_error() -> None:
    items, total = hierarchy(np.array([[0, 0, 0], [0, 0, 5], [0, 5, 2]], dtype=np.float32), EVERY_DAY[:, 1:], MONEY)
    assert np.isnan(items.rmsse(ERROR, KNOWN)).tolist() == [True, True, False]
    assert np.isnan(total.rmsse(np.zeros((3, 2)), ~KNOWN)).all()
    assert np.isnan(wrmsse([items, total], np.zeros((3, 2)), ~KNOWN))
    assert hierarchy(np.zeros((0, 3), dtype=np.float32), np.zeros((0, 3), dtype=bool), np.zeros(0)) == ()


def test_the_judge_weighs_items_categories_and_their_total_by_money() -> None:
    panel = shops.panel(n_series=20, n_days=140)
    cutoff = panel.dates[-29]
    [[found]] = backtest(panel, {"tsb": partial(make, "tsb")}, [cutoff], Grid(28)).table("wrmsse").to_numpy()
    known = panel.upto(cutoff)
    foretold = make("tsb").fit(known).predict(Grid(28)).daily_mean.astype(float)
    money = known.sales.sum(axis=1, dtype=float) * known.prices()  # 16 weeks: all that is known
    levels = []
    for labels in (known.ids, known.labels("category"), np.full(20, "all")):
        parts = []
        for name in set(labels):
            rows = np.flatnonzero(labels == name)
            sold, before = panel.sales[rows, -28:].sum(axis=0, dtype=float), known.sales[rows].sum(axis=0, dtype=float)
            scale = (np.diff(before[np.flatnonzero(before)[0] :]) ** 2).mean()
            error = np.sqrt(((foretold[rows].sum(axis=0) - sold) ** 2).mean() / scale)
            parts.append(error * money[rows].sum() / money.sum())
        levels.append(sum(parts))
    assert found == pytest.approx(np.mean(levels), rel=1e-5)
