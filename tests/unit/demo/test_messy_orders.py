"""The made-up messy export shows each fault that the README beside it promises."""

import csv
from collections import Counter
from pathlib import Path

DEMO = Path(__file__).parents[3] / "apps" / "demo"
MESSY = DEMO / "data" / "messy_orders.csv"
README = DEMO / "README.md"


def rows() -> list[dict[str, str]]:
    with MESSY.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_every_row_says_that_it_is_made_up_and_names_no_real_person() -> None:
    assert all(row["Notes"].startswith("made up: ") for row in rows())
    assert all(row["Email"].endswith("@example.com") for row in rows())


def test_the_readme_tells_of_every_note_and_its_number_of_rows() -> None:
    told = README.read_text()
    for note, count in Counter(row["Notes"] for row in rows()).items():
        assert f"| {note.removeprefix('made up: ')} | {count} |" in told


def test_duplicates_are_exact() -> None:
    repeated = Counter(tuple(row.values()) for row in rows())
    assert sorted(Counter(repeated.values()).items()) == [(1, 56), (2, 2), (3, 1)]
    assert sum(repeated.values()) == len(rows())
