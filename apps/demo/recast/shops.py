"""The demo's shops and the days on which their story turns."""

from dataclasses import dataclass
from datetime import date, timedelta

TIME_ZONE = "America/New_York"
CURRENCY = "USD"

REPLAY_STARTS_ON = date(2017, 10, 2)
STANDS_ON = date(2017, 12, 4)
ENDS_ON = date(2017, 12, 31)

PLANNING_WINDOW_DAYS = 26 * 7


@dataclass(frozen=True, kw_only=True)
class Shop:
    """One tenant of the demo: which departments it sells, and how much an item must sell to be planned.

    `knows_since` is the first day of its order lines; without one it knows the whole year.
    """

    slug: str
    name: str
    departments: frozenset[str] | None
    planned_units_per_week: float
    knows_since: date | None = None

    def sells(self, department: str) -> bool:
        return self.departments is None or department in self.departments


SHOPS: dict[str, Shop] = {
    shop.slug: shop
    for shop in (
        Shop(slug="corner-grocer", name="Corner Grocer", departments=None, planned_units_per_week=1.0),
        Shop(
            slug="home-health",
            name="Home & Health",
            departments=frozenset({"DRUG GM", "NUTRITION", "COSMETICS", "GARDEN CENTER", "TRAVEL & LEISURE"}),
            planned_units_per_week=0.25,
        ),
    )
}

# One department and 60 days: the whole loop in about a minute.
SMALL_SHOP = Shop(
    slug="corner-bakery",
    name="Corner Bakery",
    departments=frozenset({"PASTRY"}),
    planned_units_per_week=0.5,
    knows_since=STANDS_ON - timedelta(days=60),
)
ALL_SHOPS: dict[str, Shop] = {**SHOPS, SMALL_SHOP.slug: SMALL_SHOP}
