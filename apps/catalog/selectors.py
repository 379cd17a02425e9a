"""Items, locations and suppliers as others read them, and the terms that hold for an item once defaults fill gaps."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db import connection
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from apps.catalog.models import Channel, Item, Location, PlanningDefaults, Supplier, SupplyTerm
from apps.tenants.scope import current_tenant_id

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class NotGoods:
    """A kind of thing that a till sells and a shelf does not hold, known by its category path or its title.

    Both are Postgres regular expressions, searched whatever the case of the letters; an empty one finds nothing.
    """

    rule: str
    category: str
    title: str


# In the order in which a line is counted that more than one would take.
NOT_GOODS: tuple[NotGoods, ...] = (
    NotGoods("fuel", r"(^fuel( >|$))|(> gasoline\M)", r""),
    NotGoods("coupon", r"^coupons?( >|$)", r"^(coupon|gutschein|discount|rabatt|remise|descuento)\M"),
    NotGoods("gift_card", r"(^|> )[^>]*\mgift cards?\M[^>]*$",
             r"\m(gift ?cards?|gift certificate|geschenkgutschein|carte[- ]cadeau|tarjeta (de )?regalo)\M|礼品卡"),
    NotGoods("shipping", r"(^|> )(shipping|delivery|versand|livraison|env[ií]o)( >|$)",
             r"^(shipping|delivery (fee|charge)|postage|versand(kosten)?|frais de (port|livraison)|livraison|"
             r"gastos de env[ií]o|env[ií]o|运费)\M"),
    NotGoods("tip", r"(^|> )(tips?|gratuity)( >|$)", r"^(tip|tips|gratuity|trinkgeld|pourboire|propina|小费)$"),
    NotGoods("service", r"(^|> )(fees?|services?|surcharges?)( >|$)",
             r"^(service fee|handling fee|bag (fee|charge)|gift ?wrap(ping)?|insurance|warranty|surcharge)\M"),
)


def not_goods_sql(item: str = "item") -> str:
    """SQL for the rule that takes an item out of the goods, or NULL; `item` is the table's alias. A constant text."""
    cases = []
    for kind in NOT_GOODS:
        tests = [f"{item}.{column} ~* '{pattern}'" for column, pattern in
                 (("category", kind.category), ("title", kind.title)) if pattern]
        cases.append(f"WHEN {' OR '.join(tests)} THEN '{kind.rule}'")
    return f"CASE {' '.join(cases)} END"


@contextmanager
def joined_in_sets(wanted: bool = True, *, page_by_page: bool = False) -> Generator[None]:
    """Join by hashing whole sets, whatever the planner believes, and read them `page_by_page`, not row by row.

    Statistics are of all tenants together and lag behind: of a tenant that has just come in, the planner expects one
    row, and joins tens of thousands row by row.
    """
    if not wanted:
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('enable_nestloop'), current_setting('work_mem'), indexscan, "
                       "set_config('enable_nestloop', 'off', true), set_config('work_mem', '256MB', true), "
                       "set_config('enable_indexscan', CASE WHEN %s THEN 'off' ELSE indexscan END, true) "
                       "FROM current_setting('enable_indexscan') indexscan", [page_by_page])
        before = cursor.fetchone()[:3]
        yield
        cursor.execute("SELECT set_config('enable_nestloop', %s, true), set_config('work_mem', %s, true), "
                       "set_config('enable_indexscan', %s, true)", before)


def channels() -> QuerySet[Channel]:
    return Channel.objects.order_by("name")


def locations() -> QuerySet[Location]:
    return Location.objects.order_by("code")


def items() -> QuerySet[Item]:
    return Item.objects.order_by("sku", "id")


def items_by_id(item_ids: Sequence[int]) -> dict[int, Item]:
    return {item.pk: item for item in Item.objects.filter(pk__in=item_ids)}


def suppliers() -> QuerySet[Supplier]:
    return Supplier.objects.order_by("name")


def suppliers_in_use() -> QuerySet[Supplier]:
    """Who some item is bought from, by name."""
    return suppliers().filter(pk__in=SupplyTerm.objects.filter(is_preferred=True).values("supplier_id"))


def kinds() -> list[str]:
    """The departments and categories that active items have, each department before its categories."""
    active = items().filter(status="active").exclude(category="").order_by()
    paths = active.values_list("category", flat=True).distinct()
    return sorted({kind for path in paths for kind in (path.split(" > ")[0], path)})


def items_of_kind(kind: str) -> QuerySet[Item]:
    """The items of a department or a category, those below it included."""
    return items().filter(Q(category=kind) | Q(category__startswith=f"{kind} > "))


def assumption_words() -> dict[str, str]:
    """What figures that nobody gave are called."""
    return {
        "lead_time_days": _("lead time"), "lead_time_spread_days": _("spread of the lead time"),
        "review_period_days": _("how often is ordered"), "unit_cost": _("unit cost, as a share of the price"),
        "price": _("price, from the unit cost"),
        "holding_cost_rate": _("cost of holding stock"), "on_hand": _("stock"),
        "history": _("demand, from under eight weeks of sales"),
        "one_sale": _("that one unusually large sale is right"),
    }


def simulation_words() -> dict[str, str]:
    """What figures that were made up for a demo are called."""
    return {
        "lead_time_days": _("lead time"), "lead_time_spread_days": _("spread of the lead time"),
        "review_period_days": _("how often is ordered"), "unit_cost": _("unit cost"), "moq": _("minimum quantity"),
        "pack_size": _("packs"), "minimum_order_value": _("supplier's minimum"), "on_hand": _("stock"),
    }


def planning_defaults() -> PlanningDefaults:
    """What is assumed where nothing is said."""
    return PlanningDefaults.objects.filter(tenant_id=current_tenant_id()).first() or PlanningDefaults(
        tenant_id=current_tenant_id())


_NAMES = """
SELECT known.value, item.id, coalesce({not_goods}, '') FROM catalog_externalid known
JOIN catalog_item item ON item.tenant_id = known.tenant_id AND item.id = known.item_id
WHERE known.tenant_id = %(tenant)s AND known.channel_id = %(channel)s AND known.kind = 'item'
UNION ALL
SELECT min(item.sku), min(item.id), coalesce(min({not_goods}), '') FROM catalog_item item
WHERE item.tenant_id = %(tenant)s AND NOT EXISTS (
    SELECT FROM catalog_externalid known WHERE known.tenant_id = %(tenant)s AND known.channel_id = %(channel)s
    AND known.kind = 'item' AND known.value = item.sku)
GROUP BY item.sku HAVING count(*) = 1
"""


def item_names(channel: Channel, *, is_judged: bool = True) -> list[tuple[str, int, str]]:
    """What a channel calls its items: (name, item id, the rule that says it is not goods, or '').

    Whether something is goods is asked only where `is_judged`: it takes most of the time. A sku that the channel has
    no name for, and that only one item has, is a name of that item too.
    """
    with joined_in_sets(), connection.cursor() as cursor:
        cursor.execute(_NAMES.format(not_goods=not_goods_sql() if is_judged else "NULL"),
                       {"tenant": current_tenant_id(), "channel": channel.pk})
        return [(str(value), int(item_id), str(rule)) for value, item_id, rule in cursor.fetchall()]


# One row an item: the terms of its preferred supplier, then of the supplier, then the tenant's defaults. Joins to
# nothing above the catalog; use it as a sub-select: f"... JOIN ({TERMS}) terms USING (item_id)" with %(tenant)s.
TERMS = """
SELECT item.id AS item_id, term.supplier_id,
       coalesce(term.lead_time_days, supplier.lead_time_days, defaults.lead_time_days) AS lead_time_days,
       coalesce(term.lead_time_spread_days, supplier.lead_time_spread_days,
                defaults.lead_time_spread_days) AS lead_time_spread_days,
       coalesce(term.moq, 1) AS moq, coalesce(term.pack_size, 1) AS pack_size,
       coalesce(term.unit_cost, item.unit_cost, round(item.price * defaults.cost_share::numeric, 4)) AS unit_cost,
       coalesce(item.price, round(coalesce(term.unit_cost, item.unit_cost) / defaults.cost_share::numeric, 4))
           AS price,
       coalesce(supplier.review_period_days, defaults.review_period_days) AS review_period_days,
       supplier.minimum_order_value, defaults.holding_cost_rate,
       array_remove(ARRAY[
           CASE WHEN coalesce(term.lead_time_days, supplier.lead_time_days) IS NULL THEN 'lead_time_days' END,
           CASE WHEN coalesce(term.lead_time_spread_days, supplier.lead_time_spread_days) IS NULL
                THEN 'lead_time_spread_days' END,
           CASE WHEN supplier.review_period_days IS NULL THEN 'review_period_days' END,
           CASE WHEN coalesce(term.unit_cost, item.unit_cost) IS NULL THEN 'unit_cost' END,
           CASE WHEN item.price IS NULL THEN 'price' END], NULL) AS assumed,
       array_remove(ARRAY[
           CASE WHEN 'lead_time_days' = ANY(term.simulated) OR term.lead_time_days IS NULL
                AND 'lead_time_days' = ANY(supplier.simulated) THEN 'lead_time_days' END,
           CASE WHEN 'lead_time_spread_days' = ANY(term.simulated) OR term.lead_time_spread_days IS NULL
                AND 'lead_time_spread_days' = ANY(supplier.simulated) THEN 'lead_time_spread_days' END,
           CASE WHEN 'review_period_days' = ANY(supplier.simulated) THEN 'review_period_days' END,
           CASE WHEN 'minimum_order_value' = ANY(supplier.simulated) THEN 'minimum_order_value' END,
           CASE WHEN 'moq' = ANY(term.simulated) THEN 'moq' END,
           CASE WHEN 'pack_size' = ANY(term.simulated) THEN 'pack_size' END,
           CASE WHEN 'unit_cost' = ANY(term.simulated) OR term.unit_cost IS NULL AND item.unit_cost IS NOT NULL
                AND item.cost_origin = 'simulated' THEN 'unit_cost' END], NULL) AS simulated
FROM catalog_item item
JOIN catalog_planningdefaults defaults ON defaults.tenant_id = item.tenant_id
LEFT JOIN catalog_supplyterm term ON term.tenant_id = item.tenant_id AND term.item_id = item.id AND term.is_preferred
LEFT JOIN catalog_supplier supplier ON supplier.tenant_id = item.tenant_id AND supplier.id = term.supplier_id
WHERE item.tenant_id = %(tenant)s
"""

TERM_COLUMNS = ("item_id", "supplier_id", "lead_time_days", "lead_time_spread_days", "moq", "pack_size", "unit_cost",
                "price", "review_period_days", "minimum_order_value", "holding_cost_rate", "assumed", "simulated")


def terms_of_items(item_ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    """The terms that hold for a few items, as a page shows them, by item."""
    with connection.cursor() as cursor:
        cursor.execute(f"{TERMS} AND item.id = ANY(%(items)s)",
                       {"tenant": current_tenant_id(), "items": list(item_ids)})
        return {row[0]: dict(zip(TERM_COLUMNS, row, strict=True)) for row in cursor.fetchall()}


def terms_frame(item_ids: Sequence[int] | None = None) -> pd.DataFrame:
    """The terms that hold for items, one row each in the order of `item_id`: TERM_COLUMNS.

    `supplier_id` is 0 where nobody is known to sell the item; `minimum_order_value` is NaN where there is none;
    `unit_cost` and `price` are NaN where neither is known. `assumed` is a list of the names that come from the
    defaults, `simulated` one of those that were made up for a demo.
    """
    import numpy as np
    import pandas as pd

    chosen = "" if item_ids is None else " AND item.id = ANY(%(items)s)"
    with joined_in_sets(item_ids is None), connection.cursor() as cursor:
        cursor.execute(f"{TERMS}{chosen} ORDER BY item.id",
                       {"tenant": current_tenant_id(), "items": None if item_ids is None else list(item_ids)})
        frame = pd.DataFrame(cursor.fetchall(), columns=list(TERM_COLUMNS))
    for name in ("lead_time_days", "lead_time_spread_days", "unit_cost", "price", "minimum_order_value",
                 "holding_cost_rate"):
        frame[name] = frame[name].astype(np.float64)
    frame["supplier_id"] = frame["supplier_id"].astype(np.float64).fillna(0).astype(np.int64)
    for name in ("item_id", "moq", "pack_size", "review_period_days"):
        frame[name] = frame[name].astype(np.int64)
    return frame
