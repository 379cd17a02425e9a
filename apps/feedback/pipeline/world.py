"""A made-up shop that follows every plan: stock, deliveries and sales day by day, and what came of them."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


def drawn_lead_days(unique_ids: pd.Series, ordered_on: dt.date, mean: Floats, spread: Floats) -> Ints:
    """How long orders of a day take [n]: normal around the mean, whole days, at least one; always the same."""
    keys = (unique_ids.astype(str) + f"|{ordered_on.isoformat()}").to_numpy(dtype=object)
    share = (pd.util.hash_array(keys) % np.uint64(1_000_003) + 0.5) / 1_000_003
    return np.maximum(np.rint(mean + spread * stats.norm.ppf(share)), 1).astype(np.int64)


@dataclass
class World:
    """Series, their stock this morning, what is on its way, and the days lived so far [n, days]."""

    first_day: dt.date
    ids: NDArray[np.str_] = field(default_factory=lambda: np.zeros(0, dtype=np.str_))
    on_hand: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    coming: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(
        {"row": np.zeros(0, np.int64), "expected": np.zeros(0, np.int64), "comes": np.zeros(0, np.int64),
         "quantity": np.zeros(0, np.int64)}))
    wanted: Ints = field(default_factory=lambda: np.zeros((0, 0), dtype=np.int64))
    served: Ints = field(default_factory=lambda: np.zeros((0, 0), dtype=np.int64))
    closing: Ints = field(default_factory=lambda: np.zeros((0, 0), dtype=np.int64))

    @property
    def today(self) -> dt.date:
        return self.first_day + dt.timedelta(days=self.wanted.shape[1])

    def rows(self, unique_ids: NDArray[np.str_]) -> Ints:
        """Where series stand here, -1 for strangers."""
        found = pd.Index(self.ids.astype(object)).get_indexer(pd.Index(unique_ids.astype(object)))
        return found.astype(np.int64)

    def join(self, unique_ids: NDArray[np.str_], opening: Ints) -> None:
        """Take in the series that are not here yet, with their opening stock."""
        new = self.rows(unique_ids) < 0
        count, days = int(new.sum()), self.wanted.shape[1]
        nothing = np.zeros((count, days), dtype=np.int64)
        self.ids = np.concatenate([self.ids, unique_ids[new]])
        self.on_hand = np.concatenate([self.on_hand, opening[new]])
        self.wanted, self.served = np.vstack([self.wanted, nothing]), np.vstack([self.served, nothing])
        self.closing = np.vstack([self.closing, nothing + opening[new][:, None]])

    def positions(self) -> pd.DataFrame:
        """Stock this morning, known exactly: item_id, location_id, on_hand, counted_at, origin."""
        return self._keyed(np.arange(len(self.ids))).assign(
            on_hand=self.on_hand.astype(float), counted_at=pd.Timestamp(self.today), origin="simulated")

    def arrivals(self) -> pd.DataFrame:
        """What is on its way as the shop knows it: item_id, location_id, date, quantity; the late comes tomorrow."""
        day = np.maximum(self.coming["expected"].to_numpy(), self.wanted.shape[1] + 1)
        dates = pd.Timestamp(self.first_day) + pd.to_timedelta(day, unit="D")
        return self._keyed(self.coming["row"].to_numpy()).assign(date=dates,
                                                                 quantity=self.coming["quantity"].to_numpy())

    def order(self, lines: pd.DataFrame) -> None:
        """Place a plan's lines: item_id, location_id, quantity, lead_time_days, lead_time_spread_days."""
        ordered = lines[lines["quantity"] > 0]
        ids = ordered["item_id"].astype(str) + "/" + ordered["location_id"].astype(str)
        mean = ordered["lead_time_days"].to_numpy(dtype=np.float64)
        spread = ordered["lead_time_spread_days"].to_numpy(dtype=np.float64)
        today = self.wanted.shape[1]
        placed = pd.DataFrame({
            "row": self.rows(ids.to_numpy(dtype=np.str_)), "expected": today + np.ceil(mean).astype(np.int64),
            "comes": today + drawn_lead_days(ids, self.today, mean, spread),
            "quantity": ordered["quantity"].to_numpy(dtype=np.int64)})
        self.coming = pd.concat([self.coming, placed], ignore_index=True)

    def live(self, wanted: Floats) -> None:
        """Days pass: deliveries come in the morning, then demand [n, days] is served from stock; unknown days ask 0."""
        asked = np.rint(np.nan_to_num(wanted)).astype(np.int64)
        served, closing = np.zeros_like(asked), np.zeros_like(asked)
        for offset in range(asked.shape[1]):
            here = (self.coming["comes"] <= self.wanted.shape[1] + offset).to_numpy()
            np.add.at(self.on_hand, self.coming["row"].to_numpy()[here], self.coming["quantity"].to_numpy()[here])
            self.coming = self.coming[~here]
            served[:, offset] = np.minimum(self.on_hand, asked[:, offset])
            self.on_hand = self.on_hand - served[:, offset]
            closing[:, offset] = self.on_hand
        self.wanted = np.hstack([self.wanted, asked])
        self.served, self.closing = np.hstack([self.served, served]), np.hstack([self.closing, closing])

    def outcomes(self, lines: pd.DataFrame, planned_on: dt.date) -> pd.DataFrame:
        """What came of a plan's lines; those whose time is not over yet are left out. See `stock_outcomes`."""
        ids = (lines["item_id"].astype(str) + "/" + lines["location_id"].astype(str)).to_numpy(dtype=np.str_)
        lead_days = np.ceil(lines["lead_time_days"].to_numpy(dtype=np.float64)).astype(np.int64)
        found = stock_outcomes(lines, self.rows(ids), (planned_on - self.first_day).days + lead_days,
                               self.wanted.astype(float), self.served.astype(float), self.closing.astype(float))
        found["judged_through"] = [self.first_day + dt.timedelta(days=int(end)) for end in found.pop("end")]
        return found.assign(followed=True, decided_quantity=found["quantity"].astype(float))

    def _keyed(self, rows: Ints) -> pd.DataFrame:
        parts = np.char.partition(self.ids[rows], "/") if len(rows) else np.zeros((0, 3), dtype="<U1")
        return pd.DataFrame({"item_id": parts[:, 0].astype(np.int64), "location_id": parts[:, 2].astype(np.int64)})


def stock_outcomes(lines: pd.DataFrame, rows: Ints, start: Ints, wanted: Floats, served: Floats,
                   closing: Floats) -> pd.DataFrame:
    """What came of lines in the time that each of them decided about.

    That is from the day on which its order is due until the next one could be: `review_period_days`. Lines whose time
    is not over, or whose stock is not known in it, are left out.

    lines: item_id, location_id, quantity, review_period_days, kept with every other column. rows: where each line's
    series stands in the matrices [n, days], -1 for none. start: the column of the day on which each is due. Returns
    the lines with demand_units, served_units, lost_units, days_out (evenings with an empty shelf), closing_units and
    end (the column of the last day).
    """
    end = start + np.maximum(np.ceil(lines["review_period_days"].to_numpy(dtype=np.float64)), 1).astype(np.int64)
    days = wanted.shape[1]
    over = (rows >= 0) & (start >= 0) & (end <= days)
    known = np.zeros(len(lines), dtype=bool)
    known[over] = np.isfinite(closing[rows[over], np.minimum(start, days - 1)[over]])
    kept = np.flatnonzero(over & known)
    row, first, last = rows[kept], start[kept], end[kept]

    def between(values: Floats) -> Floats:
        total = np.zeros((values.shape[0], days + 1))
        np.cumsum(np.nan_to_num(values), axis=1, out=total[:, 1:])
        summed: Floats = total[row, last] - total[row, first]
        return summed

    asked, sold = between(wanted), between(served)
    return lines.iloc[kept].assign(
        demand_units=asked, served_units=sold, lost_units=np.maximum(asked - sold, 0.0),
        days_out=between((closing <= 0).astype(np.float64)).astype(np.int64), closing_units=closing[row, last - 1],
        end=last - 1).reset_index(drop=True)
