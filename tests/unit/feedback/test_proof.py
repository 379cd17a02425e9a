"""The proof is honest: each side knows only what it lived, and both live the same."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest

from apps.feedback.pipeline import proof, scores
from apps.feedback.pipeline.proof import as_lived
from apps.forecasting.engine.backtest import BacktestResult
from apps.forecasting.engine.base import SERVED
from apps.forecasting.engine.grid import Grid
from apps.forecasting.pipeline.report import usual_range
from apps.optimization.engine.policies import View
from tests.unit.forecasting import shops

FIRST = 60


def view(day: int, sold: np.ndarray, sold_out: np.ndarray) -> View:
    return cast(View, SimpleNamespace(day=day, sold=sold, sold_out=sold_out))


@pytest.mark.parametrize("day", [1, 7, 30])
def test_the_replayed_shop_knows_its_own_sales_up_to_yesterday_and_which_days_ended_sold_out(day: int) -> None:
    stream = np.random.default_rng(2)
    demand = stream.poisson(4.0, (3, 91))
    whole = shops.panel_of(demand)
    sold = np.minimum(demand, 5)[:, : FIRST + day]
    sold_out = (demand >= 5)[:, FIRST : FIRST + day]
    known = as_lived(whole, FIRST, view(day, sold, sold_out))

    assert known.n_days == FIRST + day, "not a day that has not come yet"
    assert known.cutoff == whole.dates[FIRST + day - 1]
    np.testing.assert_array_equal(known.y[:, :FIRST], whole.y[:, :FIRST])
    lived = known.y[:, FIRST:]
    ended = np.full_like(known.y, np.nan) if known.sold_out is None else known.sold_out
    np.testing.assert_array_equal(ended[:, FIRST:], np.where(sold_out, sold[:, FIRST:], np.nan))
    assert (lived >= SERVED * sold[:, FIRST:]).all(), "what was sold on an evening with an empty shelf is the least"
    np.testing.assert_array_equal(lived[~sold_out], sold[:, FIRST:][~sold_out])

    later = shops.panel_of(np.where(np.arange(91) < FIRST, demand, 99))
    again = as_lived(later, FIRST, view(day, sold, sold_out))
    np.testing.assert_array_equal(again.y, known.y)


def test_the_replayed_shop_remembers_which_days_ended_sold_out_before_its_weeks() -> None:
    demand = 1 + np.random.default_rng(2).poisson(4.0, (3, 91))
    ended = np.zeros(demand.shape, dtype=bool)
    ended[0, 5] = ended[1, 70] = True
    whole = shops.panel_of(demand).with_sales(demand.astype(np.float32), np.ones(demand.shape, np.float32), ended)
    lived = np.zeros((3, 20), dtype=bool)
    known = as_lived(whole, FIRST, view(20, demand[:, : FIRST + 20], lived))
    assert known.sold_out is not None
    np.testing.assert_array_equal(np.argwhere(~np.isnan(known.sold_out)), [[0, 5]])
    assert known.sold_out[0, 5] == demand[0, 5]


def test_both_sides_meet_the_same_demand_stock_and_lead_times(monkeypatch: pytest.MonkeyPatch) -> None:
    """The replay draws lead times from its seed and the items' ids alone: with all else equal, they are the same."""
    asked: list[tuple[Any, ...]] = []

    def recorded(items: Any, stock: Any, demand: Any, policy: Any, *, history: Any, seed: int) -> Any:
        asked.append((items, stock, demand, history, seed))
        return SimpleNamespace()

    monkeypatch.setattr(proof, "replay", recorded)
    monkeypatch.setattr(proof, "difference", lambda ours, theirs, **_more: SimpleNamespace())
    monkeypatch.setattr(proof, "account", lambda *_all: {})
    monkeypatch.setattr(proof, "steady_stock", lambda shop, before: np.full(3, before.n_days))
    monkeypatch.setattr(scores, "departments", lambda panel: np.zeros(3))
    panel = shops.panel_of(np.arange(3 * 150).reshape(3, 150) % 7)
    shop = SimpleNamespace(panel=panel, items=pd.DataFrame(index=range(3)), limits=None,
                           units=lambda first: panel.sales[:, first:])
    proof.prove(shop, "tsb", Grid(28), lambda _share, _words: None)  # type: ignore[arg-type]
    ours, theirs = asked
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(one, other) if one is not None else None
    assert ours[0]["on_hand"].tolist() == [150 - 91] * 3, "the stock follows from the days before the first"
    assert ours[2].shape == (3, 91) and ours[3].shape == (3, 150 - 91)


def test_what_is_usual_is_a_95_percent_range_for_one_more_week() -> None:
    """Mean 0.30 and standard deviation 0.02 of five weeks; Student's t of 4 degrees of freedom is 2.776 (any table)."""
    spread = np.array([-1, -1, 0, 1, 1]) * 0.02
    scores = pd.DataFrame({"model": "tsb", "cutoff": pd.date_range("2024-01-07", periods=5, freq="7D"),
                           "segment_kind": "week", "segment": "1", "metric": "wape", "value": 0.3 + spread})
    empty = pd.DataFrame()
    found = usual_range(BacktestResult(scores, empty, empty, empty, 14), "tsb")
    assert found is not None
    reach = 2.776 * 0.02 * (1 + 1 / 5) ** 0.5
    assert (found["low"], found["high"]) == pytest.approx((0.3 - reach, 0.3 + reach), abs=1e-4)
