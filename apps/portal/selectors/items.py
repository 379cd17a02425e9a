"""The list of items, from the summary table alone: filters, search and order, one page at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import F, Q, QuerySet
from django.utils.translation import gettext as _

from apps.catalog.models import Item, Origin, Supplier
from apps.forecasting.models import SeriesForecast
from apps.optimization.selectors import cover_days
from apps.portal.models import ItemSummary
from apps.tenants.downloads import Cell
from apps.tenants.figures import rounded_units
from apps.tenants.scope import current_tenant_id

# ?sort=name and ?sort=-name; the id after them makes every order total, so that pages never overlap.
SORTS = {
    "title": "title", "sku": "sku", "units": "weekly_units", "sold": "units_28d", "revenue": "revenue_28d",
    "cover": "days_of_cover", "risk": "money_at_risk", "stock": "on_hand", "order": "recommended",
    "lost": "lost_margin",
}
DEFAULT_SORT = "-risk"


@dataclass(frozen=True)
class Filters:
    """What the address asks for."""

    search: str = ""
    department: str = ""
    supplier: str = ""
    rank: str = ""  # A, B or C, alone or with X, Y or Z
    demand: str = ""
    planning: str = ""
    status: str = ""
    stock: str = ""
    sort: str = DEFAULT_SORT


STOCKS = {
    "out": Q(on_hand__lte=0), "short": Q(days_of_cover__lt=7, on_hand__gt=0), "over": Q(days_of_cover__gt=180),
    "advised": Q(recommended__gt=0), "unknown": Q(on_hand=None), "ran_out": Q(days_out__gt=0),
}


def rank_labels() -> list[tuple[str, str]]:
    """The classes by money, each alone and with each steadiness."""
    steadiness = {"X": _("steady weeks"), "Y": _("varying weeks"), "Z": _("unsteady weeks")}
    return [pair for abc in "ABC"
            for pair in [(abc, abc), *((abc + xyz, f"{abc}{xyz}: {words}") for xyz, words in steadiness.items())]]


def stock_labels() -> list[tuple[str, str]]:
    return [("advised", _("advice open")), ("out", _("out of stock")), ("short", _("under a week")),
            ("over", _("over half a year")), ("ran_out", _("had run out lately")), ("unknown", _("stock not known"))]


def summaries(filters: Filters) -> QuerySet[ItemSummary]:
    """The items that pass, in the order asked for."""
    found: QuerySet[ItemSummary] = ItemSummary.objects.all()
    for word in filters.search.split()[:6]:
        found = found.filter(Q(title__icontains=word) | Q(sku__istartswith=word) | Q(brand__istartswith=word))
    exact = {"department": filters.department, "supplier_name": filters.supplier, "abc": filters.rank[:1],
             "xyz": filters.rank[1:], "demand": filters.demand, "planning": filters.planning, "status": filters.status}
    found = found.filter(**{name: value for name, value in exact.items() if value})
    if filters.stock in STOCKS:
        found = found.filter(STOCKS[filters.stock])
    name, is_down = filters.sort.removeprefix("-"), filters.sort.startswith("-")
    column = SORTS.get(name, SORTS[DEFAULT_SORT.removeprefix("-")])
    is_down = is_down if name in SORTS else True
    may_be_empty = ItemSummary._meta.get_field(column).null
    if may_be_empty:
        return found.order_by(F(column).desc(nulls_last=True) if is_down else F(column).asc(nulls_last=True), "id")
    return found.order_by(f"-{column}" if is_down else column, "id")


@dataclass(frozen=True)
class EmptyShelves:
    """The planned items that had run out in the `days` before the newest forecast, and what that cost together.

    Nothing can be told where no stock is counted, or all of it is simulated.
    """

    days: int
    items: int
    days_out: int
    units: float
    margin: float
    is_counted: bool
    is_simulated: bool


_EMPTY_SHELVES = """
SELECT count(*) FILTER (WHERE days_out > 0), coalesce(sum(days_out), 0), coalesce(sum(lost_units), 0),
       coalesce(sum(lost_margin), 0),
       EXISTS (SELECT FROM inventory_stocklevel WHERE tenant_id = %(tenant)s AND counted_at IS NOT NULL
               AND origin <> 'simulated'),
       EXISTS (SELECT FROM inventory_stocklevel WHERE tenant_id = %(tenant)s AND origin = 'simulated')
FROM portal_itemsummary WHERE tenant_id = %(tenant)s
"""


def empty_shelves() -> EmptyShelves:
    with connection.cursor() as cursor:
        cursor.execute(_EMPTY_SHELVES, {"tenant": current_tenant_id()})
        return EmptyShelves(SeriesForecast.LOST_DAYS, *cursor.fetchone())


def departments() -> list[str]:
    return list(ItemSummary.objects.exclude(department="").order_by("department")
                .values_list("department", flat=True).distinct())


def supplier_names() -> list[str]:
    return list(Supplier.objects.order_by("name").values_list("name", flat=True))


def _exported() -> dict[str, str]:
    return {
        "sku": _("SKU"), "title": _("Title"), "category": _("Category"), "brand": _("Brand"),
        "supplier_name": _("Supplier"), "status": _("Status"), "planning": _("Planning"), "abc": _("Class"),
        "xyz": _("Steadiness"), "demand": _("Sells"), "price": _("Price"), "unit_cost": _("Unit cost"),
        "cost_origin": _("Unit cost is"), "on_hand": _("On hand"),
        "on_order": _("On order"), "weekly_units": _("A week"), "units_28d": _("Units, 28 days"),
        "revenue_28d": _("Sales, 28 days"), "last_sold_on": _("Last sold"), "days_of_cover": _("Days of cover"),
        "stockout_on": _("Runs out"), "lasts_from": _("As of"), "recommended": _("Advised"),
        "money_at_risk": _("At risk"), "days_out": _("Days without stock"), "lost_units": _("Units not sold"),
        "lost_margin": _("Margin not earned")}


def export_rows(filters: Filters) -> Iterator[list[Cell]]:
    """Every item that passes, a row each, the header first; read through a cursor, never all at once.

    Estimates are rounded as the list rounds them, prices and costs stand as they are.
    """
    titles = _exported()
    words: dict[str, dict[str, Any]] = {
        "status": dict(Item.Status.choices), "planning": dict(ItemSummary.Planning.choices),
        "demand": dict(ItemSummary.Demand.choices),
        "cost_origin": {**dict(Origin.choices), "assumed": _("assumed")}}

    def shown(name: str, cell: Any) -> Any:
        if name in words:
            return str(words[name].get(cell, cell))
        if name in ("on_hand", "on_order", "weekly_units", "units_28d", "lost_units") and cell is not None:
            return rounded_units(cell)
        if name == "days_of_cover" and cell is not None:
            return cover_days(cell)
        return round(cell) if isinstance(cell, float) else cell

    yield list(titles.values())
    for row in summaries(filters).values_list(*titles).iterator(chunk_size=2000):
        yield [shown(name, cell) for name, cell in zip(titles, row, strict=True)]
