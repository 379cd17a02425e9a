"""Made-up shops for the forecasting tests: small, and known to the last parameter."""

import numpy as np
import pandas as pd

from apps.forecasting.engine.base import Grid, Panel

FIRST_DAY = pd.Timestamp("2024-01-01")


def frames(
    n_series: int = 24, n_days: int = 140, *, ahead_days: int = 28, seed: int = 3
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return history, static and covariates of a shop with a weekly rhythm, a mailer (x 2) and some slow items."""
    stream = np.random.default_rng(seed)
    ids = [f"item-{number:03d}" for number in range(n_series)]
    days = pd.date_range(FIRST_DAY, periods=n_days + ahead_days, freq="D")
    weeks = np.arange(len(days)) // 7
    mailer = (stream.random((n_series, weeks.max() + 1)) < 0.2)[:, weeks].astype(float)
    rate = stream.gamma(1.0, 1.5, n_series)[:, None] * (1.0 + 0.4 * (days.dayofweek.to_numpy() >= 5))
    sold = stream.poisson(rate * (1.0 + mailer))[:, :n_days]
    rows, columns = np.nonzero(sold)
    units = sold[rows, columns].astype(float)
    history = pd.DataFrame({"unique_id": np.array(ids)[rows], "ds": days[columns], "y": units})
    static = pd.DataFrame(
        {
            "unique_id": ids,
            "category": [f"category-{number % 4}" for number in range(n_series)],
            "department": [f"department-{number % 2}" for number in range(n_series)],
            "brand": "own",
            "price": stream.uniform(1, 9, n_series),
            "start": FIRST_DAY,
        }
    )
    rows, columns = np.nonzero(mailer)
    covariates = pd.DataFrame({"unique_id": np.array(ids)[rows], "ds": days[columns], "mailer": 1.0})
    covariates["display"] = stream.random(len(covariates))
    return history, static, covariates


def panel(n_series: int = 24, n_days: int = 140, *, grid: Grid | None = None, seed: int = 3) -> Panel:
    """Return the panel of such a shop, its mailer known ahead."""
    grid = grid or Grid()
    history, static, covariates = frames(n_series, n_days, ahead_days=grid.horizon_days, seed=seed)
    return Panel.from_frames(
        history,
        static,
        covariates,
        known_ahead=["mailer"],
        cutoff=FIRST_DAY + pd.Timedelta(days=n_days - 1),
        grid=grid,
        country="US",
    )


def panel_of(sales: np.ndarray, known: np.ndarray | None = None) -> Panel:
    """Return a panel with these daily sales [n, T], and nothing else told."""
    n_series, n_days = sales.shape
    history = pd.DataFrame(
        {
            "unique_id": np.repeat([f"item-{number:03d}" for number in range(n_series)], n_days),
            "ds": np.tile(pd.date_range(FIRST_DAY, periods=n_days), n_series),
            "y": sales.reshape(-1).astype(float),
        }
    )
    if known is not None:
        history["available"] = known.reshape(-1).astype(float)
    return Panel.from_frames(history)
