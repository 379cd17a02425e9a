"""Items, locations, suppliers and terms: made and changed in sets, found by the names that channels use."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction
from django.utils import timezone
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from psycopg import sql

from apps.catalog.models import Channel, ExternalId, Item, Location, Origin, PlanningDefaults, Supplier, SupplyTerm
from apps.catalog.selectors import joined_in_sets
from apps.tenants.figures import units
from apps.tenants.models import Tenant, User
from apps.tenants.scope import current_tenant_id
from apps.tenants.selectors import tenant_by_id
from apps.tenants.services import record_audit

MAIN_LOCATION = "main"
_ITEMS_LOCK = 0x4954  # the class of the advisory lock under which a tenant's items are made: a sku alone is not unique


class TooManyItems(ValueError):
    """The tenant's plan has no room for so many items; the message says how many it has room for."""


@dataclass(frozen=True)
class Upserted:
    """What became of a set of rows."""

    made: int
    changed: int
    unchanged: int


def furnish_tenant(tenant: Tenant) -> None:
    """Give a new tenant, in whose scope this is called, its planning defaults and its first location."""
    PlanningDefaults.objects.get_or_create(tenant=tenant)
    Location.objects.get_or_create(tenant=tenant, code=MAIN_LOCATION, defaults={"name": _("Main")})


@transaction.atomic
def make_channel(*, slug: str, name: str = "", kind: str = Channel.Kind.FILE) -> Channel:
    """The channel of a short name, made if it is new."""
    short = slugify(slug, allow_unicode=True)[:60] or "file"
    channel: Channel
    channel, _made = Channel.objects.get_or_create(slug=short, tenant_id=current_tenant_id(),
                                                   defaults={"name": (name or slug)[:120], "kind": kind})
    return channel


@transaction.atomic
def make_locations(*, channel: Channel, names: Iterable[str]) -> dict[str, int]:
    """The location that each of a channel's names means, made if it is new."""
    wanted = sorted({name.strip()[:200] for name in names if name.strip()})
    named = ExternalId.objects.filter(channel=channel, kind=ExternalId.Kind.LOCATION, value__in=wanted)
    known = dict(named.values_list("value", "location_id"))
    only = _only_place() if len(wanted) == 1 and not known else None
    if only is not None:
        # A shop of one place calls it by one name: sales that name none and stock that does belong together.
        only.name = wanted[0][:120]
        only.save(update_fields=["name"])
        ExternalId.objects.create(channel=channel, kind=ExternalId.Kind.LOCATION, value=wanted[0], location=only)
        return {wanted[0]: int(only.pk)}
    codes = {name: _location_code(name) for name in wanted if name not in known}
    if codes:
        # Somebody else may be making the same ones: whoever comes second takes them as they are.
        Location.objects.bulk_create([Location(code=code, name=name[:120]) for name, code in codes.items()],
                                     ignore_conflicts=True)
        ids = dict(Location.objects.filter(code__in=codes.values()).values_list("code", "id"))
        ExternalId.objects.bulk_create([
            ExternalId(channel=channel, kind=ExternalId.Kind.LOCATION, value=name, location_id=ids[code])
            for name, code in codes.items()], ignore_conflicts=True)
        known = dict(named.values_list("value", "location_id"))
    return {name: int(location_id) for name, location_id in known.items()}


def _only_place() -> Location | None:
    """The location that every shop begins with, where there is no other and nobody has named it yet; locked."""
    places = list(Location.objects.select_for_update(no_key=True).order_by("pk")[:2])
    is_named = ExternalId.objects.filter(kind=ExternalId.Kind.LOCATION).exists()
    return places[0] if [place.code for place in places] == [MAIN_LOCATION] and not is_named else None


def _location_code(name: str) -> str:
    """A short name; one that had to be cut, or has no letter to keep, is told apart from its like by a digest."""
    code = slugify(name, allow_unicode=True)
    if 0 < len(code) <= 60:
        return code
    return f"{code[:49] or 'location'}-{hashlib.sha256(name.encode()).hexdigest()[:10]}"


@transaction.atomic
def main_location() -> Location:
    """The location where sales and stock stand when nobody names one."""
    location: Location
    location, _made = Location.objects.get_or_create(code=MAIN_LOCATION, tenant_id=current_tenant_id(),
                                                     defaults={"name": _("Main")})
    return location


@transaction.atomic
def unnamed_supplier() -> Supplier:
    """Who an item is bought from while nobody is named: its orders have to stand somewhere."""
    supplier: Supplier
    supplier, _made = Supplier.objects.get_or_create(name=_("Supplier not named"), tenant_id=current_tenant_id())
    return supplier


_LINK = """
INSERT INTO catalog_externalid (tenant_id, channel_id, kind, value, item_id, location_id)
SELECT %(tenant)s, %(channel)s, 'item', wanted.value, same.item_id, NULL
FROM (SELECT DISTINCT value, sku FROM {rows}) wanted
JOIN (SELECT sku, min(id) AS item_id FROM catalog_item WHERE tenant_id = %(tenant)s
      GROUP BY sku HAVING count(*) = 1) same USING (sku)
WHERE NOT EXISTS (SELECT FROM catalog_externalid known WHERE known.tenant_id = %(tenant)s
                  AND known.channel_id = %(channel)s AND known.kind = 'item' AND known.value = wanted.value)
ON CONFLICT (tenant_id, channel_id, kind, value) DO NOTHING
"""

# An item that was only known by its title gets its sku from the first row that has both.
_GIVE_SKUS = """
UPDATE catalog_item item SET sku = said.sku, has_sku = true, updated_at = %(now)s
FROM (SELECT lower(title) AS title, min(sku) AS sku FROM {rows} WHERE has_sku AND title IS NOT NULL
      GROUP BY 1 HAVING count(*) = 1) said
WHERE item.tenant_id = %(tenant)s AND NOT item.has_sku AND lower(item.title) = said.title
  AND NOT EXISTS (SELECT FROM catalog_item other WHERE other.tenant_id = %(tenant)s AND other.id <> item.id
                  AND (other.sku = said.sku OR lower(other.title) = said.title))
"""

_CHANGE_ITEMS = """
UPDATE catalog_item item SET
    title = coalesce(said.title, item.title), category = coalesce(said.category, item.category),
    brand = coalesce(said.brand, item.brand), unit_of_measure = coalesce(said.unit_of_measure, item.unit_of_measure),
    unit_cost = coalesce(said.unit_cost, item.unit_cost), price = coalesce(said.price, item.price),
    price_seen_at = CASE WHEN said.price IS NULL THEN item.price_seen_at END,
    status = coalesce(said.status, item.status), is_stated = true,
    cost_origin = CASE WHEN said.unit_cost IS NULL THEN item.cost_origin ELSE %(origin)s END, updated_at = %(now)s
FROM (SELECT known.item_id AS known_id, rows.* FROM {rows} rows JOIN catalog_externalid known
      ON known.tenant_id = %(tenant)s AND known.channel_id = %(channel)s AND known.kind = 'item'
      AND known.value = rows.value) said
WHERE item.tenant_id = %(tenant)s AND item.id = said.known_id
  AND (coalesce(said.title, item.title), coalesce(said.category, item.category), coalesce(said.brand, item.brand),
       coalesce(said.unit_of_measure, item.unit_of_measure), coalesce(said.unit_cost, item.unit_cost),
       coalesce(said.price, item.price), coalesce(said.status, item.status), true,
       CASE WHEN said.price IS NULL THEN item.price_seen_at END,
       CASE WHEN said.unit_cost IS NULL THEN item.cost_origin ELSE %(origin)s END)
      IS DISTINCT FROM (item.title, item.category, item.brand, item.unit_of_measure, item.unit_cost, item.price,
                        item.status, item.is_stated, item.price_seen_at, item.cost_origin)
"""

_NEW_ITEMS = """
CREATE TEMP TABLE catalog_new_items ON COMMIT DROP AS
SELECT nextval(pg_get_serial_sequence('catalog_item', 'id')) AS id, rows.*
FROM {rows} rows WHERE NOT EXISTS (
    SELECT FROM catalog_externalid known WHERE known.tenant_id = %(tenant)s AND known.channel_id = %(channel)s
    AND known.kind = 'item' AND known.value = rows.value)
"""

_MAKE_ITEMS = """
INSERT INTO catalog_item (tenant_id, id, sku, title, category, brand, unit_of_measure, unit_cost, cost_origin, price,
                          status, has_sku, is_stated, created_at, updated_at)
SELECT %(tenant)s, id, sku, coalesce(title, sku), coalesce(category, ''), coalesce(brand, ''),
       coalesce(unit_of_measure, ''), unit_cost, %(origin)s, price, coalesce(status, 'active'), has_sku, true,
       %(now)s, %(now)s
FROM catalog_new_items
"""

_MAKE_NAMED_ITEMS = """
INSERT INTO catalog_item (tenant_id, id, sku, title, category, brand, unit_of_measure, cost_origin, status, has_sku,
                          is_stated, created_at, updated_at)
SELECT %(tenant)s, id, sku, sku, '', '', '', %(origin)s, 'active', has_sku, false, %(now)s, %(now)s
FROM catalog_new_items
"""

_NAME_ITEMS = """
INSERT INTO catalog_externalid (tenant_id, channel_id, kind, value, item_id, location_id)
SELECT %(tenant)s, %(channel)s, 'item', value, id, NULL FROM catalog_new_items
"""


@transaction.atomic
def upsert_items(*, channel: Channel, rows: str, origin: str = Origin.GIVEN) -> Upserted:
    """Make and change items from a temp table, one row for each `value`, by which the channel knows the item.

    Columns: value, sku, has_sku, title, category, brand, unit_of_measure, unit_cost, price, status; what is NULL was
    not said and changes nothing. A value new to the channel is first looked for among the skus: a sku that only one
    item has means that item.
    """
    given = _given(channel, origin)
    table = sql.Identifier(rows)
    with joined_in_sets(), connection.cursor() as cursor:
        _lock_items(cursor)
        cursor.execute(sql.SQL(_GIVE_SKUS).format(rows=table), given)
        cursor.execute(sql.SQL(_LINK).format(rows=table), given)
        cursor.execute(sql.SQL("SELECT count(*) FROM {rows}").format(rows=table))
        total = int(cursor.fetchone()[0])
        cursor.execute(sql.SQL(_CHANGE_ITEMS).format(rows=table), given)
        changed = cursor.rowcount
        made = _make_new(cursor, table, _MAKE_ITEMS, given)
    return Upserted(made=made, changed=changed, unchanged=total - changed - made)


@transaction.atomic
def name_items(*, channel: Channel, rows: str, origin: str = Origin.GIVEN) -> int:
    """Make the items that a temp table only names; how many there are.

    Columns: value, sku, has_sku, title. An item that is there already stays as it is, but for the sku that it lacks.
    """
    given = _given(channel, origin)
    table = sql.Identifier(rows)
    with joined_in_sets(), connection.cursor() as cursor:
        _lock_items(cursor)
        cursor.execute(sql.SQL(_GIVE_SKUS).format(rows=table), given)
        cursor.execute(sql.SQL(_LINK).format(rows=table), given)
        return _make_new(cursor, table, _MAKE_NAMED_ITEMS, given)


# The newest sale shows the price of an item that nobody has said one of.
_FILL_ITEMS = """
UPDATE catalog_item item SET
    title = CASE WHEN item.title = item.sku THEN coalesce(seen.title, item.title) ELSE item.title END,
    price = CASE WHEN seen.is_newer THEN seen.price ELSE item.price END,
    price_seen_at = CASE WHEN seen.is_newer THEN seen.price_seen_at ELSE item.price_seen_at END, updated_at = %(now)s
FROM (SELECT rows.*, coalesce(rows.price IS NOT NULL AND (known.price IS NULL OR (known.price_seen_at, known.price)
                              < (rows.price_seen_at, rows.price)), false) AS is_newer
      FROM {rows} rows JOIN catalog_item known ON known.tenant_id = %(tenant)s AND known.id = rows.item_id) seen
WHERE item.tenant_id = %(tenant)s AND item.id = seen.item_id
  AND (seen.is_newer OR (item.title = item.sku AND seen.title <> item.title))
"""


@transaction.atomic
def fill_items(*, rows: str) -> int:
    """Fill in what nobody has said of items by what their sales show; how many items changed.

    Columns of the temp table, one row for each item: item_id, title, price, price_seen_at.
    """
    with joined_in_sets(), connection.cursor() as cursor:
        cursor.execute(sql.SQL(_FILL_ITEMS).format(rows=sql.Identifier(rows)),
                       {"tenant": current_tenant_id(), "now": timezone.now()})
        return int(cursor.rowcount)


def _given(channel: Channel, origin: str) -> dict[str, Any]:
    return {"tenant": current_tenant_id(), "channel": channel.pk, "origin": str(origin), "now": timezone.now()}


def _lock_items(cursor: Any) -> None:
    """Whoever makes items at the same time waits, and then finds those that were made here."""
    cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [_ITEMS_LOCK, current_tenant_id() % 2**31])


def _make_new(cursor: Any, table: sql.Identifier, make: str, given: dict[str, Any]) -> int:
    """Make the items of a temp table that the channel does not know, and let it know them."""
    cursor.execute(sql.SQL(_NEW_ITEMS).format(rows=table), given)
    made = int(cursor.rowcount)
    if made:
        _check_room(made)
        cursor.execute(make, given)
        cursor.execute(_NAME_ITEMS, given)
    cursor.execute("DROP TABLE catalog_new_items")
    return made


def _check_room(more: int) -> None:
    room = tenant_by_id(current_tenant_id()).limit("items")
    if Item.objects.count() + more > room:
        raise TooManyItems(ngettext("Your plan has room for %(room)s item; this would make it more.",
                                    "Your plan has room for %(room)s items; this would make it more.", room)
                           % {"room": units(room)})


_SUPPLIERS = """
CREATE TEMP TABLE catalog_said_suppliers ON COMMIT DROP AS
SELECT supplier AS name, (array_agg(currency ORDER BY row_number) FILTER (WHERE currency IS NOT NULL))[1] AS currency,
       (array_agg(minimum_order_value ORDER BY row_number) FILTER (WHERE minimum_order_value IS NOT NULL))[1]
           AS minimum_order_value,
       (array_agg(review_period_days ORDER BY row_number) FILTER (WHERE review_period_days IS NOT NULL))[1]
           AS review_period_days,
       (array_agg(lead_time_days ORDER BY row_number) FILTER (WHERE item_id IS NULL AND lead_time_days IS NOT NULL))[1]
           AS lead_time_days,
       (array_agg(lead_time_spread_days ORDER BY row_number)
           FILTER (WHERE item_id IS NULL AND lead_time_spread_days IS NOT NULL))[1] AS lead_time_spread_days
FROM {rows} GROUP BY supplier
"""


def _said(row: str, names: Iterable[str]) -> str:
    """SQL for the names of what a row says."""
    said = ", ".join(f"CASE WHEN {row}.{name} IS NOT NULL THEN '{name}' END" for name in names)
    return f"array_remove(ARRAY[{said}], NULL)"


def _made_up(row: str, names: Iterable[str]) -> str:
    """SQL for what is made up of what a new row says."""
    return f"CASE WHEN %(origin)s = 'simulated' THEN {_said(row, names)} ELSE ARRAY[]::text[] END"


def _still_made_up(known: str, names: Iterable[str]) -> str:
    """SQL for what is made up of a known row, once a new one is laid over it: each value as who said it last."""
    return (f"ARRAY(SELECT unnest({known}.simulated)::text EXCEPT SELECT unnest({_said('excluded', names)}) "
            "UNION SELECT unnest(excluded.simulated)::text ORDER BY 1)")


# What a supplier asks for all that it sells, and for one item.
_FOR_ALL = ("lead_time_days", "lead_time_spread_days", "minimum_order_value", "review_period_days")
_FOR_ITEM = ("lead_time_days", "lead_time_spread_days", "moq", "pack_size", "unit_cost")

_UPSERT_SUPPLIERS = f"""
INSERT INTO catalog_supplier AS supplier (tenant_id, name, currency, email, lead_time_days, lead_time_spread_days,
                                          minimum_order_value, review_period_days, simulated)
SELECT %(tenant)s, name, coalesce(currency, ''), '', lead_time_days, lead_time_spread_days, minimum_order_value,
       review_period_days, {_made_up("said", _FOR_ALL)} FROM catalog_said_suppliers said
ON CONFLICT (tenant_id, name) DO UPDATE SET
    currency = coalesce(nullif(excluded.currency, ''), supplier.currency),
    lead_time_days = coalesce(excluded.lead_time_days, supplier.lead_time_days),
    lead_time_spread_days = coalesce(excluded.lead_time_spread_days, supplier.lead_time_spread_days),
    minimum_order_value = coalesce(excluded.minimum_order_value, supplier.minimum_order_value),
    review_period_days = coalesce(excluded.review_period_days, supplier.review_period_days),
    simulated = {_still_made_up("supplier", _FOR_ALL)}
WHERE (coalesce(nullif(excluded.currency, ''), supplier.currency),
       coalesce(excluded.lead_time_days, supplier.lead_time_days),
       coalesce(excluded.lead_time_spread_days, supplier.lead_time_spread_days),
       coalesce(excluded.minimum_order_value, supplier.minimum_order_value),
       coalesce(excluded.review_period_days, supplier.review_period_days), {_still_made_up("supplier", _FOR_ALL)})
      IS DISTINCT FROM (supplier.currency, supplier.lead_time_days, supplier.lead_time_spread_days,
                        supplier.minimum_order_value, supplier.review_period_days, supplier.simulated::text[])
RETURNING supplier.id
"""

# The first supplier of an item is its preferred one, until someone says otherwise.
_UPSERT_TERMS = f"""
INSERT INTO catalog_supplyterm AS term (tenant_id, item_id, supplier_id, lead_time_days, lead_time_spread_days, moq,
                                        pack_size, unit_cost, is_preferred, simulated)
SELECT %(tenant)s, said.item_id, supplier.id, said.lead_time_days, said.lead_time_spread_days, said.moq,
       said.pack_size, said.unit_cost,
       row_number() OVER (PARTITION BY said.item_id ORDER BY said.row_number) = 1 AND NOT EXISTS (
           SELECT FROM catalog_supplyterm other WHERE other.tenant_id = %(tenant)s AND other.item_id = said.item_id),
       {_made_up("said", _FOR_ITEM)}
FROM {{rows}} said JOIN catalog_supplier supplier ON supplier.tenant_id = %(tenant)s AND supplier.name = said.supplier
WHERE said.item_id IS NOT NULL
ON CONFLICT (tenant_id, item_id, supplier_id) DO UPDATE SET
    lead_time_days = coalesce(excluded.lead_time_days, term.lead_time_days),
    lead_time_spread_days = coalesce(excluded.lead_time_spread_days, term.lead_time_spread_days),
    moq = coalesce(excluded.moq, term.moq), pack_size = coalesce(excluded.pack_size, term.pack_size),
    unit_cost = coalesce(excluded.unit_cost, term.unit_cost), simulated = {_still_made_up("term", _FOR_ITEM)}
WHERE (coalesce(excluded.lead_time_days, term.lead_time_days),
       coalesce(excluded.lead_time_spread_days, term.lead_time_spread_days), coalesce(excluded.moq, term.moq),
       coalesce(excluded.pack_size, term.pack_size), coalesce(excluded.unit_cost, term.unit_cost),
       {_still_made_up("term", _FOR_ITEM)})
      IS DISTINCT FROM (term.lead_time_days, term.lead_time_spread_days, term.moq, term.pack_size, term.unit_cost,
                        term.simulated::text[])
RETURNING term.xmax = 0
"""


@transaction.atomic
def upsert_terms(*, rows: str, origin: str = Origin.GIVEN) -> Upserted:
    """Make and change suppliers and their terms from a temp table, one row for each supplier and item.

    Columns: row_number, supplier, item_id, lead_time_days, lead_time_spread_days, moq, pack_size, unit_cost,
    minimum_order_value, review_period_days, currency; what is NULL was not said and changes nothing. A row without an
    item speaks for all that its supplier sells. A row counts as changed where it or its supplier changed.
    """
    given: dict[str, Any] = {"tenant": current_tenant_id(), "origin": str(origin)}
    table = sql.Identifier(rows)
    with joined_in_sets(), connection.cursor() as cursor:
        cursor.execute(sql.SQL(_SUPPLIERS).format(rows=table))
        cursor.execute(_UPSERT_SUPPLIERS, given)
        suppliers = [row[0] for row in cursor.fetchall()]
        cursor.execute("DROP TABLE catalog_said_suppliers")
        cursor.execute(sql.SQL("SELECT count(*) FILTER (WHERE item_id IS NOT NULL), count(*) FILTER ("
                               "WHERE item_id IS NULL AND supplier IN (SELECT name FROM catalog_supplier "
                               "WHERE tenant_id = %(tenant)s AND id = ANY(%(suppliers)s))), count(*) FROM {rows}")
                       .format(rows=table), {**given, "suppliers": suppliers})
        for_items, for_suppliers, total = cursor.fetchone()
        made = changed = 0
        if for_items:
            cursor.execute(sql.SQL(_UPSERT_TERMS).format(rows=table), given)
            fresh = [row[0] for row in cursor.fetchall()]
            made, changed = sum(fresh), len(fresh) - sum(fresh)
        changed += for_suppliers
    return Upserted(made=made, changed=changed, unchanged=total - made - changed)


EDITABLE_DEFAULTS = ("lead_time_days", "lead_time_spread_days", "review_period_days", "cost_share",
                     "holding_cost_rate", "cash_budget", "planned_units_per_week")


@transaction.atomic
def change_defaults(*, actor: User | None, **fields: Any) -> PlanningDefaults:
    """Change what is assumed where nothing is said; the audit trail keeps what was there before."""
    unknown = set(fields) - set(EDITABLE_DEFAULTS)
    if unknown:
        raise TypeError(f"No planning default is called {', '.join(sorted(unknown))}.")
    defaults: PlanningDefaults
    defaults, _made = PlanningDefaults.objects.select_for_update().get_or_create(tenant_id=current_tenant_id())
    before = {name: str(getattr(defaults, name)) for name in fields}
    for name, value in fields.items():
        setattr(defaults, name, value)
    defaults.full_clean(exclude=["tenant"], validate_unique=False)
    defaults.save()
    record_audit(tenant=tenant_by_id(current_tenant_id()), actor=actor, action="defaults.changed",
                 detail={"before": before, "after": {name: str(value) for name, value in fields.items()}})
    return defaults


@transaction.atomic
def change_term(*, item: Item, supplier: Supplier, actor: User | None, label: str = "", **fields: Any) -> SupplyTerm:
    """Say what a supplier asks for one item; what is said is given from then on, and no longer assumed or simulated."""
    unknown = set(fields) - set(_FOR_ITEM)
    if unknown:
        raise TypeError(f"No supply term is called {', '.join(sorted(unknown))}.")
    term: SupplyTerm
    term, made = SupplyTerm.objects.select_for_update().get_or_create(
        tenant_id=current_tenant_id(), item=item, supplier=supplier,
        defaults={"is_preferred": not SupplyTerm.objects.filter(item=item, is_preferred=True).exists()})
    before = {} if made else {name: str(getattr(term, name)) for name in fields}
    for name, value in fields.items():
        setattr(term, name, value)
    term.simulated = [name for name in term.simulated if name not in fields]
    term.full_clean(exclude=["tenant"], validate_unique=False)
    term.save()
    record_audit(tenant=tenant_by_id(current_tenant_id()), actor=actor, action="term.changed",
                 target=f"{item.sku} · {supplier.name}"[:200], label=label,
                 detail={"before": before, "after": {name: str(value) for name, value in fields.items()}})
    return term
