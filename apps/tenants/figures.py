"""Figures in words: amounts, quantities, shares, days and times as a shop writes them, on pages and in reports."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from decimal import Decimal

from django.conf import settings
from django.utils import formats, timezone, translation
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

Number = float | Decimal  # whole numbers too

SYMBOLS = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥", "CNY": "CN¥", "CAD": "CA$", "AUD": "A$", "INR": "₹",
           "BRL": "R$", "MXN": "MX$", "KRW": "₩", "NZD": "NZ$", "HKD": "HK$"}
WITHOUT_CENTS = frozenset({"JPY", "KRW", "CLP", "VND", "ISK", "HUF"})
MINUS, DASH = "−", "–"  # the dash stands where there is no figure
# How numbers are written: what parts thousands, what comes before decimals, whether the currency follows the amount.
PLAIN = "en-us"
NUMBERS = {PLAIN: (",", ".", False), "de-de": (".", ",", True), "fr-fr": ("\u202f", ",", True),
           "de-ch": ("’", ".", False)}
_numbers: ContextVar[str] = ContextVar("numbers", default=PLAIN)


@contextmanager
def numbers_as(locale: str) -> Generator[None]:
    """Write numbers as this shop does, for a block of work; a locale without a way of its own takes its language's."""
    known = locale.lower() if locale.lower() in NUMBERS else next(
        (name for name in NUMBERS if name[:2] == locale[:2].lower()), PLAIN)
    token = _numbers.set(known)
    try:
        yield
    finally:
        _numbers.reset(token)


@contextmanager
def written_for(locale: str) -> Generator[None]:
    """Write words and numbers as a shop does, where no browser says how: all that a job writes."""
    try:
        language = translation.get_supported_language_variant(locale)
    except LookupError:
        language = settings.LANGUAGE_CODE
    with translation.override(language), numbers_as(locale):
        yield


def numbers_locale() -> str:
    """The locale in which scripts write numbers as these pages do."""
    return _numbers.get()


def number(value: Number, decimals: int) -> str:
    """A number as the shop writes them, with a true minus."""
    rounded = round(Decimal(str(value)), decimals)
    group, point, _is_after = NUMBERS[_numbers.get()]
    text = f"{abs(rounded):,.{decimals}f}".translate({ord(","): group, ord("."): point})
    return f"{MINUS}{text}" if rounded < 0 else text


def exact(value: Number) -> str:
    """A number with all the decimals that it has: 14, 0.25, 1,234.5."""
    places = Decimal(str(value)).normalize().as_tuple().exponent
    return number(value, max(-int(places), 0))


class NotANumber(ValueError):
    """What was typed is no number as the shop writes them; the message shows how one looks."""


def _reading(bare: str, group: str, point: str) -> str | None:
    """A number as machines write it, where it is well written with these marks: thousands all parted, or none."""
    whole = rf"[0-9]+|[1-9][0-9]{{0,2}}({re.escape(group)}[0-9]{{3}})+"
    return bare.replace(group, "").replace(point, ".") if re.fullmatch(
        rf"-?({whole})({re.escape(point)}[0-9]+)?", bare) else None


def plain_number(text: str) -> str:
    """A number that somebody typed as this shop writes them, as machines write it: 1.234,5 becomes 1234.5.

    What a machine writes is taken too, unless a shop somewhere means another number by it. NotANumber for all else.
    """
    group, point, _is_after = NUMBERS[_numbers.get()]
    bare = re.sub(r"\s", "\u202f", text.strip()).replace("'", "’").replace(MINUS, "-")
    own = _reading(bare, group, point)
    if own is not None:
        return own
    readings = {_reading(bare, *marks[:2]) for marks in NUMBERS.values()} - {None}
    if re.fullmatch(r"-?[0-9]+\.[0-9]+", bare) and readings == {bare}:
        return bare
    raise NotANumber(_("“%(typed)s” is no number as they are written here: write it like %(example)s, or like "
                       "%(plain)s.") % {"typed": text.strip()[:40], "example": exact(Decimal("1234.5")),
                                        "plain": exact(Decimal("0.25"))})


def money_text(value: Number, currency: str, decimals: int, suffix: str = "") -> str:
    text = number(value, decimals) + suffix
    sign, digits = (MINUS, text[1:]) if text.startswith(MINUS) else ("", text)
    if NUMBERS[_numbers.get()][2]:
        return f"{sign}{digits}\u00a0{SYMBOLS.get(currency, currency)}"
    return f"{sign}{SYMBOLS[currency]}{digits}" if currency in SYMBOLS else f"{sign}{currency}\u00a0{digits}"


def cents(value: Number, currency: str) -> Decimal:
    """An amount as exact as its currency has coins."""
    return round(Decimal(str(value)), 0 if currency in WITHOUT_CENTS else 2)


def money(value: Number | None, currency: str = "USD") -> str:
    """An exact amount: $1,234.50."""
    return DASH if value in (None, "") else money_text(value, currency, 0 if currency in WITHOUT_CENTS else 2)


def money_round(value: Number | None, currency: str = "USD") -> str:
    """An amount without cents, for sums and headlines: $1,235."""
    return DASH if value in (None, "") else money_text(value, currency, 0)


def money_short(value: Number | None, currency: str = "USD") -> str:
    """An amount to remember: $1.2k, $3.4M."""
    if value in (None, ""):
        return DASH
    for limit, suffix in ((1_000_000, pgettext("million", "M")), (10_000, pgettext("thousand", "k"))):
        if abs(float(value)) >= limit:
            divisor = 1000 if limit == 10_000 else limit
            return money_text(float(value) / divisor, currency, 1, suffix)
    return money_text(value, currency, 0)


def rounded_units(value: Number) -> Decimal:
    """A quantity: whole from ten up, to one decimal below."""
    return round(Decimal(str(value)), 0 if abs(float(value)) >= 10 else 1)


def units(value: Number | None) -> str:
    """A quantity: whole from ten up, one decimal below where it has one."""
    if value in (None, ""):
        return DASH
    is_whole = abs(float(value)) >= 10 or float(value) == round(float(value))
    return number(rounded_units(value), 0 if is_whole else 1)


def days(value: Number | None) -> str:
    """A length of time: 1 day, 12 days, 2.5 days."""
    if value in (None, ""):
        return DASH
    return ngettext("%(n)s day", "%(n)s days", 1 if value == 1 else 2) % {"n": units(value)}


def share(value: Number | None, decimals: int = 0) -> str:
    """A part of one as a percentage: 0.453 is 45%."""
    return DASH if value in (None, "") else _("%(n)s%%") % {"n": number(float(value) * 100, int(decimals))}


def file_size(value: Number | None) -> str:
    """How much a file holds: 12 KB, 1.4 MB, as downloads and disks count them, by the thousand."""
    if value in (None, ""):
        return DASH
    for limit, words in ((1e9, _("%(n)s GB")), (1e6, _("%(n)s MB")), (1e3, _("%(n)s KB"))):
        if value >= limit * 0.9995:
            return words % {"n": exact(rounded_units(float(value) / limit))}
    return ngettext("%(n)s byte", "%(n)s bytes", int(value)) % {"n": units(value)}


def decimals(value: Number | None, places: int = 2) -> str:
    """A plain number with a fixed count of decimals."""
    return DASH if value in (None, "") else number(value, int(places))


def sign(value: str | Number | None) -> str:
    """Puts a plus before what is above zero; takes a number or an amount already formatted."""
    if value in (None, ""):
        return DASH
    if isinstance(value, str):
        is_above = not value.startswith((MINUS, DASH)) and any(digit in value for digit in "123456789")
        return f"+{value}" if is_above else value
    return f"+{units(value)}" if value > 0 else str(units(value))


def day(value: dt.date | dt.datetime | str | None, pattern: str = "j M Y") -> str:
    """A day: 4 Dec 2017. Takes ISO text too, as reports in JSON hold it."""
    if not value:
        return DASH
    found = dt.date.fromisoformat(value[:10]) if isinstance(value, str) else value
    if isinstance(found, dt.datetime) and timezone.is_aware(found):
        found = timezone.localtime(found)
    return formats.date_format(found, pattern)


def day_short(value: dt.date | dt.datetime | str | None) -> str:
    """A day of this year, with its weekday: Mon 4 Dec."""
    return day(value, "D j M")


def duration(seconds: float | str | None) -> str:
    """How long something took: 4 s, 2 min 5 s, 1 h 12 min."""
    if seconds in (None, ""):
        return DASH
    whole = round(float(seconds))
    if whole < 60:
        return _("%(s)d s") % {"s": whole}
    if whole < 3600:
        return _("%(m)d min %(s)d s") % {"m": whole // 60, "s": whole % 60}
    return _("%(h)d h %(m)d min") % {"h": whole // 3600, "m": whole % 3600 // 60}
