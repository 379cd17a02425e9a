"""Training finds what the newsvendor says, keeps what is as good, and looks at the last weeks once."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy import stats

from apps.optimization.engine.demand import Demand, IndependentDemand
from apps.optimization.engine.frames import Floats, InputError
from apps.optimization.engine.policies import Cover, OrderUpTo, Planned, Policy, View
from apps.optimization.engine.simulate import Difference
from apps.optimization.engine.training import Trained, Trainer, Validated, Window, abc_xyz, windows_of
from tests.unit.optimization.shops import items_frame

Units = NDArray[np.int64]
N, DAYS = 24, 182
CHOICES = (-0.5, 0.0, 0.5, 1.0, 1.5, 2.0, 2.5)
RATIOS = {"dear": 0.975, "cheap": 0.5}
"""Critical ratios: z of 1.96 and of 0."""


def knows_the_truth(spreads: Floats) -> Policy:
    """Orders up to mean + spreads x standard deviation of a day (Poisson demand of 100 a day)."""
    return OrderUpTo(Cover(lambda view, days: (100.0 * days, np.full(len(days), 10.0)), spreads))


def trainer(*, seed: int = 0, **changes: Any) -> Trainer:
    """Half the items lose much by a shortage and half little; without lead time, one review a day."""
    ratios = np.repeat(list(RATIOS.values()), N // 2)
    terms = {"lead_time_days": 0.0, "review_period_days": 1, "holding_cost_rate": 73.0}  # 1 a day
    items = items_frame(*[{**terms, "shortage_cost": ratio / (1 - ratio)} for ratio in ratios])
    given: dict[str, Any] = {
        "items": items, "demand": np.random.default_rng(seed).poisson(100.0, (N, DAYS)),
        "classes": np.repeat(list(RATIOS), N // 2), "make": knows_the_truth, "choices": CHOICES, "untrained": 1.0,
    }
    return Trainer(**given | changes)


WINDOWS = windows_of(DAYS, 3, 46, 14)


def test_what_is_chosen_is_the_newsvendors_answer_and_later_weeks_confirm_it() -> None:
    one = trainer()
    trained = one.train(WINDOWS[:-1])
    assert trained.chosen == {"cheap": 0.0, "dear": 2.0}
    assert trained.chosen["dear"] == pytest.approx(stats.norm.ppf(RATIOS["dear"]), abs=0.25)
    verdict = one.validate(trained, WINDOWS[-1])
    assert verdict.values == trained.chosen
    assert verdict.saved.low > 0
    assert verdict.saved.money == pytest.approx(sum(found.money for found in verdict.by_class.values()))
    assert all(found.level == pytest.approx(0.975) for found in verdict.by_class.values())
    tried = trained.tried
    assert len(tried) == 2 * len(CHOICES) * 2
    best = tried[tried["class"] == "dear"].groupby("value")["cost"].sum().idxmin()
    assert best == trained.chosen["dear"]


def test_what_is_as_good_stays() -> None:
    """120 (2.0) is the newsvendor's answer for the dear ones; that 119 or 121 won by a hair is no reason to change."""
    won = []
    dear = trainer().items.head(1)
    items = pd.concat([dear] * N).assign(unique_id=[f"item-{place}" for place in range(N)])
    for seed in range(4):
        one = trainer(seed=seed, untrained=2.0, choices=(1.9, 2.0, 2.1), items=items, classes=np.repeat("dear", N))
        trained = one.train(WINDOWS[:-1])
        verdict = one.validate(trained, WINDOWS[-1])
        won.append(trained.chosen["dear"])
        assert verdict.by_class["dear"].low <= 0
        assert verdict.values["dear"] == verdict.as_json()["classes"]["dear"]["value"] == 2.0
    assert {1.9, 2.1} & set(won), "chance chose something else at least once"


def test_where_all_together_saved_only_what_a_class_lost_by_stays() -> None:
    saved = Difference(50.0, 10.0, 90.0, 0.95)
    by_class = {"a": Difference(60.0, -5.0, 120.0, 0.97), "b": Difference(-10.0, -30.0, 5.0, 0.97)}
    trained = Trained(1.0, {"a": 0.5, "b": 2.0}, pd.DataFrame(), ())
    assert Validated(trained, WINDOWS[-1], saved, by_class).values == {"a": 0.5, "b": 1.0}
    unclear = Difference(50.0, -1.0, 90.0, 0.95)
    assert Validated(trained, WINDOWS[-1], unclear, by_class).values == {"a": 1.0, "b": 1.0}


def test_what_saved_in_every_one_of_four_windows_is_kept_and_in_all_but_one_is_not() -> None:
    def verdict(costs: list[float], later: float) -> dict[str, float]:
        tried = pd.DataFrame([{"class": "a", "value": value, "window": place, "cost": cost}
                              for place, chosen in enumerate(costs) for value, cost in ((1.0, 100.0), (2.0, chosen))])
        windows = tuple(windows_of(DAYS, len(costs), 20, 5))
        trained = Trained(1.0, {"a": 2.0}, tried, windows)
        saved = Difference(later, -50.0, 90.0, 0.95)
        return Validated(trained, Window(170, 10, 0), saved, {"a": saved}).values

    assert verdict([90.0, 80.0, 99.0], 5.0) == {"a": 2.0}
    assert verdict([90.0, 80.0, 101.0], 5.0) == {"a": 1.0}
    assert verdict([90.0, 80.0, 99.0], -5.0) == {"a": 1.0}
    assert verdict([90.0, 80.0], 5.0) == {"a": 1.0}, "three windows agree by chance too often"


def test_of_equals_the_nearest_to_the_untrained_is_chosen() -> None:
    nothing = np.zeros((N, DAYS), dtype=np.int64)
    one = trainer(make=lambda values: OrderUpTo(0), demand=nothing)
    assert set(one.train(WINDOWS[:-1]).chosen.values()) == {1.0}


def test_the_last_weeks_have_no_part_in_choosing() -> None:
    poisoned = np.random.default_rng(0).poisson(100.0, (N, DAYS))
    poisoned[:, WINDOWS[-1].first :] = 10_000
    ours, theirs = trainer().train(WINDOWS[:-1]), trainer(demand=poisoned).train(WINDOWS[:-1])
    assert ours.tried.equals(theirs.tried)


def test_a_window_is_validated_on_once() -> None:
    one = trainer()
    trained = one.train(WINDOWS[:1])
    one.validate(trained, WINDOWS[1])
    for again in (WINDOWS[1], Window(WINDOWS[1].first + 30, 10, 5)):
        with pytest.raises(InputError, match="was validated on before"):
            one.validate(trained, again)
    one.validate(trained, WINDOWS[2])
    later = trainer(used=[WINDOWS[1]])
    with pytest.raises(InputError, match="was validated on before"):
        later.validate(trained, WINDOWS[1])


@pytest.mark.parametrize(
    ("windows", "sentence"),
    [
        ([], "no window to train on"),
        ([Window(0, 40), Window(60, 40)], "from day 60 overlaps another one"),
        ([Window(150, 40)], "do not lie within the 182 days"),
        ([Window(0, 0)], "do not lie within the 182 days"),
    ],
)
def test_windows_that_cannot_be_trained_on_are_said(windows: list[Window], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        trainer().train(windows)


def test_each_item_needs_a_class() -> None:
    with pytest.raises(InputError, match="3 classes and demand of 24 items came for 24 items"):
        trainer(classes=np.repeat("all", 3))


def test_the_window_validated_on_lies_after_those_trained_on() -> None:
    one = trainer()
    trained = one.train(WINDOWS[1:2])
    for window in (WINDOWS[0], WINDOWS[1], Window(WINDOWS[1].end - 1, 20)):
        with pytest.raises(InputError, match="must lie after"):
            one.validate(trained, window)


def test_windows_follow_each_other_to_the_last_day() -> None:
    assert windows_of(100, 3, 20, 10) == [Window(10, 20, 10), Window(40, 20, 10), Window(70, 20, 10)]
    assert windows_of(100, 3, 20, 10)[-1].end == 100
    with pytest.raises(InputError, match="do not fit"):
        windows_of(89, 3, 20, 10)


def test_the_same_seed_gives_the_same_and_all_of_it_is_json() -> None:
    told = []
    for _again in range(2):
        one = trainer()
        told.append(json.dumps(one.validate(one.train(WINDOWS[:-1]), WINDOWS[-1]).as_json(), allow_nan=False))
    assert told[0] == told[1]
    read = json.loads(told[0])
    assert read["classes"]["dear"]["chosen"] == 2.0
    assert set(read["classes"]["dear"]["tried"]) == {str(value) for value in CHOICES}
    assert read["validated_on"]["first"] == WINDOWS[-1].first


def test_a_plan_whose_forecast_is_too_sure_learns_that_shortages_cost_more() -> None:
    """Demand swings by the week; a forecast that thinks it Poisson buffers too little."""
    generator = np.random.default_rng(1)
    level = np.repeat(generator.gamma(1.0, 3.0, (12, 16)), 7, axis=1)
    demand = generator.poisson(level)

    def too_sure(view: View) -> Demand:
        return IndependentDemand(np.full((12, 14), 3.0), n_paths=40)

    items = items_frame(*[{"lead_time_days": 2.0, "holding_cost_rate": 2.0}] * 12)
    one = Trainer(items, demand, np.repeat("all", 12), lambda values: Planned(too_sure, shortage=values),
                  (1.0, 8.0), 1.0)
    trained = one.train([Window(0, 42, 14)])
    assert trained.chosen == {"all": 8.0}
    verdict = one.validate(trained, Window(56, 42, 14))
    assert verdict.saved.money > 0


def test_classes_are_shares_of_money_and_swings_of_weeks() -> None:
    steady = np.tile([1, 1, 1, 1, 1, 1, 1], 26)
    rare = np.zeros(182, dtype=np.int64)
    rare[170] = 7
    swings = np.repeat([0, 3, 1, 2, 1, 0, 2, 0, 3, 1, 2, 1, 0] * 2, 7)
    sold = np.stack([steady, steady, rare, np.zeros_like(rare), swings])
    price = np.array([100.0, 20.0, 3.0, 5.0, 0.01])
    assert abc_xyz(price, sold).tolist() == ["AX", "BX", "CZ", "CZ", "CY"]
    assert abc_xyz(price, sold[:, :3]).tolist()[0] == "AZ"
