"""What goes together, what is bought instead, and which shape of week and year items share: mined from past orders."""

from __future__ import annotations

import datetime as dt
import time
from typing import Any

import pandas as pd
from django.utils.translation import gettext as _

from apps.catalog import selectors as catalog
from apps.forecasting import selectors, services
from apps.forecasting.engine import shapes
from apps.forecasting.engine.baskets import Baskets, bought_apart, bought_together
from apps.forecasting.models import ItemPair, ItemShape
from apps.jobs.running import Running
from apps.sales import selectors as sales
from apps.tenants.figures import units
from apps.tenants.scope import tenant_context

YEAR_DAYS = 46 * 7  # known before anything is said of the year
SHOWN_PAIRS = 10  # of each item and relation
KINDS = {shapes.UNNAMED: ItemShape.Kind.OTHER, shapes.EVEN: ItemShape.Kind.EVEN, shapes.MOST: ItemShape.Kind.MOST}


def mine_tenant(running: Running) -> dict[str, Any]:
    """Mine the year before the day asked for, and put what is found in the place of what was found before."""
    started = time.perf_counter()
    as_of = dt.date.fromisoformat(running.input["as_of"])
    running.progress(0.02, _("Reading the orders of a year"))
    with tenant_context(running.tenant_id):
        lines = sales.baskets_frame(as_of)
        cycles = sales.cycles(as_of, shapes.LEAST_UNITS)
        active = catalog.items().filter(status="active").values_list("pk", "category")
        kinds = pd.Series({item_id: selectors.kind_of(category) for item_id, category in active}, dtype=object)
    counted = Baskets.of(lines)
    running.progress(0.5, _("Counting what %(n)s orders hold together") % {"n": units(counted.baskets)})
    pairs = pd.concat([
        told(counted, bought_together(counted), ItemPair.Relation.WITH, kinds),
        told(counted, bought_apart(counted, kinds), ItemPair.Relation.INSTEAD, kinds)], ignore_index=True)
    running.progress(0.9, _("Comparing the shapes of weeks and years"))
    shaped = pd.concat(shapes_of(cycles), ignore_index=True)
    with tenant_context(running.tenant_id):
        running.hold()
        services.save_mined(as_of=as_of, pairs=pairs, shapes=shaped)
    found = pairs["relation"].value_counts()
    return {"orders": counted.baskets, "pairs_with": int(found.get(ItemPair.Relation.WITH, 0)),
            "pairs_instead": int(found.get(ItemPair.Relation.INSTEAD, 0)),
            "shaped_items": int(shaped["item_id"].nunique()),
            "seconds": round(time.perf_counter() - started, 2)}


def told(counted: Baskets, found: pd.DataFrame, relation: ItemPair.Relation, kinds: pd.Series[str]) -> pd.DataFrame:
    """The surest pairs of each active item, as rows of ItemPair: every pair twice, once of each of both."""
    surely = found["low"] if relation == ItemPair.Relation.WITH else 1 / found["high"]
    switchers = found.get("switchers", 0)
    orders = pd.Series(counted.orders, index=pd.Index(counted.items))
    ways = [pd.DataFrame({
        "item_id": found[one], "other_id": found[other], "relation": int(relation), "orders": found[one].map(orders),
        "together": found["together"], "buyers": found["buyers"], "switchers": switchers,
        "expected": found["expected"], "surely": surely})
        for one, other in (("unique_id", "other"), ("other", "unique_id"))]
    rows = pd.concat(ways).sort_index(kind="stable")  # the surest first, as found
    rows = rows[rows["item_id"].isin(kinds.index) & rows["other_id"].isin(kinds.index)]
    rows = rows.assign(place=rows.groupby("item_id").cumcount() + 1)
    return rows[rows["place"] <= SHOWN_PAIRS]


def shapes_of(cycles: sales.Cycles) -> list[pd.DataFrame]:
    """Rows of ItemShape: of the week, and of the year where one is nearly known."""
    asked = [(ItemShape.Cycle.WEEK, cycles.week_units, cycles.week_days)]
    if cycles.days >= YEAR_DAYS:
        asked.append((ItemShape.Cycle.YEAR, cycles.year_units, cycles.year_days))
    rows = []
    for cycle, sold, days in asked:
        found = shapes.shapes(sold, days)
        has = found.of_item >= 0
        cluster = found.of_item[has]
        table = pd.DataFrame([(int(KINDS[shape.kind]), max(shape.first, 0), max(shape.last, 0))
                              for shape in found.shapes], columns=["kind", "first", "last"], dtype="int64")
        table["alike"] = [int((cluster == number).sum()) for number in range(len(table))]
        rows.append(table.iloc[cluster].assign(item_id=cycles.item_ids[has], cycle=int(cycle)))
    return rows
