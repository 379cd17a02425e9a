"""What a contest found, as the plain numbers that pages show and JSON holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from scipy import stats

from apps.forecasting.engine import aggregates, frames, models
from apps.forecasting.engine.backtest import BANDS, EVERYTHING, ON_PROMOTION, OTHER_DAYS, BacktestResult
from apps.forecasting.engine.base import Panel
from apps.forecasting.engine.grid import WEEK
from apps.forecasting.engine.selection import Trial, Verdict, beside_baselines
from apps.forecasting.engine.signals import Signal
from apps.forecasting.models import KindForecast
from apps.forecasting.pipeline import kinds
from apps.forecasting.selectors import model_title, trial_words
from apps.forecasting.services import ItemScores, split_ids

METRICS = ("sum_wape", "sum_bias", "scaled_pinball", "sum_pinball", "crps", "mse", "rmse", "mae", "wape", "bias",
           "mase", "rmsse", "wrmsse", "coverage_50", "coverage_80", "coverage_95")
SEGMENT_METRIC = "sum_wape"
LEVELS = tuple(KindForecast.Level)
Z_80 = float(stats.norm.ppf(0.9))
FEWEST_SUMS = 30  # of fewer, what fell inside a band tells nothing
WORST_ITEMS = 12  # whose errors are told week by week


def build(result: BacktestResult, verdict: Verdict, panel: Panel, signals: Sequence[Signal],
          seconds: Mapping[str, float]) -> dict[str, Any]:
    """The whole report of a contest."""
    names = list(dict.fromkeys(result.series["model"]))
    return {
        **empty(panel, seconds),
        "cutoffs": [day(cutoff) for cutoff in result.cutoffs],
        "models": [model_row(result, name, verdict.champion) for name in names],
        "by_category": segments(result, "category"), "by_abc": segments(result, "abc"),
        "by_cell": cells(result), "by_week": segments(result, "week", "wape"), "by_promotion": promotions(result),
        "by_weekday": weekdays(result, verdict.champion), "worst_items": worst_items(result, verdict.champion, panel),
        "levels": levels(result, verdict), "by_demand": ways(result),
        "signals": [{"name": signal.name, "gain": number(signal.gain), "missed": number(signal.missed),
                     "is_used": signal.is_used} for signal in sorted(signals, key=lambda one: -one.gain)],
        "beside": [{"cutoff": day(row.cutoff), "metric": row.metric, "value": number(row.value),
                    "baseline": row.baseline, "baseline_value": number(row.baseline_value),
                    "is_better": bool(row.is_better)}
                   for row in beside_baselines(result, verdict.champion).itertuples()],
        "notes": [{"model": row.model, "cutoff": day(row.cutoff), "note": row.note}
                  for row in result.notes.itertuples()],
        "usual_weeks": {name: usual_range(result, name) for name in names},
    }


def empty(panel: Panel, seconds: Mapping[str, float]) -> dict[str, Any]:
    """The report of a contest that could not be held."""
    return {"series": int(panel.regular().sum()), "days": panel.n_days, "sum_days": 14, "cutoffs": [], "models": [],
            "by_category": [], "by_abc": [], "by_cell": [], "by_week": [], "by_promotion": [], "by_weekday": [],
            "worst_items": no_worst_items(), "levels": [], "by_demand": [], "signals": [], "beside": [], "notes": [],
            "usual_weeks": {}, "seconds": dict(seconds)}


def model_row(result: BacktestResult, name: str, champion: str) -> dict[str, Any]:
    """One model's line on the leaderboard: means over cutoffs, each cutoff, calibration, seconds."""
    own = result.scores[(result.scores["model"] == name) & (result.scores["segment_kind"] == EVERYTHING)
                        & result.scores["metric"].isin(METRICS)]
    table = own.pivot_table(index=frames.CUTOFF, columns="metric", values="value")
    means = numbers(table.mean())
    spent = result.seconds[result.seconds["model"] == name]
    return {
        "name": name, "family": models.model_class(name).family, "is_champion": name == champion,
        "is_baseline": name in models.BASELINES, "metrics": means,
        "by_cutoff": {day(cutoff): numbers(row) for cutoff, row in table.iterrows()},
        "calibration": [[band, means[f"coverage_{round(100 * band)}"]] for band in BANDS],
        "fit_seconds": number(spent["fit_seconds"].sum()), "predict_seconds": number(spent["predict_seconds"].sum()),
    }


def segments(result: BacktestResult, kind: str, metric: str = SEGMENT_METRIC) -> list[dict[str, Any]]:
    """A metric's mean over cutoffs for each segment and model, with the segment's series and units a cutoff."""
    chosen = result.scores[result.scores["segment_kind"] == kind]
    values = chosen[chosen["metric"] == metric].pivot_table(index="segment", columns="model", values="value")
    size = chosen[chosen["metric"].isin(["series", "units"])].pivot_table(index="segment", columns="metric",
                                                                         values="value")
    order = values.index if kind != "category" or "units" not in size else size["units"].sort_values(
        ascending=False).index
    return [{"segment": str(name), "values": numbers(values.loc[name]),
             **(numbers(size.loc[name]) if name in size.index else {})}
            for name in order if name in values.index]


def levels(result: BacktestResult, verdict: Verdict) -> list[dict[str, Any]]:
    """How far the champion's two-week sums of all items, of departments and of categories were off, added up.

    `unsure` is what `aggregates.aggregate` takes, of all cutoffs; `coverage_80` is of the published cutoff, by what the
    earlier ones said: none where that has too few sums to tell.
    """
    own = result.series[result.series["model"] == verdict.champion]
    found = []
    for level in LEVELS:
        sums = own.assign(kind=kinds.of_level(own["category"].to_numpy(dtype=np.str_), level)).groupby(
            [frames.CUTOFF, "kind"])[["actual", "forecast", "variance"]].sum().astype(np.float64).reset_index()
        error = (sums["forecast"] - sums["actual"]).to_numpy()
        mean, variance = sums["forecast"].to_numpy(), sums["variance"].to_numpy()
        last = (sums[frames.CUTOFF] == verdict.published_on).to_numpy()
        earlier = aggregates.unsure_by(error[~last], mean[~last], variance[~last])
        spread = np.sqrt(variance[last] + (earlier * mean[last]) ** 2)
        sold = float(sums["actual"].sum())
        found.append({
            "level": int(level), "sums": len(sums), "unsure": aggregates.unsure_by(error, mean, variance),
            "sum_wape": number(np.abs(error).sum() / sold) if sold else None,
            "sum_bias": number(error.sum() / sold) if sold else None,
            "coverage_80": number((np.abs(error[last]) <= Z_80 * spread).mean()) if last.sum() >= FEWEST_SUMS
            else None})
    return found


def cells(result: BacktestResult) -> list[dict[str, Any]]:
    """How each model did in each cell of money and steadiness, of all its sums at all cutoffs, where these suffice."""
    series = result.series
    error = series["forecast"].astype(float) - series["actual"].astype(float)
    scored = series.assign(sums=1, error=error, absolute=error.abs()).groupby(["cell", "model"])
    total = scored[["sums", "actual", "error", "absolute"]].sum().astype(float)
    held = {f"coverage_{round(100 * band)}": scored[f"inside_{round(100 * band)}"].mean() for band in BANDS}
    sold = total["actual"].where(total["actual"] > 0)
    table = pd.DataFrame({"sums": total["sums"], **held, "sum_wape": total["absolute"] / sold,
                          "sum_bias": total["error"] / sold})
    table = table[table["sums"] >= FEWEST_SUMS]
    return [{"segment": str(cell), "values": {str(name): {**numbers(row), "sums": int(row["sums"])}
                                              for name, row in part.droplevel(0).iterrows()}}
            for cell, part in table.groupby(level="cell")]


def ways(result: BacktestResult) -> list[dict[str, Any]]:
    """How each model did on items that sell alike (smooth, erratic, intermittent, lumpy): means over the cutoffs."""
    missed = {row["segment"]: row for row in segments(result, "demand")}
    return [{**row, "values": {name: {"scaled_pinball": value, "sum_wape": missed[row["segment"]]["values"].get(name)}
                               for name, value in row["values"].items()}}
            for row in segments(result, "demand", "scaled_pinball")]


def promotions(result: BacktestResult) -> list[dict[str, Any]]:
    """How each model did by the day, apart for days on promotion: means over the cutoffs, the promoted days first."""
    chosen = result.scores[result.scores["segment_kind"] == "promotion"]
    table = chosen.pivot_table(index=["segment", "model"], columns="metric", values="value")
    found = []
    for name in (ON_PROMOTION, OTHER_DAYS) if len(table) else ():
        part = table.loc[name]
        size = {key: number(part[key].iloc[0]) for key in ("days", "units")}  # the same for every model
        shares = pd.DataFrame(part).reindex(columns=["wape", "bias"])
        values = {str(model): numbers(row) for model, row in shares.iterrows()}
        found.append({"segment": name, **size, "values": values})
    return found


def weekdays(result: BacktestResult, champion: str) -> list[dict[str, Any]]:
    """Units sold, missed and foretold too high by the champion, Monday to Sunday, of each category: the largest first.

    Sums over all origins and all days of the horizon, each counted as often as it was foretold: they add up.
    """
    own = result.by_weekday[result.by_weekday["model"] == champion]
    if own.empty:
        return []
    table = own.astype({"weekday": int}).pivot_table(
        index="category", columns="weekday", values=["units", "absolute", "error"], aggfunc="sum")
    order = own.groupby("category")["units"].sum().sort_values(ascending=False, kind="stable").index
    return [{"segment": str(category), **{title: [number(value) for value in table.loc[category, name]]
                                          for title, name in (("units", "units"), ("missed", "absolute"),
                                                              ("error", "error"))}}
            for category in order]


def weeks_of_series(result: BacktestResult, name: str) -> pd.DataFrame:
    """Units of each series in each whole week of its sums: unique_id, starts, sold, foretold, missed."""
    own = result.series[result.series["model"] == name]
    weeks = pd.concat([pd.DataFrame({
        frames.UNIQUE_ID: own[frames.UNIQUE_ID], "starts": own[frames.CUTOFF] + pd.Timedelta(days=1 + week * WEEK),
        "sold": own[f"actual_{week + 1}"].astype(float), "foretold": own[f"forecast_{week + 1}"].astype(float)})
        for week in range(result.sum_days // WEEK)], ignore_index=True)
    return weeks.assign(missed=(weeks["foretold"] - weeks["sold"]).abs())


def worst_items(result: BacktestResult, champion: str, panel: Panel) -> dict[str, Any]:
    """The series that the champion's errors cost the most, week by week of the first two after each origin.

    Cost: the units missed in each week, at the series' price; one without a price counts as if it were 1. `weeks` are
    the days they begin on; of each series the units `sold` and `foretold` in them, None where it was not scored.
    `cost_share` is what these series make of the cost of all.
    """
    if champion not in set(result.series["model"]):
        return no_worst_items()
    told = weeks_of_series(result, champion)
    prices = pd.Series(panel.prices().astype(float), index=panel.ids)
    is_priced = pd.Series(False, index=panel.ids)
    if frames.PRICE in panel.static:
        is_priced[:] = panel.static[frames.PRICE].notna().to_numpy()
    missed = told.groupby(frames.UNIQUE_ID)["missed"].sum()
    cost = (missed * prices.reindex(missed.index)).sort_values(ascending=False, kind="stable")
    worst = cost.index[:WORST_ITEMS]
    table = told[told[frames.UNIQUE_ID].isin(worst)].pivot_table(
        index=frames.UNIQUE_ID, columns="starts", values=["sold", "foretold"], aggfunc="sum")
    rows = [{"item_id": item, "location_id": location, "price": number(prices[name]) if is_priced[name] else None,
             **{kind: [None if pd.isna(value) else number(value) for value in table.loc[name, kind]]
                for kind in ("sold", "foretold")}}
            for name, item, location in zip(worst, *map(np.ndarray.tolist, split_ids(worst.to_numpy(dtype=np.str_))),
                                            strict=True)]
    return {"weeks": [day(start) for start in table["sold"].columns], "rows": rows,
            "cost_share": number(cost[worst].sum() / max(cost.sum(), 1e-12))}


def no_worst_items() -> dict[str, Any]:
    return {"weeks": [], "rows": [], "cost_share": 0.0}


def usual_range(result: BacktestResult, name: str) -> dict[str, float] | None:
    """Where a model's WAPE of its first week is to be expected: the 95 % range for one more week.

    A prediction interval from the cutoffs' values (Student's t); None with fewer than three of them.
    """
    table = result.table("wape", "week", "1")
    values = table.loc[name].dropna().to_numpy() if name in table.index else np.zeros(0)
    if len(values) < 3:
        return None
    reach = float(stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) * np.sqrt(1 + 1 / len(values)))
    mean = float(values.mean())
    return {"mean": number(mean), "low": number(max(mean - reach, 0.0)), "high": number(mean + reach),
            "weeks": len(values)}


def reason(found: Verdict) -> str:
    """Why the champion is in use, as people say it."""
    opening = {
        "promoted": _("%(model)s is put in use."), "kept": _("%(model)s stays in use."),
        "baseline": _("%(model)s is used: no trained model beat it by enough."),
        "too_few_cutoffs": _("%(model)s is used: there are too few past weeks to compare models by."),
        "nothing_scored": _("%(model)s is used: there is too little history to compare models."),
    }[found.outcome] % {"model": capfirst(model_title(found.champion))}
    return " ".join([opening, *(trial_words(trial_row(trial)) for trial in found.trials)])


def verdict(found: Verdict) -> dict[str, Any]:
    """The verdict with its trials."""
    return {
        "champion": found.champion, "outcome": found.outcome, "reason": reason(found),
        "best_baseline": found.best_baseline, "chosen_on": [day(cutoff) for cutoff in found.chosen_on],
        "published_on": day(found.published_on) if found.published_on is not None else None,
        "trials": [trial_row(trial) for trial in found.trials],
    }


def trial_row(trial: Trial) -> dict[str, Any]:
    """One comparison of a candidate with a reference; `against` is what speaks against the candidate."""
    return {"candidate": trial.candidate, "reference": trial.reference, "gain": number(trial.gain),
            "gain_low": number(trial.gain_low), "gain_high": number(trial.gain_high),
            "top_loss": number(trial.top_loss), "passes": trial.passes, "against": list(trial.refusals),
            "coverage": {str(round(100 * band)): number(held) for band, held in trial.coverage.items()}}


def items(result: BacktestResult, found: Verdict) -> ItemScores:
    """How champion and best baseline did on each series: sums over the cutoffs' two weeks."""
    scored = result.series.assign(
        error=(result.series["forecast"].astype(float) - result.series["actual"].astype(float)).abs())
    by_series = scored.groupby(["model", frames.UNIQUE_ID])
    sums = by_series[["actual", "error"]].sum().join(by_series["inside_80"].mean())
    own = sums.loc[found.champion] if found.champion in sums.index.get_level_values(0) else sums.iloc[:0]
    if own.empty:
        return no_items()
    other = sums.loc[found.best_baseline].reindex(own.index)
    return ItemScores(unique_ids=own.index.to_numpy(dtype=np.str_), actual=own["actual"].to_numpy(dtype=np.float64),
                      champion_error=own["error"].to_numpy(), baseline_error=other["error"].fillna(0.0).to_numpy(),
                      covered_80=own["inside_80"].to_numpy(dtype=np.float64))


def no_items() -> ItemScores:
    nothing = np.zeros(0)
    return ItemScores(unique_ids=np.zeros(0, dtype=np.str_), actual=nothing, champion_error=nothing,
                      baseline_error=nothing, covered_80=nothing)


def metrics_of(told: Mapping[str, Any], name: str) -> dict[str, Any]:
    """What the registry keeps of a model's scores: its line of the leaderboard, by cutoff too."""
    found = next((row for row in told["models"] if row["name"] == name), None)
    return {**found["metrics"], "by_cutoff": found["by_cutoff"]} if found else {}


def day(moment: Any) -> str:
    return str(pd.Timestamp(moment).date())


def numbers(scores: pd.Series[float]) -> dict[str, float]:
    """Scores by name, without those that there are none of: a model with too little history has none there."""
    return {str(name): number(value) for name, value in scores.dropna().items()}


def number(value: Any) -> float:
    """Five decimals: more than anyone reads, and JSON stays small."""
    return round(float(value), 5)
