"""Stock as it stands and stood, what is on order, and purchase orders as pages show them."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.db import connection
from django.db.models import (
    Aggregate,
    Case,
    Count,
    DateField,
    DecimalField,
    DurationField,
    ExpressionWrapper,
    F,
    Min,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Sum,
    Value,
    When,
)
from django.db.models.functions import Cast, Coalesce, Greatest
from django.utils.translation import gettext as _

from apps.inventory.models import PurchaseOrder, PurchaseOrderLine, Receipt, StockLevel
from apps.tenants.downloads import Cell
from apps.tenants.figures import cents
from apps.tenants.scope import current_tenant_id
from apps.tenants.selectors import audit_trail, tenant_by_id

if TYPE_CHECKING:
    import pandas as pd

Status = PurchaseOrder.Status

UNSENT_STATUSES = (Status.DRAFT, Status.APPROVED)
SENT_STATUSES = (Status.SENT, Status.PARTLY_RECEIVED)
OPEN_STATUSES = (*UNSENT_STATUSES, *SENT_STATUSES)
FIRM_STATUSES = (Status.APPROVED, *SENT_STATUSES)  # what somebody has said yes to
NO_WAIT = dt.timedelta()


def _frame(query: str, **parameters: Any) -> pd.DataFrame:
    import pandas as pd

    with connection.cursor() as cursor:
        cursor.execute(query, {"tenant": current_tenant_id(), **parameters})
        columns = [column.name for column in cursor.description or ()]
        return pd.DataFrame.from_records(cursor.fetchall(), columns=columns, coerce_float=True)


_POSITIONS = """
SELECT item_id, location_id, sum(units)::float8 AS on_hand, max(mode) AS mode, max(counted_at) AS counted_at,
       max(origin) AS origin
FROM (
    SELECT item_id, location_id, on_hand AS units, mode, counted_at, origin FROM inventory_stocklevel
    WHERE tenant_id = %(tenant)s
    UNION ALL
    SELECT item_id, location_id, -quantity, NULL, NULL, NULL FROM inventory_stockmovement
    WHERE tenant_id = %(tenant)s AND occurred_on >= %(as_of)s AND (occurred_on > %(as_of)s OR kind = 'sale')) stock
GROUP BY 1, 2 ORDER BY 1, 2
"""


def position_frame(as_of: dt.date) -> pd.DataFrame:
    """Stock at the opening of a day: item_id, location_id, on_hand (units, below zero where oversold), mode,
    counted_at, origin.

    Counts and receipts of the day itself are in it, its sales are not: they are still to come when the day is planned.
    """
    return _frame(_POSITIONS, as_of=as_of)


def arrivals(as_of: dt.date, item_ids: Sequence[int] | None = None, *,
             statuses: Sequence[Status] = OPEN_STATUSES,
             without: Sequence[int] = ()) -> list[tuple[int, int, dt.date, float]]:
    """What is still to come, of all items or some, on orders of some statuses: item_id, location_id, day, units.

    Orders that were not sent are in it, so that nothing is bought twice: they come as if they were sent on `as_of`.
    What stands on orders by the recommendations `without` is left out.
    """
    found = _open_lines(as_of).filter(order__ordered_on__lte=as_of, order__status__in=statuses)
    if without:
        found = found.exclude(recommendation_id__in=without)
    if item_ids is not None:
        found = found.filter(item_id__in=item_ids)
    rows = found.order_by("item_id", "order__location_id", "due_on").values_list(  # type: ignore[misc]
        "item_id", "order__location_id", "due_on").annotate(units=Sum(F("quantity") - F("received_quantity")))
    return [(item_id, location_id, due_on, float(units)) for item_id, location_id, due_on, units in rows]


def arrivals_frame(as_of: dt.date, *, without: Sequence[int] = ()) -> pd.DataFrame:
    """What is still to come: item_id, location_id, date, quantity (see `arrivals`)."""
    import pandas as pd

    return pd.DataFrame(arrivals(as_of, without=without), columns=["item_id", "location_id", "date", "quantity"])


def wait_to_be_sent(as_of: dt.date, order: str = "") -> Case:
    """By how much an order's goods come later than written: it is counted as if it were sent on `as_of`, until it is.

    An expression over orders, or over what leads to them by `order`.
    """
    waits = ExpressionWrapper(Value(as_of, DateField()) - F(f"{order}ordered_on"), DurationField())
    return Case(When(**{f"{order}status__in": UNSENT_STATUSES, f"{order}ordered_on__lt": as_of, "then": waits}),
                default=Value(NO_WAIT), output_field=DurationField())


def _due_on(as_of: dt.date, order: str = "") -> Cast:
    """On which day goods come, the wait for an order that was not sent counted."""
    return Cast(F("expected_on") + wait_to_be_sent(as_of, order), DateField())


def overdue_for_sending(as_of: dt.date) -> list[PurchaseOrder]:
    """Orders that nobody sent though half of the time until their first goods are expected is over.

    Each has that day as `first_on`, and how long it waits already as `wait`.
    """
    found = PurchaseOrder.objects.filter(status__in=UNSENT_STATUSES, ordered_on__lt=as_of).annotate(
        wait=wait_to_be_sent(as_of), first_on=_of_lines(Min("expected_on"))).exclude(first_on=None).order_by("pk")
    return [order for order in found if 2 * (order.first_on - as_of) <= order.first_on - order.ordered_on]


def levels() -> QuerySet[StockLevel]:
    """What is on hand, of each item at each location."""
    return StockLevel.objects.select_related("item", "location").order_by("pk")


_CLOSINGS = """
WITH moved AS (
    SELECT item_id, location_id, occurred_on, sum(quantity) AS change,
           coalesce(-sum(quantity) FILTER (WHERE kind = 'sale'), 0) AS sold,
           coalesce(sum(coalesce(wanted, -quantity)) FILTER (WHERE kind = 'sale'), 0) AS wanted,
           coalesce(sum(quantity) FILTER (WHERE kind = 'receipt'), 0) AS received
    FROM inventory_stockmovement WHERE tenant_id = %(tenant)s AND occurred_on <= %(until)s GROUP BY 1, 2, 3
), running AS (
    SELECT moved.*, sum(change) OVER (PARTITION BY item_id, location_id ORDER BY occurred_on) AS closing FROM moved
)
SELECT item_id, location_id, occurred_on AS date, closing::float8, sold::float8, wanted::float8, received::float8
FROM running WHERE occurred_on >= %(since)s ORDER BY 1, 2, 3
"""


# What is kept in stock: of the items in %(items)s or, where that is null, of all.
KEPT = """(SELECT item_id, location_id FROM inventory_stocklevel WHERE tenant_id = %(tenant)s
           AND (%(items)s::bigint[] IS NULL OR item_id = ANY(%(items)s)))"""


def empty_days_sql(wanted: str, sold: str) -> str:
    """A SELECT of days before %(as_of)s that closed with nothing on hand, of the items and locations in `wanted`.

    `sold` is a table of item_id, location_id, date and units: between counts, what is there is the last count less what
    was sold since, whether or not sales move the level, and what else moved. item_id, location_id, date; `all_day`:
    nothing was there when it opened and nothing came; `spell` numbers the days on end on which there was nothing. Only
    stock that is known is told of: counted, from the first count on, and neither simulated nor a demo's, whose sales
    are what was asked for. Where a count finds goods on a shelf that should be empty, they came on a day that nobody
    told of: `is_told` is false on the days that lead up to it. %(known_at)s, unless null, leaves out what the ledger
    learned later.
    """
    return f"""
WITH moved AS (
    SELECT movement.item_id, movement.location_id, movement.occurred_on AS day, sum(movement.quantity) AS change,
           bool_or(movement.kind = 'count') AS is_counted, bool_or(movement.wanted IS NOT NULL) AS is_demand,
           coalesce(sum(movement.quantity) FILTER (WHERE movement.kind IN ('receipt', 'adjustment')), 0) AS other,
           coalesce(sum(movement.quantity) FILTER (WHERE movement.kind IN ('receipt', 'adjustment')
                                                         AND movement.quantity > 0), 0) AS brought
    FROM {wanted} wanted
    JOIN inventory_stocklevel level ON level.tenant_id = %(tenant)s AND level.item_id = wanted.item_id
         AND level.location_id = wanted.location_id AND level.origin <> 'simulated'
    JOIN inventory_stockmovement movement ON movement.tenant_id = %(tenant)s AND movement.item_id = wanted.item_id
         AND movement.location_id = wanted.location_id
    WHERE movement.occurred_on < %(as_of)s
      AND (%(known_at)s::timestamptz IS NULL OR movement.recorded_at <= %(known_at)s)
    GROUP BY 1, 2, 3
), known AS (
    SELECT item_id, location_id, min(day) FILTER (WHERE is_counted) AS first_on FROM moved
    GROUP BY 1, 2 HAVING bool_or(is_counted) AND NOT bool_or(is_demand)
), balanced AS (
    SELECT *, sum(change) OVER (PARTITION BY item_id, location_id ORDER BY day) AS balance FROM moved
), happened AS (
    SELECT item_id, location_id, day, bool_or(is_counted) AS is_counted, sum(balance) AS balance, sum(other) AS other,
           sum(brought) AS brought, sum(units) AS units
    FROM (SELECT item_id, location_id, day, is_counted, balance, other, brought, 0 AS units FROM balanced
          UNION ALL SELECT item_id, location_id, date, false, 0, 0, 0, units FROM {sold} sold) either
    JOIN known USING (item_id, location_id) WHERE day >= first_on GROUP BY 1, 2, 3
), counted AS (
    SELECT happened.*, count(*) FILTER (WHERE is_counted) OVER days AS section
    FROM happened WINDOW days AS (PARTITION BY item_id, location_id ORDER BY day)
), closed AS (
    SELECT counted.*, sum(CASE WHEN is_counted THEN balance ELSE other - units END) OVER section_days AS closing
    FROM counted WINDOW section_days AS (PARTITION BY item_id, location_id, section ORDER BY day)
), opened AS (
    SELECT closed.*, lag(closing) OVER days AS opening, lead(day, 1, %(as_of)s::date) OVER days AS next_on,
           lead(is_counted AND closing > 0 AND brought <= 0) OVER days AS finds_goods
    FROM closed WINDOW days AS (PARTITION BY item_id, location_id ORDER BY day)
), judged AS (
    SELECT opened.*, opening IS NOT NULL AND opening + brought - least(units, 0) <= 0
                     AND closing + greatest(units, 0) <= 0 AS is_empty,
           bool_or(closing > 0) OVER section_days OR bool_or(finds_goods) OVER section_days IS NOT TRUE AS is_told
    FROM opened
    WINDOW section_days AS (PARTITION BY item_id, location_id, section ORDER BY day DESC)
), numbered AS (
    SELECT judged.*, count(*) FILTER (WHERE NOT is_empty) OVER days AS spell
    FROM judged WINDOW days AS (PARTITION BY item_id, location_id ORDER BY day)
)
SELECT item_id, location_id, each::date AS date, is_empty OR each > day AS all_day, spell,
       is_told OR (is_counted AND each = day) AS is_told
FROM numbered CROSS JOIN LATERAL generate_series(day::timestamp, next_on - interval '1 day', '1 day') each
WHERE closing <= 0"""


def stock_days_frame(since: dt.date, until: dt.date) -> pd.DataFrame:
    """Every item's days on which stock moved: item_id, location_id, date, closing, sold, wanted, received (units)."""
    return _frame(_CLOSINGS, since=since, until=until)


_MONEY: DecimalField[Any, Any] = DecimalField(max_digits=18, decimal_places=4)
_VALUE = ExpressionWrapper(F("lines__quantity") * F("lines__unit_cost"), _MONEY)
_LINE_VALUE = ExpressionWrapper(F("quantity") * F("unit_cost"), _MONEY)
_ZERO = Value(Decimal(0), _MONEY)


SORTS = {"number": "pk", "supplier": "supplier__name", "money": "money", "expected": "due_on",
         "ordered": "ordered_on", "status": "status"}
DEFAULT_SORT = "-number"


def orders(as_of: dt.date, *, status: str = "", supplier_id: int | None = None, search: str = "",
           sort: str = DEFAULT_SORT) -> QuerySet[PurchaseOrder]:
    """Purchase orders, the newest first unless `sort` (a key of SORTS, `-` before it for the largest first) says else.

    Each has the day on which its last goods come as `due_on`, the `wait` in it for an order that was not sent, its
    `line_count` and `money`, the `units` and `units_received` of it, and `below_minimum`: by how much it falls short of
    the smallest order that its supplier takes.
    """
    found = PurchaseOrder.objects.select_related("supplier", "location")
    if status:
        found = found.filter(status=status)
    if supplier_id is not None:
        found = found.filter(supplier_id=supplier_id)
    if search:
        found = found.filter(Q(number__icontains=search) | Q(supplier__name__icontains=search))
    counted: QuerySet[PurchaseOrder] = found.annotate(
        wait=wait_to_be_sent(as_of), due_on=_due_on(as_of), line_count=Coalesce(_of_lines(Count("pk")), 0),
        money=Coalesce(_of_lines(Sum(_LINE_VALUE)), _ZERO), units=Coalesce(_of_lines(Sum("quantity")), _ZERO),
        units_received=Coalesce(_of_lines(Sum("received_quantity")), _ZERO)).annotate(
            below_minimum=Greatest(Coalesce(F("supplier__minimum_order_value"), _ZERO) - F("money"), _ZERO))
    name = SORTS.get(sort.lstrip("-"), "pk")
    by = F(name).desc(nulls_last=True) if sort.startswith("-") else F(name).asc(nulls_last=True)
    return counted.order_by(by, "-pk")


def _of_lines(aggregate: Aggregate) -> Subquery:
    # Not a join with GROUP BY: Django shortens that to the order's id, which alone is no primary key here.
    lines = PurchaseOrderLine.objects.filter(order=OuterRef("pk")).order_by().values("order")
    return Subquery(lines.annotate(found=aggregate).values("found"))


def order_counts() -> dict[str, int]:
    """How many orders stand in each status."""
    return dict(PurchaseOrder.objects.order_by().values_list("status").annotate(Count("pk")))


def order(order_id: int, as_of: dt.date) -> PurchaseOrder | None:
    return orders(as_of).filter(pk=order_id).first()


@dataclass(frozen=True)
class Coming:
    """What is still to come on open orders: how many lines, at what cost, how much of it was not sent yet.

    `next_on` is the first day on which a supplier who has the order owes goods.
    """

    lines: int
    money: Decimal
    unsent_money: Decimal
    next_on: dt.date | None


def still_to_come() -> Coming:
    """Over all orders that are not closed, drafts included."""
    rest = ExpressionWrapper((F("quantity") - F("received_quantity")) * F("unit_cost"), _MONEY)
    total = PurchaseOrderLine.objects.filter(
        order__status__in=OPEN_STATUSES, received_quantity__lt=F("quantity")).aggregate(
        lines=Count("pk"), money=Coalesce(Sum(rest), _ZERO),
        unsent_money=Coalesce(Sum(rest, filter=Q(order__status__in=UNSENT_STATUSES)), _ZERO),
        next_on=Min("expected_on", filter=Q(order__status__in=SENT_STATUSES)))
    return Coming(**total)


@dataclass(frozen=True)
class OrderSum:
    """A group of orders and what they come to."""

    orders: int
    lines: int
    money: Decimal


def placed_since(first: dt.date, last: dt.date) -> OrderSum:
    """What was ordered from one day to another, cancelled orders left out.

    What nobody sent yet counts as ordered on the last day: its money is spent then, or later.
    """
    waits = Q(order__status__in=UNSENT_STATUSES, order__ordered_on__lte=last)
    found = PurchaseOrderLine.objects.filter(Q(order__ordered_on__range=(first, last)) | waits).exclude(
        order__status=Status.CANCELLED)
    total = found.aggregate(orders=Count("order", distinct=True), lines=Count("pk"),
                            money=Coalesce(Sum(_LINE_VALUE), _ZERO))
    return OrderSum(**total)


def draft_values(*, without: Sequence[int] = ()) -> dict[int, Decimal]:
    """What each supplier's drafts come to: lines still to be decided would join them.

    What stands on them by the recommendations `without` is left out.
    """
    lines = PurchaseOrderLine.objects.filter(order__status=Status.DRAFT)
    if without:
        lines = lines.exclude(recommendation_id__in=without)
    rows = lines.order_by().values("order__supplier_id").annotate(money=Sum(_LINE_VALUE))
    return {row["order__supplier_id"]: row["money"] for row in rows if row["money"]}


def ordered_among(recommendation_ids: Sequence[int]) -> set[int]:
    """Which of some recommendations stand on an order that was not cancelled."""
    lines = PurchaseOrderLine.objects.filter(recommendation_id__in=recommendation_ids)
    found = lines.exclude(order__status=Status.CANCELLED).values_list("recommendation_id", flat=True)
    return {pk for pk in found if pk is not None}


def over_received(order_id: int) -> list[str]:
    """The items of an order of which more came in than was ordered."""
    more = PurchaseOrderLine.objects.filter(order_id=order_id, received_quantity__gt=F("quantity"))
    return [str(line.item) for line in more.select_related("item").order_by("pk")]


@dataclass(frozen=True)
class Bought:
    """What a supplier owed on a decided recommendation: when it was due, what came before it was cancelled."""

    expected_on: dt.date
    came: float | None  # None: it was not cancelled


def bought_on(recommendation_ids: Sequence[int]) -> dict[int, Bought]:
    """What was bought on decided recommendations: of orders that the supplier had, and of cancelled ones what came."""
    lines = PurchaseOrderLine.objects.filter(
        Q(order__status__in=(*SENT_STATUSES, Status.RECEIVED)) | Q(order__status=Status.CANCELLED,
                                                                   received_quantity__gt=0),
        recommendation_id__in=recommendation_ids)
    return {pk: Bought(due, float(came) if status == Status.CANCELLED else None) for pk, due, came, status in
            lines.values_list("recommendation_id", "expected_on", "received_quantity", "order__status")}


def lines(as_of: dt.date) -> QuerySet[PurchaseOrderLine]:
    """Lines of orders, each with the day on which its goods come as `due_on`."""
    found: QuerySet[PurchaseOrderLine] = PurchaseOrderLine.objects.order_by("pk")
    return found.annotate(due_on=_due_on(as_of, "order__"))


def _open_lines(as_of: dt.date) -> QuerySet[PurchaseOrderLine]:
    return lines(as_of).filter(order__status__in=OPEN_STATUSES, received_quantity__lt=F("quantity"))


def order_lines(order_id: int, as_of: dt.date) -> QuerySet[PurchaseOrderLine]:
    """An order's lines in the order of their SKUs, each with its `money`, what is still to come as `rest`, `due_on`."""
    found = lines(as_of).filter(order_id=order_id).select_related("item")
    return found.annotate(money=_LINE_VALUE, rest=F("quantity") - F("received_quantity")).order_by("item__sku", "pk")


def mark_of(found: Iterable[PurchaseOrderLine]) -> str:
    """A mark of an order's lines as they are: it is another one as soon as one is added, changed or taken off."""
    shown = sorted((line.pk, plain(line.quantity), plain(line.unit_cost)) for line in found)
    return hashlib.sha256(repr(shown).encode()).hexdigest()[:16]


def people_of(order: PurchaseOrder) -> dict[str, str]:
    """Who approved, sent and cancelled an order, by the step's name."""
    trail = audit_trail(tenant_by_id(current_tenant_id())).filter(target=order.number, action__startswith="order.")
    return {action.removeprefix("order."): who for action, who in trail.values_list("action", "actor_label")}


def receipts(order_id: int) -> QuerySet[Receipt]:
    """What came in on an order, newest first."""
    return Receipt.objects.filter(line__order_id=order_id).select_related("line__item").order_by("-pk")


def open_lines_of_item(item_id: int, as_of: dt.date) -> QuerySet[PurchaseOrderLine]:
    """What is still to come of an item, soonest first."""
    found = _open_lines(as_of).filter(item_id=item_id).select_related("order__supplier")
    return found.order_by("due_on", "pk")  # type: ignore[misc]


def unsent_units(item_id: int, location_id: int) -> Decimal:
    """How much of what is on order of an item no supplier knows of yet."""
    found = PurchaseOrderLine.objects.filter(item_id=item_id, order__status__in=UNSENT_STATUSES,
                                             order__location_id=location_id)
    total: Decimal = found.aggregate(units=Coalesce(Sum("quantity"), _ZERO))["units"]
    return total


def order_rows(found: PurchaseOrder, as_of: dt.date) -> Iterator[list[Cell]]:
    """An order as rows of a table, the header first; quantities and costs as they are, amounts to the cent."""
    yield [_("Order"), _("Supplier"), _("SKU"), _("Title"), _("Quantity"), _("Unit cost"), _("Currency"), _("Amount"),
           _("Expected"), _("Received")]
    for line in order_lines(found.pk, as_of):
        yield [found.number, found.supplier.name, line.item.sku, line.item.title, line.quantity, line.unit_cost,
               found.currency, cents(line.quantity * line.unit_cost, found.currency), line.due_on,  # type: ignore[attr-defined]
               line.received_quantity]


def plain(number: Decimal) -> str:
    """A number without idle zeros, for machines."""
    return f"{number.normalize():f}"
