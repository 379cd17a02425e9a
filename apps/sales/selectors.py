"""What was sold, as forecasts, pages and judges read it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db import connection
from django.db.models import QuerySet

from apps.catalog.selectors import TERMS, joined_in_sets, not_goods_sql, planning_defaults, terms_frame
from apps.inventory.selectors import KEPT, empty_days_sql
from apps.sales.models import LARGE_QUANTITY, PERSON, SaleLine
from apps.tenants.scope import current_tenant_id
from apps.tenants.selectors import tenant_by_id

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

PLANNED_WEEKS = 26
PLANNED_FROM_WEEKS = 4  # of sales, by which an item can be planned
LEAST_PACE = 0.00001  # units a week: an item that sold nothing is not planned, however low the bar
PRICE_DAYS = 56
PAID_DAYS = 91
LEAST_PAID_UNITS = 3  # of fewer sold, what one of them brought says little
CLOSED_SHARE = 0.8  # a weekday that had no sale on so many of its last days is a day on which the shop is closed
CLOSED_WEEKS = 8
SHORT_HISTORY_WEEKS = 8  # with less, neither a weekday's rhythm nor a trend can be told from chance
UNFORESEEN = "_unforeseen"  # ends the column of a kind's promotions that nobody knew ahead, where some were
COLUMN_OF_KIND = {"mailer": "mailer", "display": "display", "price": "price_cut", "other": "other"}
_EPOCH = dt.date(1970, 1, 1).toordinal()


def sale_lines() -> QuerySet[SaleLine]:
    """The ledger, newest first."""
    return SaleLine.objects.order_by("-id")


# For doors that judge lines before they state them: fragments of SQL with %(tenant)s, beside their own temp tables.
# Whether the ledger knows `line`, by its channel_id and external_line_id.
IS_KNOWN = """EXISTS (SELECT FROM sales_saleline known WHERE known.tenant_id = %(tenant)s
    AND known.channel_id = line.channel_id AND known.external_line_id = line.external_line_id)"""
# Whether a connected shop itself stated it, rather than a file.
IS_LIVE = """EXISTS (SELECT FROM sales_saleline known WHERE known.tenant_id = %(tenant)s
    AND known.channel_id = line.channel_id AND known.external_line_id = line.external_line_id
    AND known.source LIKE 'delivery %%')"""
# The quantity and price of the last 200 lines of `wanted.item_id`.
RECENT_LINES = """SELECT quantity, shelf_price FROM sales_saleline recent WHERE recent.tenant_id = %(tenant)s
    AND recent.item_id = wanted.item_id AND recent.entry = 1 AND recent.quantity > 0
    ORDER BY recent.occurred_at DESC LIMIT 200"""


# What customers paid for one of an item on average over the 91 days before %(as_of)s, where at least a few were sold.
# Days that brought nothing are left out: what is given away, or has no price, is demand and no price.
PAID_PRICES = f"""SELECT item_id, round(sum(revenue) / sum(units), 4) AS paid_price FROM sales_dailydemand
    WHERE tenant_id = %(tenant)s AND date >= %(as_of)s::date - {PAID_DAYS} AND date < %(as_of)s::date
      AND units > 0 AND revenue > 0 GROUP BY item_id HAVING sum(units) >= {LEAST_PAID_UNITS}"""


def earning_terms(as_of: dt.date) -> pd.DataFrame:
    """The catalog's terms_frame at the price that money is reckoned with: what one brings, as known that morning.

    That is what customers paid on average lately, and the catalog's price where too few were sold to tell.
    """
    import numpy as np
    import pandas as pd

    terms = terms_frame()
    with joined_in_sets(), connection.cursor() as cursor:
        cursor.execute(PAID_PRICES, {"tenant": current_tenant_id(), "as_of": as_of})
        paid = {item_id: float(price) for item_id, price in cursor.fetchall()}
    found = terms["item_id"].map(paid).astype(np.float64)
    assumed = [[name for name in names if name != "price"] if is_paid else names
               for names, is_paid in zip(terms["assumed"], found.notna(), strict=True)]
    return terms.assign(price=found.fillna(terms["price"]),
                        assumed=pd.Series(assumed, index=terms.index, dtype=object))


def history_range() -> tuple[dt.date | None, dt.date | None]:
    """The first and the last day with a sale."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT min(date), max(date) FROM sales_dailydemand WHERE tenant_id = %s", [current_tenant_id()])
        first, last = cursor.fetchone()
    return first, last


# Days on which the whole shop sold nothing, to %(until)s or, where that is null, to the last day with a sale.
_GAPS = """
SELECT day::date AS day
FROM (SELECT min(date) AS first, max(date) AS last FROM sales_dailydemand
      WHERE tenant_id = %(tenant)s HAVING min(date) IS NOT NULL) span
CROSS JOIN LATERAL generate_series(span.first::timestamp, coalesce(%(until)s::date, span.last)::timestamp,
                                   interval '1 day') day
WHERE NOT EXISTS (SELECT FROM sales_dailydemand known WHERE known.tenant_id = %(tenant)s AND known.date = day::date)
ORDER BY day
"""


@dataclass(frozen=True)
class Span:
    """How far the history reaches, how much is in it, and on which of its days the whole shop sold nothing."""

    first_date: dt.date | None
    last_date: dt.date | None
    item_days: int
    items: int
    days_below_zero: int
    gaps: list[dt.date]

    @property
    def days(self) -> int:
        return (self.last_date - self.first_date).days + 1 if self.first_date and self.last_date else 0


def history_span() -> Span:
    with connection.cursor() as cursor:
        cursor.execute("SELECT min(date), max(date), count(*), count(DISTINCT item_id), "
                       f"count(*) FILTER (WHERE units < 0), ARRAY({_GAPS}) FROM sales_dailydemand "
                       "WHERE tenant_id = %(tenant)s", {"tenant": current_tenant_id(), "until": None})
        return Span(*cursor.fetchone())


def gap_days(as_of: dt.date | None = None) -> list[dt.date]:
    """Days on which the whole shop sold nothing: unknown, or closed; never a zero.

    They lie between the first and the last day with sales, or reach through the day before `as_of`: sales that have
    not come in yet are unknown too.
    """
    with connection.cursor() as cursor:
        cursor.execute(_GAPS, {"until": as_of - dt.timedelta(days=1) if as_of else None,
                               "tenant": current_tenant_id()})
        return [row[0] for row in cursor.fetchall()]


def closed_weekdays(gaps: Sequence[dt.date], last: dt.date) -> set[int]:
    """Weekdays (Monday is 0) on which the shop is regularly closed: there, nothing sold is a real zero."""
    since = last - dt.timedelta(weeks=CLOSED_WEEKS)
    counts = [0] * 7
    for day in gaps:
        counts[day.weekday()] += since < day <= last
    return {weekday for weekday, count in enumerate(counts) if count >= CLOSED_SHARE * CLOSED_WEEKS}


# --- What a forecast may know -------------------------------------------------------------------------------------

@dataclass(frozen=True)
class DemandFrames:
    """The forecasting engine's frames, of what was known on the morning of a planning day.

    They hold the items that are planned, `planned` their ids, and some that were before: by `pace`, units a week, the
    engine tells who was on each day (`Panel.regular`).
    `history`: unique_id, ds, y, available, sold_out (1 on days that ended so); `static`: unique_id, category,
    department, brand, price, start; `covariates`: unique_id, ds, mailer, display, price_cut, other (shares 0 to 1;
    `<kind>_unforeseen` beside a kind of which some were known ahead and some not), discount (share of the shelf price),
    price; `out_days`: unique_id, ds, is_sold_out, of the days on which stock that is known had run out. `unique_id` is
    "item/location". `known_ahead` names the covariates that are known for days to come.
    """

    history: pd.DataFrame
    static: pd.DataFrame
    covariates: pd.DataFrame
    out_days: pd.DataFrame
    known_ahead: list[str]
    pace: float
    planned: NDArray[Any]


_DAYS = "sales_dailydemand day WHERE day.tenant_id = %(tenant)s"
# As the ledger stood at a moment: slower, for looking back.
_DAYS_KNOWN_AT = """
(SELECT line.tenant_id, line.item_id, line.location_id, (line.occurred_at AT TIME ZONE %(zone)s)::date AS date,
        sum(line.quantity) AS units, sum(line.quantity * coalesce(line.paid_price, 0)) AS revenue,
        sum(line.quantity * coalesce(line.shelf_price, line.paid_price, 0)) AS shelf_value
 FROM sales_saleline line WHERE line.tenant_id = %(tenant)s AND line.recorded_at <= %(known_at)s
 GROUP BY 1, 2, 3, 4) day WHERE day.tenant_id = %(tenant)s
"""

_PLANNED = """
CREATE TEMP TABLE sales_planned ON COMMIT DROP AS
SELECT row_number() OVER (ORDER BY recent.item_id, recent.location_id) - 1 AS place, recent.item_id,
       recent.location_id, recent.is_planned, item.category, item.brand, item.price AS list_price, recent.price
FROM (SELECT day.item_id, day.location_id,
             coalesce(sum(day.units) FILTER (WHERE day.date >= %(planned_from)s), 0) >= %(least_now)s AS is_planned,
             (sum(day.shelf_value) FILTER (WHERE day.units > 0 AND day.date >= %(prices_from)s)
              / nullif(sum(day.units) FILTER (WHERE day.units > 0 AND day.date >= %(prices_from)s), 0)) AS price
      FROM {days} AND day.date >= %(looked_from)s AND day.date < %(as_of)s
      GROUP BY day.item_id, day.location_id HAVING sum(day.units) >= %(least)s) recent
JOIN catalog_item item ON item.tenant_id = %(tenant)s AND item.id = recent.item_id
WHERE (%(items)s::bigint[] IS NULL OR item.id = ANY(%(items)s)) AND item.status = 'active'
  AND ({not_goods}) IS NULL
"""

_STATIC = """
SELECT planned.item_id || '/' || planned.location_id AS unique_id, planned.category,
       split_part(planned.category, ' > ', 1) AS department, planned.brand,
       coalesce(planned.price, planned.list_price)::float8 AS price, first.date AS start,
       planned.is_planned::int AS is_planned
FROM sales_planned planned
JOIN (SELECT day.item_id, day.location_id, min(day.date) AS date FROM {days} AND day.date < %(as_of)s
      GROUP BY 1, 2) first USING (item_id, location_id)
ORDER BY planned.place
"""

_HISTORY = """
SELECT planned.place, day.date - DATE '1970-01-01' AS day, day.units, day.revenue, day.shelf_value
FROM sales_planned planned JOIN (SELECT * FROM {days} AND day.date >= %(since)s AND day.date < %(as_of)s) day
     USING (item_id, location_id)
"""

# What was sold before the planning day, of the items in %(items)s or, where that is null, of all.
_SOLD = """(SELECT * FROM {days} AND day.date < %(as_of)s
            AND (%(items)s::bigint[] IS NULL OR day.item_id = ANY(%(items)s)))"""

# The days on which an item had run out, as far as sales bear the ledger out: where something was sold on a day that had
# nothing on hand, the count was wrong, and all days on end are left alone. So are days on which the whole shop sold
# nothing: they are unknown for other reasons, or it was closed.
_OUT_DAYS = """
SELECT item_id, location_id, date, NOT all_day AS is_sold_out
FROM (SELECT empty.item_id, empty.location_id, empty.date, empty.all_day, empty.is_told,
             coalesce(day.units, 0) AS units,
             bool_or(empty.all_day AND coalesce(day.units, 0) > 0)
                 OVER (PARTITION BY empty.item_id, empty.location_id, empty.spell) AS is_wrong
      FROM ({empty}) empty
      LEFT JOIN {sold} day USING (item_id, location_id, date)) told
WHERE is_told AND NOT is_wrong AND (all_day OR units > 0) AND date >= %(since)s
  AND EXISTS (SELECT FROM sales_dailydemand known WHERE known.tenant_id = %(tenant)s AND known.date = told.date)
"""

_OUT = """
SELECT planned.place, out_day.date - DATE '1970-01-01' AS day, out_day.is_sold_out::int AS sold_out
FROM sales_planned planned JOIN ({out_days}) out_day USING (item_id, location_id)
"""

# Past the planning day only what was known ahead; before it, everything.
_PROMOTIONS = """
SELECT planned.place, promotion.kind, promotion.starts_on - DATE '1970-01-01' AS starts,
       promotion.ends_on - DATE '1970-01-01' AS ends, promotion.share, promotion.is_known_ahead::int AS ahead
FROM sales_planned planned JOIN sales_promotion promotion ON promotion.tenant_id = %(tenant)s
     AND promotion.item_id = planned.item_id
     AND (promotion.location_id IS NULL OR promotion.location_id = planned.location_id)
WHERE promotion.ends_on >= %(since)s AND (promotion.is_known_ahead OR promotion.starts_on < %(as_of)s)
"""


def demand_frame(as_of: dt.date, item_ids: Sequence[int] | None = None, weeks: int | None = None,
                 known_at: dt.datetime | None = None) -> DemandFrames:
    """What a forecast on the morning of `as_of` may know of the items it learns from: only days before it.

    Planned are active goods that sold at least the defaults' `planned_units_per_week` over the last 26 weeks (or the
    shop's whole history, where that is shorter). Those that were planned at some time of the last 26 weeks come with
    them, and some more: what has gone quiet since teaches as much as what sells on. `weeks` limits the history;
    `known_at` leaves out what the ledger learned later. Days on which the whole shop sold nothing have `available` 0,
    unless it is regularly closed then, and so have days on which an item whose stock is known had none.
    """
    import pandas as pd
    import pyarrow as pa

    tenant = tenant_by_id(current_tenant_id())
    first, _last = history_range()
    first = first or as_of
    planned_from = max(as_of - dt.timedelta(weeks=PLANNED_WEEKS), first)
    # The shortest history by which an item can have been planned 26 weeks ago, or since.
    told_weeks = min(max((as_of - first).days / 7 - PLANNED_WEEKS, PLANNED_FROM_WEEKS), PLANNED_WEEKS)
    pace = max(planning_defaults().planned_units_per_week, LEAST_PACE)
    since = max(first, as_of - dt.timedelta(weeks=weeks)) if weeks else first
    given: dict[str, Any] = {
        "tenant": tenant.pk, "zone": tenant.time_zone, "as_of": as_of, "since": since, "known_at": known_at,
        "looked_from": as_of - dt.timedelta(weeks=2 * PLANNED_WEEKS),
        "prices_from": as_of - dt.timedelta(days=PRICE_DAYS),
        "planned_from": planned_from, "least_now": pace * (as_of - planned_from).days / 7,
        "least": pace * min(told_weeks, (as_of - first).days / 7),
        "items": None if item_ids is None else list(item_ids)}
    days = _DAYS_KNOWN_AT if known_at else _DAYS
    with joined_in_sets(item_ids is None), connection.cursor() as cursor:
        cursor.execute(_PLANNED.format(days=days, not_goods=not_goods_sql()), given)
        cursor.execute("ANALYZE sales_planned")
        static = _columns(_STATIC.format(days=days), ("unique_id", "category", "department", "brand", "price", "start",
                                                         "is_planned"), given)
        sold = _with_prices(_columns(_HISTORY.format(days=days), ("place", "day", "units", "revenue", "shelf_value"),
                                     given))
        out = _columns(_OUT.format(out_days=_out_days_sql("sales_planned", days)),
                       ("place", "day", "sold_out"), given)
        promotions = _columns(_PROMOTIONS, ("place", "kind", "starts", "ends", "share", "ahead"), given)
        cursor.execute("DROP TABLE sales_planned")
    ids = static["unique_id"].to_numpy(zero_copy_only=False).astype(str)
    static_frame = static.to_pandas()
    planned = ids[static_frame.pop("is_planned").to_numpy() == 1]
    static_frame["start"] = pd.to_datetime(static_frame["start"])
    for name in ("category", "department", "brand"):
        static_frame[name] = static_frame[name].fillna("")
    covariates, known_ahead = _covariates(sold, promotions, ids, as_of)
    start = static_frame["start"].to_numpy().astype("datetime64[D]").astype("int64")
    out = out.filter(pa.array(out["day"].to_numpy() >= start[out["place"].to_numpy()]))  # on sale by then
    out_days = pd.DataFrame({
        "unique_id": ids[out["place"].to_numpy()], "ds": out["day"].to_numpy().astype("datetime64[D]").astype(
            "datetime64[ns]"), "is_sold_out": out["sold_out"].to_numpy() == 1})
    return DemandFrames(history=_history(sold, out, ids, static_frame, as_of), static=static_frame,
                        covariates=covariates, out_days=out_days, known_ahead=known_ahead, pace=pace, planned=planned)


_TYPES = {"unique_id": "string", "category": "string", "department": "string", "brand": "string", "kind": "string",
          "start": "date32", "place": "int64", "day": "int64", "starts": "int64", "ends": "int64", "ahead": "int64",
          "sold_out": "int64", "held": "string", "item_id": "int64", "location_id": "int64", "buyer": "int64",
          "first": "int64", "weekday": "int64", "month": "int64", "is_planned": "int64"}
_BLOCK_ROWS = 10_000


def _columns(query: str, names: Sequence[str], given: dict[str, Any]) -> Any:
    """A query's result as an Arrow table, in the order of its first two columns where those are numbers.

    Rows are put together to blocks of CSV in Postgres: to fetch 700,000 one by one takes longer than to find them.
    """
    import pyarrow as pa
    import pyarrow.csv as pa_csv

    def quoted(name: str) -> str:
        text = f"{name}::text"
        return f"'\"' || replace({text}, '\"', '\"\"') || '\"'" if _TYPES.get(name) == "string" else text

    line = " || ',' || ".join(f"coalesce({quoted(name)}, '')" for name in names)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT string_agg({line}, E'\n' ORDER BY number) || E'\n' FROM (SELECT *, row_number() OVER () AS number "
            f"FROM ({query}) found) numbered GROUP BY number / {_BLOCK_ROWS} ORDER BY number / {_BLOCK_ROWS}", given)
        text = "".join(row[0] for row in cursor.fetchall()).encode()
    types = {name: getattr(pa, _TYPES.get(name, "float64"))() for name in names}
    if not text:
        return pa.table({name: pa.array([], kind) for name, kind in types.items()})
    return pa_csv.read_csv(
        pa.py_buffer(text), read_options=pa_csv.ReadOptions(column_names=list(names)),
        parse_options=pa_csv.ParseOptions(newlines_in_values=True),
        convert_options=pa_csv.ConvertOptions(column_types=types, strings_can_be_null=True,
                                              quoted_strings_can_be_null=False))


def _with_prices(sold: Any) -> Any:
    """Days in order, with the shelf price and the share that was taken off it, where the day sold at a price."""
    import numpy as np
    import pyarrow as pa

    order = np.lexsort((sold["day"].to_numpy(), sold["place"].to_numpy()))
    place, day, units, revenue, shelf_value = (sold[name].to_numpy()[order] for name in (
        "place", "day", "units", "revenue", "shelf_value"))
    with np.errstate(divide="ignore", invalid="ignore"):
        has_price = (units > 0) & (shelf_value > 0)
        price = np.where(has_price, shelf_value / units, np.nan)
        discount = np.where(has_price, np.maximum(1 - revenue / shelf_value, 0), np.nan)
    return pa.table({"place": place, "day": day, "units": np.maximum(units, 0), "price": price, "discount": discount})


def _history(sold: Any, out: Any, ids: NDArray[Any], static: pd.DataFrame, as_of: dt.date) -> pd.DataFrame:
    import numpy as np
    import pandas as pd

    width = np.int64(1 << 20)
    keys = sold["place"].to_numpy() * width + sold["day"].to_numpy()
    start = static["start"].to_numpy().astype("datetime64[D]").astype(np.int64)
    gaps = gap_days(as_of)
    last = dt.date.fromordinal(_EPOCH + int(sold["day"].to_numpy().max())) if len(sold) else as_of
    closed = closed_weekdays([gap for gap in gaps if gap <= last], last)
    unknown = np.array([gap.toordinal() - _EPOCH for gap in gaps if gap.weekday() not in closed], dtype=np.int64)
    series, which = np.nonzero(unknown[None, :] >= start[:, None])
    place, day = out["place"].to_numpy(), out["day"].to_numpy()
    ended = out["sold_out"].to_numpy() == 1
    sold_out = place[ended] * width + day[ended]
    empty = np.concatenate([series * width + unknown[which], (place * width + day)[~ended]])
    index = np.unique(np.concatenate([keys, empty]))
    units, available, is_sold_out = np.zeros(len(index)), np.ones(len(index)), np.zeros(len(index))
    units[np.searchsorted(index, keys)] = sold["units"].to_numpy()
    available[np.searchsorted(index, empty)] = 0
    is_sold_out[np.searchsorted(index, sold_out)] = 1
    series_of: Any = index // width
    return pd.DataFrame({"unique_id": pd.Categorical.from_codes(series_of, pd.Index(ids)),
                         "ds": (index % width).astype("datetime64[D]").astype("datetime64[ns]"), "y": units,
                         "available": available, "sold_out": is_sold_out})


def _covariates(sold: Any, promotions: Any, ids: NDArray[Any],
                as_of: dt.date) -> tuple[pd.DataFrame, list[str]]:
    """Prices of the days that sold beside the promotions of each day, the largest share where several overlap."""
    import numpy as np
    import pandas as pd

    width = np.int64(1 << 20)
    keys = [sold["place"].to_numpy() * width + sold["day"].to_numpy()]
    kinds = promotions["kind"].to_numpy(zero_copy_only=False)
    starts, ends = promotions["starts"].to_numpy(), promotions["ends"].to_numpy()
    ahead = promotions["ahead"].to_numpy() == 1
    cutoff = as_of.toordinal() - _EPOCH
    known_ahead: list[str] = []
    spread: dict[str, tuple[NDArray[Any], NDArray[Any]]] = {}
    for kind, name in COLUMN_OF_KIND.items():
        of_kind = kinds == kind
        columns = {name: of_kind}
        if ahead[of_kind].any():
            known_ahead.append(name)
            if not ahead[of_kind].all():  # each fact by its own flag: what was not foretold must not look as if it were
                columns = {name: of_kind & ahead, f"{name}{UNFORESEEN}": of_kind & ~ahead}
        for column, chosen in columns.items():
            first = starts[chosen]
            last = ends[chosen] if column in known_ahead else np.minimum(ends[chosen], cutoff - 1)
            length = np.maximum(last - first + 1, 0)
            rows = np.repeat(np.arange(len(length)), length)
            offset = np.arange(len(rows)) - np.repeat(np.cumsum(length) - length, length)
            spread[column] = (promotions["place"].to_numpy()[chosen][rows] * width + first[rows] + offset,
                              promotions["share"].to_numpy()[chosen][rows])
            keys.append(spread[column][0])
    index = np.sort(np.concatenate(keys))
    index = index[np.diff(index, prepend=-1) > 0]
    place: Any = index // width
    frame: dict[str, Any] = {"unique_id": pd.Categorical.from_codes(place, pd.Index(ids)),
                             "ds": (index % width).astype("datetime64[D]").astype("datetime64[ns]")}
    for column, (key, share) in spread.items():
        values = np.zeros(len(index))
        np.maximum.at(values, np.searchsorted(index, key), share)
        frame[column] = values
    here = np.searchsorted(index, keys[0])
    for name, empty in (("discount", 0.0), ("price", np.nan)):
        values = np.full(len(index), empty)
        values[here] = sold[name].to_numpy(zero_copy_only=False)
        frame[name] = np.nan_to_num(values) if name == "discount" else values
    return pd.DataFrame(frame), known_ahead


_UNITS = """
SELECT item_id, location_id, date, greatest(units, 0)::float8 AS units FROM sales_dailydemand
WHERE tenant_id = %(tenant)s AND date >= %(since)s AND date < %(as_of)s ORDER BY 1, 2, 3
"""


def units_frame(since: dt.date, as_of: dt.date) -> pd.DataFrame:
    """What was sold from a day on and before `as_of`, of every item: item_id, location_id, date, units."""
    import pandas as pd

    with connection.cursor() as cursor:
        cursor.execute(_UNITS, {"tenant": current_tenant_id(), "since": since, "as_of": as_of})
        return pd.DataFrame(cursor.fetchall(), columns=["item_id", "location_id", "date", "units"])


def out_days_sql() -> str:
    """A SELECT of the days from %(since)s on and before %(as_of)s on which items whose stock is known had none.

    item_id, location_id, date, is_sold_out: whether something was sold before it ran out. %(items)s and %(known_at)s
    as in `empty_days_sql`; sales are taken as they are known now.
    """
    return _out_days_sql(KEPT, _DAYS)


def _out_days_sql(wanted: str, days: str) -> str:
    sold = _SOLD.format(days=days)
    return _OUT_DAYS.format(empty=empty_days_sql(wanted, sold), sold=sold)


def out_days(since: dt.date, as_of: dt.date) -> list[tuple[int, int, dt.date, bool]]:
    """What `out_days_sql` finds of all items: item_id, location_id, date, is_sold_out."""
    with joined_in_sets(), connection.cursor() as cursor:
        cursor.execute(out_days_sql(), {"tenant": current_tenant_id(), "since": since, "as_of": as_of, "items": None,
                                        "known_at": None})
        return [(item_id, location_id, day, is_sold_out) for item_id, location_id, day, is_sold_out in cursor]


def young_series(as_of: dt.date) -> list[str]:
    """Series, `item/location`, that were first sold less than eight weeks ago."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT item_id || '/' || location_id FROM sales_dailydemand WHERE tenant_id = %s AND date < %s "
                       "GROUP BY item_id, location_id HAVING min(date) > %s ORDER BY 1",
                       [current_tenant_id(), as_of, as_of - dt.timedelta(weeks=SHORT_HISTORY_WEEKS)])
        return [name for (name,) in cursor.fetchall()]


# --- What is bought together, and when ----------------------------------------------------------------------------

MINED_DAYS = 364  # a year of whole weeks
PERIOD_DAYS = 28  # within which an item's popularity is taken to stay what it is

_BASKETS = """
SELECT string_agg(item_id::text, ' ') AS held, min(location_id) AS location_id, min(day) AS day,
       CASE max(customer) WHEN '' THEN 0 ELSE hashtextextended(max(customer), 0) END AS buyer
FROM (SELECT line.channel_id, line.order_id, line.item_id, min(line.location_id) AS location_id,
             min((line.occurred_at AT TIME ZONE %(zone)s)::date - %(since)s::date) AS day,
             max(line.customer) AS customer
      FROM sales_saleline line
      JOIN catalog_item item ON item.tenant_id = %(tenant)s AND item.id = line.item_id AND ({not_goods}) IS NULL
      WHERE line.tenant_id = %(tenant)s AND line.occurred_at >= %(since)s::timestamp AT TIME ZONE %(zone)s
        AND line.occurred_at < %(as_of)s::timestamp AT TIME ZONE %(zone)s
      GROUP BY line.channel_id, line.order_id, line.item_id HAVING sum(line.quantity) > 0) held
GROUP BY channel_id, order_id
"""


def baskets_frame(as_of: dt.date) -> pd.DataFrame:
    """Which goods the orders of the year before `as_of` held in the end: order, unique_id, stratum, buyer.

    All are numbers: `unique_id` the item's own, `stratum` one of place and four weeks, `buyer` 0 where it is unknown.
    """
    import numpy as np
    import pandas as pd

    tenant = tenant_by_id(current_tenant_id())
    with joined_in_sets():
        found = _columns(_BASKETS.format(not_goods=not_goods_sql()), ("held", "location_id", "day", "buyer"),
                         {"tenant": tenant.pk, "zone": tenant.time_zone, "as_of": as_of,
                          "since": as_of - dt.timedelta(days=MINED_DAYS)})
    location, day, buyer = (found[name].to_numpy() for name in ("location_id", "day", "buyer"))
    held = found["held"].to_pylist()
    of_line = np.repeat(np.arange(len(held)), [text.count(" ") + 1 for text in held])
    stratum = location * (MINED_DAYS // PERIOD_DAYS) + day // PERIOD_DAYS
    return pd.DataFrame({"order": of_line, "unique_id": np.array(" ".join(held).split(), dtype=np.int64),
                         "stratum": stratum[of_line], "buyer": buyer[of_line]})


_PARTS = """
SELECT day.item_id, day.location_id, min(day.date) - %(since)s::date AS first,
       extract(isodow FROM day.date)::int - 1 AS weekday, extract(month FROM day.date)::int - 1 AS month,
       greatest(sum(day.units), 0)::float8 AS units
FROM sales_dailydemand day
JOIN (SELECT id FROM (SELECT item.* FROM catalog_item item
                      JOIN (SELECT item_id FROM sales_dailydemand WHERE tenant_id = %(tenant)s AND date >= %(since)s
                            AND date < %(as_of)s GROUP BY item_id HAVING sum(units) >= %(least)s) sold
                        ON item.id = sold.item_id
                      WHERE item.tenant_id = %(tenant)s OFFSET 0) item  -- whether they are goods is asked of few
      WHERE ({not_goods}) IS NULL) asked ON asked.id = day.item_id
WHERE day.tenant_id = %(tenant)s AND day.date >= %(since)s AND day.date < %(as_of)s
GROUP BY 1, 2, 4, 5
"""


@dataclass(frozen=True)
class Cycles:
    """What items sold in the parts of the week and of the year: by weekday [n, 7], by month [n, 12].

    Beside the units stand the days on which each item could be sold there: since its first sale in the year, those on
    which the shop sold something and the item had not run out, over all its places.
    """

    item_ids: NDArray[Any]
    week_units: NDArray[Any]
    week_days: NDArray[Any]
    year_units: NDArray[Any]
    year_days: NDArray[Any]
    days: int
    """From the first day known to the planning day."""


def cycles(as_of: dt.date, least_units: float) -> Cycles:
    """What goods sold over the year before `as_of`, of those that sold so many units."""
    import numpy as np

    since = as_of - dt.timedelta(days=MINED_DAYS)
    first_on, _last_on = history_range()
    begins = max(since, first_on or as_of)
    with joined_in_sets():
        found = _columns(_PARTS.format(not_goods=not_goods_sql()),
                         ("item_id", "location_id", "first", "weekday", "month", "units"),
                         {"tenant": current_tenant_id(), "since": since, "as_of": as_of, "least": least_units})
    item, location, first, weekday, month, units = (found[name].to_numpy() for name in found.column_names)
    series, row = np.unique(np.stack([item, location]), axis=1, return_inverse=True)
    row = row.ravel()
    starts = np.full(series.shape[1], MINED_DAYS)
    np.minimum.at(starts, row, first)
    calendar = [since + dt.timedelta(days=day) for day in range(MINED_DAYS)]
    gaps = set(gap_days(as_of))
    is_known = np.array([begins <= day and day not in gaps for day in calendar])
    out_row, out_day = _whole_days_out(since, as_of, series)
    was_on_sale = out_day >= starts[out_row]
    out_row, out_day = out_row[was_on_sale], out_day[was_on_sale]
    parts = []
    for part, width, of_day in ((weekday, 7, [day.weekday() for day in calendar]),
                                (month, 12, [day.month - 1 for day in calendar])):
        sold = np.zeros((series.shape[1], width))
        np.add.at(sold, (row, part), units)
        hot = (np.array(of_day)[:, None] == np.arange(width)) * is_known[:, None]
        left = np.concatenate([np.cumsum(hot[::-1], axis=0)[::-1], np.zeros((1, width))])
        on_sale = left[starts].astype(np.float64)
        np.subtract.at(on_sale, out_row, hot[out_day])
        parts += [sold, on_sale]
    items, of_series = np.unique(series[0], return_inverse=True)

    def by_item(values: NDArray[Any]) -> NDArray[Any]:
        total = np.zeros((len(items), values.shape[1]))
        np.add.at(total, of_series, values)
        return total

    week_units, week_days, year_units, year_days = (by_item(values) for values in parts)
    return Cycles(items, week_units, week_days, year_units, year_days, (as_of - begins).days)


def _whole_days_out(since: dt.date, as_of: dt.date, series: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """When some series had nothing to sell from opening to close: their places in `series`, and days since `since`.

    series: item and location [2, n], in order.
    """
    import numpy as np

    days = [(item, location, (day - since).days) for item, location, day, is_sold_out in out_days(since, as_of)
            if not is_sold_out]
    item, location, out_day = np.array(days, dtype=np.int64).reshape(-1, 3).T
    width = np.int64(max(series[1].max(initial=0), location.max(initial=0)) + 1)
    keys, wanted = series[0] * width + series[1], item * width + location
    place = np.minimum(np.searchsorted(keys, wanted), max(len(keys) - 1, 0))
    is_known = keys[place] == wanted if len(keys) else np.zeros(len(wanted), dtype=bool)
    return place[is_known], out_day[is_known]


# --- Sales that are out of the ordinary ---------------------------------------------------------------------------

@dataclass(frozen=True)
class UnusualSale:
    """A line so much larger than its item's others that it alone moves what is advised; nobody has looked at it yet.

    `usual` is the item's median line, `others` are the units of all its other lines of the last 26 weeks.
    """

    line_id: int
    occurred_at: dt.datetime
    order_id: str
    item_id: int
    location_id: int
    sku: str
    title: str
    quantity: float
    usual: float
    others: float

    @property
    def unique_id(self) -> str:
        return f"{self.item_id}/{self.location_id}"


UNUSUAL_TIMES = 10  # the usual line of the item
UNUSUAL_SHARE = 0.5  # of all its other lines of the last 26 weeks: as much as it else sells in 13

# Of `wanted`, a line as it was last stated. Asked line by line, however the rest is joined: few are left by then.
_WAITS = f"""wanted.source NOT LIKE '{PERSON}%%'
  AND (SELECT count(*) FROM sales_saleline later WHERE later.tenant_id = %(tenant)s
       AND later.channel_id = wanted.channel_id AND later.external_line_id = wanted.external_line_id
       AND later.revision > wanted.revision AND (later.entry = -1 OR later.source LIKE '{PERSON}%%')) = 0"""

_UNUSUAL = f"""
WITH large AS MATERIALIZED (
    SELECT * FROM sales_saleline WHERE tenant_id = %(tenant)s AND occurred_at >= %(since)s
    AND quantity >= {LARGE_QUANTITY} AND entry = 1 AND (%(items)s::bigint[] IS NULL OR item_id = ANY(%(items)s))
), sold AS MATERIALIZED (
    SELECT item_id, sum(units) AS units FROM sales_dailydemand WHERE tenant_id = %(tenant)s AND date >= %(since)s
    AND item_id IN (SELECT item_id FROM large) GROUP BY item_id
), wanted AS MATERIALIZED (
    SELECT large.*, sold.units - large.quantity AS others FROM large JOIN sold USING (item_id)
    WHERE large.quantity >= {UNUSUAL_SHARE} * (sold.units - large.quantity)
)
SELECT wanted.id, wanted.occurred_at, wanted.order_id, wanted.item_id, wanted.location_id, item.sku, item.title,
       wanted.quantity::float8, usual.quantity::float8, wanted.others::float8
FROM wanted CROSS JOIN LATERAL (
    SELECT count(*) AS lines, percentile_disc(0.5) WITHIN GROUP (ORDER BY quantity) AS quantity
    FROM ({RECENT_LINES}) recent) usual
JOIN catalog_item item ON item.tenant_id = %(tenant)s AND item.id = wanted.item_id
WHERE usual.lines >= 5 AND wanted.quantity > {UNUSUAL_TIMES} * usual.quantity
  AND {_WAITS}
ORDER BY wanted.quantity * coalesce(wanted.shelf_price, item.price, 1) DESC, wanted.id
"""


def unusual_sales(as_of: dt.date, item_ids: Collection[int] | None = None) -> list[UnusualSale]:
    """The sales of the last 26 weeks that are far out of the ordinary, and that nobody has looked at: dearest first.

    Of some items, or of all: then every large line of these weeks is looked at.
    """
    with joined_in_sets(item_ids is None), connection.cursor() as cursor:
        cursor.execute(_UNUSUAL, {"tenant": current_tenant_id(), "since": as_of - dt.timedelta(weeks=PLANNED_WEEKS),
                                  "items": None if item_ids is None else sorted(item_ids)})
        return [UnusualSale(*row) for row in cursor.fetchall()]


_WAITING = f"""
SELECT wanted.id, wanted.item_id FROM sales_saleline wanted
WHERE wanted.tenant_id = %(tenant)s AND wanted.id = ANY(%(lines)s) AND wanted.occurred_at >= %(since)s AND {_WAITS}
ORDER BY array_position(%(lines)s::bigint[], wanted.id)
"""


def waiting_sales(as_of: dt.date, line_ids: Sequence[int]) -> list[tuple[int, int]]:
    """Those of some lines that still wait for a person's word, each with its item, in the order given."""
    with connection.cursor() as cursor:
        cursor.execute(_WAITING, {"tenant": current_tenant_id(), "lines": list(line_ids),
                                  "since": as_of - dt.timedelta(weeks=PLANNED_WEEKS)})
        return [(int(line_id), int(item_id)) for line_id, item_id in cursor.fetchall()]


@dataclass(frozen=True)
class SaleLookedAt:
    """A line that a person has confirmed or corrected: what it counts now, and the most that was ever said of it."""

    line_id: int
    occurred_at: dt.datetime
    order_id: str
    item_id: int
    sku: str
    title: str
    quantity: float
    said_first: float


_LOOKED_AT = f"""
SELECT line.id, line.occurred_at, line.order_id, line.item_id, item.sku, item.title, line.quantity::float8,
       (SELECT max(stated.quantity)::float8 FROM sales_saleline stated WHERE stated.tenant_id = %(tenant)s
        AND stated.channel_id = line.channel_id AND stated.external_line_id = line.external_line_id
        AND stated.entry = 1)
FROM (SELECT channel_id, external_line_id, max(revision) AS revision, max(recorded_at) AS at FROM sales_saleline
      WHERE tenant_id = %(tenant)s AND source LIKE '{PERSON}%%' AND entry >= 0 AND occurred_at >= %(since)s
      GROUP BY 1, 2) person
JOIN sales_saleline line ON line.tenant_id = %(tenant)s AND line.channel_id = person.channel_id
     AND line.external_line_id = person.external_line_id AND line.entry = 1 AND line.revision <= person.revision
JOIN catalog_item item ON item.tenant_id = %(tenant)s AND item.id = line.item_id
WHERE NOT EXISTS (SELECT FROM sales_saleline later WHERE later.tenant_id = %(tenant)s
      AND later.channel_id = line.channel_id AND later.external_line_id = line.external_line_id
      AND later.revision > line.revision AND later.entry = -1)
ORDER BY person.at DESC, line.id LIMIT 30
"""


def sales_looked_at(as_of: dt.date) -> list[SaleLookedAt]:
    """The sales of the last 26 weeks of which a person's word holds, the latest first, thirty at most."""
    with connection.cursor() as cursor:
        cursor.execute(_LOOKED_AT, {"tenant": current_tenant_id(), "since": as_of - dt.timedelta(weeks=PLANNED_WEEKS)})
        return [SaleLookedAt(*row) for row in cursor.fetchall()]


# --- What is assumed, and what that moves -------------------------------------------------------------------------

@dataclass(frozen=True)
class Assumption:
    """A figure that nobody gave: how many planned items rest on it, and what it moves in money."""

    name: str
    items: int
    money: float


_ASSUMPTIONS = f"""
WITH pace AS (
    SELECT item_id, greatest(sum(units), 0)::float8 / %(days)s AS units FROM sales_dailydemand
    WHERE tenant_id = %(tenant)s AND date >= %(since)s AND date < %(as_of)s GROUP BY item_id
    HAVING sum(units) >= greatest(0.001, %(days)s / 7.0 * (
        SELECT planned_units_per_week FROM catalog_planningdefaults WHERE tenant_id = %(tenant)s))
), resting AS (
    SELECT terms.*, paid.paid_price, pace.units * coalesce(terms.unit_cost, 0)::float8 AS value,
           pace.units * greatest(coalesce(terms.price, 0) - coalesce(terms.unit_cost, 0), 0)::float8 AS margin
    FROM ({TERMS}) terms JOIN pace USING (item_id) LEFT JOIN ({PAID_PRICES}) paid USING (item_id)
), moved AS (
    SELECT name, CASE name
        WHEN 'lead_time_days' THEN value * lead_time_days
        WHEN 'lead_time_spread_days' THEN value * lead_time_spread_days
        WHEN 'review_period_days' THEN value * review_period_days
        WHEN 'unit_cost' THEN value * (lead_time_days + review_period_days)
        WHEN 'price' THEN margin * (lead_time_days + review_period_days) END AS money
    FROM resting CROSS JOIN LATERAL unnest(assumed) name WHERE name <> 'price' OR paid_price IS NULL
    UNION ALL
    SELECT 'holding_cost_rate', value * (lead_time_days + review_period_days) * holding_cost_rate FROM resting
)
SELECT name, count(*), coalesce(sum(money), 0)::float8 FROM moved GROUP BY name ORDER BY 3 DESC LIMIT 5
"""


def leading_assumptions(as_of: dt.date, first: dt.date | None = None) -> list[Assumption]:
    """The five assumed figures that move the most money, over all planned items; `first` is the history's first day.

    Of a time, the money is what is bought to last for it; of a cost, what is bought to last from one arrival to the
    next; of a price, the margin on that; of the cost of holding, what holding that stock costs in a year.
    """
    first = first or history_range()[0]
    if first is None:
        return []
    since = max(as_of - dt.timedelta(weeks=PLANNED_WEEKS), first)
    # Half a year's days one by one from the index took five times as long.
    with joined_in_sets(page_by_page=True), connection.cursor() as cursor:
        cursor.execute(_ASSUMPTIONS, {"tenant": current_tenant_id(), "as_of": as_of, "since": since,
                                      "days": max((as_of - since).days, 1)})
        return [Assumption(*row) for row in cursor.fetchall()]
