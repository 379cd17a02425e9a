"""What the installed purchases really say, and that the recast counts them without a remainder."""

from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from apps.demo.recast import package
from apps.demo.recast.lines import Lines, day_number
from apps.demo.recast.planning import lines_of, planned_items
from apps.demo.recast.rules import CATEGORY_RULES, RULES, broken_rules, count_set_aside, is_sale
from apps.demo.recast.shops import REPLAY_STARTS_ON, SHOPS, STANDS_ON
from apps.demo.recast.wording import describe

GROCER, HOME_HEALTH = SHOPS["corner-grocer"], SHOPS["home-health"]


@pytest.fixture(scope="module")
def products() -> pd.DataFrame:
    return package.read_products()


@pytest.fixture(scope="module")
def lines(products: pd.DataFrame) -> Lines:
    return package.read_lines(products)


@pytest.fixture(scope="module")
def words(products: pd.DataFrame) -> pd.DataFrame:
    return describe(products)


def test_the_shops_own_days_fill_the_packages_weeks_exactly(lines: Lines) -> None:
    table = pq.read_table(package.table_path("transactions"), columns=["transaction_timestamp", "basket_id", "week"])
    table = table.sort_by([("transaction_timestamp", "ascending"), ("basket_id", "ascending")])
    since_first = lines.day - day_number(package.FIRST_WEEK_STARTS_ON)
    np.testing.assert_array_equal(since_first // 7 + 1, table.column("week").to_numpy())


def test_moments_carry_the_offset_of_their_season(lines: Lines) -> None:
    moments = pd.to_datetime(pd.Series(lines.occurred_at), utc=True)
    columns = ["transaction_timestamp", "basket_id"]
    stamps = pq.read_table(package.table_path("transactions"), columns=columns).to_pandas()
    utc = stamps.drop_duplicates("basket_id").set_index("basket_id")["transaction_timestamp"].loc[lines.basket_id]
    assert (moments.dt.tz_localize(None).to_numpy() == utc.to_numpy()).all()
    days = np.array([text[:10] for text in lines.occurred_at.tolist()], dtype="datetime64[D]").astype(np.int64)
    np.testing.assert_array_equal(days[lines.basket], lines.day)
    assert {text[-6:] for text in lines.occurred_at.tolist()} == {"-05:00", "-04:00"}


def test_lines_before_and_after_the_day_on_which_the_shop_stands(lines: Lines, products: pd.DataFrame) -> None:
    before = lines.day < day_number(STANDS_ON)
    assert (len(lines), int(before.sum())) == (1_469_307, 1_355_054)
    mine = lines_of(HOME_HEALTH, lines, products)
    assert (int(mine.sum()), int((mine & before).sum())) == (180_195, 165_370)


def test_a_product_stands_once_in_a_basket(lines: Lines) -> None:
    assert not pd.DataFrame({"basket": lines.basket, "product": lines.product_id}).duplicated().any()


def test_odd_lines_are_counted_once_and_overlaps_are_told(lines: Lines, products: pd.DataFrame) -> None:
    counts = count_set_aside(broken_rules(lines, products), np.ones(len(lines), dtype=bool))
    assert counts["by_any_rule"] == {
        "unknown_sku": 4_836, "fuel": 14_697, "coupon": 411, "gift_card": 402, "zero_quantity": 8_869,
    }  # fmt: skip
    assert counts["by_first_rule"] == {
        "unknown_sku": 4_836, "fuel": 14_697, "coupon": 411, "gift_card": 402, "zero_quantity": 4_062,
    }  # fmt: skip
    assert counts["overlaps"] == [
        {"rules": ["unknown_sku", "zero_quantity"], "lines": 4_804},
        {"rules": ["coupon", "zero_quantity"], "lines": 3},
    ]
    assert counts["kept"] == int(is_sale(lines, products).sum()) == 1_469_307 - 24_408


def test_the_category_path_alone_finds_what_is_no_goods(products: pd.DataFrame, words: pd.DataFrame) -> None:
    for rule in CATEGORY_RULES:
        found = words["category"].str.contains(rule.pattern.replace("(", "(?:"), case=False, regex=True)
        np.testing.assert_array_equal(found.to_numpy(dtype=bool), products["odd"].eq(rule.name).to_numpy())


def test_planned_items_at_both_starts(lines: Lines, products: pd.DataFrame) -> None:
    counts = {
        (shop.slug, as_of): len(planned_items(shop, lines, products, as_of=as_of))
        for shop in (GROCER, HOME_HEALTH)
        for as_of in (REPLAY_STARTS_ON, STANDS_ON)
    }
    assert counts == {
        ("corner-grocer", REPLAY_STARTS_ON): 7_344,
        ("corner-grocer", STANDS_ON): 7_477,
        ("home-health", REPLAY_STARTS_ON): 3_339,
        ("home-health", STANDS_ON): 3_338,
    }


def test_no_day_from_the_planning_day_on_moves_the_planned_items(lines: Lines, products: pd.DataFrame) -> None:
    as_of = date(2017, 10, 2)
    poisoned = replace(lines, quantity=np.where(lines.day >= day_number(as_of), 99, lines.quantity))
    pd.testing.assert_frame_equal(
        planned_items(GROCER, poisoned, products, as_of=as_of), planned_items(GROCER, lines, products, as_of=as_of)
    )


def test_titles_can_be_read(products: pd.DataFrame, words: pd.DataFrame) -> None:
    assert words["title"].str.len().between(3, 90).all()
    assert not words["title"].str.contains(r"\b(?:FRZN|frzn|mlt|btl|excp)\b|  |,,|\($").any()
    assert not words["title"].str.isupper().any()
    assert words["category"].str.count(" > ").eq(2).all()
    by_id = dict(zip(products["product_id"], words["title"], strict=True))
    assert by_id[1082185] == "Bananas"
    assert by_id[25671] == "Ice, crushed/cubed, 22 lb, maker 2"


def test_rules_come_in_one_written_order(lines: Lines, products: pd.DataFrame) -> None:
    assert tuple(broken_rules(lines, products)) == RULES
