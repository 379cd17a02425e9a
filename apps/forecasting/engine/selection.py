"""The champion, and why: a challenger takes over for a gain that is large enough, sure enough, and costs nobody."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from apps.forecasting.engine import frames
from apps.forecasting.engine.backtest import BANDS, EVERYTHING, BacktestResult
from apps.forecasting.engine.models import FALLBACK, RIVALS

Doubles = NDArray[np.float64]

FEWEST_CUTOFFS: Final = 4
NEEDED_GAIN: Final = 0.01
CONFIDENCE: Final = 0.95
TOP_SHARE: Final = 0.1
TOP_MAY_LOSE: Final = 0.05
DRAWS: Final = 4000
CALIBRATION_BOUNDS: Final = {0.5: (0.40, 0.62), 0.8: (0.70, 0.90), 0.95: (0.88, 0.995)}
"""Share of two-week sums that has to fall inside each central band."""

Outcome = Literal["promoted", "kept", "baseline", "too_few_cutoffs", "nothing_scored"]
Refusal = Literal["small_gain", "chance", "top_items", "band_50", "band_80", "band_95"]
"""What speaks against a candidate: a gain too small, or that could be chance; a loss on the items with the most money;
a central band that holds too few or too many of the sums."""


@dataclass(frozen=True)
class Trial:
    """One candidate against one reference, over the choosing cutoffs.

    gain           how much lower the scaled pinball loss is, as a share of the reference's
    gain_low/high  its interval, by paired bootstrap over cutoffs and categories, corrected for the candidates tried
    top_loss       how much higher the loss is on the tenth of items with the most money (negative: lower)
    coverage       band -> share of sums inside
    refusals       what speaks against; empty where the candidate passes
    """

    candidate: str
    reference: str
    gain: float
    gain_low: float
    gain_high: float
    top_loss: float
    coverage: Mapping[float, float]
    refusals: tuple[Refusal, ...]

    @property
    def passes(self) -> bool:
        """Whether nothing speaks against the candidate."""
        return not self.refusals

    def words(self) -> str:
        """Return the trial in one sentence, with its figures."""
        figures = (
            f"scaled pinball loss {self.gain:+.1%} better than {self.reference}'s "
            f"({self.gain_low:+.1%} to {self.gain_high:+.1%}), "
            f"{-self.top_loss:+.1%} on the tenth of items with the most money, "
            f"{self.coverage[0.8]:.0%} of sums inside the 80 % band"
        )
        against = [self._in_words(refusal) for refusal in self.refusals]
        return f"{self.candidate}: {figures}{'; ' if against else ''}{', '.join(against)}."

    def _in_words(self, refusal: Refusal) -> str:
        if refusal.startswith("band_"):
            band = int(refusal.removeprefix("band_"))
            return f"{self.coverage[band / 100]:.0%} of sums fall inside its {band}% band"
        return {
            "small_gain": f"a gain of {NEEDED_GAIN:.0%} is needed",
            "chance": "its gain could be chance",
            "top_items": f"it may lose at most {TOP_MAY_LOSE:.0%} on the items with the most money",
        }[refusal]


@dataclass(frozen=True, eq=False)
class Verdict:
    """Which model is champion, and why.

    champion         name
    outcome          promoted (a new one), kept (the one before), baseline (nothing beats it), too_few_cutoffs, or
                     nothing_scored
    reason           in words, with the figures that decided
    best_baseline    the baseline that had to be beaten
    trials           every comparison that was made
    chosen_on        cutoffs that chose
    published_on     the later cutoff whose scores may be shown as the champion's own; None where there is none
    published        scores of all models at `published_on`: model, cutoff, segment_kind, segment, metric, value
    """

    champion: str
    outcome: Outcome
    reason: str
    best_baseline: str
    trials: tuple[Trial, ...]
    chosen_on: tuple[pd.Timestamp, ...]
    published_on: pd.Timestamp | None
    published: pd.DataFrame


def choose_champion(
    result: BacktestResult,
    champion: str | None,
    challengers: Sequence[str],
    baselines: Sequence[str] = RIVALS,
    *,
    complexity: Mapping[str, int] | None = None,
    seed: int = 1,
) -> Verdict:
    """Choose by the earlier cutoffs of `result`; the last one is kept to publish scores that did not choose.

    champion    the model in force, None where there is none yet
    challengers models that would replace it; those not scored at every choosing cutoff do not take part
    baselines   models that need no training; the best of them is what has to be beaten
    complexity  name -> number; ties go to the smaller (default: the order in which names are given)

    A challenger has to pass `_try` against the best baseline, and against the champion where that passes too. Of those
    that do, the one with the lowest loss wins, or the simplest of those not surely worse than it. With fewer than four
    choosing cutoffs the best baseline stays.
    """
    cutoffs = result.cutoffs
    if not cutoffs:
        return _without_scores(result)
    chosen_on, published_on = (cutoffs[:-1], cutoffs[-1]) if len(cutoffs) > 1 else (cutoffs, None)
    scored = _scored_everywhere(result, chosen_on)
    losses = _losses(result, chosen_on)
    ranked = sorted((name for name in baselines if name in scored), key=lambda name: losses[name])
    best = ranked[0] if ranked else FALLBACK
    published = result.scores[result.scores[frames.CUTOFF] == published_on].reset_index(drop=True)

    def verdict(name: str, outcome: Outcome, reason: str, trials: Sequence[Trial] = ()) -> Verdict:
        return Verdict(name, outcome, reason, best, tuple(trials), tuple(chosen_on), published_on, published)

    if len(chosen_on) < FEWEST_CUTOFFS or not ranked:
        return verdict(
            best,
            "too_few_cutoffs",
            f"{best} stays: {len(chosen_on)} cutoffs can choose and {FEWEST_CUTOFFS} are needed.",
        )
    order = complexity or {name: place for place, name in enumerate([*baselines, *challengers])}
    candidates = [name for name in dict.fromkeys([champion, *challengers]) if name in scored and name not in baselines]
    trials = {
        name: _try(result, chosen_on, name, best, n_tried=len(candidates), seed=seed) for name in candidates if name
    }
    held = champion if champion in trials and trials[champion].passes else None
    passing = [name for name in trials if trials[name].passes]
    against_champion: list[Trial] = []
    if held is not None:
        against_champion = [
            _try(result, chosen_on, name, held, n_tried=len(candidates), seed=seed) for name in passing if name != held
        ]
        passing = [trial.candidate for trial in against_champion if trial.passes]
    told = [*trials.values(), *against_champion]
    if not passing:
        if held is not None:
            lost = " ".join(trial.words() for trial in against_champion)
            return verdict(held, "kept", f"{held} stays. {trials[held].words()} {lost}".strip(), told)
        why = " ".join(trial.words() for trial in told) or "No other model was scored at every cutoff."
        return verdict(best, "baseline", f"{best} stays. {why}", told)
    winner = min(passing, key=lambda name: losses[name])
    equals = [
        name
        for name in passing
        if name == winner or not _try(result, chosen_on, winner, name, n_tried=len(candidates), seed=seed).passes
    ]
    winner = min(equals, key=lambda name: (order.get(name, len(order)), losses[name]))
    last_word = next(trial for trial in reversed(told) if trial.candidate == winner)
    return verdict(winner, "promoted", f"{winner} is promoted at {len(chosen_on)} cutoffs. {last_word.words()}", told)


def beside_baselines(
    result: BacktestResult,
    model: str,
    baselines: Sequence[str] = RIVALS,
    metrics: Sequence[str] = ("sum_wape", "scaled_pinball"),
) -> pd.DataFrame:
    """Return, for each cutoff and metric, a model beside the best baseline there.

    Columns: cutoff, metric, value, baseline, baseline_value, is_better. Cutoffs without either are left out.
    """
    whole = result.scores[(result.scores["segment_kind"] == EVERYTHING) & result.scores["metric"].isin(metrics)]
    own = whole[whole["model"] == model].set_index([frames.CUTOFF, "metric"])["value"]
    others = whole[whole["model"].isin(list(baselines))].sort_values("value", kind="stable")
    best = others.groupby([frames.CUTOFF, "metric"]).first()[["model", "value"]]
    joined = best.rename(columns={"model": "baseline", "value": "baseline_value"}).join(own, how="inner").reset_index()
    joined["is_better"] = joined["value"] < joined["baseline_value"]
    return joined[[frames.CUTOFF, "metric", "value", "baseline", "baseline_value", "is_better"]]


def _without_scores(result: BacktestResult) -> Verdict:
    return Verdict(
        champion=FALLBACK,
        outcome="nothing_scored",
        reason=f"{FALLBACK} stands in: no cutoff has enough history before it and enough days after it to be scored.",
        best_baseline=FALLBACK,
        trials=(),
        chosen_on=(),
        published_on=None,
        published=result.scores,
    )


def _scored_everywhere(result: BacktestResult, cutoffs: Sequence[pd.Timestamp]) -> set[str]:
    chosen = result.series[result.series[frames.CUTOFF].isin(list(cutoffs))]
    count = chosen.groupby("model")[frames.CUTOFF].nunique()
    return set(count.index[count == len(cutoffs)])


def _losses(result: BacktestResult, cutoffs: Sequence[pd.Timestamp]) -> dict[str, float]:
    """Return each model's scaled pinball loss, the mean over all series and cutoffs."""
    chosen = result.series[result.series[frames.CUTOFF].isin(list(cutoffs))]
    loss = (chosen["pinball"].astype(float) / chosen["scale"]).groupby(chosen["model"]).mean()
    return {str(name): float(value) for name, value in loss.items()}


def _try(
    result: BacktestResult,
    cutoffs: Sequence[pd.Timestamp],
    candidate: str,
    reference: str,
    *,
    n_tried: int,
    seed: int,
) -> Trial:
    """Compare two models on the same series at the same cutoffs."""
    keys = [frames.CUTOFF, frames.UNIQUE_ID]
    chosen = result.series[result.series[frames.CUTOFF].isin(list(cutoffs))]
    own = chosen[chosen["model"] == candidate]
    others = chosen.loc[chosen["model"] == reference, [*keys, "pinball"]]
    paired = own.merge(others, on=keys, suffixes=("", "_of_other"))
    loss = (paired["pinball"] / paired["scale"]).to_numpy(dtype=np.float64)
    other = (paired["pinball_of_other"] / paired["scale"]).to_numpy(dtype=np.float64)
    gain = _share(other.sum() - loss.sum(), other.sum())

    when, n_cutoffs = _numbered(paired[frames.CUTOFF])
    kind, n_kinds = _numbered(paired["category"])
    low, high = _bootstrap(
        _cells(when, kind, (n_cutoffs, n_kinds), other - loss),
        _cells(when, kind, (n_cutoffs, n_kinds), other),
        confidence=1 - (1 - CONFIDENCE) / max(n_tried, 1),
        seed=seed,
    )
    threshold = paired.groupby(frames.CUTOFF)["money"].transform(lambda money: money.quantile(1 - TOP_SHARE))
    top = (paired["money"] >= threshold).to_numpy()
    top_loss = _share(loss[top].sum() - other[top].sum(), other[top].sum())
    coverage = {band: float(paired[f"inside_{round(100 * band)}"].mean()) for band in BANDS}

    broken: dict[Refusal, bool] = {
        "small_gain": gain < NEEDED_GAIN,
        "chance": not low > 0,
        "top_items": top_loss > TOP_MAY_LOSE,
        "band_50": _is_off(0.5, coverage),
        "band_80": _is_off(0.8, coverage),
        "band_95": _is_off(0.95, coverage),
    }
    refusals = tuple(refusal for refusal, is_broken in broken.items() if is_broken)
    return Trial(candidate, reference, gain, low, high, top_loss, coverage, refusals)


def _is_off(band: float, coverage: Mapping[float, float]) -> bool:
    least, most = CALIBRATION_BOUNDS[band]
    return not least <= coverage[band] <= most


def _share(part: float, whole: float) -> float:
    return float(part / whole) if whole > 0 else 0.0


def _numbered(column: pd.Series) -> tuple[NDArray[np.int64], int]:
    numbers, names = pd.factorize(column, sort=True)
    return numbers.astype(np.int64), len(names)


def _cells(when: NDArray[np.int64], kind: NDArray[np.int64], shape: tuple[int, int], values: Doubles) -> Doubles:
    """Return values added up by cutoff and category [cutoffs, categories]."""
    cells = np.zeros(shape)
    np.add.at(cells, (when, kind), values)
    return cells


def _bootstrap(gained: Doubles, base: Doubles, *, confidence: float, seed: int) -> tuple[float, float]:
    """Return the interval of sum(gained) / sum(base), cutoffs and categories drawn anew, each with replacement."""
    stream = np.random.default_rng(seed)
    n_cutoffs, n_kinds = gained.shape
    cutoffs = stream.multinomial(n_cutoffs, np.full(n_cutoffs, 1 / n_cutoffs), size=DRAWS).astype(np.float64)
    kinds = stream.multinomial(n_kinds, np.full(n_kinds, 1 / n_kinds), size=DRAWS).astype(np.float64)
    drawn_gain = ((cutoffs @ gained) * kinds).sum(axis=1)
    drawn_base = ((cutoffs @ base) * kinds).sum(axis=1)
    shares = np.divide(drawn_gain, drawn_base, out=np.zeros(DRAWS), where=drawn_base > 0)
    low, high = np.quantile(shares, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)
