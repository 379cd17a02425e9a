"""A challenger becomes champion for a gain that is large, sure and costs nobody, and for nothing less."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from apps.forecasting.engine.backtest import BacktestResult
from apps.forecasting.engine.selection import beside_baselines, choose_champion

N_SERIES = 200


def result(
    losses: dict[str, float],
    *,
    n_cutoffs: int = 5,
    noise: float = 0.02,
    top: dict[str, float] | None = None,
    inside_80: dict[str, float] | None = None,
    last: dict[str, float] | None = None,
    by_cutoff: dict[str, list[float]] | None = None,
    by_kind: dict[str, list[float]] | None = None,
) -> BacktestResult:
    """Return a backtest in which each model loses so much on average; `top` on the tenth with the most money.

    by_cutoff, by_kind: factors on a model's loss at each cutoff, and of each of the ten categories.
    """
    stream = np.random.default_rng(1)
    cutoffs = pd.date_range("2024-01-07", periods=n_cutoffs, freq="14D")
    money = np.linspace(1, 1000, N_SERIES)
    series, scores = [], []
    for place, cutoff in enumerate(cutoffs):
        hardness = stream.gamma(20, 1 / 20, N_SERIES)
        for model, loss in losses.items():
            mean = (last or {}).get(model, loss) if cutoff == cutoffs[-1] else loss
            each = hardness * mean * (1 + noise * stream.standard_normal(N_SERIES))
            each *= (by_cutoff or {}).get(model, [1.0] * n_cutoffs)[place]
            each *= np.resize((by_kind or {}).get(model, [1.0]), N_SERIES)
            if top and model in top:
                each[-N_SERIES // 10 :] *= top[model]
            series.append(
                pd.DataFrame(
                    {
                        "model": model,
                        "cutoff": cutoff,
                        "unique_id": [f"item-{number}" for number in range(N_SERIES)],
                        "category": [f"category-{number % 10}" for number in range(N_SERIES)],
                        "abc": "A",
                        "actual": 1.0,
                        "forecast": 1.0,
                        "pinball": each,
                        "scale": 1.0,
                        "money": money,
                        "inside_50": 0.5,
                        "inside_80": (inside_80 or {}).get(model, 0.8),
                        "inside_95": 0.95,
                    }
                )
            )
            scores += [(model, cutoff, "all", "all", metric, each.mean()) for metric in ("sum_wape", "scaled_pinball")]
    columns = ["model", "cutoff", "segment_kind", "segment", "metric", "value"]
    empty = pd.DataFrame()
    return BacktestResult(pd.DataFrame(scores, columns=columns), pd.concat(series), empty, empty, 14)


BASE = {"weekday_mean": 1.05, "eight_week_mean": 1.02, "tsb": 1.0}


def test_a_clear_gain_promotes_and_the_reason_has_its_figures() -> None:
    verdict = choose_champion(result(BASE | {"lightgbm": 0.9}), None, ["lightgbm"])
    assert (verdict.champion, verdict.outcome, verdict.best_baseline) == ("lightgbm", "promoted", "tsb")
    assert verdict.trials[0].gain == pytest.approx(0.10, abs=0.01)
    assert verdict.trials[0].gain_low < verdict.trials[0].gain < verdict.trials[0].gain_high
    assert "+10." in verdict.reason or "+9." in verdict.reason


def test_scores_are_published_from_a_later_cutoff_than_those_that_chose() -> None:
    backtested = result(BASE | {"lightgbm": 0.9}, last={"lightgbm": 5.0})
    verdict = choose_champion(backtested, None, ["lightgbm"])
    assert verdict.champion == "lightgbm"
    assert verdict.published_on == backtested.cutoffs[-1]
    assert verdict.published_on > max(verdict.chosen_on)
    assert set(verdict.published["cutoff"]) == {verdict.published_on}


def test_a_gain_under_one_percent_is_too_small() -> None:
    verdict = choose_champion(result(BASE | {"lightgbm": 0.995}, noise=0.001), None, ["lightgbm"])
    assert (verdict.champion, verdict.outcome) == ("tsb", "baseline")
    assert "a gain of 1% is needed" in verdict.reason


def test_a_gain_that_could_be_chance_is_refused() -> None:
    losses = {"weekday_mean": 2.0, "eight_week_mean": 2.0, "tsb": 1.0, "lightgbm": 0.98}
    verdict = choose_champion(result(losses, noise=1.5), None, ["lightgbm"])
    assert (verdict.champion, verdict.outcome) == ("tsb", "baseline")
    assert "its gain could be chance" in verdict.reason


@pytest.mark.parametrize("spread", [{"by_cutoff": {"lightgbm": [0.7, 0.7, 0.7, 1.6, 1.0]}},
                                    {"by_kind": {"lightgbm": [0.7] * 8 + [1.9] * 2}}], ids=["cutoffs", "categories"])
def test_a_gain_that_hangs_on_a_few_weeks_or_kinds_of_item_could_be_chance(spread: dict[str, Any]) -> None:
    """Both gain about 7 % on average, surely so if series were independent; which weeks or kinds come next is open."""
    verdict = choose_champion(result({**BASE, "lightgbm": 1.0}, **spread), None, ["lightgbm"])
    assert verdict.trials[0].gain > 0.05
    assert verdict.trials[0].gain_low < 0 and "its gain could be chance" in verdict.reason
    sure = choose_champion(result({**BASE, "lightgbm": 0.93}), None, ["lightgbm"])
    assert sure.champion == "lightgbm"


def test_the_more_are_tried_the_surer_a_gain_has_to_be() -> None:
    """Ten tries at 95 % find something in two of five shops where nothing is: each is held to 99.5 %."""
    factors = {"lightgbm": [0.84, 0.97, 0.9, 1.03, 1.0]}
    alone = choose_champion(result({**BASE, "lightgbm": 1.0}, by_cutoff=factors), None, ["lightgbm"])
    others = {f"other-{number}": 1.2 for number in range(9)}
    many = choose_champion(result({**BASE, "lightgbm": 1.0, **others}, by_cutoff=factors), None, ["lightgbm", *others])
    first = next(trial for trial in many.trials if trial.candidate == "lightgbm")
    assert first.gain == pytest.approx(alone.trials[0].gain, abs=0.01)
    width, usual = first.gain_high - first.gain_low, alone.trials[0].gain_high - alone.trials[0].gain_low
    assert width / usual == pytest.approx(stats.norm.ppf(0.9975) / stats.norm.ppf(0.975), abs=0.2)


def test_losing_on_the_items_with_the_most_money_is_refused() -> None:
    verdict = choose_champion(result(BASE | {"lightgbm": 0.9}, top={"lightgbm": 1.3}), None, ["lightgbm"])
    assert (verdict.champion, verdict.outcome) == ("tsb", "baseline")
    assert "may lose at most 5%" in verdict.reason


def test_bands_that_do_not_hold_what_they_say_are_refused() -> None:
    verdict = choose_champion(result(BASE | {"lightgbm": 0.9}, inside_80={"lightgbm": 0.5}), None, ["lightgbm"])
    assert verdict.champion == "tsb"
    assert "50% of sums fall inside its 80% band" in verdict.reason


def test_fewer_than_four_choosing_cutoffs_leave_the_best_baseline() -> None:
    verdict = choose_champion(result(BASE | {"lightgbm": 0.5}, n_cutoffs=4), None, ["lightgbm"])
    assert (verdict.champion, verdict.outcome) == ("tsb", "too_few_cutoffs")


def test_the_champion_stays_unless_the_challenger_beats_it_too() -> None:
    backtested = result(BASE | {"lightgbm": 0.9, "keras_lstm": 0.899})
    verdict = choose_champion(backtested, "lightgbm", ["keras_lstm"])
    assert (verdict.champion, verdict.outcome) == ("lightgbm", "kept")
    verdict = choose_champion(result(BASE | {"lightgbm": 0.9, "keras_lstm": 0.8}), "lightgbm", ["keras_lstm"])
    assert (verdict.champion, verdict.outcome) == ("keras_lstm", "promoted")


def test_a_champion_that_no_longer_beats_the_best_baseline_gives_way() -> None:
    verdict = choose_champion(result(BASE | {"lightgbm": 1.1}), "lightgbm", [])
    assert (verdict.champion, verdict.outcome) == ("tsb", "baseline")


def test_between_equals_the_simpler_wins() -> None:
    backtested = result(BASE | {"keras_lstm": 0.899, "lightgbm": 0.9})
    verdict = choose_champion(
        backtested, None, ["keras_lstm", "lightgbm"], complexity={"keras_lstm": 20, "lightgbm": 10}
    )
    assert verdict.champion == "lightgbm"


def test_a_challenger_scored_at_one_cutoff_only_takes_no_part() -> None:
    backtested = result(BASE | {"lightgbm": 0.9, "keras_lstm": 0.5})
    keep = (backtested.series["model"] != "keras_lstm") | (backtested.series["cutoff"] == backtested.cutoffs[0])
    partly = BacktestResult(
        backtested.scores, backtested.series[keep], backtested.seconds, backtested.notes, backtested.sum_days
    )
    assert choose_champion(partly, None, ["lightgbm", "keras_lstm"]).champion == "lightgbm"


def test_nothing_scored_is_a_named_outcome() -> None:
    empty = result(BASE)
    nothing = BacktestResult(empty.scores[:0], empty.series[:0], empty.seconds, empty.notes, 14)
    verdict = choose_champion(nothing, None, ["lightgbm"])
    assert (verdict.champion, verdict.outcome, verdict.published_on) == ("eight_week_mean", "nothing_scored", None)


def test_beside_the_baselines_each_cutoff_is_told_apart() -> None:
    table = beside_baselines(result(BASE | {"lightgbm": 0.9}, last={"lightgbm": 2.0}), "lightgbm")
    assert len(table) == 10
    assert table["is_better"].sum() == 8
    assert set(table["baseline"]) == {"tsb"}
