"""A search keeps its budget, sees nothing of what proves it, and changes the defaults for a clear gain only."""

import math
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from apps.forecasting.engine.automatic import Clock, OutOfTime
from apps.forecasting.engine.backtest import backtest
from apps.forecasting.engine.base import OnProgress, Panel, silent
from apps.forecasting.engine.frames import NotEnoughHistory, NothingToLearn
from apps.forecasting.engine.models import MODELS, make, model_class
from apps.forecasting.engine.tuning import (
    NEEDED_GAIN,
    STANDARD_ERRORS,
    NothingToTune,
    Tuned,
    _Judge,
    compared,
    tunable,
    tune,
)
from tests.unit.forecasting import shops

TUNABLE = [name for name in MODELS if getattr(model_class(name), "knobs", None)]
Loss = Callable[[dict[str, Any], int], float]


@pytest.fixture(scope="module")
def panel() -> Panel:
    return shops.panel(n_series=24, n_days=140)


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch, panel: Panel) -> Callable[[Loss], list[tuple[dict[str, Any], int]]]:
    """Let losses be a formula of the settings and of how many days ago the cutoff was; returns what was asked for."""

    def by(loss: Loss) -> list[tuple[dict[str, Any], int]]:
        asked: list[tuple[dict[str, Any], int]] = []

        def losses(self: _Judge, seen: Panel, day: np.datetime64, settings: Sequence[dict[str, Any]],
                   on_progress: OnProgress) -> tuple[list[np.ndarray], np.ndarray]:
            on_progress(0.0, "begun")
            back = int((panel.cutoff - day).astype(int))
            asked.extend((each, back) for each in settings)
            on_progress(1.0, "done")
            return [np.linspace(0.9, 1.1, 24) * loss({"penalty": 0.001, "origins": 20, **each}, back)
                    for each in settings], seen.labels("category")

        monkeypatch.setattr(_Judge, "losses", losses)
        return asked

    return by


def off(settings: dict[str, Any], back: int) -> float:
    """Ridge does best with a penalty of 0.03: the defaults lose a third by it."""
    return 1 + (math.log10(settings["penalty"]) - math.log10(0.03)) ** 2 / 6


@pytest.mark.parametrize("name", TUNABLE)
def test_knobs_are_of_the_constructor_and_the_defaults_lie_between_their_ends(name: str) -> None:
    kind = tunable(name)
    assert kind.knobs.keys() <= {stored.name for stored in fields(kind) if stored.init} - {"threads", "seed"}
    for knob_name, knob in kind.knobs.items():
        assert knob.low < getattr(kind, knob_name) < knob.high
        assert knob.is_whole == isinstance(getattr(kind, knob_name), int)
        assert knob.low > 0 or not knob.by_factors


def test_trained_trees_lines_and_forests_can_be_tuned_and_others_say_so() -> None:
    assert {"ridge", "decision_tree", "random_forest", "lightgbm", "lightgbm_daily"} == set(TUNABLE)
    for name in ("tsb", "blend", "auto", "nonsense"):
        with pytest.raises(NothingToTune, match=f"{name} has no settings to search"):
            tunable(name)


def test_the_defaults_come_first_and_a_better_setting_is_found_and_proved(panel: Panel, judged: Any) -> None:
    asked = judged(off)
    found = tune(panel, "ridge", trials=25)
    assert found.trials[0].settings == {"penalty": 0.001, "origins": 20}
    assert found.outcome == "kept"
    assert found.parameters == min((each for each in found.trials if each.is_done), key=lambda each: each.loss).settings
    assert abs(math.log10(found.parameters["penalty"] / 0.03)) < 0.5
    assert found.gain == pytest.approx(found.found_gain)
    assert found.found_gain > 0.2
    assert {back for _settings, back in asked[:-2]} == {28, 42}
    assert [back for _settings, back in asked[-2:]] == [14, 14]
    assert "kept" not in found.words and "+" in found.words and "penalty" in found.words


def test_what_does_not_win_at_the_later_cutoff_changes_nothing(panel: Panel, judged: Any) -> None:
    judged(lambda settings, back: off(settings, back) if back > 14 else 1.0)
    found = tune(panel, "ridge", trials=15)
    assert (found.outcome, found.parameters, found.gain) == ("not_proved", {}, 0.0)
    assert found.found_gain > 0.1
    assert "not clear enough, so the defaults stay" in found.words


def test_where_nothing_beats_the_defaults_no_proof_is_made(panel: Panel, judged: Any) -> None:
    asked = judged(lambda settings, back: 1 + abs(math.log(settings["penalty"] / 0.001)))
    found = tune(panel, "ridge", trials=8)
    assert (found.outcome, found.parameters, found.gain) == ("none_better", {}, None)
    assert 14 not in {back for _settings, back in asked}


@pytest.mark.parametrize("trials", [1, 2])
def test_a_search_whose_time_was_not_out_does_not_say_so(panel: Panel, judged: Any, trials: int) -> None:
    judged(lambda settings, back: 1 + abs(math.log(settings["penalty"] / 0.001)))
    found = tune(panel, "ridge", trials=trials)
    assert (found.outcome, found.parameters, len(found.trials)) == ("none_better", {}, trials)
    assert "no time" not in found.words


def test_what_does_worse_than_half_at_the_first_cutoff_is_given_up_there(panel: Panel, judged: Any) -> None:
    judged(lambda settings, back: 1 + abs(math.log(settings["penalty"] / 0.001)))
    found = tune(panel, "ridge", trials=8)
    assert [len(trial.losses) for trial in found.trials] == [2] + 7 * [1]
    assert "8 settings were tried at 2 past cutoffs, 7 of them given up early" in found.words


def test_the_same_seed_finds_the_same(panel: Panel, judged: Any) -> None:
    judged(off)
    assert tune(panel, "ridge", trials=12, seed=4) == tune(panel, "ridge", trials=12, seed=4)
    assert tune(panel, "ridge", trials=12, seed=4) != tune(panel, "ridge", trials=12, seed=5)


class Words(Clock):
    """Time that passes by words of progress alone; it takes note of words that come when it is over."""

    def __init__(self, left: float) -> None:
        super().__init__(left)
        self.spent, self.late = 0.0, 0

    def until(self, share: float, tell: OnProgress, start: float, end: float) -> OnProgress:
        assert self.seconds is not None
        whole = self.seconds

        def told(done: float, words: str) -> None:
            self.spent += 1
            self.late += self.spent > whole + 1
            if self.spent > share * whole:
                raise OutOfTime
            tell(start + (end - start) * done, words)

        return told


@pytest.mark.parametrize("left", [1, 3, 5, 8, 12, 20, 40, 75, 200])
def test_the_budget_is_kept_to_a_word_and_a_search_without_a_proof_keeps_the_defaults(
    panel: Panel, judged: Any, left: int
) -> None:
    asked = judged(off)
    clock, heard = Words(left), []
    found = tune(panel, "ridge", clock=clock, on_progress=lambda done, _words: heard.append(done))
    assert clock.late == 0 and clock.spent <= left + 1
    assert heard == sorted(heard) and all(0 <= done <= 1 for done in heard)
    assert bool(found.parameters) == (found.outcome == "kept")
    if left <= 5:
        assert found.outcome == "out_of_time" and "no time for more" in found.words
    if found.outcome == "kept":
        assert [back for _settings, back in asked[-2:]] == [14, 14]


def test_a_long_budget_ends_with_the_trials_and_a_cancelled_search_ends_at_once(panel: Panel, judged: Any) -> None:
    asked = judged(off)
    assert len(tune(panel, "ridge", trials=5, clock=Words(10_000)).trials) == 5

    class Cancelled(Exception):
        pass

    def cancel(done: float, words: str) -> None:
        raise Cancelled

    asked.clear()
    with pytest.raises(Cancelled):
        tune(panel, "ridge", on_progress=cancel)
    assert asked == []


def with_later_sales(panel: Panel, days: int, seed: int) -> Panel:
    """The panel with its last `days` days sold quite otherwise."""
    y = panel.y.copy()
    y[:, panel.n_days - days :] = np.random.default_rng(seed).poisson(1000.0, (panel.n_series, days))
    covariates = dict(panel.covariates)
    display = covariates["display"].copy()
    display[:, panel.n_days - days : panel.n_days] = 7.0
    return replace(panel, y=y, covariates={**covariates, "display": display})


@pytest.mark.parametrize("name", ["ridge", "lightgbm"])
def test_the_search_sees_nothing_of_what_proves_it_and_the_proof_nothing_later(panel: Panel, name: str) -> None:
    def searched(of: Panel) -> Tuned:
        return tune(of, name, trials=3)

    clean, blind = searched(panel), searched(with_later_sales(panel, 14, 1))
    assert clean.trials == blind.trials
    assert clean.proved_on == blind.proved_on == panel.dates[-15]
    assert all(day <= panel.dates[-29] for day in clean.searched_on)
    assert clean.trials != searched(with_later_sales(panel, 28, 1)).trials


def test_losses_are_those_of_the_backtest_and_settings_trained_at_once_are_told_apart(panel: Panel) -> None:
    day = panel.dates[-29]
    both: list[dict[str, Any]] = [{}, {"penalty": 0.1, "origins": 5}]
    result = backtest(panel, {str(len(each)): partial(make, "ridge", **each) for each in both}, [day])
    for threads in (1, 2):
        found, categories = _Judge("ridge", 14, threads, 1).losses(panel, day, both, silent)
        assert categories.tolist() == panel.labels("category").tolist()
        assert [loss.mean() for loss in found] == pytest.approx(
            result.table("scaled_pinball")[day].loc[["0", "2"]].to_list())
    [searched] = tune(panel, "ridge", trials=1).trials
    table = backtest(panel, {"ridge": partial(make, "ridge")}, [panel.dates[-43], panel.dates[-29]]).table(
        "scaled_pinball")
    assert list(searched.losses) == pytest.approx(table.to_numpy()[0].tolist())


def test_too_little_history_and_no_sales_are_said() -> None:
    with pytest.raises(NotEnoughHistory, match="Tuning ridge needs 98 days of history and there are 97"):
        tune(shops.panel(n_days=97), "ridge")
    with pytest.raises(NothingToLearn):
        tune(shops.panel_of(np.zeros((3, 140))), "ridge", trials=2)


def apart(losses: np.ndarray) -> np.ndarray:
    """A category for each series."""
    return np.arange(len(losses)).astype(str)


losses = st.lists(st.floats(0.01, 10), min_size=2, max_size=30).map(np.array)


@given(losses, st.floats(0.001, 0.5))
def test_the_same_share_saved_of_every_series_is_the_gain_and_clear_where_it_is_large_enough(
    usual: np.ndarray, share: float
) -> None:
    gain, _ = compared(usual, usual * (1 - share), apart(usual))
    assert gain == pytest.approx(share)
    even = np.full(50, 2.0)
    gain, is_clear = compared(even, even * (1 - share), apart(even))
    assert is_clear == (gain >= NEEDED_GAIN)


@given(losses, losses)
def test_no_gain_is_clear_in_both_directions_and_none_over_itself(one: np.ndarray, other: np.ndarray) -> None:
    count = min(len(one), len(other))
    one, other = one[:count], other[:count]
    assert not (compared(one, other, apart(one))[1] and compared(other, one, apart(one))[1])
    assert compared(one, one, apart(one)) == (0.0, False)


def test_one_series_alone_or_one_lucky_series_proves_nothing() -> None:
    assert not compared(np.array([2.0]), np.array([1.0]), np.array([""]))[1]
    usual = np.ones(50)
    lucky = usual.copy()
    lucky[0] = 0.0
    gain, is_clear = compared(usual, lucky, apart(usual))
    assert gain == pytest.approx(0.02)
    assert not is_clear


@given(st.lists(st.floats(-0.3, 0.6), min_size=2, max_size=12).map(np.array), st.integers(2, 40))
def test_series_of_a_category_that_gain_alike_count_as_one_where_there_are_six_categories(
    saved: np.ndarray, times: int
) -> None:
    """Textbook's standard error of the mean: of categories where these are enough, else of series."""
    usual = np.full(len(saved) * times, 1.0)
    copied = np.repeat(saved, times)
    drawn = saved if len(saved) > 5 else copied
    lowest = STANDARD_ERRORS * drawn.std(ddof=1) / np.sqrt(len(drawn))
    assume(abs(saved.mean() - lowest) > 1e-9 and abs(saved.mean() - NEEDED_GAIN) > 1e-9)
    _gain, is_clear = compared(usual, usual - copied, np.repeat([f"c{place}" for place in range(len(saved))], times))
    assert is_clear == (saved.mean() > max(lowest, NEEDED_GAIN))


def test_two_lucky_categories_of_eight_prove_nothing_however_many_series_they_have() -> None:
    usual, categories = np.ones(800), np.repeat([f"c{place}" for place in range(8)], 100)
    tuned = np.where(np.isin(categories, ["c2", "c5"]), 0.8, 1.0)
    assert not compared(usual, tuned, categories)[1]
    assert compared(usual, tuned, np.full(800, "all"))[1], "as if each series were by itself"
