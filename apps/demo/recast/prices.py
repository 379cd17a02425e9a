"""Gives every item a typical shelf price, and the unit cost that the demo makes up from it."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from apps.demo.recast.lines import Lines, day_number
from apps.demo.recast.rules import is_sale
from apps.demo.recast.shops import REPLAY_STARTS_ON, STANDS_ON

# What the shop pays, as a share of the shelf price. A quarter of what shoppers pay in the grocery department comes
# off the shelf price as discount, so the shares leave a margin of 25 to 45 % on the price really paid.
COST_SHARES = {
    "CHEF SHOPPE": 0.45,
    "COSMETICS": 0.50,
    "DELI": 0.55,
    "DRUG GM": 0.62,
    "FLORAL": 0.52,
    "FROZEN GROCERY": 0.66,
    "FUEL": 0.94,
    "GARDEN CENTER": 0.57,
    "GROCERY": 0.60,
    "MEAT": 0.54,
    "MEAT-PCKGD": 0.55,
    "NUTRITION": 0.61,
    "PASTRY": 0.46,
    "PRODUCE": 0.57,
    "RESTAURANT": 0.40,
    "SALAD BAR": 0.45,
    "SEAFOOD": 0.58,
    "SEAFOOD-PCKGD": 0.53,
    "SPIRITS": 0.75,
    "TRAVEL & LEISURE": 0.62,
}
OTHER_COST_SHARE = 0.65


MOST_OF_PAID = 0.85  # of what shoppers pay on average: the made-up unit cost lies no higher


def shelf_prices(lines: Lines, products: pd.DataFrame) -> NDArray[np.float64]:
    """Return each product's median shelf price in dollars, NaN where it was never sold at one.

    Known to the shop when its story starts: sales before the replay count; an item without any takes those before
    the day on which the shop stands, and one that first sells later has its first days' price.
    """
    sold = _sold(lines, products, lines.shelf)
    sold["price"] = sold["value"] / sold["quantity"]
    return np.round(_as_known(len(products), sold, lambda known: known.groupby("product")["price"].median()), 2)


def paid_prices(lines: Lines, products: pd.DataFrame) -> NDArray[np.float64]:
    """Return what shoppers paid on average for one of each product, of the same days as the shelf price.

    What was given away is left out; NaN where nothing was ever paid.
    """

    def average(known: pd.DataFrame) -> pd.Series:
        sums = known.groupby("product")[["value", "quantity"]].sum()
        return sums["value"] / sums["quantity"]

    return _as_known(len(products), _sold(lines, products, lines.paid), average)


def _sold(lines: Lines, products: pd.DataFrame, value: NDArray[np.float64]) -> pd.DataFrame:
    counted = is_sale(lines, products) & (value > 0)
    return pd.DataFrame(
        {
            "product": lines.product[counted],
            "value": value[counted],
            "quantity": lines.quantity[counted],
            "day": lines.day[counted],
        }
    )


def _as_known(count: int, sold: pd.DataFrame, price_of: Callable[[pd.DataFrame], pd.Series]) -> NDArray[np.float64]:
    prices = np.full(count, np.nan)
    for until in (day_number(REPLAY_STARTS_ON), day_number(STANDS_ON), None):
        found = price_of(sold if until is None else sold[sold["day"] < until])
        rows = found.index.to_numpy()
        missing = np.isnan(prices[rows])
        prices[rows[missing]] = found.to_numpy()[missing]
    return prices


def unit_costs(prices: NDArray[np.float64], paid: NDArray[np.float64], products: pd.DataFrame) -> NDArray[np.float64]:
    """Return the made-up unit cost: the department's share of the shelf price, at least a cent.

    What is nearly always sold at a discount costs no more than MOST_OF_PAID of what is paid on average.
    """
    shares = products["department"].map(COST_SHARES).fillna(OTHER_COST_SHARE).to_numpy()
    return np.maximum(np.round(np.fmin(prices * shares, paid * MOST_OF_PAID), 2), 0.01)
