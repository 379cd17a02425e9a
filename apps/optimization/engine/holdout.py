"""What a price cut causes: some groups of substitutes get it, others like them are held out, by the toss of a coin.

Items that are bought instead of each other stand in one group and share its fate: a cut that only draws from an item
held out would else look twice as good as it is. Groups are paired with the next one in size, and a coin picks which of
the two is cut. A group's outcome is what it sells in the weeks of the test over what it sold in the weeks before. The
uplift is the ratio of both sides' averages, its interval Fieller's for paired samples (1954): exact where outcomes are
normal, and it needs no logarithm of zero. How small an uplift the test can see is read off the same pairs' past, before
it starts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from apps.optimization.engine.frames import Floats, InputError, Ints, week_places

CUT, HELD_OUT, LEFT_OUT = "cut", "held out", ""
FEWEST_UNITS = 5
"""A group that sold less in the weeks before cannot tell anything, and is left out."""
FEWEST_PAIRS = 3


@dataclass(frozen=True)
class Holdout:
    table: pd.DataFrame
    """unique_id, group, pair (-1: left out), arm ("cut", "held out", or nothing: left out)"""
    pairs: int
    smallest_uplift: float
    """The smallest true uplift, as a share, that the test will most likely see (`power`); infinite with no past to
    judge by or fewer than FEWEST_PAIRS."""
    power: float
    test_weeks: int
    before_weeks: int


@dataclass(frozen=True)
class Uplift:
    """By how much a cut raised units, as a share, with its interval; `high` is infinite where nothing bounds it."""

    uplift: float
    low: float
    high: float
    p_value: float
    """How often a difference as large comes of chance alone, if a cut does nothing."""
    pairs: int


def hold_out(
    items: pd.DataFrame,
    weeks: pd.DataFrame,
    *,
    test_weeks: int = 4,
    before_weeks: int = 8,
    level: float = 0.95,
    power: float = 0.8,
    seed: int = 0,
) -> Holdout:
    """Who is cut and who is held out, and the smallest uplift that will be seen.

    items: unique_id, group (missing: the item is a group by itself). weeks: unique_id, week (dates seven days apart, or
    whole numbers), units; a week without a row sold nothing. The last week is the one before the test.
    Raises InputError with every problem found.
    """
    group, units = _by_group(items, weeks, test_weeks, before_weeks)
    names, horizon = units.shape
    size = units[:, max(horizon - before_weeks, 0) :].sum(axis=1)
    stream = np.random.default_rng(seed)
    able = np.flatnonzero(size >= FEWEST_UNITS) if horizon >= before_weeks else np.zeros(0, dtype=np.int64)
    ranked = able[np.argsort(size[able], kind="stable")[::-1]]
    paired = ranked[: len(ranked) // 2 * 2].reshape(-1, 2)
    is_second = stream.random(len(paired)) < 0.5
    paired = np.where(is_second[:, None], paired[:, ::-1], paired)
    pair, arm = np.full(names, -1), np.full(names, LEFT_OUT, dtype=object)
    for side, word in enumerate((CUT, HELD_OUT)):
        pair[paired[:, side]] = np.arange(len(paired))
        arm[paired[:, side]] = word
    table = pd.DataFrame({"unique_id": items["unique_id"].to_numpy(), "group": _groups(items).to_numpy(),
                          "pair": pair[group], "arm": arm[group]})  # fmt: skip
    smallest = _smallest_uplift(units, paired, test_weeks, before_weeks, level, power)
    return Holdout(table, len(paired), smallest, power, test_weeks, before_weeks)


def measure(held: Holdout, weeks: pd.DataFrame, *, level: float = 0.95) -> Uplift:
    """The uplift, once the weeks of the test are over: they are the last `test_weeks` of `weeks`.

    Raises InputError where the weeks do not reach back far enough, or there are fewer than FEWEST_PAIRS to compare."""
    items = held.table[held.table["arm"] != LEFT_OUT]
    group, units = _by_group(items, weeks, held.test_weeks, held.before_weeks)
    if units.shape[1] < held.test_weeks + held.before_weeks:
        raise InputError([f"weeks: they hold {units.shape[1]}; the test and the weeks before take "
                          f"{held.test_weeks + held.before_weeks}."])
    outcome = _outcome(units, units.shape[1], held.test_weeks, held.before_weeks)
    sides = {arm: np.full(held.pairs, np.nan) for arm in (CUT, HELD_OUT)}
    for arm, found in sides.items():
        chosen = (items["arm"] == arm).to_numpy()
        found[items["pair"].to_numpy()[chosen]] = outcome[group[chosen]]
    cut, kept = sides[CUT], sides[HELD_OUT]
    known = np.isfinite(cut) & np.isfinite(kept)
    cut, kept = cut[known], kept[known]
    if len(cut) < FEWEST_PAIRS:
        raise InputError([f"test: {len(cut)} pairs can be compared; there must be at least {FEWEST_PAIRS}."])
    return _ratio(cut, kept, level)


def _ratio(cut: Floats, kept: Floats, level: float) -> Uplift:
    """Fieller's interval for the ratio of two paired means, less 1, and the paired t-test's p-value."""
    m = len(cut)
    a, b = float(cut.mean()), float(kept.mean())
    (vaa, vab), (_vab, vbb) = np.cov(cut, kept) / m
    t = float(stats.t.ppf(0.5 + level / 2, m - 1))
    square, middle, rest = b**2 - t**2 * vbb, a * b - t**2 * vab, a**2 - t**2 * vaa
    root = middle**2 - square * rest
    low, high = 0.0, np.inf
    if square > 0:
        spread = np.sqrt(max(root, 0.0))
        low, high = max((middle - spread) / square, 0.0), (middle + spread) / square
    error = float(np.sqrt(max(vaa + vbb - 2 * vab, 0.0)))
    p_value = float(2 * stats.t.sf(abs(a - b) / error, m - 1)) if error > 0 else float(a == b)
    return Uplift(a / b - 1 if b > 0 else np.inf, low - 1, high - 1, p_value, m)


def _smallest_uplift(
    units: Floats, paired: Ints, test_weeks: int, before_weeks: int, level: float, power: float
) -> float:
    """From windows of the past in which nobody was cut: how far the two of a pair came apart by themselves."""
    pairs = len(paired)
    ends = range(units.shape[1], test_weeks + before_weeks - 1, -test_weeks)
    if pairs < FEWEST_PAIRS or not ends:
        return float(np.inf)
    outcomes = np.array([_outcome(units, end, test_weeks, before_weeks) for end in ends])
    apart = outcomes[:, paired[:, 0]] - outcomes[:, paired[:, 1]]
    known = np.isfinite(apart)
    if not known.any():
        return float(np.inf)
    usual = outcomes[:, paired].mean(axis=2)[known].mean()
    noise = np.sqrt((apart[known] ** 2).mean()) / usual if usual > 0 else np.inf
    sure = stats.t.ppf(0.5 + level / 2, pairs - 1) + stats.t.ppf(power, pairs - 1)
    return float(sure * noise / np.sqrt(pairs))


def _outcome(units: Floats, end: int, test_weeks: int, before_weeks: int) -> Floats:
    """Weekly units of the test over those before, by group; NaN where too few were sold before."""
    start = end - test_weeks
    before = units[:, start - before_weeks : start].sum(axis=1)
    during = units[:, start:end].sum(axis=1) / test_weeks
    enough = before >= FEWEST_UNITS
    return np.asarray(np.divide(during, before / before_weeks, out=np.full(len(units), np.nan), where=enough))


def _groups(items: pd.DataFrame) -> pd.Series:
    alone = "item " + items["unique_id"].astype(str)
    return items["group"].astype(object).where(items["group"].notna(), alone).astype(str)


def _by_group(
    items: pd.DataFrame, weeks: pd.DataFrame, test_weeks: int, before_weeks: int
) -> tuple[Ints, Floats]:
    """The group of each item [n], units of each group by week [G, T]."""
    problems = [f"items: the column {name!r} is missing." for name in ("unique_id", "group") if name not in items]
    needed = ("unique_id", "week", "units")
    problems += [f"weeks: the column {name!r} is missing." for name in needed if name not in weeks]
    if test_weeks < 1 or before_weeks < 1:
        problems.append("test: it takes at least one week, and one before.")
    if problems:
        raise InputError(problems)
    if items["unique_id"].duplicated().any():
        problems.append("items: unique_id stands there more than once.")
    if weeks.empty:
        problems.append("weeks: there are none.")
    sold = pd.to_numeric(weeks["units"], errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    if not (sold >= 0).all():
        problems.append(f"weeks: units must be at least 0, and are not in {int((~(sold >= 0)).sum())} rows.")
    place = week_places(weeks["week"], problems)
    if problems:
        raise InputError(problems)
    group: Ints = np.unique(_groups(items).to_numpy(dtype=object), return_inverse=True)[1].astype(np.int64)
    row = pd.Index(items["unique_id"].astype(object)).get_indexer(pd.Index(weeks["unique_id"].astype(object)))
    known = row >= 0
    count, horizon = int(group.max(initial=-1)) + 1, int(place.max()) + 1
    units = np.zeros((count, horizon))
    np.add.at(units, (group[row[known]], place[known]), sold[known])
    return group, units
