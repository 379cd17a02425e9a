"""How demand went with price: one elasticity per item, leaning on its category and that on all, with honest bands.

Weekly units of item i are counts around exp(item + week + b_i * log price + controls), with variance
noise_i * (mean + clumping * mean^2): a quasi-likelihood, which needs no logarithm of zero. Each item has its own level,
and weeks have effects that all items share. What else moves demand in the same weeks (mailers, displays, the dip after
them) is controlled, since a price cut that was also advertised would get the credit for both. Slopes
b_i ~ N(category, tau^2), categories ~ N(all, omega^2): a normal hierarchy over each item's working estimate (Newton's
step and its information: PQL, Breslow and Clayton 1993), in which the controls' uncertainty is carried along, and tau
and omega are integrated over a grid; tau weighs in by its size, as items of a category are never all alike (Chung and
others 2013).

What comes out is an association: prices of the past were set by people who had reasons. Only a randomised test
(holdout.py) says what a cut causes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from apps.optimization.engine.frames import Flags, Floats, InputError, Ints, week_places

WEEK_COLUMNS = ("unique_id", "week", "units", "price")
KNOWN_COLUMNS = (*WEEK_COLUMNS, "available")
WORDS = (
    "An association: how units went with prices in the past, with promotions and weeks set apart. "
    "Only a randomised test can say what a price cut causes."
)
Z_80, Z_95 = 1.2816, 1.9600
ALL_MEAN, ALL_SPREAD = -1.0, 3.0
"""What is thought of the elasticity of all items before any data: so little that a few price changes outweigh it."""
CONTROL_SPREAD = 3.0
"""The same of a control's effect, in logs, around none."""
WEEK_SPREAD = 0.2
"""How far, in logs, a week is thought to lie from others before its units are seen: few items cannot tell a week."""
TAUS = np.concatenate([np.arange(0, 1, 0.06), np.arange(1, 2.6, 0.25)])
OMEGAS = np.array([0.0, 0.1, 0.2, 0.35, 0.5, 0.8, 1.2, 2.0])
PRIOR_WEEKS = 20
"""An item's noise counts as so many weeks of the noise of all."""
LAGS = 4
"""Weeks that a surprise may last: neighbouring weeks that go wrong together count for less."""
ROUNDS, TOLERANCE = 80, 1e-3


@dataclass(frozen=True)
class Elasticities:
    """What prices did, as far as the past can tell; `words` belongs beside every figure of it."""

    table: pd.DataFrame
    """Per item of the static frame: unique_id, category, elasticity, sd, low_80, high_80, low_95, high_95, weeks,
    own_share (0: all from its category, 1: all its own), lowest_price (NaN where none was ever seen)."""
    categories: pd.DataFrame
    """Per category: category, elasticity, sd, items. A new item of it is expected there, `spread` around."""
    overall: float
    overall_sd: float
    spread: float
    """Standard deviation of items around their category."""
    controls: pd.DataFrame
    """control, effect, sd: in logs."""
    clumping: float
    """Units of a week vary by mean + clumping * mean^2, times `noise`."""
    noise: float
    """Of the items on average, the persistence of surprises included."""
    words: str = WORDS


@dataclass(frozen=True)
class _Panel:
    """Weeks as a grid: [n, T]; a cell without a row or without goods is not `known`."""

    units: Floats
    log_price: Floats
    known: Flags
    controls: Floats
    """[K, n, T]"""
    names: tuple[str, ...]
    category: Ints


@dataclass(frozen=True)
class _State:
    """Where the search stands: items' levels in units and slopes [n], controls' effects [K], weeks' [T]."""

    level: Floats
    slope: Floats
    effect: Floats
    week: Floats


@dataclass(frozen=True)
class _Noise:
    clumping: float
    item: Floats
    """[n]"""
    persistence: float
    """What slopes vary by is swollen by so much where surprises last."""

    def trust(self, mean: Floats) -> Floats:
        """What a unit off the mean says about its logarithm [n, T]."""
        return 1 / ((1 + self.clumping * mean) * self.item[:, None] * self.persistence)


@dataclass(frozen=True)
class _Sums:
    """What the likelihood says near the current slopes: everything over the noise.

    information [n] and score [n] of the slopes, cross [n, K] with the controls; of the controls [K, K], [K]."""

    information: Floats
    score: Floats
    cross: Floats
    controls: Floats
    controls_score: Floats


@dataclass(frozen=True)
class _Posterior:
    item: Floats
    item_variance: Floats
    group: Floats
    group_variance: Floats
    shared: Floats
    """The slope of all, then what is to be added to each control."""
    shared_variance: Floats
    own: Floats
    log_evidence: float


def fit(
    weeks: pd.DataFrame, static: pd.DataFrame, *, controls: Sequence[str] | None = None, dip_weeks: int = 2
) -> Elasticities:
    """Elasticities of the items of `static` (unique_id, category).

    weeks: unique_id, week (dates seven days apart, or whole numbers), units (at least 0), price (above 0, or missing
    where it is not known: that week is left out), optional available (0 where there was nothing to sell: left out),
    and controls between 0 and 1, by default every other column. Weeks without a row are left out. `dip_weeks` more
    controls say that there was any control 1, 2, .. weeks before.
    Raises InputError with every problem found.
    """
    panel, lowest = _read(weeks, static, controls, dip_weeks)
    groups = int(panel.category.max(initial=-1)) + 1
    state = _State(*(np.full(size, value) for size, value in zip(
        (len(static), len(static), len(panel.names), panel.units.shape[1]), (1.0, ALL_MEAN, 0.0, 0.0), strict=True)))
    noise = _Noise(0.0, np.ones(len(static)), 1.0)
    for _round in range(ROUNDS):
        state, mean, week_moved = _levelled(panel, state, noise)
        noise = _noise(panel, mean)
        found, weights = _integrated(_sums(panel, mean, noise), state, panel.category, groups)
        posterior = _mixed(found, weights)
        step = np.clip(posterior.shared[1:], -1, 1)
        item_step = np.clip(posterior.item - state.slope, -1, 1)
        state = replace(state, slope=state.slope + item_step, effect=state.effect + step)
        if max(np.abs(each).max(initial=0.0) for each in (item_step, step, week_moved)) < TOLERANCE:
            break
    return _told(panel, static, lowest, posterior, state.effect, _spread(weights), noise)


def _read(
    weeks: pd.DataFrame, static: pd.DataFrame, controls: Sequence[str] | None, dip_weeks: int
) -> tuple[_Panel, Floats]:
    problems = [f"weeks: the column {name!r} is missing." for name in WEEK_COLUMNS if name not in weeks.columns]
    problems += [f"static: the column {c!r} is missing." for c in ("unique_id", "category") if c not in static.columns]
    names = tuple(name for name in weeks.columns if name not in KNOWN_COLUMNS) if controls is None else tuple(controls)
    problems += [f"weeks: the column {name!r} is missing." for name in names if name not in weeks.columns]
    if problems:
        raise InputError(problems)
    if static["unique_id"].duplicated().any():
        problems.append("static: unique_id stands there more than once.")
    if weeks[["unique_id", "week"]].duplicated().any():
        problems.append("weeks: an item has more than one row for a week.")
    place = week_places(weeks["week"], problems)

    def numbers(column: str) -> Floats:
        return pd.to_numeric(weeks[column], errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)

    units, price = numbers("units"), numbers("price")
    available = numbers("available") if "available" in weeks.columns else np.ones(len(weeks))
    extra = np.array([numbers(name) for name in names]).reshape(len(names), len(weeks))
    for name, wrong, words in (
        ("units", ~(np.isfinite(units) & (units >= 0)), "must be a number of at least 0"),
        ("price", price <= 0, "must be above 0, or missing where it is not known"),
        *((name, ~((column >= 0) & (column <= 1)), "must lie between 0 and 1")
          for name, column in zip(names, extra, strict=True)),
    ):
        if wrong.any():
            problems.append(f"weeks: {name} {words}, and does not in {int(wrong.sum())} rows.")
    if problems:
        raise InputError(problems)
    row = pd.Index(static["unique_id"].astype(object)).get_indexer(pd.Index(weeks["unique_id"].astype(object)))
    chosen = row >= 0
    at = (row[chosen], place[chosen])
    shape = (len(static), int(place.max(initial=0)) + 1)

    def grid(values: Floats) -> Floats:
        cells = np.zeros(shape)
        cells[at] = values[chosen]
        return cells

    usable = np.isfinite(price) & (available > 0)
    known = grid(usable.astype(np.float64)) > 0
    promoted = np.array([grid(column) for column in extra]).reshape(len(names), *shape)
    any_promoted = promoted.max(axis=0, initial=0.0)
    lagged = [np.pad(any_promoted, ((0, 0), (lag, 0)))[:, : shape[1]] for lag in range(1, dip_weeks + 1)]
    if names:
        promoted = np.concatenate([promoted, np.array(lagged).reshape(len(lagged), *shape)])
        names += tuple(f"{lag} week{'s' if lag > 1 else ''} after" for lag in range(1, dip_weeks + 1))
    category = np.unique(static["category"].astype(str).to_numpy(dtype=object), return_inverse=True)[1]
    lowest = np.full(shape[0], np.inf)
    np.minimum.at(lowest, row[chosen & np.isfinite(price)], price[chosen & np.isfinite(price)])
    panel = _Panel(
        units=np.where(known, grid(units), 0.0),
        log_price=np.where(known, grid(np.log(np.where(usable, price, 1.0))), 0.0),
        known=known,
        controls=promoted,
        names=names,
        category=category.astype(np.int64),
    )
    return panel, np.where(np.isfinite(lowest), lowest, np.nan)


def _expected(panel: _Panel, state: _State) -> Floats:
    """Expected units [n, T], none where nothing is known."""
    log_mean = state.week + state.slope[:, None] * panel.log_price + np.tensordot(state.effect, panel.controls, axes=1)
    log_mean -= log_mean.max(axis=1, keepdims=True, initial=-np.inf, where=panel.known)
    return np.where(panel.known, np.exp(np.minimum(log_mean, 0)), 0.0)


def _levelled(panel: _Panel, state: _State, noise: _Noise) -> tuple[_State, Floats, Floats]:
    """The state with items' levels and weeks' effects moved to where the units are; what is expected [n, T] under those
    levels; and how far the weeks moved [T]."""
    shape = _expected(panel, state)
    level = state.level
    for _turn in range(2):
        trust = noise.trust(level[:, None] * shape)
        seen, thought = (panel.units * trust).sum(axis=1), (shape * trust).sum(axis=1)
        level = np.divide(seen, thought, out=np.zeros_like(seen), where=thought > 0)
    mean = level[:, None] * shape
    trust = noise.trust(mean)
    seen, thought = (panel.units * trust).sum(axis=0), (mean * trust).sum(axis=0)
    moved = np.log((seen + 1 / WEEK_SPREAD**2) / (thought * np.exp(-state.week) + 1 / WEEK_SPREAD**2)) - state.week
    return replace(state, level=level, week=state.week + moved), mean, moved


def _noise(panel: _Panel, mean: Floats) -> _Noise:
    """How units vary around their mean: clumping of all, each item's noise leaning on all, and persistence."""
    off = panel.units - mean
    clumping = max(float((off**2 - mean).sum() / max((mean**2).sum(), 1e-9)), 0.0)
    variance = mean * (1 + clumping * mean)
    squares = np.divide(off**2, variance, out=np.zeros_like(mean), where=mean > 0).sum(axis=1)
    degrees = np.maximum((mean > 0).sum(axis=1) - 2, 0)
    of_all = max(float(squares.sum() / max(degrees.sum(), 1)), 1.0)
    item = (squares + PRIOR_WEEKS * of_all) / (degrees + PRIOR_WEEKS)
    trust = 1 / (1 + clumping * mean)
    score = _within(panel.log_price, mean * trust) * off * trust
    power = float((score**2).sum())
    together = sum((1 - lag / (LAGS + 1)) * float((score[:, lag:] * score[:, :-lag]).sum())
                   for lag in range(1, min(LAGS, score.shape[1] - 1) + 1))
    return _Noise(clumping, item, max(1.0, 1 + 2 * together / power) if power > 0 else 1.0)


def _within(column: Floats, weight: Floats) -> Floats:
    """The column [.., n, T] less its weighted average of each item."""
    total = weight.sum(axis=1)
    middle = np.divide((column * weight).sum(axis=-1), total, out=np.zeros(column.shape[:-1]), where=total > 0)
    return np.asarray(column - middle[..., None])


def _sums(panel: _Panel, mean: Floats, noise: _Noise) -> _Sums:
    trust = noise.trust(mean)
    weight, off = mean * trust, (panel.units - mean) * trust
    price, others = _within(panel.log_price, weight), _within(panel.controls, weight)
    information = (weight * price**2).sum(axis=1)
    information[information < 1e-6] = 0.0
    flat = others.reshape(len(others), mean.size)
    return _Sums(
        information=information,
        score=np.where(information > 0, (price * off).sum(axis=1), 0.0),
        cross=np.where(information > 0, np.einsum("nt,nt,knt->kn", weight, price, others), 0.0).T,
        controls=(flat * weight.ravel()) @ flat.T,
        controls_score=flat @ off.ravel(),
    )


def _integrated(sums: _Sums, state: _State, category: Ints, groups: int) -> tuple[list[_Posterior], Floats]:
    """The posterior at each pair of spreads (TAUS x OMEGAS), and the pairs' weights: evidence times prior."""
    known = sums.information > 0
    safe = np.where(known, sums.information, 1.0)
    estimate = state.slope + np.where(known, sums.score / safe, 0.0)
    leverage = np.where(known[:, None], sums.cross / safe[:, None], 0.0)
    rest = sums.controls - leverage.T @ sums.cross
    rest_score = sums.controls_score - leverage.T @ sums.score
    prior = np.full(len(state.effect), 1 / CONTROL_SPREAD**2)
    rest = rest + np.diag(prior)
    rest_score = rest_score - prior * state.effect
    found = [
        _hierarchy(sums.information, estimate, leverage, rest, rest_score, category, groups, tau, omega)
        for tau in TAUS for omega in OMEGAS
    ]
    evidence = np.array([each.log_evidence for each in found])
    prior_weight = np.outer(TAUS * np.gradient(TAUS), np.gradient(OMEGAS)).ravel()
    weights = np.exp(evidence - evidence.max()) * prior_weight
    return found, weights / weights.sum()


def _hierarchy(
    information: Floats, estimate: Floats, leverage: Floats, rest: Floats, rest_score: Floats,
    category: Ints, groups: int, tau: float, omega: float,
) -> _Posterior:
    """Items, categories and all at given spreads: generalised least squares over the estimates of items.

    estimate_i = b_i + leverage_i . d + noise of variance 1 / information_i, where d is what is missing in the controls;
    by categories the inverse of the estimates' covariance is known (Sherman and Morrison)."""
    weight = information / (1 + information * tau**2)
    columns = np.column_stack([np.ones(len(estimate)), leverage])
    by_group = np.array([np.bincount(category, weight * column, groups) for column in columns.T])
    said = np.bincount(category, weight * estimate, groups)
    total = by_group[0]
    factor = omega**2 / (1 + omega**2 * total)
    precision = (columns * weight[:, None]).T @ columns - (by_group * factor) @ by_group.T
    right = columns.T @ (weight * estimate) - by_group @ (factor * said)
    precision[1:, 1:] += rest
    right[1:] += rest_score
    precision[0, 0] += 1 / ALL_SPREAD**2
    right[0] += ALL_MEAN / ALL_SPREAD**2
    variance = np.linalg.inv(precision)
    shared = variance @ right
    square = weight @ estimate**2 - factor @ said**2 - right @ shared
    spread = np.log1p(information * tau**2).sum() + np.log1p(omega**2 * total).sum()
    evidence = -0.5 * (square + spread + np.linalg.slogdet(precision)[1])

    lean = factor / omega**2 if omega > 0 else np.ones(groups)  # on all; the rest of a category is its items
    of_group = -(by_group * factor)
    of_group[0] = lean
    group = factor * said + shared @ of_group
    group_variance = factor + np.einsum("kg,kl,lg->g", of_group, variance, of_group)
    own = information * tau**2 / (1 + information * tau**2)
    of_item = (1 - own) * of_group[:, category]
    of_item[1:] -= own * leverage.T
    item = own * estimate + (1 - own) * (factor * said)[category] + shared @ of_item
    item_variance = (
        tau**2 / (1 + information * tau**2)
        + (1 - own) ** 2 * factor[category]
        + np.einsum("kn,kn->n", variance @ of_item, of_item)
    )
    return _Posterior(item, item_variance, group, group_variance, shared, np.diag(variance), own, float(evidence))


def _mixed(found: list[_Posterior], weights: Floats) -> _Posterior:
    """The mean and variance of the mixture of all pairs of spreads."""

    def moments(mean: str, variance: str) -> tuple[Floats, Floats]:
        means = np.array([getattr(each, mean) for each in found])
        variances = np.array([getattr(each, variance) for each in found])
        middle = weights @ means
        return middle, weights @ (variances + (means - middle) ** 2)

    item, group = moments("item", "item_variance"), moments("group", "group_variance")
    shared = moments("shared", "shared_variance")
    own = weights @ np.array([each.own for each in found])
    return _Posterior(*item, *group, *shared, own, 0.0)


def _spread(weights: Floats) -> float:
    return float(np.sqrt(weights @ np.repeat(TAUS**2, len(OMEGAS))))


def _told(
    panel: _Panel, static: pd.DataFrame, lowest: Floats, posterior: _Posterior, effect: Floats, spread: float,
    noise: _Noise,
) -> Elasticities:
    sd = np.sqrt(posterior.item_variance)
    names = static["category"].astype(str)
    table = pd.DataFrame(
        {
            "unique_id": static["unique_id"].to_numpy(),
            "category": names.to_numpy(),
            "elasticity": posterior.item,
            "sd": sd,
            **{f"{side}_{level}": posterior.item + sign * z * sd
               for level, z in ((80, Z_80), (95, Z_95)) for side, sign in (("low", -1), ("high", 1))},
            "weeks": panel.known.sum(axis=1),
            "own_share": posterior.own,
            "lowest_price": lowest,
        }
    )
    categories = pd.DataFrame(
        {
            "category": np.unique(names.to_numpy(dtype=object)),
            "elasticity": posterior.group,
            "sd": np.sqrt(posterior.group_variance),
            "items": np.bincount(panel.category, minlength=len(posterior.group)),
        }
    )
    control_sd = np.sqrt(posterior.shared_variance[1:])
    return Elasticities(
        table=table,
        categories=categories,
        overall=float(posterior.shared[0]),
        overall_sd=float(np.sqrt(posterior.shared_variance[0])),
        spread=spread,
        controls=pd.DataFrame({"control": list(panel.names), "effect": effect, "sd": control_sd}),
        clumping=noise.clumping,
        noise=float(np.mean(noise.item) * noise.persistence),
    )
