"""A policy's one number, chosen class by class where it would have cost least, and kept only if later weeks agree.

The number is whatever the policy makes of it: the spreads of a buffer, or how much dearer than said a plan takes
shortages to be. Each choice is replayed over all items at once, so every class tries every choice in as many replays as
there are choices. That is exact where items do not compete; where they share a budget or a supplier's minimum it is a
first answer, and the validation judges the values as they are used: together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from apps.optimization.engine.frames import Floats, InputError, Ints, read_items
from apps.optimization.engine.policies import WEEK, Policy
from apps.optimization.engine.simulate import Difference, Replay, difference, replay

PACE_DAYS = 56
MONEY_WEEKS, STEADY_WEEKS = 26, 13
ABC_SHARES = (0.8, 0.95)
XYZ_BOUNDS = (0.5, 1.0)
AGREEING = 4
"""Windows that all have to have saved where no interval is clear."""

Make = Callable[[Floats], Policy]
"""The policy with a value for each item [n]."""


@dataclass(frozen=True)
class Window:
    """A stretch of the past, by its place in demand: `run_in_days` that are only lived, then `days` that count."""

    first: int
    days: int
    run_in_days: int = 28

    @property
    def end(self) -> int:
        """The day after its last."""
        return self.first + self.run_in_days + self.days

    def overlaps(self, other: Window) -> bool:
        return self.first < other.end and other.first < self.end


def windows_of(days: int, count: int, length: int, run_in_days: int = 28) -> list[Window]:
    """The last `count` windows of a past of `days` days, oldest first, one right after the other.

    Raises InputError where the past is too short for them.
    """
    each = length + run_in_days
    if count * each > days:
        raise InputError([f"windows: {count} of {each} days each do not fit into a past of {days} days."])
    return [Window(days - back * each, length, run_in_days) for back in range(count, 0, -1)]


@dataclass(frozen=True)
class Trained:
    """What was tried, and what cost least."""

    untrained: float
    chosen: dict[str, float]
    """By class."""
    tried: pd.DataFrame
    """Tidy: class, value, window (its first day), cost (money: holding and what was lost or late)."""
    windows: tuple[Window, ...]

    def saved_by_window(self) -> list[float]:
        """Cost that the chosen values saved in each window trained on, over all classes together."""
        if self.tried.empty:
            return []
        cost = self.tried.pivot_table(index=["window", "class"], columns="value", values="cost", aggfunc="sum")
        chosen = np.array([self.chosen[str(name)] for name in cost.index.get_level_values("class")])
        place = cost.columns.get_indexer(pd.Index(chosen))
        saved = cost[self.untrained].to_numpy() - cost.to_numpy()[np.arange(len(cost)), place]
        by_window = pd.Series(saved, index=cost.index).groupby("window").sum()
        return [float(money) for money in by_window]


@dataclass(frozen=True)
class Validated:
    """The trained values against the untrained one on weeks that had no part in choosing them."""

    trained: Trained
    window: Window
    saved: Difference
    """Cost that the trained values saved, over all classes together."""
    by_class: dict[str, Difference]
    """Of each class; these intervals hold together at the level of `saved` (Bonferroni)."""

    @property
    def values(self) -> dict[str, float]:
        """By class, what to use: where the chosen values are kept, those of every class but the ones that they cost
        money on the later weeks; else the untrained one for all."""
        return {
            name: self.trained.chosen[name] if self.is_kept and found.money >= 0 else self.trained.untrained
            for name, found in self.by_class.items()
        }

    @property
    def is_kept(self) -> bool:
        """Whether the chosen values together clearly saved on the later weeks; or saved there and in every window
        trained on, where these are AGREEING in all: one window's interval is wide, but luck seldom keeps its sign."""
        told = [*self.trained.saved_by_window(), self.saved.money]
        return self.saved.low > 0 or (len(told) >= AGREEING and min(told) > 0)

    def as_json(self) -> dict[str, Any]:
        """All of it in plain numbers and words."""
        costs = self.trained.tried.groupby(["class", "value"])["cost"].sum()
        values = self.values
        return {
            "untrained": self.trained.untrained,
            "trained_on": [asdict(window) for window in self.trained.windows],
            "validated_on": asdict(self.window),
            "saved": asdict(self.saved),
            "classes": {
                name: {
                    "tried": {str(value): float(cost) for value, cost in costs[name].items()},
                    "chosen": self.trained.chosen[name],
                    "saved": asdict(found),
                    "value": values[name],
                }
                for name, found in self.by_class.items()
            },
        }


@dataclass
class Trainer:
    """Chooses values on windows of the past, and judges them once on a later one.

    items: see frames.read_items; every window opens with what lasts for lead time and review period at the pace of the
    eight weeks before it (with the frame's on_hand where there is no past), and its run-in wears the rest off.
    demand: units [n, T]. classes: a label for each item [n], see abc_xyz. make: see Make. choices: the values to try.
    untrained: the value used so far. used: windows that were validated on before, in an earlier run. options: more for
    simulate.replay (unmet, lead_times).
    """

    items: pd.DataFrame
    demand: NDArray[np.integer[Any]]
    classes: NDArray[np.str_]
    make: Make
    choices: Sequence[float]
    untrained: float
    seed: int = 0
    used: list[Window] = field(default_factory=list)
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not len(self.classes) == len(self.demand) == len(self.items):
            raise InputError(
                [
                    f"training: {len(self.classes)} classes and demand of {len(self.demand)} items came for "
                    f"{len(self.items)} items."
                ]
            )
        self.names, self.label = np.unique(np.asarray(self.classes).astype(str), return_inverse=True)
        known = read_items(self.items)
        self.protection = known.lead_time_days + known.review_period_days

    def train(self, windows: Sequence[Window]) -> Trained:
        """The value of each class that cost least over all windows; of equals, the one nearest to the untrained.

        Raises InputError where windows overlap or reach beyond the past.
        """
        if not windows:
            raise InputError(["training: there is no window to train on."])
        for place, window in enumerate(windows):
            self._check(window)
            if any(window.overlaps(other) for other in windows[:place]):
                raise InputError([f"training: the window from day {window.first} overlaps another one."])
        values = sorted({float(value) for value in [*self.choices, self.untrained]})
        tried = []
        for window in windows:
            for value in values:
                done = self._replay(np.full(len(self.items), value), window)
                cost = np.bincount(self.label, done.measures["cost"].sum(axis=1), len(self.names))
                tried.append(
                    pd.DataFrame({"class": self.names, "value": value, "window": window.first, "cost": cost})
                )
        frame = pd.concat(tried, ignore_index=True)
        costs = frame.pivot_table(index="class", columns="value", values="cost", aggfunc="sum")
        nearest = sorted(values, key=lambda value: abs(value - self.untrained))
        least = costs[nearest].to_numpy().argmin(axis=1)
        chosen = {str(name): nearest[place] for name, place in zip(costs.index, least, strict=True)}
        return Trained(float(self.untrained), chosen, frame, tuple(windows))

    def validate(
        self,
        trained: Trained,
        window: Window,
        *,
        groups: NDArray[np.object_] | None = None,
        level: float = 0.95,
    ) -> Validated:
        """Replay both over a window later than those trained on; groups: see simulate.difference.

        Raises InputError where the window is not later, or was validated on before: what was looked at twice proves
        nothing.
        """
        self._check(window)
        if any(window.first < earlier.end for earlier in trained.windows):
            raise InputError(["validation: the window must lie after those trained on."])
        if any(window.overlaps(other) for other in self.used):
            raise InputError([f"validation: the window from day {window.first} was validated on before."])
        self.used.append(window)
        chosen = np.array([trained.chosen[name] for name in self.names])[self.label]
        before = self._replay(np.full(len(self.items), trained.untrained), window)
        after = self._replay(chosen, window)
        each = 1 - (1 - level) / max(len(self.names), 1)

        def saved(rows: Ints, level: float) -> Difference:
            some = None if groups is None else groups[rows]
            return difference(
                before.of(rows), after.of(rows), measure="cost", groups=some, level=level, seed=self.seed
            )

        by_class = {
            str(name): saved(np.flatnonzero(self.label == place), each) for place, name in enumerate(self.names)
        }
        return Validated(trained, window, saved(np.arange(len(self.items)), level), by_class)

    def _replay(self, values: Floats, window: Window) -> Replay:
        before = self.demand[:, : window.first]
        items = self.items
        if before.shape[1]:
            pace = before[:, -PACE_DAYS:].mean(axis=1)
            items = items.assign(on_hand=np.ceil(pace * self.protection).astype(np.int64))
        return replay(
            items,
            None,
            self.demand[:, window.first : window.end],
            self.make(values),
            history=before,
            seed=self.seed,
            run_in_days=window.run_in_days,
            **self.options,
        )

    def _check(self, window: Window) -> None:
        if window.first < 0 or window.days < 1 or window.run_in_days < 0 or window.end > self.demand.shape[1]:
            raise InputError(
                [
                    f"windows: days {window.first} to {window.end} with {window.days} that count do not lie within the "
                    f"{self.demand.shape[1]} days of the past."
                ]
            )


def abc_xyz(price: Floats, sold: NDArray[np.integer[Any]]) -> NDArray[np.str_]:
    """AX to CZ for each item [n], from units sold by day [n, H].

    A makes up the first 80 % of the money of the last 26 weeks, B the next 15 %, C the rest. X varies from week to week
    (of the last 13) by less than half its mean, Y by less than the whole, Z by more, or sold nothing.
    """
    money = sold[:, -MONEY_WEEKS * WEEK :].sum(axis=1) * price
    order = np.argsort(-money, kind="stable")
    before = np.empty(len(money))
    before[order] = (np.cumsum(money[order]) - money[order]) / max(float(money.sum()), 1e-12)
    weeks = min(STEADY_WEEKS, sold.shape[1] // WEEK)
    sums = sold[:, sold.shape[1] - weeks * WEEK :].reshape(len(sold), weeks, WEEK).sum(axis=2)
    varied = np.full(len(sold), np.inf)
    if weeks:
        np.divide(sums.std(axis=1), sums.mean(axis=1), out=varied, where=sums.any(axis=1))
    abc = np.array(["A", "B", "C"])[np.searchsorted(ABC_SHARES, before, side="right")]
    xyz = np.array(["X", "Y", "Z"])[np.searchsorted(XYZ_BOUNDS, varied, side="right")]
    return np.char.add(abc, xyz)
