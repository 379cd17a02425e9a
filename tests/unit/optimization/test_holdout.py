"""Randomised holdouts: substitutes share a fate, chance is called chance, and what is said to be seen is seen."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd
import pytest

from apps.optimization.engine.frames import InputError
from apps.optimization.engine.holdout import CUT, HELD_OUT, LEFT_OUT, hold_out, measure

GROUPS, EACH, PAST, TEST = 40, 2, 24, 4


def shop(stream: np.random.Generator, uplift: float = 0.0, seed: int = 0) -> tuple[float, float, float, float]:
    """One test from start to end: smallest uplift seen, p-value, interval."""
    n = GROUPS * EACH
    level = stream.gamma(2, 4, n)[:, None] * np.exp(0.15 * stream.standard_normal((n, PAST + TEST)))
    items = pd.DataFrame({"unique_id": np.arange(n), "group": np.arange(n) % GROUPS})
    horizon = PAST + TEST
    weeks = pd.DataFrame({"unique_id": np.repeat(np.arange(n), horizon), "week": np.tile(np.arange(horizon), n)})
    past = weeks["week"] < PAST
    units = stream.poisson(level)
    held = hold_out(items, weeks[past].assign(units=units.ravel()[past]), test_weeks=TEST, seed=seed)
    cut = (held.table["arm"] == CUT).to_numpy()
    units[cut, PAST:] = stream.poisson(level[cut, PAST:] * (1 + uplift))
    found = measure(held, weeks.assign(units=units.ravel()))
    return held.smallest_uplift, found.p_value, found.low, found.high


def test_chance_is_rarely_taken_for_an_uplift() -> None:
    stream = np.random.default_rng(1)
    runs = np.array([shop(stream, seed=seed) for seed in range(200)])
    alarms = (runs[:, 1] < 0.05).mean()
    assert 0.015 < alarms < 0.095  # 5 %, and some three standard errors
    assert ((runs[:, 2] > 0) | (runs[:, 3] < 0)).mean() == pytest.approx(alarms, abs=0.006)  # the interval agrees


def test_the_smallest_uplift_is_seen_as_often_as_said() -> None:
    stream = np.random.default_rng(2)
    smallest = float(np.median([shop(stream, seed=seed)[0] for seed in range(20)]))
    runs = np.array([shop(stream, smallest, seed) for seed in range(120)])
    assert 0.70 < (runs[:, 1] < 0.05).mean() < 0.90  # 80 %
    assert ((runs[:, 2] <= smallest) & (smallest <= runs[:, 3])).mean() > 0.90


def frames(n: int = 12, weeks: int = 16) -> tuple[pd.DataFrame, pd.DataFrame]:
    stream = np.random.default_rng(0)
    ids = [f"item-{row}" for row in range(n)]
    items = pd.DataFrame({"unique_id": ids, "group": [f"g{row // 2}" for row in range(n)]})
    long = pd.DataFrame({"unique_id": np.repeat(items["unique_id"], weeks), "week": np.tile(np.arange(weeks), n),
                         "units": stream.poisson(20, n * weeks)})
    return items, long


def test_substitutes_share_a_fate_and_each_pair_has_both() -> None:
    items, weeks = frames()
    table = hold_out(items, weeks).table
    assert (table.groupby("group")["arm"].nunique() == 1).all()
    sides = table.drop_duplicates("group").groupby("pair")["arm"].agg(set)
    assert sides.tolist() == [{CUT, HELD_OUT}] * 3


def test_the_coin_is_fair_and_the_seed_decides() -> None:
    items, weeks = frames()
    arms = [tuple(hold_out(items, weeks, seed=seed).table["arm"]) for seed in range(100)]
    assert arms[3] == tuple(hold_out(items, weeks, seed=3).table["arm"])
    first = Counter(each[0] for each in arms)
    assert 33 < first[CUT] < 67
    assert len(set(arms)) == 8  # three coins


def test_pairs_are_alike_and_who_sells_too_little_is_left_out() -> None:
    items, weeks = frames()
    size = {"g0": 40, "g1": 1, "g2": 39, "g3": 0, "g4": 2, "g5": 0.05}
    group = weeks["unique_id"].map(items.set_index("unique_id")["group"])
    table = hold_out(items, weeks.assign(units=group.map(size))).table.drop_duplicates("group").set_index("group")
    assert table["pair"].to_dict() == {"g0": 0, "g1": 1, "g2": 0, "g3": -1, "g4": 1, "g5": -1}
    assert table["arm"][["g3", "g5"]].tolist() == [LEFT_OUT] * 2


def test_an_item_without_a_group_stands_alone() -> None:
    items, weeks = frames()
    held = hold_out(items.assign(group=None), weeks)
    assert held.pairs == 6
    assert held.table["group"].nunique() == 12


def test_a_longer_past_and_more_pairs_see_smaller_uplifts() -> None:
    items, weeks = frames(n=16, weeks=40)
    few, many = (frames(n=n, weeks=40) for n in (16, 160))
    assert hold_out(*many).smallest_uplift < hold_out(*few).smallest_uplift / 2
    assert hold_out(items, weeks[weeks["week"] < 9]).smallest_uplift == np.inf


def test_what_is_wrong_is_said_in_a_sentence() -> None:
    items, weeks = frames()
    with pytest.raises(InputError, match="items: the column 'group' is missing"):
        hold_out(items[["unique_id"]], weeks)
    with pytest.raises(InputError, match="units must be at least 0"):
        hold_out(items, weeks.assign(units=-1))
    held = hold_out(items, weeks)
    with pytest.raises(InputError, match="weeks: they hold 6; the test and the weeks before take 12"):
        measure(held, weeks[weeks["week"] < 6])
    lonely = hold_out(items.head(4), weeks)
    with pytest.raises(InputError, match="1 pairs can be compared; there must be at least 3"):
        measure(lonely, weeks)


def test_a_mistyped_week_is_said_and_not_filled_up_to() -> None:
    items = pd.DataFrame({"unique_id": ["a"], "group": ["g"]})
    weeks = pd.DataFrame({"unique_id": "a", "week": pd.to_datetime(["1925-12-31", "2026-01-01"]), "units": 1})
    with pytest.raises(InputError, match="more than 20 years: is a date mistyped"):
        hold_out(items, weeks)
