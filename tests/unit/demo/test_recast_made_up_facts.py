"""Made-up facts follow their written rules and are the same everywhere and always."""

import hashlib
from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.demo.recast.draws import draws
from apps.demo.recast.prices import unit_costs
from apps.demo.recast.promotions import merge_runs
from apps.demo.recast.shops import SHOPS
from apps.demo.recast.stock import opening_stock, reorder_points
from apps.demo.recast.terms import PACK_SIZES, maker_names, pack_sizes, supplier_terms

GROCER = SHOPS["corner-grocer"]


def products_of(makers: list[int], departments: list[str]) -> pd.DataFrame:
    ids = np.arange(len(makers)) + 1000
    return pd.DataFrame({"product_id": ids, "manufacturer_id": makers, "department": departments, "odd": ""})


def plan_of(products: pd.DataFrame, units_per_week: float, value: float) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "product": np.arange(len(products)),
            "product_id": products["product_id"],
            "units_per_week": units_per_week,
            "shelf_value_per_year": value,
        }
    )


def terms_of(products: pd.DataFrame, planned: pd.DataFrame) -> pd.DataFrame:
    everything = np.ones(len(products), dtype=bool)
    return supplier_terms(GROCER, products, planned, np.full(len(products), 2.0), everything)


def test_draws_agree_with_splitmix64_in_whole_numbers() -> None:
    start = int.from_bytes(hashlib.blake2b(b"any purpose", digest_size=8).digest(), "big")
    keys = [0, 1, 69, 17_959_460, -3]
    expected = []
    for key in keys:
        mixed = (key * 0x9E3779B97F4A7C15 + start) % 2**64
        mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) % 2**64
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) % 2**64
        expected.append(((mixed ^ (mixed >> 31)) >> 11) / 2**53)
    assert draws(keys, "any purpose").tolist() == expected


def test_draws_are_even_and_unrelated_between_purposes() -> None:
    keys = np.arange(20_000)
    one, other = draws(keys, "one"), draws(keys, "other")
    tenths = np.histogram(one, bins=10, range=(0, 1))[0]
    assert abs(tenths - 2_000).max() < 5 * np.sqrt(2_000)
    assert abs(np.corrcoef(one, other)[0, 1]) < 5 / np.sqrt(len(keys))


@given(st.lists(st.integers(-(2**62), 2**62), min_size=1, max_size=30, unique=True))
def test_a_draw_does_not_move_when_other_keys_come_or_go(keys: list[int]) -> None:
    by_key = dict(zip(keys, draws(keys, "purpose").tolist(), strict=True))
    for key in keys[::-1]:
        assert draws([key], "purpose").tolist() == [by_key[key]]
        assert 0 <= by_key[key] < 1


@given(st.lists(st.floats(0, 200), min_size=1, max_size=20))
def test_a_pack_is_the_largest_that_sells_within_two_weeks(per_week: list[float]) -> None:
    chosen = pack_sizes(np.array(per_week))
    for rate, pack in zip(per_week, chosen.tolist(), strict=True):
        fitting = [size for size in PACK_SIZES.tolist() if size <= 2 * rate]
        assert pack == max(fitting, default=1)


def test_no_two_makers_share_a_name() -> None:
    ids = np.arange(1, 6_478)
    names = maker_names(ids, ["GROCERY"] * len(ids))
    assert len({name.split(" (")[0] for name in names}) == len(ids)
    assert names[68].endswith("(maker 69)")


@pytest.mark.parametrize(
    ("items", "value_each", "is_supplier"), [(5, 1_000, True), (4, 50_000, False), (5, 999, False), (9, 600, True)]
)
def test_a_maker_is_a_supplier_from_five_planned_items_and_5000_dollars_a_year(
    items: int, value_each: float, is_supplier: bool
) -> None:
    products = products_of([7] * items + [8], ["GROCERY"] * (items + 1))
    terms = terms_of(products, plan_of(products, 3.0, value_each))
    suppliers = terms.groupby("product")["supplier"].first()
    assert suppliers[items] == "Grocery wholesale"
    expected = maker_names(np.array([7]), ["GROCERY"]) if is_supplier else ["Grocery wholesale"]
    assert suppliers[:items].unique().tolist() == expected


def test_terms_lie_within_their_written_ranges() -> None:
    makers = np.repeat(np.arange(1, 401), 5).tolist()
    departments = ["GROCERY", "DRUG GM", "PRODUCE", "COSMETICS"]
    products = products_of(makers, [departments[maker % 4] for maker in makers])
    terms = terms_of(products, plan_of(products, 3.0, 2_000))
    lead = terms["lead_time_days"]
    assert (lead.between(3, 7) | lead.between(14, 21) | lead.between(35, 56)).all()
    assert lead[terms["department"] == "PRODUCE"].between(3, 7).all()
    assert {3, 14, 35} <= {3 if days <= 7 else 14 if days <= 21 else 35 for days in lead}
    assert terms["lead_time_spread_days"].between(0.5, 0.35 * 56).all()
    assert (terms["moq"] % terms["pack_size"] == 0).all()
    assert (terms["minimum_order_value"] >= 0).all()
    for column in ("lead_time_days", "lead_time_spread_days", "review_period_days", "minimum_order_value"):
        assert (terms.groupby("supplier")[column].nunique() == 1).all()


def test_a_supplier_has_the_same_name_and_lead_time_in_every_shop() -> None:
    products = products_of([7] * 6 + [8] * 6, ["DRUG GM"] * 12)
    all_planned = plan_of(products, 3.0, 2_000)
    one = terms_of(products, all_planned)
    other = terms_of(products.iloc[:6].reset_index(drop=True), all_planned[:6])
    terms = ["supplier", "lead_time_days", "lead_time_spread_days", "review_period_days"]
    pd.testing.assert_frame_equal(one[one["product"] < 6][terms], other[terms])


def test_cost_is_the_departments_share_of_the_price_and_at_least_a_cent() -> None:
    products = products_of([1, 1, 1, 1], ["GROCERY", "DRUG GM", "GROCERY", "NOT IN THE LIST"])
    costs = unit_costs(np.array([10.0, 10.0, 0.01, 10.0]), np.array([10.0, 8.0, 0.01, np.nan]), products)
    assert costs.tolist() == [6.0, 6.2, 0.01, 6.5]


def test_what_is_nearly_always_discounted_costs_no_more_than_a_share_of_what_is_paid() -> None:
    products = products_of([1, 1], ["DRUG GM", "GROCERY"])
    assert unit_costs(np.array([10.0, 10.0]), np.array([5.0, 7.2]), products).tolist() == [4.25, 6.0]


def test_a_reorder_point_covers_the_lead_time_and_grows_with_its_spread() -> None:
    per_week, lead = np.array([7.0, 7.0, 0.01]), np.array([14, 14, 3])
    assert reorder_points(per_week, lead, np.array([0.0, 10.0, 0.5])).tolist() == [19, 28, 1]


@given(
    st.lists(st.tuples(st.floats(0.25, 80), st.integers(3, 56), st.integers(0, 4)), min_size=1, max_size=30),
    st.dates(date(2017, 7, 3), date(2017, 12, 31)),
)
def test_opening_stock_lies_where_its_state_says(items: list[tuple[float, int, int]], as_of: date) -> None:
    rates, leads, packs = (np.array(column) for column in zip(*items, strict=True))
    products = products_of([1] * len(items), ["GROCERY"] * len(items))
    planned = plan_of(products, 1.0, 1.0).assign(units_per_week=rates)
    terms = pd.DataFrame(
        {
            "product": planned["product"],
            "lead_time_days": leads,
            "lead_time_spread_days": leads * 0.2,
            "review_period_days": 7,
            "pack_size": PACK_SIZES[packs],
        }
    )
    stock = opening_stock(planned, terms, as_of=as_of)
    below, over = stock["state"].eq("below"), stock["state"].eq("overstocked")
    assert (stock["on_hand"] >= 0).all()
    assert (stock["on_hand"] < stock["reorder_point"])[below].all()
    assert (stock["on_hand"] >= stock["order_up_to_level"] + np.floor(8 * rates))[over].all()
    assert stock["on_hand"].between(stock["reorder_point"], stock["order_up_to_level"])[~below & ~over].all()


def weekly(weeks: dict[int, float]) -> pd.DataFrame:
    starts = np.datetime64("2017-01-02") + np.array(list(weeks), dtype="timedelta64[W]").astype("timedelta64[D]")
    return pd.DataFrame({"product_id": 1, "kind": "mailer", "week_starts_on": starts, "share": list(weeks.values())})


@settings(max_examples=40)
@given(st.dictionaries(st.integers(0, 51), st.sampled_from([0.0, 0.04, 0.05, 0.5, 0.501, 1.0]), min_size=1))
def test_runs_say_of_every_day_what_the_weeks_said(weeks: dict[int, float]) -> None:
    runs = merge_runs(weekly(weeks))
    told = {
        day: share
        for start, end, share in zip(runs["starts_on"], runs["ends_on"], runs["share"], strict=True)
        for day in pd.date_range(start, end)
    }
    monday = pd.Timestamp("2017-01-02")
    expected = {
        monday + pd.Timedelta(days=7 * week + day): round(share, 2)
        for week, share in weeks.items()
        for day in range(7)
        if share >= 0.05
    }
    assert told == expected
    follows = (runs["starts_on"].shift(-1) - runs["ends_on"]).dt.days.eq(1)
    assert not (follows & runs["share"].eq(runs["share"].shift(-1))).any()
