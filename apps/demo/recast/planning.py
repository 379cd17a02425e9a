"""Says which items a shop plans, and what they sold until a day."""

from datetime import date

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from apps.demo.recast.lines import Lines, day_number
from apps.demo.recast.rules import is_sale
from apps.demo.recast.shops import PLANNING_WINDOW_DAYS, STANDS_ON, Shop

WEEK_DAYS = 7


def in_shop(shop: Shop, products: pd.DataFrame) -> NDArray[np.bool_]:
    """Return the products of the shop's departments."""
    departments = products["department"]
    return departments.isin([name for name in departments.unique() if shop.sells(name)]).to_numpy(dtype=bool)


def lines_of(shop: Shop, lines: Lines, products: pd.DataFrame) -> NDArray[np.bool_]:
    """Return the lines that the shop's files hold: those of its departments, from the day on that it knows.

    A shop of every department also has the lines whose product nobody knows.
    """
    known = lines.day >= day_number(shop.knows_since or date.min)
    if shop.departments is None:
        return known
    return known & in_shop(shop, products)[lines.product] & (lines.product >= 0)


def goods(shop: Shop, products: pd.DataFrame) -> NDArray[np.bool_]:
    """Return the products that the shop sells as goods."""
    return in_shop(shop, products) & products["odd"].eq("").to_numpy(dtype=bool)


def planned_items(shop: Shop, lines: Lines, products: pd.DataFrame, *, as_of: date = STANDS_ON) -> pd.DataFrame:
    """Return the items that sell enough to be planned, by the 26 weeks before `as_of`.

    One row an item, sorted by product: product (row in the products), product_id, units_per_week, and
    shelf_value_per_year (dollars at the shelf price, the 26 weeks doubled).
    """
    until = day_number(as_of)
    recent = (lines.day >= until - PLANNING_WINDOW_DAYS) & (lines.day < until)
    counted = recent & is_sale(lines, products)
    counted[counted] = goods(shop, products)[lines.product[counted]]
    rows = lines.product[counted]
    units = np.bincount(rows, weights=lines.quantity[counted], minlength=len(products))
    value = np.bincount(rows, weights=lines.shelf[counted], minlength=len(products))
    per_week = units / (PLANNING_WINDOW_DAYS / WEEK_DAYS)
    chosen = np.flatnonzero(per_week >= shop.planned_units_per_week)
    return pd.DataFrame(
        {
            "product": chosen,
            "product_id": products["product_id"].to_numpy()[chosen],
            "units_per_week": per_week[chosen],
            "shelf_value_per_year": value[chosen] * 2,
        }
    )
