"""How a file writes numbers and dates, judged by some of its values."""

from __future__ import annotations

import re
from collections.abc import Iterable


def number_style(samples: Iterable[str], delimiter: str) -> tuple[str, bool]:
    """How numbers are written, by samples, and whether they leave doubt: a single 1,234 might be either."""
    points = commas = doubtful = 0
    for sample in samples:
        value = re.sub(r"[^\d.,]", "", sample)
        if "," in value and "." in value:
            points, commas = (points + 1, commas) if value.rfind(".") > value.rfind(",") else (points, commas + 1)
        elif re.fullmatch(r"\d{1,3}[.,]\d{3}", value):
            doubtful += 1
        elif value.count(",") == 1:
            commas += 1
        elif value.count(".") == 1 or value.count(",") > 1:
            points += 1
        elif value.count(".") > 1:
            commas += 1
    if points == commas == 0:
        return ("comma" if delimiter == ";" else "point"), doubtful > 0
    return ("comma" if commas > points else "point"), points == commas


_WAYS_OF_DAYS = ((r"\d{4}-\d{1,2}-\d{1,2}\b", "2025-12-31"), (r"\d{1,2}\.\d{1,2}\.\d{4}", "31.12.2025"),
                 (r"\d{1,2}/\d{1,2}/\d{2,4}", "12/31/2025"), (r"\d{4}/\d{1,2}/\d{1,2}", "2025/12/31"),
                 (r"\d{4}年\d{1,2}月\d{1,2}日", "2025年12月31日"))


def day_written(samples: Iterable[str]) -> str:
    """The last day of 2025 as most of the samples would write it."""
    counts = dict.fromkeys((day for _way, day in _WAYS_OF_DAYS), 0)
    for sample in samples:
        for way, day in _WAYS_OF_DAYS:
            counts[day] += re.match(rf"\s*{way}", sample) is not None
    return max(counts, key=lambda day: counts[day])


def date_order(samples: Iterable[str], usual: str) -> tuple[str, bool]:
    """Whether 03/04/2017 puts the day or the month first, by samples, and whether that is in doubt.

    `usual` is what stands where the samples say neither, or as often the one as the other.
    """
    days = months = unclear = 0
    for sample in samples:
        found = re.match(r"^\s*(\d{1,2})[/-](\d{1,2})[/-]\d{2,4}", sample)
        if found is None:
            continue
        first, second = int(found[1]), int(found[2])
        days += first > 12 >= second
        months += second > 12 >= first
        unclear += first <= 12 and second <= 12
    order = usual if days == months else "dmy" if days > months else "mdy"
    return order, bool(days and months) or (days == months == 0 and unclear > 0)
