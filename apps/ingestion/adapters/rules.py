"""The rules by which rows are rejected, set aside or marked: each code's words and its remedy, in this one place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

REJECTED, SET_ASIDE, FLAGGED = "rejected", "set_aside", "flagged"


# How a file writes its values, where nothing else is known.
PLAINLY = {"number": "1234.56", "other_number": "1234,56", "half": "0.5", "day": "2025-12-31", "separator": ","}


@dataclass(frozen=True)
class Rule:
    """A rule: what it finds, why that matters, and what would mend a row."""

    code: str
    outcome: str
    title: Any
    fix: Any

    def remedy(self, written: Mapping[str, str] = PLAINLY, column: str = "") -> str:
        """What would mend a row of a file that is `written` like this, in the column that the file calls so."""
        words = str(self.fix) % written
        return (
            gettext("“%(column)s”: %(fix)s") % {"column": column, "fix": words}
            if (column and words and self.outcome == REJECTED)
            else words
        )


_ALL = (
    Rule(
        "columns",
        REJECTED,
        _("The row has more or fewer columns than the first row"),
        _("Put values that contain “%(separator)s” into quotation marks, and leave no column out."),
    ),
    Rule(
        "rows_in_value",
        REJECTED,
        _("A value in quotation marks runs over lines that look like rows"),
        _(
            "If it is one value, send the file of rejected rows as it is; if these are rows, take the quotation marks "
            "away and send the file again."
        ),
    ),
    Rule("missing", REJECTED, _("A value that is needed is empty"), _("Fill it in.")),
    Rule("no_sku", REJECTED, _("This row has no SKU, and its title is that of no item"), _("Fill in its SKU.")),
    Rule("two_titles", REJECTED, _("This row has no SKU, and several items have its title"), _("Fill in its SKU.")),
    Rule("too_long", REJECTED, _("The value is too long"), _("Shorten it.")),
    Rule(
        "number",
        REJECTED,
        _("This is not a number"),
        _(
            "Write digits, such as %(number)s. If all numbers of the file look like %(other_number)s, say so and read "
            "it again."
        ),
    ),
    Rule("too_large", REJECTED, _("The number is too large to be true"), _("Check it for a slipped separator.")),
    Rule("below_zero", REJECTED, _("The number is below zero"), _("Write zero or more.")),
    Rule("whole", REJECTED, _("The number is not a whole one of at least 1"), _("Write 1, 2, 3 and so on.")),
    Rule("moment", REJECTED, _("This is not a date"), _("Write it as %(day)s or %(day)s 17:45.")),
    Rule("out_of_time", REJECTED, _("The date lies before 1990 or in the future"), _("Check the year.")),
    Rule(
        "foreign_terms",
        REJECTED,
        _("These terms are in another currency than the shop's"),
        _("Write its costs and minimum in the shop's currency, or leave them out."),
    ),
    Rule("currency", REJECTED, _("This is not a currency"), _("Write its three letters, such as EUR.")),
    Rule("status", REJECTED, _("The status is not known"), _("Write active, paused or discontinued.")),
    Rule("share", REJECTED, _("The share is not between 0 and 1"), _("Write %(half)s or 50 %% for a half.")),
    Rule("ends_first", REJECTED, _("The promotion ends before it starts"), _("Swap the two dates.")),
    Rule("twice", REJECTED, _("The same row comes twice, and differs"), _("Keep the right one.")),
    Rule(
        "line_twice",
        REJECTED,
        _("The same line of an order comes twice, and differs"),
        _("Keep the right one; lines of one order need different line numbers."),
    ),
    Rule(
        "counted_twice",
        REJECTED,
        _("The same stock is counted twice at one time, and differs"),
        _("Keep the right one, or say on which day each was counted."),
    ),
    Rule("blank", SET_ASIDE, _("Empty rows"), _("Nothing to do.")),
    Rule("repeated", SET_ASIDE, _("Exact duplicates of an earlier row of the file"), _("Nothing to do.")),
    Rule(
        "unknown_sku",
        SET_ASIDE,
        _("Lines of items that are not in the catalog"),
        _("Import these items, or let the import make unknown items; then import the file again."),
    ),
    Rule(
        "not_a_variant",
        SET_ASIDE,
        _("Rows that are no item of their own (pictures, parent products)"),
        _("Nothing to do."),
    ),
    Rule("fuel", SET_ASIDE, _("Fuel"), _("Nothing to do: it is pumped, not ordered from a shelf.")),
    Rule("coupon", SET_ASIDE, _("Coupons"), _("Nothing to do: they are no goods.")),
    Rule("gift_card", SET_ASIDE, _("Gift cards"), _("Nothing to do: they are no goods.")),
    Rule("shipping", SET_ASIDE, _("Shipping"), _("Nothing to do: it is no goods.")),
    Rule("tip", SET_ASIDE, _("Tips"), _("Nothing to do: they are no goods.")),
    Rule("service", SET_ASIDE, _("Services and fees"), _("Nothing to do: they are no goods.")),
    Rule("cancelled", SET_ASIDE, _("Cancelled or never paid"), _("Nothing to do: nothing was sold.")),
    Rule("refunded", SET_ASIDE, _("Refunded as a whole"), _("Nothing to do: sold and returned, which nets to none.")),
    Rule("zero_quantity", SET_ASIDE, _("Quantity of zero"), _("Nothing to do, unless the quantity is missing.")),
    Rule("price_below_zero", SET_ASIDE, _("Price below zero"), _("Write a discount as a discount, not as a price.")),
    Rule(
        "other_units",
        SET_ASIDE,
        _("Quantity in another unit than usual (grams for pieces)"),
        _("Divide the quantity, so that it counts what is on the shelf."),
    ),
    Rule("no_order", FLAGGED, _("Without an order's number: each row counts as an order of its own"), ""),
    Rule("returned", FLAGGED, _("Returns, taken off the sales of their day"), ""),
    Rule("free", FLAGGED, _("Given away: kept as demand, left out of prices"), ""),
    Rule("no_price", FLAGGED, _("Without a price: kept as demand, left out of prices"), ""),
    Rule("part_refunded", FLAGGED, _("Refunded in part: kept, as the file does not say which lines came back"), ""),
    Rule("other_currency", FLAGGED, _("Paid in another currency: kept as demand, left out of money"), ""),
    Rule("repeated_line", FLAGGED, _("The same item again in one order: kept as lines of their own"), ""),
    Rule("outlier", FLAGGED, _("Far more than this item usually sells in one line: kept"), ""),
    Rule("open_quote", FLAGGED, _("A quotation mark opens a value and none closes it: read as part of the value"), ""),
    Rule("by_title", FLAGGED, _("Without a SKU: counted for the item of the same title"), ""),
    Rule("new_item", FLAGGED, _("Lines of items that were new: the items were made"), ""),
)
RULES: dict[str, Rule] = {rule.code: rule for rule in _ALL}


def rule(code: str) -> Rule:
    """The rule of a code; a code of an older release keeps its name."""
    return RULES.get(code) or Rule(code, REJECTED, code, "")
