"""Makes up suppliers and their terms from the products' manufacturers, by written rules."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from apps.demo.recast.draws import draws
from apps.demo.recast.planning import goods
from apps.demo.recast.shops import Shop
from apps.demo.recast.wording import DEPARTMENTS

SUPPLIER_PLANNED_ITEMS = 5
SUPPLIER_SHELF_VALUE_PER_YEAR = 5_000
PACK_SIZES = np.array([1, 2, 4, 6, 12, 24])
PACK_COVERS_WEEKS = 2

FRESH_DEPARTMENTS = frozenset(
    {
        "CHEF SHOPPE", "DELI", "FLORAL", "MEAT", "MEAT-PCKGD", "PASTRY", "PRODUCE", "RESTAURANT", "SALAD BAR",
        "SEAFOOD", "SEAFOOD-PCKGD",
    }
)  # fmt: skip
NEARBY_WHOLESALE = FRESH_DEPARTMENTS | {"GROCERY", "FROZEN GROCERY", "SPIRITS"}


@dataclass(frozen=True)
class LeadTimeClass:
    """Where a supplier sends from: its lead times and how often it takes orders, in days."""

    shortest_days: int
    longest_days: int
    review_period_days: int


NEARBY = LeadTimeClass(3, 7, 7)
NATIONAL = LeadTimeClass(14, 21, 7)
OVERSEAS = LeadTimeClass(35, 56, 14)
NATIONAL_FROM = 0.50
OVERSEAS_FROM = 0.82

SPREAD_SHARE = (0.10, 0.35)
FREE_OF_MINIMUM = 0.30
MINIMUM_IN_WEEKS_OF_COST = (0.25, 1.0)
DOUBLE_MOQ_FROM = 0.85

_OPENINGS = [
    "Al", "Bar", "Bel", "Cal", "Cor", "Dal", "Dor", "El", "Fen", "Gar", "Hal", "Har", "Il", "Jor", "Kel", "Lan",
    "Lor", "Mar", "Mel", "Nor", "Ol", "Par", "Pel", "Quin", "Ral", "Ros", "Sel", "Tal", "Tor", "Val", "Wen", "Yar",
]  # fmt: skip
_MIDDLES = ["a", "be", "da", "e", "ga", "i", "ka", "lo", "ma", "ne", "o", "ra", "ri", "ta", "ve", "wa"]
_ENDINGS = [
    "bridge", "brook", "bury", "by", "combe", "dale", "field", "ford", "ham", "land", "ley", "mere", "mont", "more",
    "ridge", "shaw", "stead", "ton", "vale", "well", "wick", "wood", "worth", "wyn",
]  # fmt: skip
_NAMES = len(_OPENINGS) * len(_MIDDLES) * len(_ENDINGS)
# Shares no factor with the number of names, so that no two manufacturers meet in one name.
_STRIDE = 7_919
_TRADES = {
    "COSMETICS": "Beauty",
    "DELI": "Kitchens",
    "DRUG GM": "Brands",
    "FLORAL": "Growers",
    "GARDEN CENTER": "Growers",
    "MEAT": "Meats",
    "MEAT-PCKGD": "Meats",
    "NUTRITION": "Naturals",
    "PASTRY": "Bakers",
    "PRODUCE": "Growers",
    "SEAFOOD": "Fisheries",
    "SEAFOOD-PCKGD": "Fisheries",
    "TRAVEL & LEISURE": "Outdoors",
}
_WHOLESALE_NAMES = {"DRUG GM": "General merchandise", "GM MERCH EXP": "Sundries"}


def maker_names(manufacturer_ids: NDArray[np.int64], departments: list[str]) -> list[str]:
    """Return a made-up name and the number of each manufacturer, never two alike, the same in every shop."""
    numbers = (manufacturer_ids * _STRIDE) % _NAMES
    opening, rest = np.divmod(numbers, len(_MIDDLES) * len(_ENDINGS))
    middle, ending = np.divmod(rest, len(_ENDINGS))
    return [
        f"{_OPENINGS[first]}{_MIDDLES[second]}{_ENDINGS[third]} {_TRADES.get(department, 'Foods')} (maker {maker})"
        for first, second, third, department, maker in zip(
            opening.tolist(), middle.tolist(), ending.tolist(), departments, manufacturer_ids.tolist(), strict=True
        )
    ]


def wholesaler_name(department: str) -> str:
    """Return the name of the wholesaler for a department's other items."""
    trade = _WHOLESALE_NAMES.get(department) or DEPARTMENTS.get(department) or department.capitalize()
    return f"{trade} wholesale"


def pack_sizes(units_per_week: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the largest pack that sells within two weeks, 1 where none does."""
    fitting = np.searchsorted(PACK_SIZES, units_per_week * PACK_COVERS_WEEKS, side="right") - 1
    return PACK_SIZES[np.maximum(fitting, 0)]


def main_departments(products: pd.DataFrame) -> pd.Series:
    """Return the department in which each manufacturer has most products, ties to the first by name."""
    counts = products.groupby(["manufacturer_id", "department"]).size().reset_index(name="products")
    ranked = counts.sort_values(["manufacturer_id", "products", "department"], ascending=[True, False, True])
    return ranked.drop_duplicates("manufacturer_id").set_index("manufacturer_id")["department"]


def _suppliers(makers: NDArray[np.int64], products: pd.DataFrame, wholesale: list[str]) -> pd.DataFrame:
    departments = main_departments(products)
    maker_departments = [str(departments[maker]) for maker in makers]
    keys = np.concatenate([makers, -1 - np.arange(len(wholesale))])
    frame = pd.DataFrame(
        {
            "supplier": maker_names(makers, maker_departments) + [wholesaler_name(name) for name in wholesale],
            "department": maker_departments + wholesale,
            "is_wholesaler": [False] * len(makers) + [True] * len(wholesale),
        }
    )
    # A wholesaler's draws hang on its department's name, a maker's on its number.
    names = np.array([int.from_bytes(name.encode()[-7:], "big") for name in frame["department"]])
    keys = np.where(frame["is_wholesaler"], names, keys)
    distance = draws(keys, "distance")
    chosen = []
    for department, is_wholesaler, drawn in zip(frame["department"], frame["is_wholesaler"], distance, strict=True):
        near = department in FRESH_DEPARTMENTS or (is_wholesaler and department in NEARBY_WHOLESALE)
        if near or (not is_wholesaler and drawn < NATIONAL_FROM):
            chosen.append(NEARBY)
        elif is_wholesaler or drawn < OVERSEAS_FROM:
            chosen.append(NATIONAL)
        else:
            chosen.append(OVERSEAS)
    shortest = np.array([each.shortest_days for each in chosen])
    longest = np.array([each.longest_days for each in chosen])
    frame["lead_time_days"] = shortest + np.floor(draws(keys, "lead time") * (longest - shortest + 1)).astype(int)
    low, high = SPREAD_SHARE
    spread = frame["lead_time_days"] * (low + (high - low) * draws(keys, "lead time spread"))
    frame["lead_time_spread_days"] = spread.clip(lower=0.5).round(1)
    frame["review_period_days"] = [each.review_period_days for each in chosen]
    frame["minimum_draw"] = draws(keys, "minimum order value")
    return frame


def _minimum_order_value(weekly_cost: NDArray[np.float64], drawn: NDArray[np.float64]) -> NDArray[np.int64]:
    low, high = MINIMUM_IN_WEEKS_OF_COST
    weeks = low + (high - low) * (drawn - FREE_OF_MINIMUM) / (1 - FREE_OF_MINIMUM)
    return np.where(drawn < FREE_OF_MINIMUM, 0, np.round(weekly_cost * weeks, -1)).astype(np.int64)


def supplier_terms(
    shop: Shop,
    products: pd.DataFrame,
    planned: pd.DataFrame,
    unit_costs: NDArray[np.float64],
    sold: NDArray[np.bool_],
) -> pd.DataFrame:
    """Return one row for each of the shop's goods that was ever sold: product, supplier and terms.

    A manufacturer with 5 planned items and $5,000 a year of them (at the shelf price, in this shop) is a supplier;
    every other item comes from its department's wholesaler.
    """
    maker_of = products["manufacturer_id"].to_numpy()
    by_maker = planned.groupby(maker_of[planned["product"].to_numpy()])
    totals = by_maker.agg(items=("product", "size"), value=("shelf_value_per_year", "sum"))
    enough = totals[
        (totals["items"] >= SUPPLIER_PLANNED_ITEMS) & (totals["value"] >= SUPPLIER_SHELF_VALUE_PER_YEAR)
    ]
    rows = np.flatnonzero(goods(shop, products) & sold)
    item_department = products["department"].to_numpy()[rows]
    makers = enough.index.to_numpy().astype(np.int64)
    own = np.isin(maker_of[rows], makers)
    wholesale = sorted(set(item_department[~own].tolist()))
    suppliers = _suppliers(makers, products, wholesale)
    position = np.where(
        own,
        np.searchsorted(makers, maker_of[rows]),
        len(makers) + np.searchsorted(np.array(wholesale), item_department),
    )

    per_week = np.zeros(len(products))
    per_week[planned["product"].to_numpy()] = planned["units_per_week"].to_numpy()
    item_cost = per_week[rows] * np.nan_to_num(unit_costs[rows])
    weekly_cost = np.bincount(position, weights=item_cost, minlength=len(suppliers)).astype(np.float64)
    suppliers["minimum_order_value"] = _minimum_order_value(weekly_cost, suppliers["minimum_draw"].to_numpy())

    terms = suppliers.iloc[position].reset_index(drop=True)
    terms["product"] = rows
    terms["product_id"] = products["product_id"].to_numpy()[rows]
    terms["unit_cost"] = unit_costs[rows]
    terms["pack_size"] = pack_sizes(per_week[rows])
    doubled = draws(terms["product_id"].to_numpy(), "moq") >= DOUBLE_MOQ_FROM
    terms["moq"] = terms["pack_size"] * np.where(doubled, 2, 1)
    return terms
