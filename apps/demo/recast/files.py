"""Writes the import files of a shop, and counts what an import of them is to find."""

import csv
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv
from numpy.typing import NDArray

from apps.demo.recast.lines import Lines, day_number
from apps.demo.recast.naming import ITEMS, MANIFEST, ORDERS, PROMOTIONS, STOCK, SUPPLIERS, day_file, later_days
from apps.demo.recast.package import read_lines, read_products, read_promotion_shares
from apps.demo.recast.planning import in_shop, lines_of, planned_items
from apps.demo.recast.prices import paid_prices, shelf_prices, unit_costs
from apps.demo.recast.promotions import merge_runs
from apps.demo.recast.rules import CATEGORY_RULES, FUEL, broken_rules, count_set_aside
from apps.demo.recast.shops import (
    ALL_SHOPS,
    CURRENCY,
    ENDS_ON,
    REPLAY_STARTS_ON,
    SHOPS,
    STANDS_ON,
    TIME_ZONE,
    Shop,
)
from apps.demo.recast.stock import opening_stock
from apps.demo.recast.terms import supplier_terms
from apps.demo.recast.wording import describe

CHANNEL = "store"
LOCATION = "main"
PRICE_DECIMALS = 4

# What manifest.json holds.
Manifest = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Written:
    """One file as it was written."""

    name: str
    rows: int
    bytes: int


def _write_table(folder: Path, name: str, columns: dict[str, object], *, rows: int) -> Written:
    """Write columns of one length; a string stands for a column of that string, quoted nowhere."""
    arrays = {
        key: pa.repeat(pa.scalar(value), rows) if isinstance(value, str) else pa.array(value)
        for key, value in columns.items()
    }
    path = folder / name
    with path.open("wb") as file:
        file.write((",".join(arrays) + "\n").encode())
        pa_csv.write_csv(pa.table(arrays), file, pa_csv.WriteOptions(include_header=False, quoting_style="none"))
    return Written(name=name, rows=rows, bytes=path.stat().st_size)


def _write_frame(folder: Path, name: str, frame: pd.DataFrame) -> Written:
    path = folder / name
    frame.to_csv(path, index=False, quoting=csv.QUOTE_MINIMAL, lineterminator="\n", date_format="%Y-%m-%d")
    return Written(name=name, rows=len(frame), bytes=path.stat().st_size)


def _write_orders(folder: Path, name: str, lines: Lines, chosen: NDArray[np.intp]) -> Written:
    quantity = lines.quantity[chosen]
    per_unit = np.maximum(quantity, 1)
    return _write_table(
        folder,
        name,
        {
            "order_id": lines.basket_id[lines.basket[chosen]],
            "line_id": lines.product_id[chosen],
            "occurred_at": pa.array(lines.occurred_at, pa.string()).take(pa.array(lines.basket[chosen])),
            "sku": lines.product_id[chosen],
            "title": "",
            "location": lines.store_id[chosen],
            "channel": CHANNEL,
            "quantity": quantity,
            "shelf_price": np.round(lines.shelf[chosen] / per_unit, PRICE_DECIMALS),
            "paid_price": np.round(lines.paid[chosen] / per_unit, PRICE_DECIMALS),
            "discount": lines.discount[chosen],
            "promotion": "",
            "customer": lines.household_id[chosen],
            "currency": CURRENCY,
            "status": "completed",
        },
        rows=len(chosen),
    )


def _write_items(
    folder: Path, purchases: "Purchases", chosen: NDArray[np.bool_], costs: NDArray[np.float64]
) -> Written:
    products, words = purchases.products, purchases.words
    frame = pd.DataFrame(
        {
            "sku": products["product_id"],
            "title": words["title"],
            "category": words["category"],
            "brand": products["brand"].map({"Private": "Private label", "National": "National brand"}),
            "unit_of_measure": np.where(products["odd"].eq(FUEL), "0.001 gal", "each"),
            "unit_cost": costs,
            "price": purchases.prices,
            "status": "active",
        }
    )
    return _write_frame(folder, ITEMS, frame[chosen])


def _write_stock(folder: Path, name: str, stock: pd.DataFrame, *, as_of: date) -> Written:
    counted_at = datetime.combine(as_of, time(), tzinfo=ZoneInfo(TIME_ZONE)).isoformat()
    frame = pd.DataFrame(
        {"sku": stock["product_id"], "location": LOCATION, "on_hand": stock["on_hand"], "counted_at": counted_at}
    )
    return _write_frame(folder, name, frame)


def _write_suppliers(folder: Path, terms: pd.DataFrame) -> Written:
    frame = terms.rename(columns={"product_id": "sku"}).assign(currency=CURRENCY)
    columns = [
        "supplier", "sku", "lead_time_days", "lead_time_spread_days", "moq", "pack_size", "unit_cost",
        "minimum_order_value", "review_period_days", "currency",
    ]  # fmt: skip
    return _write_frame(folder, SUPPLIERS, frame[columns])


def _write_promotions(folder: Path, name: str, runs: pd.DataFrame) -> Written:
    frame = pd.DataFrame(
        {
            "sku": runs["product_id"],
            "location": "",
            "kind": runs["kind"],
            "starts_on": runs["starts_on"],
            "ends_on": runs["ends_on"],
            "share": runs["share"],
            "known_ahead": np.where(runs["kind"].eq("mailer"), "yes", "no"),
        }
    )
    return _write_frame(folder, name, frame)


def _write_all_promotions(folder: Path, shares: pd.DataFrame) -> list[Written]:
    """Write every mailer and the displays until the shop stands; a later week's displays come with its Monday."""
    is_mailer = shares["kind"].eq("mailer")
    start = np.datetime64(STANDS_ON)
    known = [merge_runs(shares[is_mailer]), merge_runs(shares[~is_mailer & (shares["week_starts_on"] < start)])]
    written = [_write_promotions(folder, PROMOTIONS, pd.concat(known, ignore_index=True))]
    later = shares[~is_mailer & (shares["week_starts_on"] >= start)]
    for week, rows in later.groupby("week_starts_on"):
        monday = pd.Timestamp(str(week)).date()
        written.append(_write_promotions(folder, day_file(PROMOTIONS, monday), merge_runs(rows)))
    return written


@dataclass(frozen=True, kw_only=True)
class Purchases:
    """What every shop's files are cut from."""

    products: pd.DataFrame
    words: pd.DataFrame
    lines: Lines
    prices: NDArray[np.float64]
    paid: NDArray[np.float64]
    shares: pd.DataFrame
    planned: dict[tuple[str, date], pd.DataFrame]


def read_purchases(shops: Iterable[Shop]) -> Purchases:
    """Read the package once for all the shops."""
    products = read_products()
    lines = read_lines(products)
    planned = {
        (shop.slug, as_of): planned_items(shop, lines, products, as_of=as_of)
        for shop in shops
        for as_of in (REPLAY_STARTS_ON, STANDS_ON)
    }
    ids = np.unique(np.concatenate([frame["product_id"].to_numpy() for frame in planned.values()]))
    return Purchases(
        products=products,
        words=describe(products),
        lines=lines,
        prices=shelf_prices(lines, products),
        paid=paid_prices(lines, products),
        shares=read_promotion_shares(ids),
        planned=planned,
    )


def _stock_summary(stock: pd.DataFrame) -> dict[str, object]:
    states = stock["state"].value_counts()
    return {
        "items": len(stock),
        "below_reorder_point": int(states.get("below", 0)),
        "overstocked": int(states.get("overstocked", 0)),
        "units": int(stock["on_hand"].sum()),
    }


def write_shop(shop: Shop, purchases: Purchases, folder: Path) -> Manifest:
    """Write one shop's files into the folder and return its manifest, which is written there too.

    `lines` counts order lines: all = before_start + later, and for each of the three
    all = kept + set_aside, set_aside being the sum of `by_first_rule`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    products, lines = purchases.products, purchases.lines
    mine = lines_of(shop, lines, products)
    before = mine & (lines.day < day_number(STANDS_ON))
    written = [_write_orders(folder, ORDERS, lines, np.flatnonzero(before))]
    for day in later_days():
        chosen = np.flatnonzero(mine & (lines.day == day_number(day)))
        written.append(_write_orders(folder, day_file(ORDERS, day), lines, chosen))

    sold = np.zeros(len(products), dtype=bool)
    sold[lines.product[mine & (lines.product >= 0)]] = True
    in_items = sold & in_shop(shop, products)
    costs = unit_costs(purchases.prices, purchases.paid, products)
    written.append(_write_items(folder, purchases, in_items, costs))

    planned = purchases.planned[shop.slug, STANDS_ON]
    earlier = purchases.planned[shop.slug, REPLAY_STARTS_ON]
    terms = supplier_terms(shop, products, planned, costs, sold)
    stock = opening_stock(planned, terms, as_of=STANDS_ON)
    written.append(_write_suppliers(folder, terms))
    written.append(_write_stock(folder, STOCK, stock, as_of=STANDS_ON))

    ids = np.union1d(planned["product_id"].to_numpy(), earlier["product_id"].to_numpy())
    ids = np.intersect1d(ids, products["product_id"].to_numpy()[in_items])
    written += _write_all_promotions(folder, purchases.shares[purchases.shares["product_id"].isin(ids)])

    broken = broken_rules(lines, products)
    suppliers = terms.drop_duplicates("supplier")
    manifest: Manifest = {
        "shop": {"slug": shop.slug, "name": shop.name, "time_zone": TIME_ZONE, "currency": CURRENCY},
        "days": {"replay_starts_on": str(REPLAY_STARTS_ON), "stands_on": str(STANDS_ON), "ends_on": str(ENDS_ON)},
        "lines": {
            name: {"lines": int(among.sum()), **count_set_aside(broken, among)}
            for name, among in (("all", mine), ("before_start", before), ("later", mine & ~before))
        },
        "category_rules": {rule.name: rule.pattern for rule in CATEGORY_RULES},
        "items": int(in_items.sum()),
        "planned_items": {str(STANDS_ON): len(planned), str(REPLAY_STARTS_ON): len(earlier)},
        "suppliers": {
            "makers": int((~suppliers["is_wholesaler"]).sum()),
            "wholesalers": int(suppliers["is_wholesaler"].sum()),
        },
        "stock": {str(STANDS_ON): _stock_summary(stock)},
        "files": [vars(each) for each in written],
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n")
    return manifest


def recast(out: Path, slugs: Iterable[str] = tuple(SHOPS)) -> dict[str, Manifest]:
    """Write the files of each shop into a folder of its slug below `out`; return the manifests by slug."""
    shops = [ALL_SHOPS[slug] for slug in slugs]
    purchases = read_purchases(shops)
    return {shop.slug: write_shop(shop, purchases, out / shop.slug) for shop in shops}
