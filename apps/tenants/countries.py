"""What is usual in a country, where nobody says otherwise."""

from __future__ import annotations

_MONTH_FIRST = frozenset({"US"})


def date_order(country: str) -> str:
    """How 03/04/2025 is meant in a country: "mdy", the month first, or "dmy"."""
    return "mdy" if country in _MONTH_FIRST else "dmy"
