"""Items, stock, suppliers and promotions: what a batch of a file says of them, and what is wrong with it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from apps.ingestion.adapters.batches import Batch
from apps.ingestion.adapters.columns import COLUMNS, Column
from apps.ingestion.adapters.orders import EARLIEST, MOST_MONEY, Judged, Verdicts, blank_rows
from apps.ingestion.adapters.values import dates, flags, mask, moments, numbers, texts

_ITEM_STATUS = {
    "active": ("active", "aktiv", "actif", "activo", "enabled", "published", "publish", "1", "true", "yes",
               "在售", "上架"),
    "paused": ("paused", "draft", "private", "0", "false", "no", "unpublished", "inactive", "inaktiv", "暂停", "下架"),
    "discontinued": ("discontinued", "archived", "deleted", "-1", "ausgelaufen", "abandonné", "descatalogado",
                     "停产", "停售"),
}
_PROMOTION_KIND = {
    "mailer": ("mailer", "flyer", "leaflet", "circular", "newsletter", "prospekt", "catalogue", "folleto", "传单",
               "海报"),
    "display": ("display", "endcap", "end cap", "feature", "aufsteller", "tête de gondole", "陈列", "堆头"),
    "price": ("price", "discount", "sale", "markdown", "rabatt", "preis", "remise", "descuento", "降价", "折扣",
              "特价"),
}
_NOT_A_VARIANT = ("variable", "grouped", "external")


@dataclass(frozen=True)
class Reading:
    """How the values of one file are to be read."""

    kind: str
    numbers: str
    dates: str
    zone: str
    latest: dt.datetime
    format: str = ""


class FactReader:
    """Reads the batches of one file that is not of order lines, in their order."""

    def __init__(self, positions: Mapping[str, int], reading: Reading) -> None:
        self.positions = positions
        self.reading = reading
        self._carried: dict[str, Any] = {}

    def read(self, batch: Batch) -> Judged:
        """The rows that hold, with every canonical column of the kind, and what stopped the others."""
        found = {name: texts(batch.column(position)) for name, position in self.positions.items()}
        nothing = pa.nulls(len(batch), pa.string())
        verdicts = Verdicts(len(batch))
        verdicts.stop(blank_rows(batch), "blank")
        kind = self.reading.kind
        if kind == "items":
            self._name_items(found, verdicts, nothing)
        elif "title" in found:
            found["sku"] = pc.coalesce(found.get("sku", nothing), found["title"])
        values: dict[str, Any] = {}
        for column in COLUMNS[kind]:
            text = found.get(column.name, nothing)
            if column.is_required:
                verdicts.stop(mask(pc.is_null(text)), "missing", column.name, text)
            values[column.name] = self._read(column, text, verdicts)
        if kind == "suppliers":
            self._check_terms(values, found, verdicts)
        elif kind == "promotions":
            self._check_promotions(values, found, verdicts, nothing)
        elif kind == "items":
            self._check_items(values, found, verdicts, nothing)
        issues = verdicts.issues(batch.row_numbers)
        if kind == "promotions":
            issues["key"] = _promotion_key(values).take(pa.array(np.flatnonzero(~verdicts.good)))
        chosen = pa.array(np.flatnonzero(verdicts.good))
        good = {"row_number": pa.array(batch.row_numbers), **values}
        return Judged(good={name: _arrow(value).take(chosen) for name, value in good.items()},
                      issues=issues)

    def _read(self, column: Column, text: pa.StringArray, verdicts: Verdicts) -> Any:
        reading = self.reading
        if column.value == "number":
            text = pc.replace_substring_regex(text, r"\s*%$", "e-2") if column.name == "share" else text
            if column.name == "share":
                return self._share(text, verdicts)
            parsed, bad = numbers(text, reading.numbers)
            verdicts.stop(bad, "number", column.name, text)
            figures = parsed.to_numpy(zero_copy_only=False)
            verdicts.stop(np.abs(figures) > MOST_MONEY, "too_large", column.name, text)
            if column.name != "on_hand":
                verdicts.stop(figures < 0, "below_zero", column.name, text)
            return figures
        if column.value == "date":
            days, bad = dates(text, reading.dates)
            verdicts.stop(bad, "moment", column.name, text)
            return days
        if column.value == "moment":
            when, bad = moments(text, reading.dates, reading.zone)
            verdicts.stop(bad, "moment", column.name, text)
            exact = when.cast(pa.timestamp("us")).to_numpy(zero_copy_only=False)
            latest = np.datetime64(reading.latest.astimezone(dt.UTC).replace(tzinfo=None), "us")
            verdicts.stop((exact < EARLIEST) | (exact > latest), "out_of_time", column.name, text)
            # A day alone means its close: what was sold on it is gone from the shelf already.
            return moments(text, reading.dates, reading.zone, is_closing=True)[0]
        if column.value == "flag":
            return flags(text)
        is_cut = column.name in ("title", "category")
        if column.name == "currency":
            text = pc.utf8_upper(text)
            verdicts.stop(mask(pc.is_valid(text)) & ~mask(pc.match_substring_regex(text, "^[A-Z]{3}$")), "currency",
                          column.name, text)
        elif not is_cut:
            verdicts.stop(mask(pc.greater(pc.utf8_length(text), column.most)), "too_long", column.name, text)
        return pc.utf8_slice_codeunits(text, 0, column.most) if is_cut else text

    def _share(self, text: pa.StringArray, verdicts: Verdicts) -> Any:
        is_percent = mask(pc.ends_with(text, "e-2"))
        parsed, bad = numbers(pc.replace_substring_regex(text, "e-2$", ""), self.reading.numbers)
        verdicts.stop(bad, "number", "share", text)
        share = parsed.to_numpy(zero_copy_only=False)
        share = np.where(is_percent, share / 100, share)
        verdicts.stop((share < 0) | (share > 1), "share", "share", text)
        return share

    def _name_items(self, found: dict[str, Any], verdicts: Verdicts, nothing: pa.StringArray) -> None:
        """Titles of variants as a shop's orders name them; what has no sku goes by its title."""
        self._fill_down(found)
        if "row_type" in found:
            verdicts.stop(mask(pc.is_in(pc.utf8_lower(found["row_type"]), value_set=pa.array(_NOT_A_VARIANT))),
                          "not_a_variant", "row_type", found["row_type"])
        if "handle" in found:
            verdicts.stop(mask(pc.and_(pc.is_null(found.get("sku", nothing)), pc.is_null(found["price"]))),
                          "not_a_variant")
            options = [pc.if_else(pc.equal(found.get(f"option_{n}", nothing), "Default Title"),
                                  pa.scalar(None, pa.string()), found.get(f"option_{n}", nothing)) for n in (1, 2, 3)]
            joined = pc.binary_join_element_wise(*options, " / ", null_handling="replace", null_replacement="")
            variant = pc.replace_substring_regex(joined, r"( / )+$", "")
            found["title"] = pc.if_else(pc.equal(variant, ""), found["title"],
                                        pc.binary_join_element_wise(found["title"], variant, " - "))
        title = found.get("title", nothing)
        found["has_sku"] = pc.is_valid(found.get("sku", nothing))
        found["sku"] = pc.coalesce(found.get("sku", nothing), pc.utf8_slice_codeunits(title, 0, 120))

    def _fill_down(self, found: dict[str, Any]) -> None:
        if "handle" not in found:
            return
        for name in ("title", "category", "brand", "status"):
            if name in found:
                carried = self._carried.get(name)
                column = found[name]
                if len(column) and not column[0].is_valid and carried is not None:
                    column = pa.concat_arrays([pa.array([carried], pa.string()), column[1:]])
                found[name] = pc.fill_null_forward(column)
                if len(column):
                    self._carried[name] = found[name][-1].as_py()

    @staticmethod
    def _check_items(values: dict[str, Any], found: dict[str, Any], verdicts: Verdicts,
                     nothing: pa.StringArray) -> None:
        given = pc.utf8_lower(found.get("status", nothing))
        status, known = _words(given, _ITEM_STATUS)
        verdicts.stop(mask(pc.is_valid(given)) & ~known, "status", "status", found.get("status", nothing))
        values["status"] = status
        # Several categories stand with commas between them: the first one counts.
        category = pc.replace_substring_regex(values["category"], r"\s*>\s*", " > ")
        if "row_type" in found:
            category = pc.replace_substring_regex(category, r",\s*\S.*$", "")
        values["category"] = category
        values["has_sku"] = found["has_sku"]
        del values["row_type"]

    @staticmethod
    def _check_terms(values: dict[str, Any], found: dict[str, Any], verdicts: Verdicts) -> None:
        for name in ("moq", "pack_size", "review_period_days"):
            figures = values[name]
            figures = np.where(figures == 0, np.nan, figures)
            verdicts.stop(~np.isnan(figures) & ((figures != np.floor(figures)) | (figures > 1e6)), "whole", name,
                          found.get(name))
            values[name] = figures
        for name in ("lead_time_days", "lead_time_spread_days", "review_period_days"):
            verdicts.stop(values[name] > 1000, "too_large", name, found.get(name))

    @staticmethod
    def _check_promotions(values: dict[str, Any], found: dict[str, Any], verdicts: Verdicts,
                          nothing: pa.StringArray) -> None:
        kind, known = _words(pc.utf8_lower(found.get("kind", nothing)), _PROMOTION_KIND)
        values["kind"] = pc.if_else(pa.array(known), kind, pa.scalar("other"))
        values["share"] = np.where(np.isnan(values["share"]), 1.0, values["share"])
        values["known_ahead"] = pc.fill_null(values["known_ahead"], False)
        verdicts.stop(mask(pc.less(values["ends_on"], values["starts_on"])), "ends_first", "ends_on",
                      found.get("ends_on"))


def _promotion_key(values: Mapping[str, Any]) -> pa.StringArray:
    """What a promotion is known by again; of one that ends before it starts, its days are taken in the right order."""
    first_day = pc.min_element_wise(values["starts_on"], pc.if_else(
        pc.is_valid(values["starts_on"]), values["ends_on"], pa.scalar(None, pa.date32())))
    return pc.binary_join_element_wise(values["sku"], pc.coalesce(values["location"], ""), values["kind"],
                                       first_day.cast(pa.string()), "/")


def _words(given: pa.StringArray, meanings: Mapping[str, tuple[str, ...]]) -> tuple[pa.StringArray, Any]:
    """Each value's meaning, and which values have one."""
    words = [(word, meaning) for meaning, group in meanings.items() for word in group]
    place = pc.index_in(given, value_set=pa.array([word for word, _meaning in words]))
    return pa.array([meaning for _word, meaning in words]).take(place), mask(pc.is_valid(place))


def _arrow(value: Any) -> pa.Array:
    if isinstance(value, np.ndarray):
        return pa.array(value, mask=np.isnan(value)) if value.dtype.kind == "f" else pa.array(value)
    return value
