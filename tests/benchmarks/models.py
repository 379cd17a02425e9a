"""How fast and how good each model is: on the demo's grocer, standing once two weeks before its last known day."""

from __future__ import annotations

import argparse
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from apps.demo.recast.files import recast
from apps.forecasting.engine.backtest import backtest, rolling_cutoffs
from apps.forecasting.engine.base import Panel
from apps.forecasting.engine.models import MODELS, make

SHOP, LAST_DAY = "corner-grocer", "2017-12-03"
SHOWN = {"sum_wape": "WAPE", "sum_bias": "bias", "scaled_pinball": "pinball", "coverage_80": "in 80 %"}


def grocer() -> Panel:
    """The planned items of the demo's grocer, with the mailer known ahead."""
    with tempfile.TemporaryDirectory() as folder:
        recast(Path(folder), (SHOP,))
        names = ("orders", "items", "promotions", "stock")
        orders, items, promotions, stock = (
            pd.read_csv(Path(folder) / SHOP / f"{name}.csv", low_memory=False) for name in names)
    orders, items, promotions = (table[table["sku"].isin(stock["sku"])] for table in (orders, items, promotions))
    lines = pd.DataFrame({
        "unique_id": orders["sku"], "ds": pd.to_datetime(orders["occurred_at"].str[:10]), "y": orders["quantity"]})
    path = items["category"].str.split(" > ")
    static = items[["brand", "price"]].assign(
        unique_id=items["sku"], category=path.str[:2].str.join(" > "), department=path.str[0])
    runs = promotions[promotions["kind"] == "mailer"]
    days = [pd.date_range(first, last) for first, last in zip(runs["starts_on"], runs["ends_on"], strict=True)]
    mailer = pd.DataFrame({
        "unique_id": np.repeat(runs["sku"], [len(each) for each in days]), "ds": np.concatenate(days),
        "mailer": np.repeat(runs["share"], [len(each) for each in days])})
    sold = lines.groupby(["unique_id", "ds"], as_index=False).sum()
    shares = mailer.groupby(["unique_id", "ds"], as_index=False).max()
    return Panel.from_frames(sold, static, shares, known_ahead=["mailer"], cutoff=LAST_DAY, country="US")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", choices=list(MODELS), action="append", help="may be repeated; default all")
    given = parser.parse_args()
    panel = grocer()
    models = {name: partial(make, name) for name in given.model or MODELS}
    result = backtest(panel, models, rolling_cutoffs(panel, 1))
    table = pd.concat([result.table(metric).iloc[:, 0].rename(name) for metric, name in SHOWN.items()], axis=1)
    seconds = result.seconds.set_index("model")[["fit_seconds", "predict_seconds"]]
    learned = panel.n_series * panel.upto(result.cutoffs[0]).n_days
    seconds["learned a second"] = (learned / seconds["fit_seconds"]).round(-2).map("{:,.0f}".format)
    print(f"{panel.n_series:,} series of {panel.n_days} days; sums of two weeks from {result.cutoffs[0]:%-d %b %Y}")
    print(table.round(3).join(seconds.round(1)).to_string())
    print("Learned a second: series-days of history, the trial that the tails are fitted on included.")
    if any(name.startswith("keras") for name in models):
        print(f"Networks ran on {device()}.")


def device() -> str:
    """The backend and what it computes on."""
    import keras

    return f"{keras.backend.backend()}, {', '.join(keras.distribution.list_devices()) or 'its default device'}"


if __name__ == "__main__":
    main()
