"""Order lines: what a batch of a file says of sales, and what is wrong with it. Arrow in, Arrow out."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from apps.ingestion.adapters.batches import Batch
from apps.ingestion.adapters.people import pseudonym
from apps.ingestion.adapters.values import Mask, mask, moments, numbers, texts

_CANCELLED = ("cancelled", "canceled", "cancel", "voided", "void", "failed", "trash", "draft", "checkout-draft",
              "pending", "pending payment", "pending-payment", "abandoned", "expired", "unpaid",
              "wc-cancelled", "wc-failed", "wc-pending", "storniert", "abgebrochen", "annulé",
              "annulée", "anulado", "cancelado", "cancelada",
              "已取消", "取消", "已关闭", "交易关闭", "未付款", "待付款")
_RETURNED = ("refunded", "refund", "returned", "return", "wc-refunded", "erstattet", "retourniert", "retoure",
             "rücksendung", "remboursé", "remboursée", "retourné", "retour", "reembolsado", "devuelto", "devolución",
             "已退款", "退款", "退货", "已退货")
_PART_REFUNDED = ("partially_refunded", "partially refunded", "part refunded", "teilweise erstattet",
                  "partiellement remboursé", "reembolsado parcialmente", "部分退款")
LONGEST_TITLE = 300
MOST_UNITS = 1e9
MOST_MONEY = 1e9
MOST_OF_A_LINE = 1e11  # in money: a day of an item has room for some such lines
EARLIEST = np.datetime64("1990-01-01", "us")


@dataclass(frozen=True)
class Known:
    """What the catalog knows, as arrays: names of items beside their ids and the rule that takes them out."""

    names: pa.StringArray
    ids: pa.Int64Array
    rules: pa.StringArray


@dataclass(frozen=True)
class Settings:
    """How the values of one file are to be read."""

    numbers: str
    dates: str
    zone: str
    currency: str
    latest: dt.datetime
    pseudonym_key: bytes
    makes_items: bool
    refund_nets_out: bool  # one row says both that it was sold and that it came back
    title_rules: Sequence[tuple[str, str]]
    first_of_group: Sequence[str] = ()


@dataclass
class Judged:
    """A batch after its checks: the good rows' columns, and for every other row what stopped it."""

    good: dict[str, pa.Array]
    issues: dict[str, pa.Array]
    flagged: dict[str, int] = field(default_factory=dict)


class Verdicts:
    """Which rule stopped which row: the first one that finds a row keeps it."""

    def __init__(self, count: int) -> None:
        self.code = np.zeros(count, dtype=np.int16)
        self.names: list[tuple[str, str]] = [("", "")]
        self.values: dict[int, Any] = {}

    def stop(self, rows: Mask, rule: str, column: str = "", values: pa.Array | None = None) -> None:
        fresh = rows & (self.code == 0)
        if fresh.any():
            self.names.append((rule, column))
            if values is not None:
                self.values[len(self.names) - 1] = values
            self.code[fresh] = len(self.names) - 1

    @property
    def good(self) -> Mask:
        passed: Mask = self.code == 0
        return passed

    def issues(self, row_numbers: Any) -> dict[str, pa.Array]:
        """row_number, rule, column, value of every stopped row."""
        stopped = np.flatnonzero(self.code)
        codes = self.code[stopped]
        rules = np.array([name[0] for name in self.names])[codes]
        columns = np.array([name[1] for name in self.names])[codes]
        value = np.full(len(stopped), "", dtype=object)
        for code, source in self.values.items():
            here = codes == code
            value[here] = pc.fill_null(source.take(pa.array(stopped[here])), "").to_pylist()
        return {"row_number": pa.array(row_numbers[stopped]), "rule": pa.array(rules, pa.string()),
                "column": pa.array(columns, pa.string()), "value": pa.array(value, pa.string())}


class OrderReader:
    """Reads the batches of one file of order lines, in their order: some columns stand on an order's first row only."""

    def __init__(self, positions: Mapping[str, int], settings: Settings, known: Known) -> None:
        self.positions = positions
        self.settings = settings
        self.known = known
        self._carried: dict[str, Any] = {}
        self._pseudonyms: dict[str, str] = {}

    def read(self, batch: Batch) -> Judged:  # noqa: PLR0915 - one rule after another, in their order
        columns = {name: texts(batch.column(position)) for name, position in self.positions.items()}
        nothing = pa.nulls(len(batch), pa.string())
        is_head = pc.is_valid(columns.get("status", nothing))
        if self.settings.first_of_group and "order_id" in columns:
            self._fill_down(columns)
        verdicts = Verdicts(len(batch))
        verdicts.stop(blank_rows(batch), "blank")
        settings = self.settings

        if "order_id" not in columns:
            columns["order_id"] = _made_of_rows(columns, settings)
        order_id, title = columns["order_id"], pc.utf8_slice_codeunits(columns.get("title", nothing), 0, LONGEST_TITLE)
        given_sku = columns.get("sku", nothing)
        sku = pc.coalesce(given_sku, pc.utf8_slice_codeunits(title, 0, 120))
        for name, values, most in (("order_id", order_id, 80), ("sku", sku, 120)):
            verdicts.stop(mask(pc.is_null(values)), "missing", name, values)
            verdicts.stop(mask(pc.greater(pc.utf8_length(values), most)), "too_long", name, values)
        line_id = columns.get("line_id", nothing)
        verdicts.stop(mask(pc.greater(pc.utf8_length(line_id), 38)), "too_long", "line_id", line_id)

        occurred_at = self._moment(columns, "occurred_at", verdicts, is_needed=True)
        updated_at = self._moment(columns, "updated_at", verdicts)
        figures = {name: self._number(columns, name, verdicts) for name in (
            "quantity", "shelf_price", "paid_price", "shelf_total", "paid_total", "discount", "compare_at_price")}
        quantity = figures["quantity"]
        verdicts.stop(np.isnan(quantity), "missing", "quantity", columns["quantity"])

        currency = pc.utf8_upper(pc.coalesce(columns.get("currency", nothing), pa.scalar(settings.currency)))
        verdicts.stop(~mask(pc.match_substring_regex(currency, "^[A-Z]{3}$")), "currency", "currency", currency)

        found = pc.index_in(sku, value_set=self.known.names)
        item_id = self.known.ids.take(found)
        is_unknown = mask(pc.is_null(item_id))
        for rule, pattern in settings.title_rules:
            verdicts.stop(is_unknown & mask(pc.match_substring_regex(pc.coalesce(title, sku), pattern,
                                                                     ignore_case=True)), rule, "title", title)
        has_sku = pc.is_valid(given_sku)
        if not settings.makes_items:
            verdicts.stop(is_unknown & mask(has_sku), "unknown_sku", "sku", sku)
        rules = self.known.rules.take(found)
        for rule in pc.unique(pc.drop_null(rules)).to_pylist():
            if rule:
                verdicts.stop(mask(pc.equal(rules, rule)), rule, "sku", sku)

        status = pc.utf8_lower(columns.get("status", nothing))
        is_cancelled = mask(pc.is_in(status, value_set=pa.array(_CANCELLED)))
        is_cancelled |= mask(pc.is_valid(columns.get("cancelled_at", nothing)))
        is_returned = mask(pc.is_in(status, value_set=pa.array(_RETURNED)))
        is_refunded = is_returned & settings.refund_nets_out & ~is_cancelled & (quantity >= 0)
        is_void = is_cancelled | is_refunded
        quantity = np.where(is_returned, -np.abs(quantity), quantity)
        verdicts.stop((quantity == 0) & ~is_void, "zero_quantity", "quantity", columns["quantity"])

        shelf, paid, discount = _prices(quantity, figures)
        verdicts.stop(shelf < 0, "price_below_zero", "shelf_price", columns.get("shelf_price"))
        verdicts.stop(paid < 0, "price_below_zero", "paid_price", columns.get("paid_price"))

        worth = np.abs(quantity) * np.fmax(shelf, paid)
        is_beyond = (shelf > MOST_MONEY) | (paid > MOST_MONEY) | (np.abs(discount) > MOST_MONEY)
        verdicts.stop(is_beyond | (worth > MOST_OF_A_LINE), "too_large", "quantity", columns["quantity"])

        good = verdicts.good
        quantity = np.where(is_void, 0.0, quantity)
        is_foreign = mask(pc.not_equal(currency, settings.currency))
        is_free = (shelf == 0) | (paid == 0)
        void = np.full(len(batch), None, dtype=object)
        void[is_refunded], void[is_cancelled] = "refunded", "cancelled"
        shelf = np.where(is_foreign | (shelf == 0), np.nan, shelf)
        paid = np.where(is_foreign, np.nan, paid)
        discount = np.where(is_foreign | is_void, 0, discount)
        chosen = pa.array(np.flatnonzero(good))
        lines = {
            "row_number": pa.array(batch.row_numbers), "order_id": order_id, "line_id": line_id,
            "occurred_at": occurred_at, "updated_at": updated_at, "sku": sku, "has_sku": has_sku, "item_id": item_id,
            "title": title,
            "location": columns.get("location", nothing), "channel": columns.get("channel", nothing),
            "quantity": pa.array(quantity), "shelf_price": _figure(shelf), "paid_price": _figure(paid),
            "discount": pa.array(np.nan_to_num(discount)),
            "promotion": pc.fill_null(pc.utf8_slice_codeunits(columns.get("promotion", nothing), 0, 80), ""),
            "customer": pc.fill_null(self._pseudonym(columns.get("customer", nothing)), ""), "currency": currency,
            "void": pa.array(void, pa.string()), "is_head": is_head, "status": columns.get("status", nothing),
        }
        issues = verdicts.issues(batch.row_numbers)
        stopped = pa.array(np.flatnonzero(~good))
        issues["order_id"] = order_id.take(stopped)
        # Where a line has no id of its own, its place among lines of its item counts the stopped ones too.
        issues["line_ref"] = pc.if_else(pc.is_null(line_id), pc.binary_join_element_wise(sku, "1", "#"),
                                        pa.scalar(None, pa.string())).take(stopped)
        return Judged(
            good={name: values.take(chosen) for name, values in lines.items()}, issues=issues,
            flagged={"no_order": 0 if "order_id" in self.positions else int(good.sum()),
                     "returned": int((good & (quantity < 0)).sum()), "free": int((good & is_free & ~is_void).sum()),
                     "no_price": int((good & np.isnan(paid) & ~is_foreign & ~is_void).sum()),
                     "part_refunded": int((good & mask(pc.is_in(status, value_set=pa.array(_PART_REFUNDED)))).sum()),
                     "other_currency": int((good & is_foreign & ~is_void).sum())})

    def _fill_down(self, columns: dict[str, pa.StringArray]) -> None:
        """Give every row of an order what stands on its first row, also across the border of two batches."""
        group = columns["order_id"]
        names = [name for name in self.settings.first_of_group if name in columns]
        ids = group.to_numpy(zero_copy_only=False)
        count = len(ids)
        is_first = np.ones(count, dtype=bool)
        is_first[1:] = ids[1:] != ids[:-1]
        is_carried = count > 0 and self._carried.get("order_id") == ids[0]
        first = np.maximum.accumulate(np.where(is_first, np.arange(count), 0))
        for name in names:
            filled = columns[name].take(pa.array(first))
            if is_carried:
                run = pa.array(first == 0)
                filled = pc.if_else(run, pa.scalar(self._carried[name], pa.string()), filled)
            columns[name] = pc.coalesce(columns[name], filled)
        if count:
            last = int(first[-1])
            if not (is_carried and last == 0):
                self._carried = {"order_id": ids[-1], **{name: columns[name][last].as_py() for name in names}}

    def _moment(self, columns: dict[str, pa.StringArray], name: str, verdicts: Verdicts, *,
                is_needed: bool = False) -> pa.TimestampArray:
        values = columns.get(name)
        if values is None:
            return pa.nulls(len(verdicts.code), pa.timestamp("us", "UTC"))
        found, bad = moments(values, self.settings.dates, self.settings.zone)
        if is_needed:
            verdicts.stop(mask(pc.is_null(values)), "missing", name, values)
        verdicts.stop(bad, "moment", name, values)
        when = found.cast(pa.timestamp("us")).to_numpy(zero_copy_only=False)
        latest = np.datetime64(self.settings.latest.astimezone(dt.UTC).replace(tzinfo=None), "us")
        verdicts.stop((when < EARLIEST) | (when > latest), "out_of_time", name, values)
        return found

    def _number(self, columns: dict[str, pa.StringArray], name: str, verdicts: Verdicts) -> Any:
        values = columns.get(name)
        if values is None:
            return np.full(len(verdicts.code), np.nan)
        found, bad = numbers(values, self.settings.numbers)
        verdicts.stop(bad, "number", name, values)
        figures = found.to_numpy(zero_copy_only=False)
        verdicts.stop(np.abs(figures) > (MOST_UNITS if name == "quantity" else MOST_MONEY), "too_large", name, values)
        return figures

    def _pseudonym(self, values: pa.StringArray) -> pa.StringArray:
        """A keyed hash for each customer: the same one each time, and nobody without the key knows whose."""
        encoded = pc.utf8_lower(values).dictionary_encode()
        keys = encoded.dictionary.to_pylist()
        known, key = self._pseudonyms, self.settings.pseudonym_key
        if len(known) > 200_000:  # a bound on memory: a customer who comes again is hashed again
            known.clear()
        for value in keys:
            if value not in known:
                known[value] = pseudonym(key, value)
        return pc.take(pa.array([known[value] for value in keys], pa.string()), encoded.indices)


def _made_of_rows(columns: Mapping[str, pa.StringArray], settings: Settings) -> pa.StringArray:
    """An order's number for each row, made of what was sold when, where and how often, however that is written.

    The same row again is the next line of that order. Prices, titles beside a SKU and all else may change later, or
    be left out. A moment is told as the shop's clock shows it, which a change of its time zone leaves as it was.
    """
    when, amount = columns["occurred_at"], columns["quantity"]
    nothing = pa.nulls(len(when), pa.string())
    moment = pc.local_timestamp(moments(when, settings.dates, settings.zone)[0].cast(pa.timestamp("us", settings.zone)))
    quantity = numbers(amount, settings.numbers)[0].cast(pa.float64())
    sku = pc.coalesce(columns.get("sku", nothing), columns.get("title", nothing), "")
    joined = pc.binary_join_element_wise(
        pc.coalesce(moment.cast(pa.string()), when, ""), sku, pc.coalesce(quantity.cast(pa.string()), amount, ""),
        pc.coalesce(columns.get("location", nothing), ""), "\x1f").to_pylist()
    digests = (hashlib.blake2b(text.encode(), digest_size=12).hexdigest() for text in joined)
    return pa.array([f"row {digest}" for digest in digests], pa.string())


def blank_rows(batch: Batch) -> Mask:
    blank = np.ones(len(batch), dtype=bool)
    for column in batch.columns:
        if not blank.any():
            break
        blank &= mask(pc.equal(column, ""))
    return blank


def _figure(values: Any) -> pa.DoubleArray:
    return pa.array(values, pa.float64(), mask=np.isnan(values))


def _prices(quantity: Any, figures: Mapping[str, Any]) -> tuple[Any, Any, Any]:
    """Shelf price and paid price of one unit and the line's discount, each from what the file says of the others."""
    with np.errstate(divide="ignore", invalid="ignore"):
        units = np.where(quantity == 0, np.nan, np.abs(quantity))
        total_sign = np.where(quantity < 0, -1.0, 1.0)
        shelf, paid = figures["shelf_price"], figures["paid_price"]
        shelf = np.where(np.isnan(shelf), _unit(figures["shelf_total"], units, total_sign), shelf)
        paid = np.where(np.isnan(paid), _unit(figures["paid_total"], units, total_sign), paid)
        discount = np.abs(figures["discount"])
        paid = np.where(np.isnan(paid), shelf - np.nan_to_num(discount) / units, paid)
        shelf = np.where(np.isnan(shelf), paid + np.nan_to_num(discount) / units, shelf)
        shelf = np.where(paid > shelf, paid, shelf)
        is_marked_down = figures["compare_at_price"] > shelf
        shelf = np.where(is_marked_down, figures["compare_at_price"], shelf)
        discount = np.where(is_marked_down, np.nan, discount)
        discount = np.where(np.isnan(discount), np.nan_to_num((shelf - paid) * units), discount)
    return shelf, paid, np.copysign(discount, np.where(quantity < 0, -1.0, 1.0)) + 0.0


def _unit(total: Any, units: Any, sign: Any) -> Any:
    """A line's total by its units; of a return, either sign of the total means the same."""
    return np.where(sign < 0, np.abs(total), total) / units
