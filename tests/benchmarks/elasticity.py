"""How demand went with price at the demo's grocer: price alone, and with what else moved demand in the same weeks.

A week's price is what a unit brought in it, and where nothing was sold the last one before; weeks before an item's
first and after its last sale are left out. Advertising is the share of stores that have the item in the mailer or on
display. Then how often bands hold the truth, where it is known: made-up shops of few units a week.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from apps.demo.recast.files import recast
from apps.optimization.engine.elasticity import Elasticities, fit
from tests.benchmarks.models import LAST_DAY, SHOP
from tests.unit.optimization.shops import priced_shop


def grocer() -> tuple[pd.DataFrame, pd.DataFrame]:
    """The planned items' weeks (elasticity.WEEK_COLUMNS, mailer, display) and their categories."""
    with tempfile.TemporaryDirectory() as folder:
        recast(Path(folder), (SHOP,))
        names = ("orders", "items", "promotions", "stock")
        orders, items, promotions, stock = (
            pd.read_csv(Path(folder) / SHOP / f"{name}.csv", low_memory=False) for name in names)
    orders, items, promotions = (table[table["sku"].isin(stock["sku"])] for table in (orders, items, promotions))
    day = pd.to_datetime(orders["occurred_at"].str[:10])
    lines = pd.DataFrame({
        "unique_id": orders["sku"], "week": day - pd.to_timedelta(day.dt.weekday, unit="D"),
        "units": orders["quantity"], "paid": orders["paid_price"] * orders["quantity"]})
    lines = lines.loc[(lines["units"] > 0) & (lines["paid"] > 0) & (day <= pd.Timestamp(LAST_DAY))]
    sold = lines.groupby(["unique_id", "week"])[["units", "paid"]].sum().unstack("unique_id")
    units = sold["units"].asfreq("7D")
    price = (sold["paid"] / sold["units"]).asfreq("7D").ffill()
    on_sale = units.bfill().notna() & units.ffill().notna()
    weeks = pd.DataFrame({
        "units": units.fillna(0).where(on_sale).stack(), "price": price.where(on_sale).stack()}).dropna()
    weeks = weeks.reset_index()
    for kind in ("mailer", "display"):
        weeks = weeks.merge(shares(promotions[promotions["kind"] == kind], kind), "left", ["unique_id", "week"])
    static = items[["sku", "category"]].rename(columns={"sku": "unique_id"})
    static["category"] = static["category"].str.split(" > ").str[:2].str.join(" > ")
    return weeks.fillna({"mailer": 0.0, "display": 0.0}), static


def shares(runs: pd.DataFrame, kind: str) -> pd.DataFrame:
    days = [pd.date_range(first, last, freq="7D")
            for first, last in zip(runs["starts_on"], runs["ends_on"], strict=True)]
    length = [len(each) for each in days]
    weeks = pd.DataFrame({
        "unique_id": np.repeat(runs["sku"], length), "week": np.concatenate(days),
        kind: np.repeat(runs["share"], length)})
    return weeks.groupby(["unique_id", "week"], as_index=False).max()


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    weeks, static = grocer()
    print(f"{len(static):,} items, {weeks['week'].nunique()} weeks, {len(weeks):,} rows")
    asked: dict[str, dict[str, object]] = {
        "price alone": {"controls": (), "dip_weeks": 0},
        "mailer and display controlled": {"dip_weeks": 0},
        "and the two weeks after": {},
    }
    found: Elasticities | None = None
    for name, options in asked.items():
        started = time.perf_counter()
        found = fit(weeks, static, **options)  # type: ignore[arg-type]
        print(f"{name:30} {found.overall:6.2f} (sd {found.overall_sd:.2f})   items around their category"
              f" {found.spread:.2f}   noise {found.noise:.2f}   {time.perf_counter() - started:.1f} s")
    assert found is not None
    print(found.controls.round(2).to_string(index=False))
    most = found.categories.sort_values("items", ascending=False).head(8)
    print(most.round(2).to_string(index=False))
    bands = found.table["high_80"] - found.table["low_80"]
    print(f"80 % bands are {bands.median():.2f} wide in the middle; own share {found.table['own_share'].mean():.2f}")
    print(found.words)
    for clumping in (0.0, 0.3):
        print(f"made-up shops, clumping {clumping}: " + ", ".join(
            f"{inside:.1%} in {level} %" for level, inside in coverage(clumping).items()))


def coverage(clumping: float, shops: int = 16) -> dict[int, float]:
    """Share of items whose true elasticity lies within the band, by its level."""
    inside: dict[int, list[float]] = {80: [], 95: []}
    for seed in range(shops):
        made = priced_shop(100 + seed, 240, clumping=clumping)
        table = fit(made.weeks, made.static).table
        for level, shares_inside in inside.items():
            within = (table[f"low_{level}"] <= made.truth) & (table[f"high_{level}"] >= made.truth)
            shares_inside.append(float(within.mean()))
    return {level: float(np.mean(each)) for level, each in inside.items()}


if __name__ == "__main__":
    main()
