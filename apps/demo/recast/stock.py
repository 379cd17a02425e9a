"""Makes up the stock with which a shop's story starts, by a written rule."""

from datetime import date

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from apps.demo.recast.draws import draws

BELOW_REORDER_POINT = 0.10
OVERSTOCKED = 0.10
OVERSTOCK_WEEKS = (8, 26)
SAFETY_FACTOR = 1.3
DAYS_A_WEEK = 7


def reorder_points(
    units_per_week: NDArray[np.float64], lead_time_days: NDArray[np.int64], lead_time_spread_days: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Return the simple reorder point: lead-time demand and 1.3 standard deviations of it, at least one unit.

    Daily demand is taken as Poisson; the lead time's own spread is added in quadrature.
    """
    per_day = units_per_week / DAYS_A_WEEK
    mean = per_day * lead_time_days
    deviation = np.sqrt(mean + (per_day * lead_time_spread_days) ** 2)
    return np.maximum(np.ceil(mean + SAFETY_FACTOR * deviation), 1).astype(np.int64)


def opening_stock(planned: pd.DataFrame, terms: pd.DataFrame, *, as_of: date) -> pd.DataFrame:
    """Return product_id, on_hand, reorder_point, order_up_to_level and state for each planned item.

    One item in ten lies below its reorder point, one in ten has 8 to 26 weeks more than its order-up-to level,
    the others lie between the two. Which one is which hangs on the item and the day alone.
    """
    items = planned.merge(
        terms[["product", "lead_time_days", "lead_time_spread_days", "review_period_days", "pack_size"]], on="product"
    )
    per_week = items["units_per_week"].to_numpy()
    reorder = reorder_points(
        per_week, items["lead_time_days"].to_numpy(), items["lead_time_spread_days"].to_numpy()
    )
    one_review = np.ceil(per_week / DAYS_A_WEEK * items["review_period_days"].to_numpy()).astype(np.int64)
    level = reorder + np.maximum(one_review, items["pack_size"].to_numpy())
    keys = items["product_id"].to_numpy()
    lot = draws(keys, f"stock state on {as_of}")
    within = draws(keys, f"stock level on {as_of}")
    below = np.floor(within * reorder)
    between = reorder + np.floor(within * (level - reorder + 1))
    fewest, most = OVERSTOCK_WEEKS
    above = level + np.ceil(per_week * (fewest + (most - fewest) * within))
    state = np.select([lot < BELOW_REORDER_POINT, lot >= 1 - OVERSTOCKED], ["below", "overstocked"], "between")
    return pd.DataFrame(
        {
            "product_id": keys,
            "on_hand": np.select([state == "below", state == "overstocked"], [below, above], between).astype(np.int64),
            "reorder_point": reorder,
            "order_up_to_level": level,
            "state": state,
        }
    )
