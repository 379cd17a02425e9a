"""What is told beside sales is used where it helps, and not where it does not."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import pytest

from apps.forecasting.engine.backtest import backtest, rolling_cutoffs
from apps.forecasting.engine.base import HOLIDAYS, Forecaster, Grid, Panel
from apps.forecasting.engine.models import make
from apps.forecasting.engine.signals import signals_of, weigh
from tests.unit.forecasting import shops

QUICK = {"rounds": 40, "rows_in_leaf": 20}


def quick(without: Sequence[str]) -> Forecaster:
    return make("lightgbm", without=without, **QUICK)


def told_more(panel: Panel, **more: np.ndarray) -> Panel:
    """The panel with other covariates, none of them known ahead but those that were."""
    return dataclasses.replace(panel, covariates={**panel.covariates, **more})


def test_a_mailer_that_doubles_sales_is_used_and_noise_in_its_place_is_weighed_alone() -> None:
    panel = shops.panel(n_series=60, n_days=182)
    told: list[str] = []
    found = {one.name: one for one in weigh(panel, quick, rolling_cutoffs(panel, 2),
                                            on_progress=lambda _done, words: told.append(words))}  # fmt: skip
    assert set(found) == {"mailer", "display", HOLIDAYS}
    assert found["mailer"].is_used
    assert found["mailer"].gain > 0.02 and found["mailer"].gain == max(one.gain for one in found.values())
    assert found["mailer"].missed > 0
    assert all(one.is_used or one.gain <= 0 for one in found.values())
    assert any(words.startswith("without mailer: ") for words in told)


def test_what_is_left_out_is_neither_learned_from_nor_looked_at() -> None:
    """Lies told of a signal that is left out change no forecast by one bit."""
    panel = shops.panel(n_series=30, n_days=182)
    without = ["display", "mailer", HOLIDAYS]
    usual = quick(without).fit(panel).predict(Grid(28))
    stream = np.random.default_rng(1)
    lies = {name: stream.random(values.shape).astype(np.float32) for name, values in panel.covariates.items()}
    lied_to = dataclasses.replace(panel, covariates=lies, country="DE")
    model = quick(without).fit(lied_to)
    np.testing.assert_array_equal(model.predict(Grid(28)).mean, usual.mean)
    again = type(model).from_artifact(model.to_artifact())
    np.testing.assert_array_equal(again.predict(Grid(28), panel).mean, usual.mean)
    assert (quick([]).fit(panel).predict(Grid(28)).mean != usual.mean).any()


def test_signals_are_what_a_panel_holds_and_the_unforeseen_part_goes_with_its_whole() -> None:
    panel = shops.panel(n_series=4, n_days=70)
    nothing = np.zeros_like(panel.covariates["mailer"])
    more = told_more(panel, mailer_unforeseen=panel.covariates["mailer"], other=nothing)
    assert signals_of(more) == {
        "display": ("display",), "mailer": ("mailer", "mailer_unforeseen"), HOLIDAYS: (HOLIDAYS,)}  # fmt: skip
    assert signals_of(dataclasses.replace(panel, country=None, covariates={})) == {}
    assert weigh(dataclasses.replace(panel, country=None, covariates={}), quick, rolling_cutoffs(panel, 1)) == []
    assert weigh(panel.before(20), quick, rolling_cutoffs(panel.before(20), 1)) == [], "too little history to weigh by"


def test_a_gain_is_the_loss_of_the_judge_with_and_without() -> None:
    panel = shops.panel(n_series=30, n_days=182)
    cutoffs = rolling_cutoffs(panel, 2)
    [mailer] = [one for one in weigh(panel, quick, cutoffs) if one.name == "mailer"]
    both = {"with": lambda: quick([]), "without": lambda: quick(["mailer"])}
    loss = backtest(panel, both, cutoffs).table("scaled_pinball").mean(axis=1)
    assert mailer.gain == pytest.approx(loss["without"] / loss["with"] - 1)


def test_a_signal_without_gain_is_not_used_and_neither_are_all_of_them_together() -> None:
    panel = shops.panel(n_series=20, n_days=140)
    found = weigh(panel, lambda _without: make("tsb"), rolling_cutoffs(panel, 2))  # it looks at none of them
    assert {one.name for one in found} == {"display", "mailer", HOLIDAYS}
    assert all(one.gain == 0 and not one.is_used for one in found)


def test_of_two_signals_that_tell_the_same_one_is_kept() -> None:
    """Either of them is enough: without both, it errs as the mean of last week's day again."""
    panel = shops.panel(n_series=20, n_days=140)

    def either(without: Sequence[str]) -> Forecaster:
        return make("seasonal_naive" if {"display", "mailer"} <= set(without) else "eight_week_mean")

    found = {one.name: one for one in weigh(panel, either, rolling_cutoffs(panel, 2))}
    assert all(one.gain == 0 for one in found.values())
    assert sum(not one.is_used for one in found.values()) == 1


def test_fortnights_without_a_sale_have_no_share_missed_and_stop_nothing() -> None:
    sales = np.zeros((2, 140), dtype=np.float32)
    sales[:, :40:3] = 1
    panel = dataclasses.replace(shops.panel_of(sales), country="US")
    [holidays] = weigh(panel, lambda _without: make("tsb"), rolling_cutoffs(panel, 2))
    assert holidays.missed == 0
