"""Names the odd lines of the purchases, as an import is expected to find and set them aside."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from apps.demo.recast.lines import Lines

UNKNOWN_SKU = "unknown_sku"
FUEL = "fuel"
COUPON = "coupon"
GIFT_CARD = "gift_card"
ZERO_QUANTITY = "zero_quantity"

# The order in which a line that breaks several rules is counted.
RULES = (UNKNOWN_SKU, FUEL, COUPON, GIFT_CARD, ZERO_QUANTITY)


@dataclass(frozen=True, kw_only=True)
class CategoryRule:
    """Recognises items by their category path in items.csv, whatever the case of its letters."""

    name: str
    pattern: str


# One pattern for each kind of item whose lines are no sale of goods, to be searched in the category path.
CATEGORY_RULES = (
    CategoryRule(name=FUEL, pattern=r"(^fuel >)|(> gasoline\b)"),
    CategoryRule(name=COUPON, pattern=r"^coupons >"),
    CategoryRule(name=GIFT_CARD, pattern=r"> [^>]*\bgift cards?\b[^>]*$"),
)


def odd_kinds(products: pd.DataFrame) -> NDArray[np.object_]:
    """Return for each product the kind that keeps it from being goods, "" for goods, from the package's own words."""
    types = products["type"].unique()
    fuel = products["type"].isin([name for name in types if name.startswith("GASOLINE")])
    gift_card = products["type"].isin([name for name in types if "GIFT CARD" in name])
    return np.select(
        [fuel | products["department"].eq("FUEL"), products["department"].eq("COUPON"), gift_card],
        [FUEL, COUPON, GIFT_CARD],
        "",
    ).astype(object)


def broken_rules(lines: Lines, products: pd.DataFrame) -> dict[str, NDArray[np.bool_]]:
    """Return a mask over the lines for each rule; a line may break several."""
    unknown = lines.product < 0
    broken = {UNKNOWN_SKU: unknown}
    for name in (FUEL, COUPON, GIFT_CARD):
        broken[name] = products["odd"].eq(name).to_numpy(dtype=bool)[lines.product] & ~unknown
    broken[ZERO_QUANTITY] = lines.quantity == 0
    return broken


def is_sale(lines: Lines, products: pd.DataFrame) -> NDArray[np.bool_]:
    """Return the lines that break no rule."""
    odd = np.zeros(len(lines), dtype=bool)
    for mask in broken_rules(lines, products).values():
        odd |= mask
    return ~odd


def count_set_aside(broken: dict[str, NDArray[np.bool_]], among: NDArray[np.bool_]) -> dict[str, object]:
    """Return how many lines each rule takes first, how many break it at all, and how the rules overlap."""
    code = np.zeros(len(among), dtype=np.int64)
    for bit, name in enumerate(RULES):
        code |= broken[name].astype(np.int64) << bit
    codes, counts = np.unique(code[among], return_counts=True)
    first = dict.fromkeys(RULES, 0)
    overlaps = []
    for value, count in zip(codes.tolist(), counts.tolist(), strict=True):
        names = [name for bit, name in enumerate(RULES) if value >> bit & 1]
        if names:
            first[names[0]] += count
        if len(names) > 1:
            overlaps.append({"rules": names, "lines": count})
    return {
        "by_first_rule": first,
        "by_any_rule": {name: int((broken[name] & among).sum()) for name in RULES},
        "overlaps": overlaps,
        "set_aside": sum(first.values()),
        "kept": int(among.sum()) - sum(first.values()),
    }
