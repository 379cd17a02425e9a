"""Turns weekly shares of stores into runs of promotion with a first and a last day."""

import numpy as np
import pandas as pd

WEEK = np.timedelta64(7, "D")
LAST_DAY = np.timedelta64(6, "D")
SHARE_DECIMALS = 2
SMALLEST_SHARE = 0.05


def merge_runs(shares: pd.DataFrame) -> pd.DataFrame:
    """Return product_id, kind, starts_on, ends_on and share: consecutive weeks of one share become one run.

    Shares are rounded to hundredths; below five hundredths of the stores is no promotion of the shop.
    """
    weeks = shares.assign(share=shares["share"].round(SHARE_DECIMALS))
    weeks = weeks[weeks["share"] >= SMALLEST_SHARE]
    weeks = weeks.sort_values(["kind", "product_id", "week_starts_on"], ignore_index=True)
    previous = weeks.shift()
    goes_on = (
        weeks["kind"].eq(previous["kind"])
        & weeks["product_id"].eq(previous["product_id"])
        & weeks["share"].eq(previous["share"])
        & weeks["week_starts_on"].sub(previous["week_starts_on"]).eq(WEEK)
    )
    run = (~goes_on).cumsum()
    runs = weeks.groupby(run, sort=False).agg(
        product_id=("product_id", "first"),
        kind=("kind", "first"),
        starts_on=("week_starts_on", "first"),
        ends_on=("week_starts_on", "last"),
        share=("share", "first"),
    )
    runs["ends_on"] += LAST_DAY
    return runs.reset_index(drop=True)
