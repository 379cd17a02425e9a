"""The settings of a trained model, searched on this history's own past: the one door to Optuna.

The search proposes settings by the tree-structured Parzen estimator (Bergstra and others, NIPS 2011), and gives up
early what does worse at the first cutoff than half of all did before. It starts with the defaults. What it finds counts
only where it beats them at a later cutoff as well, of which the search sees nothing: of many settings that are tried on
the same weeks, one is always the best.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from apps.forecasting.engine.automatic import Clock, OutOfTime
from apps.forecasting.engine.backtest import backtest, rolling_cutoffs
from apps.forecasting.engine.base import Grid, OnProgress, Panel, silent
from apps.forecasting.engine.dispersion import SUM_DAYS
from apps.forecasting.engine.frames import NotEnoughHistory, NothingToLearn
from apps.forecasting.engine.models import MODELS, make, model_class
from apps.forecasting.engine.trained import Knob, Trained

if TYPE_CHECKING:
    from optuna import Study, Trial

Doubles = NDArray[np.float64]
Settings = dict[str, Any]

SEARCHED: Final = 2
"""Cutoffs that are searched on; the one after them proves."""
MOST_TRIALS: Final = 40
MOST_SERIES: Final = 2500
"""Series that are searched on at most, evenly drawn; what is found is proved on all. Far fewer favour smaller trees."""
SEARCHED_BY: Final = 0.5
"""Share of the budget at which the search ends: the rest is for the proof."""
NEEDED_GAIN: Final = 0.01
STANDARD_ERRORS: Final = 1.96
"""A gain at the later cutoff has to be so many times what it varies by from one draw of series to another."""
FEWEST_CATEGORIES: Final = 6
"""With fewer, how gains vary from one category to another cannot be told: series count as if each were by itself."""

Outcome = Literal["kept", "none_better", "not_proved", "out_of_time"]


class NothingToTune(ValueError):
    """The model has no settings that a search may turn."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} has no settings to search: name a model that is trained, such as lightgbm.")


@dataclass(frozen=True)
class Tried:
    """Settings that were tried, and their scaled pinball loss at each cutoff that they got to: fewer were given up."""

    settings: Settings
    losses: tuple[float, ...]

    @property
    def is_done(self) -> bool:
        """Whether it was judged at every cutoff."""
        return len(self.losses) == SEARCHED

    @property
    def loss(self) -> float:
        """The mean over the cutoffs."""
        return float(np.mean(self.losses))


@dataclass(frozen=True)
class Tuned:
    """What a search came to.

    model       name
    parameters  what the model is to be made with: nothing where its defaults stay
    outcome     kept, none_better (than the defaults, where it was searched), not_proved (at the later cutoff), or
                out_of_time (before anything was found, or proved)
    trials      all that were begun and not cut off by the end of the time, the defaults first
    found_gain  how much lower the best trial's loss is than the defaults', as a share, where it was searched
    gain        the same at the later cutoff; None where that was not looked at
    searched_on, proved_on   the cutoffs
    """

    model: str
    parameters: Settings
    outcome: Outcome
    trials: tuple[Tried, ...]
    found_gain: float
    gain: float | None
    searched_on: tuple[np.datetime64, ...]
    proved_on: np.datetime64

    @property
    def words(self) -> str:
        """What was tried and what came of it, in a sentence or two."""
        given_up = sum(not trial.is_done for trial in self.trials)
        tried = (
            f"Of {self.model}, {len(self.trials)} settings were tried at {SEARCHED} past cutoffs, {given_up} of them "
            "given up early"
        )
        proof = f"{self.gain or 0:+.1%} at {self.proved_on}, which the search had not seen"
        return {
            "kept": f"{tried}: the best gained {self.found_gain:.1%} there and {proof}; used: {self._settings()}.",
            "none_better": f"{tried}: none was better than the defaults, which stay.",
            "not_proved": f"{tried}: the best gained {self.found_gain:.1%} there, but {proof}: not clear enough, so "
            "the defaults stay.",
            "out_of_time": f"{tried}; there was no time for more, and the defaults stay.",
        }[self.outcome]

    def _settings(self) -> str:
        return ", ".join(f"{name} {value:.4g}" for name, value in self.parameters.items())


def tunable(name: str) -> type[Trained]:
    """Return the class of a model that has knobs; raises NothingToTune for any other name."""
    kind = model_class(name) if name in MODELS else None
    if kind is None or not issubclass(kind, Trained) or not kind.knobs:
        raise NothingToTune(name)
    return kind


def tune(
    panel: Panel,
    name: str,
    *,
    trials: int = MOST_TRIALS,
    sum_days: int = SUM_DAYS,
    threads: int = 1,
    seed: int = 1,
    clock: Clock | None = None,
    on_progress: OnProgress = silent,
) -> Tuned:
    """Search the model's `knobs` for settings that forecast sums over `sum_days` days better than its defaults.

    panel    the whole history; the search sees nothing after the last but one of the cutoffs and its sums, the proof
             is made at the last one
    trials   how many at most, the defaults included
    threads  cores to use; the result does not depend on it
    clock    how long it may take in all: what is under way when the time is out is given up at its next word
    seed     with as many trials done, the same one finds the same

    Raises NothingToTune, and NotEnoughHistory where it does not reach back far enough.
    """
    kind = tunable(name)
    cutoffs = rolling_cutoffs(panel, SEARCHED + 1, step_days=sum_days, ahead_days=sum_days)
    needed = kind.minimum_days + (SEARCHED + 1) * sum_days
    if len(cutoffs) <= SEARCHED or panel.n_days < needed:
        raise NotEnoughHistory(f"Tuning {name}", panel.n_days, needed)
    *searched_on, proved_on = cutoffs
    known = panel.upto(proved_on)  # nothing later is there to be seen
    sampled = known.take(np.arange(0, known.n_series, -(-known.n_series // MOST_SERIES)))
    judge = _Judge(name, sum_days, threads, seed)
    clock = clock or Clock()
    search = _Search(judge, sampled, tuple(searched_on), kind.knobs, _defaults(kind))

    def verdict(outcome: Outcome, gain: float | None = None) -> Tuned:
        kept = search.best.settings if outcome == "kept" else {}
        return Tuned(name, kept, outcome, tuple(search.tried), search.gain, gain, tuple(searched_on), proved_on)

    was_cut_off = search.run(trials, seed, clock.until(SEARCHED_BY, on_progress, 0.0, SEARCHED_BY))
    if was_cut_off and len(search.tried) < 2:  # nothing stands beside the defaults
        return verdict("out_of_time")
    if search.gain <= 0:
        return verdict("none_better")
    both: list[Settings] = [{}, search.best.settings]
    try:
        (usual, tuned), categories = judge.losses(
            panel, proved_on, both, clock.until(1.0, on_progress, SEARCHED_BY, 1.0)
        )
    except OutOfTime:
        return verdict("out_of_time")
    gain, is_clear = compared(usual, tuned, categories)
    return verdict("kept" if is_clear else "not_proved", gain)


def compared(usual: Doubles, tuned: Doubles, categories: NDArray[np.str_]) -> tuple[float, bool]:
    """Return by what share losses [n] are lower than the usual ones of the same series, and whether that is clear.

    Clear is a gain of NEEDED_GAIN that is more than chance: STANDARD_ERRORS of the mean difference between pairs.
    At one cutoff, what helps one item of a category often helps the others: where there are FEWEST_CATEGORIES, the
    standard error is that of clusters, from the sums of differences (less their mean) by category (Cameron and Miller,
    Journal of Human Resources 2015, section II); else series count as independent, which makes it rather too small.
    """
    saved = usual - tuned
    gain = float(saved.sum() / max(usual.sum(), 1e-12))
    names, places = np.unique(categories, return_inverse=True)
    off = saved - saved.mean()
    sums = np.bincount(places, weights=off) if len(names) >= FEWEST_CATEGORIES else off
    count = len(sums)
    varies = float(np.sqrt(count / (count - 1) * (sums**2).sum()) / len(saved)) if count > 1 else np.inf
    return gain, gain >= NEEDED_GAIN and float(saved.mean()) > STANDARD_ERRORS * varies


def _defaults(kind: type[Trained]) -> Settings:
    return {name: getattr(kind, name) for name in kind.knobs}


@dataclass(frozen=True)
class _Judge:
    """Scores settings of a model by the backtest: sums over `sum_days` days."""

    name: str
    sum_days: int
    threads: int
    seed: int

    def losses(
        self, panel: Panel, day: np.datetime64, settings: Sequence[Settings], on_progress: OnProgress
    ) -> tuple[list[Doubles], NDArray[np.str_]]:
        """Return the scaled pinball loss of each series at one cutoff [n], for each of the settings; and its category.

        They are trained at once, on cores of their own. Raises NothingToLearn where no series can be scored.
        """
        workers = min(len(settings), self.threads)
        fixed = {"threads": self.threads // workers, "seed": self.seed}
        made = {str(place): partial(make, self.name, **fixed, **each) for place, each in enumerate(settings)}
        result = backtest(
            panel,
            made,
            [day],
            Grid(days=self.sum_days),
            sum_days=self.sum_days,
            workers=workers,
            on_progress=lambda done, words: on_progress(done, f"{self.name}: {words.partition(': ')[2] or words}"),
        )
        if result.series.empty:
            raise NothingToLearn(self.name, panel.upto(day).n_days)
        scored = result.series.assign(loss=result.series["pinball"] / result.series["scale"]).groupby("model")
        losses = [scored.get_group(name)["loss"].to_numpy(dtype=np.float64) for name in made]
        return losses, scored.get_group("0")["category"].to_numpy(dtype=np.str_)


@dataclass
class _Search:
    """Trial after trial on what may be seen."""

    judge: _Judge
    panel: Panel
    cutoffs: tuple[np.datetime64, ...]
    knobs: Mapping[str, Knob]
    defaults: Settings
    tried: list[Tried] = field(default_factory=list)

    def run(self, trials: int, seed: int, on_progress: OnProgress) -> bool:
        """Try up to so many settings; return whether the time was out before that."""
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        study = optuna.create_study(
            sampler=optuna.samplers.TPESampler(seed=seed), pruner=optuna.pruners.MedianPruner(n_startup_trials=1)
        )
        study.enqueue_trial(self.defaults)
        for number in range(trials):

            def told(done: float, words: str, number: int = number) -> None:
                on_progress((number + done) / trials, f"settings {number + 1}: {words}")

            try:
                self._try(study, told)
            except OutOfTime:
                return True
        return False

    def _try(self, study: "Study", on_progress: OnProgress) -> None:
        trial = study.ask()
        settings = {name: _suggested(trial, name, knob) for name, knob in self.knobs.items()}
        losses: list[float] = []
        for place, day in enumerate(self.cutoffs):

            def told(done: float, words: str, place: int = place) -> None:
                on_progress((place + done) / len(self.cutoffs), words)

            [loss], _categories = self.judge.losses(self.panel, day, [settings], told)
            losses.append(float(loss.mean()))
            trial.report(losses[-1], place)
            if trial.should_prune():
                break
        tried = Tried(settings, tuple(losses))
        self.tried.append(tried)
        if tried.is_done:
            study.tell(trial, tried.loss)
        else:
            _prune(study, trial)

    @property
    def best(self) -> Tried:
        """The trial with the lowest loss of those that were judged everywhere."""
        return min((trial for trial in self.tried if trial.is_done), key=lambda trial: trial.loss)

    @property
    def gain(self) -> float:
        """How much lower its loss is than the defaults', as a share; 0 where there is nothing to compare."""
        return 1 - self.best.loss / self.tried[0].loss if self.tried and self.tried[0].loss > 0 else 0.0


def _prune(study: "Study", trial: "Trial") -> None:
    from optuna.trial import TrialState

    study.tell(trial, state=TrialState.PRUNED)


def _suggested(trial: "Trial", name: str, knob: Knob) -> Any:
    if knob.is_whole:
        return trial.suggest_int(name, int(knob.low), int(knob.high), log=knob.by_factors)
    return trial.suggest_float(name, knob.low, knob.high, log=knob.by_factors)
