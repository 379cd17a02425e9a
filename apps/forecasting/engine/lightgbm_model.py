"""Boosted trees over all series at once: the one door to LightGBM.

Each row asks what a series will sell in the n-th week from an origin (direct forecasts, the distance a feature), and
the trees answer as a multiple of the series' own level, so that big and small sellers teach each other. The loss is
Tweedie's, the likelihood of many zeros and a long tail. Tails are fitted on weeks that the trees had not seen.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray

from apps.forecasting.engine import frames
from apps.forecasting.engine.base import (
    Artifact,
    ArtifactError,
    Forecast,
    Forecaster,
    Grid,
    NotFitted,
    OnProgress,
    Panel,
    read_json,
    silent,
    write_json,
)
from apps.forecasting.engine.baselines import weekday_profile, weekday_shares
from apps.forecasting.engine.calendar import weekdays
from apps.forecasting.engine.dispersion import SUM_DAYS, Dispersion, day_dispersion, sold
from apps.forecasting.engine.features import Codes, Rows, Weeks, level, pooled_groups, rows_at
from apps.forecasting.engine.frames import NothingToLearn
from apps.forecasting.engine.grid import WEEK

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

AHEAD = (1, 2, 3, 4)
"""Weeks ahead that are learned; later ones are answered as the last, with their own calendar and promotions."""
FIRST_ORIGIN = 4
"""Weeks of history below which no row is made."""
HELD_OUT_WEEKS = (6, 2)
"""Weeks kept from the trees that the tails are fitted on: where the history is long enough, and else."""
TRIAL_THIN = 2
"""The trial that the tails are fitted on sees one row of so many: enough to stray as the whole does."""
KIND_LABELS = (frames.CATEGORY, frames.DEPARTMENT, frames.BRAND)


@dataclass(eq=False)
class LightGBM(Forecaster):
    """Global, direct, probabilistic gradient boosting on weekly rates, spread over days by weekday.

    rounds, learning_rate, leaves, rows_in_leaf   as LightGBM means them
    tweedie_power   1 is Poisson's variance, 2 the gamma's
    origins         weeks to stand after when making rows, counted back from the cutoff
    thin            of each `thin` (series, origin, week ahead) one is a row: more origins for the same work
    threads, seed   the result does not depend on `threads`; more than one waits for busy neighbours at every tree
    """

    name: ClassVar[str] = "lightgbm"
    family: ClassVar[str] = "trees"
    complexity: ClassVar[int] = 10
    minimum_days: ClassVar[int] = 8 * WEEK

    rounds: int = 200
    learning_rate: float = 0.06
    leaves: int = 31
    rows_in_leaf: int = 200
    tweedie_power: float = 1.3
    origins: int = 20
    thin: int = 1
    threads: int = 1
    seed: int = 1
    booster_: lgb.Booster | None = field(default=None, init=False, repr=False)
    codes_: dict[str, Codes] = field(default_factory=dict, init=False, repr=False)
    dispersion_: Dispersion | None = field(default=None, init=False, repr=False)
    panel_: Panel | None = field(default=None, init=False, repr=False)

    def fit(self, panel: Panel, on_progress: OnProgress = silent) -> Self:
        """Train once without the last weeks, to learn how far such forecasts stray, and once with everything."""
        self.require_history(panel)
        self.codes_ = {name: Codes.learn(panel.labels(name)) for name in KIND_LABELS}
        n_weeks = panel.n_days // WEEK
        held = HELD_OUT_WEEKS[0] if n_weeks - HELD_OUT_WEEKS[0] > 2 * FIRST_ORIGIN else HELD_OUT_WEEKS[1]
        earlier = panel.before(held * WEEK)
        trial = self._train(earlier, TRIAL_THIN * self.thin, lambda done, words: on_progress(done / 2, words))
        self.dispersion_ = self._fit_tails(trial, panel, held)
        self.booster_ = self._train(panel, self.thin, lambda done, words: on_progress(0.5 + done / 2, words))
        self.panel_ = panel
        return self

    def predict(self, grid: Grid, panel: Panel | None = None) -> Forecast:
        """Answer week by week from `panel` and spread each week over its days."""
        panel = panel if panel is not None else self.panel_
        if panel is None or self.booster_ is None or self.dispersion_ is None:
            raise NotFitted(f"{self.name} has not been fitted, or has no history to forecast from.")
        self.require_history(panel)
        n_weeks = -(-max(grid.horizon_days, SUM_DAYS) // WEEK)
        weekly = self._weekly_means(self.booster_, panel, n_weeks)
        shares = weekday_shares(panel, frames.DEPARTMENT)[:, weekdays(panel.future_days(n_weeks * WEEK))] / WEEK
        daily = (np.repeat(weekly, WEEK, axis=1) * shares).astype(np.float32)
        level_variance, own = self.dispersion_.recipe(panel, daily[:, :SUM_DAYS].sum(axis=1, dtype=np.float64))
        return Forecast(
            model=self.name,
            unique_ids=panel.ids,
            cutoff=panel.cutoff,
            grid=grid,
            mean=grid.totals(daily),
            level_variance=level_variance,
            day_dispersion=own,
            weekday_profile=weekday_profile(panel),
        )

    def importance(self) -> dict[str, float]:
        """Return each feature's share of the loss that splits on it took away, largest first."""
        if self.booster_ is None:
            raise NotFitted(f"{self.name} has not been fitted.")
        gain = self.booster_.feature_importance("gain")
        order = np.argsort(-gain, kind="stable")
        names = self.booster_.feature_name()
        return {names[place]: float(gain[place] / max(gain.sum(), 1e-12)) for place in order}

    def to_artifact(self) -> Artifact:
        """Return the trees as LightGBM's text, and parameters, labels and tails as JSON."""
        if self.booster_ is None or self.dispersion_ is None:
            raise NotFitted(f"{self.name} has not been fitted.")
        return {
            "trees.txt": self.booster_.model_to_string().encode(),
            "model.json": write_json(
                {
                    "model": self.name,
                    "parameters": self.parameters(),
                    "labels": {name: list(codes.names) for name, codes in self.codes_.items()},
                    "dispersion": self.dispersion_.settings(),
                }
            ),
        }

    @classmethod
    def from_artifact(cls, files: Mapping[str, bytes]) -> Self:
        """Return the model that `to_artifact` saved."""
        settings = read_json(files, "model.json", cls.name)
        if "trees.txt" not in files:
            raise ArtifactError(f"The artifact of {cls.name} lacks trees.txt.")
        model = cls(**settings["parameters"])
        model.codes_ = {name: Codes(tuple(labels)) for name, labels in settings["labels"].items()}
        model.dispersion_ = Dispersion.from_settings(settings["dispersion"])
        try:
            model.booster_ = lgb.Booster(model_str=files["trees.txt"].decode())
        except (lgb.basic.LightGBMError, UnicodeDecodeError) as error:
            raise ArtifactError(f"The artifact of {cls.name} has trees.txt that LightGBM cannot read.") from error
        return model

    def parameters(self) -> dict[str, Any]:
        """Return what the constructor stored."""
        return {
            "rounds": self.rounds,
            "learning_rate": self.learning_rate,
            "leaves": self.leaves,
            "rows_in_leaf": self.rows_in_leaf,
            "tweedie_power": self.tweedie_power,
            "origins": self.origins,
            "thin": self.thin,
            "threads": self.threads,
            "seed": self.seed,
        }

    def _train(self, panel: Panel, thin: int, on_progress: OnProgress) -> lgb.Booster:
        """Return trees grown on every row that `panel` can answer."""
        weeks = Weeks.of(panel, 0)
        blocks, targets, levels = [], [], []
        for origin in range(weeks.n_weeks - 1, max(weeks.n_weeks - 1 - self.origins, FIRST_ORIGIN - 1), -1):
            aheads = [ahead for ahead in AHEAD if origin + ahead <= weeks.n_weeks]
            usual = level(weeks, origin)
            on_sale = weeks.exposure[:, :origin].sum(axis=1) > 1
            for ahead, rows in zip(aheads, self._rows(panel, weeks, origin, aheads), strict=True):
                turn = (np.arange(panel.n_series) + origin + ahead) % thin == 0
                kept = on_sale & turn & (weeks.exposure[:, origin + ahead - 1] > 0)
                names = rows.names
                blocks.append(rows.values[kept])
                targets.append(weeks.rate[kept, origin + ahead - 1])
                levels.append(usual[kept])
        if not blocks or not np.concatenate(targets).any():
            raise NothingToLearn(self.name, panel.n_days)
        settings = {
            "objective": "tweedie",
            "tweedie_variance_power": self.tweedie_power,
            "learning_rate": self.learning_rate,
            "num_leaves": self.leaves,
            "min_data_in_leaf": self.rows_in_leaf,
            "feature_fraction": 0.6,
            "bagging_fraction": 0.7,
            "bagging_freq": 1,
            "lambda_l2": 5.0,
            "max_bin": 127,
            "cat_smooth": 50.0,
            "min_data_per_group": self.rows_in_leaf,
            "deterministic": True,
            "force_row_wise": True,
            "num_threads": self.threads,
            "seed": self.seed,
            "verbose": -1,
        }
        data = lgb.Dataset(
            np.concatenate(blocks),
            np.concatenate(targets),
            init_score=np.log(np.concatenate(levels)),
            feature_name=list(names),
            categorical_feature=list(KIND_LABELS),
            params=settings,
        )
        told = f"LightGBM: {sum(map(len, targets)):,} rows up to {panel.cutoff.astype(object):%-d %b %Y}"

        def after_round(env: lgb.callback.CallbackEnv) -> None:
            on_progress((env.iteration + 1) / self.rounds, f"{told}, tree {env.iteration + 1} of {self.rounds}")

        grown = lgb.train(settings, data, self.rounds, callbacks=[after_round])
        return lgb.Booster(model_str=grown.model_to_string())

    def _rows(self, panel: Panel, weeks: Weeks, origin: int, aheads: list[int]) -> list[Rows]:
        kinds = {name: self.codes_[name].of(panel.labels(name)) for name in KIND_LABELS}
        return rows_at(weeks, origin, aheads, pooled_groups(panel), kinds)

    def _weekly_means(self, booster: lgb.Booster, panel: Panel, n_weeks: int) -> Floats:
        """Return units per week for the `n_weeks` weeks after the panel's cutoff [n, n_weeks]."""
        weeks = Weeks.of(panel, n_weeks)
        origin = weeks.n_weeks
        offset = np.log(level(weeks, origin))
        ever_on_sale = weeks.exposure.any(axis=1)
        means = np.empty((panel.n_series, n_weeks), dtype=np.float32)
        names = booster.feature_name()  # of promotions, the shop may know others by now than when it was trained
        for place, rows in enumerate(self._rows(panel, weeks, origin, list(range(1, n_weeks + 1)))):
            values = rows.under(names)
            values[:, names.index("ahead")] = min(place + 1, AHEAD[-1])
            raw = booster.predict(values, raw_score=True, num_threads=self.threads)
            means[:, place] = np.where(ever_on_sale, np.exp(raw + offset), 0.0)
        return means

    def _fit_tails(self, booster: lgb.Booster, panel: Panel, held: int) -> Dispersion:
        """Fit the tails on forecasts of held-out weeks, two at a time."""
        forecasts, actuals, owns = [], [], []
        for back in range(held, 0, -SUM_DAYS // WEEK):
            then = panel.before(back * WEEK)
            sums = self._weekly_means(booster, then, SUM_DAYS // WEEK).sum(axis=1, dtype=np.float64)
            forecasts.append(np.where(then.available.any(axis=1), sums, np.nan))
            actuals.append(sold(panel, back * WEEK))
            owns.append(day_dispersion(then))
        return Dispersion.fit(np.concatenate(forecasts), np.concatenate(actuals), np.concatenate(owns))
