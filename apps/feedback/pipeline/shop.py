"""A shop to replay: the items frame of the optimization engine, a made-up opening stock, and demand in whole units."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from apps.forecasting.engine.base import Panel
from apps.forecasting.engine.baselines import mean_rate
from apps.forecasting.engine.grid import WEEK
from apps.forecasting.engine.rhythm import PROFILE_WEEKS
from apps.optimization.engine.frames import Limits

LOW_SHARE, HIGH_SHARE = 0.1, 0.1  # items that open short of stock, and with too much of it
LOW_COVER, HIGH_COVER = 0.35, 2.5  # of what the protection period asks for

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Shop:
    """The items of a panel that have a cost and a price, in the panel's order, and the panel of those alone."""

    items: pd.DataFrame
    panel: Panel
    limits: Limits
    left_out: int

    @property
    def item_ids(self) -> Ints:
        return self.items["item_id"].to_numpy(dtype=np.int64)

    @property
    def location_ids(self) -> Ints:
        return self.items["location_id"].to_numpy(dtype=np.int64)

    def units(self, first_column: int) -> Ints:
        """Units sold on each day from a column of the panel on [n, days]."""
        sold: Ints = np.rint(self.panel.sales[:, first_column:]).astype(np.int64)
        return sold


def shop_of(panel: Panel, terms: pd.DataFrame) -> Shop:
    """Join the panel's series to the terms of their items (`sales.selectors.earning_terms`).

    Items without a cost or a price are left out: what they make cannot be told.
    """
    parts = np.char.partition(panel.ids, "/") if panel.n_series else np.zeros((0, 3), dtype="<U1")
    frame = pd.DataFrame({"unique_id": panel.ids.astype(object), "item_id": parts[:, 0].astype(np.int64),
                          "location_id": parts[:, 2].astype(np.int64)})
    frame = frame.merge(terms, on="item_id", how="left", validate="many_to_one")
    rows = np.flatnonzero(frame["unit_cost"].notna() & frame["price"].notna())
    frame = frame.iloc[rows].reset_index(drop=True)
    frame["supplier_id"] = frame["supplier_id"].astype(np.int64).astype(str)
    frame["shortage_cost"] = np.maximum(frame["price"] - frame["unit_cost"], 0.0)
    frame["on_hand"] = 0
    minimums = frame.dropna(subset="minimum_order_value").groupby("supplier_id")["minimum_order_value"].max()
    limits = Limits(supplier_minimums={str(name): float(value) for name, value in minimums.items()})
    return Shop(frame, panel.take(rows), limits, panel.n_series - len(rows))


def steady_stock(shop: Shop, known: Panel) -> Ints:
    """What lasts each item for its lead time and review period at the pace of the last eight weeks, rounded up."""
    days = shop.items["lead_time_days"].to_numpy() + shop.items["review_period_days"].to_numpy()
    steady: Ints = np.ceil(mean_rate(known, PROFILE_WEEKS * WEEK) * days).astype(np.int64)
    return steady


def uneven_stock(shop: Shop, known: Panel) -> Ints:
    """The steady stock, but some items open short of it and some with far too much: chosen by their ids alone."""
    drawn: NDArray[Any] = pd.util.hash_array(shop.items["unique_id"].to_numpy(dtype=object)) % np.uint64(1000)
    cover = np.select([drawn < 1000 * LOW_SHARE, drawn >= 1000 * (1 - HIGH_SHARE)], [LOW_COVER, HIGH_COVER], 1.0)
    uneven: Ints = np.ceil(steady_stock(shop, known) * cover).astype(np.int64)
    return uneven
