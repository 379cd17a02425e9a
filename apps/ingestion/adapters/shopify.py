"""What a Shopify order says of sales: a webhook's body in, lines out. Pure."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import hmac
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from django.utils.translation import gettext as _

TOPICS = ("orders/create", "orders/updated", "orders/edited", "orders/cancelled", "orders/paid")


class NotUnderstood(ValueError):
    """The body is no order as Shopify documents it; the message says what is missing."""


@dataclass(frozen=True)
class Line:
    """One line of an order; prices are for one unit, the discount for the whole line.

    `external_line_id` is made of the order's name, the sku and the line's place among lines of that sku: the same as
    the shop's order export gives it, so that a history imported as a file and live deliveries are one ledger.
    """

    external_line_id: str
    sku: str  # the title, where the shop gives none
    has_sku: bool
    title: str
    quantity: Decimal
    shelf_price: Decimal
    paid_price: Decimal
    discount: Decimal
    rule: str = ""  # what sets it aside, where something does


@dataclass(frozen=True)
class Order:
    """An order as one delivery states it; `version_at` is the moment of which it speaks."""

    order_id: str
    occurred_at: dt.datetime
    version_at: dt.datetime
    currency: str
    customer: str
    promotion: str
    is_test: bool
    lines: tuple[Line, ...]


CURRENCY = re.compile(r"^[A-Z]{3}\Z")
EARLIEST_YEAR, LATEST_YEAR = 1990, 2100  # between them every zone's calendar can still reckon a day on either side
MOST = Decimal("1e9")  # of anything that a line counts
MOST_OF_A_LINE = Decimal("1e11")  # in money: a day of an item has room for some such lines
CENT = Decimal("0.01")  # by which a discount, shared among units, may be rounded beyond the price


def is_signed(body: bytes, secret: str, signature: str) -> bool:
    """Whether the base64 HMAC-SHA256 of the raw body is the one that the shop sent, compared in constant time."""
    expected = base64.b64encode(hmac.digest(secret.encode(), body, hashlib.sha256)).decode()
    return hmac.compare_digest(expected.encode(), signature.strip().encode())


def to_sale_lines(body: Mapping[str, Any]) -> Order:
    """The order of a webhook's body. A cancelled order keeps its lines, each with nothing sold."""
    name = _text(body, "name") or _text(body, "id")
    if not name or not isinstance(body.get("line_items"), list):
        raise NotUnderstood(_("The body names no order, or has no line_items."))
    created_at = _moment(body, "created_at")
    version_at = _moment(body, "updated_at") if body.get("updated_at") else created_at
    is_cancelled = bool(body.get("cancelled_at")) or body.get("financial_status") == "voided"
    seen: Counter[str] = Counter()
    lines = []
    for given in _objects(body, "line_items"):
        title = (_text(given, "name") or _text(given, "title"))[:300]
        own_sku = _text(given, "sku")
        sku = (own_sku or title)[:120]
        if not sku:
            raise NotUnderstood(_("A line has neither a sku nor a name."))
        seen[sku] += 1
        ordered = _number(given.get("quantity"), "quantity")
        left = given.get("current_quantity")
        quantity = Decimal(0) if is_cancelled else ordered if left is None else _number(left, "current_quantity")
        price = _number(given.get("price"), "price")
        allocated = sum((_number(each.get("amount"), "amount") for each in _objects(given, "discount_allocations")),
                        Decimal(0))
        discount = allocated or _number(given.get("total_discount") or 0, "total_discount")
        each_off = discount / ordered if ordered else Decimal(0)
        paid, off = price - each_off, each_off * quantity
        if paid < -CENT:
            raise NotUnderstood(_("A discount is larger than its line's price."))
        if off > MOST or max(ordered, quantity) * price > MOST_OF_A_LINE:
            raise NotUnderstood(_("A line is worth more than can be true."))
        lines.append(Line(
            external_line_id=_line_id(name, sku, seen[sku]), sku=sku, has_sku=bool(own_sku),
            title=title, quantity=quantity,
            shelf_price=price, paid_price=max(paid, Decimal(0)).quantize(Decimal("0.0001")),
            discount=off.quantize(Decimal("0.0001")),
            rule="gift_card" if given.get("gift_card") else ""))
    codes = [_text(each, "code") for each in _objects(body, "discount_codes")]
    known = body.get("customer") or {}
    if not isinstance(known, Mapping):
        raise NotUnderstood(_("customer is no object."))
    currency = _text(body, "currency").upper()
    if currency and not CURRENCY.match(currency):
        raise NotUnderstood(_("currency is no code of three letters."))
    return Order(order_id=name[:80], occurred_at=created_at, version_at=version_at, currency=currency,
                 customer=_text(body, "email") or _text(body, "contact_email") or _text(known, "id"),
                 promotion=next(iter(codes), "")[:80],
                 is_test=bool(body.get("test")), lines=tuple(lines))


def _text(given: Mapping[str, Any], name: str) -> str:
    """A text or a whole number as text, empty where there is none; NotUnderstood for anything else."""
    value = given.get(name)
    if value is None or value is False:
        return ""
    if not isinstance(value, str | int):
        raise NotUnderstood(_("%(name)s is no text.") % {"name": name})
    try:
        found = str(value).strip()
        found.encode()
    except ValueError as error:  # half a character, or a number of thousands of digits
        raise NotUnderstood(_("%(name)s is no text.") % {"name": name}) from error
    if "\0" in found:
        raise NotUnderstood(_("%(name)s holds a zero character.") % {"name": name})
    return found


def _objects(given: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """A list of objects, empty where there is none."""
    found = given.get(name) or []
    if not isinstance(found, list) or not all(isinstance(each, Mapping) for each in found):
        raise NotUnderstood(_("%(name)s is no list of objects.") % {"name": name})
    return found


def _line_id(order: str, sku: str, place: int) -> str:
    whole = f"{order}/{sku}#{place}"
    if len(whole) <= 110:
        return whole
    return f"{order[:60]}/{hashlib.md5(whole.encode(), usedforsecurity=False).hexdigest()}"


def _moment(body: Mapping[str, Any], name: str) -> dt.datetime:
    try:
        found = dt.datetime.fromisoformat(_text(body, name))
    except ValueError as error:
        raise NotUnderstood(_("%(name)s is missing, or no date.") % {"name": name}) from error
    if found.tzinfo is None:
        raise NotUnderstood(_("%(name)s has no offset from UTC.") % {"name": name})
    if not EARLIEST_YEAR <= found.year <= LATEST_YEAR:
        raise NotUnderstood(_("%(name)s is no date that can be true.") % {"name": name})
    return found.astimezone(dt.UTC)  # an offset may have seconds, or less, which Postgres does not read


def _number(value: Any, name: str) -> Decimal:
    try:
        found = Decimal(str(value))
    except (InvalidOperation, ValueError) as error:
        raise NotUnderstood(_("%(name)s is no number.") % {"name": name}) from error
    if not found.is_finite() or not 0 <= found <= MOST:
        raise NotUnderstood(_("%(name)s is no number that can be true.") % {"name": name})
    return found.quantize(Decimal("0.000001"))
