"""The order lines of the purchases, as arrays."""

from dataclasses import dataclass
from datetime import date
from functools import cached_property

import numpy as np
from numpy.typing import NDArray


def day_number(day: date) -> int:
    """Return days since 1 January 1970, the unit in which lines carry their day."""
    return (day - date(1970, 1, 1)).days


@dataclass(frozen=True, kw_only=True)
class Lines:
    """Order lines in the order of their time; every array has one entry a line.

    `product` is the row in the products, -1 where no product matches; `day` is the shop's own day
    (days since 1970); `basket` is a row of the baskets' arrays (`basket_id`, `occurred_at`).
    """

    basket: NDArray[np.int64]
    basket_id: NDArray[np.int64]
    occurred_at: NDArray[np.object_]
    product: NDArray[np.int64]
    product_id: NDArray[np.int64]
    store_id: NDArray[np.int64]
    household_id: NDArray[np.int64]
    quantity: NDArray[np.int64]
    paid: NDArray[np.float64]
    discount: NDArray[np.float64]
    day: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.quantity)

    @cached_property
    def shelf(self) -> NDArray[np.float64]:
        """Shelf price times quantity, in dollars."""
        return np.round(self.paid + self.discount, 2)
