"""Counts, sales and receipts move stock once each, and a level is always the sum of its movements."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.catalog.models import Item
from apps.inventory import selectors, services
from apps.inventory.models import StockLevel, StockMovement
from apps.tenants.scope import tenant_context
from tests.integration.inventory.shops import (
    COUNTED_AT,
    MONDAY,
    Shop,
    assert_levels_are_the_sums_of_their_movements,
    counts,
    make_shop,
    sales,
)

pytestmark = pytest.mark.django_db

DAY = dt.timedelta(days=1)


def set_counts(shop: Shop, *rows: Any, **how: Any) -> int:
    return services.set_counts(table=counts(shop, *rows), **how)


def post(shop: Shop, *rows: tuple[Item, dt.date, float]) -> int:
    return services.post_sales(table=sales(shop, *rows))


def test_a_count_sets_the_level_and_the_same_count_again_is_nothing_new() -> None:
    shop = make_shop()
    milk, bread, _ = shop.items
    with tenant_context(shop.tenant.pk):
        assert set_counts(shop, (milk, 12), (bread, 0)) == 2
        assert set_counts(shop, (milk, 12), (bread, 0)) == 0
        assert (shop.level(milk), shop.level(bread)) == (12, 0)
        assert set_counts(shop, (milk, 15)) == 1, "a count of the same moment, corrected"
        assert set_counts(shop, (milk, 12)) == 1, "and corrected back"
        assert shop.level(milk) == 12
        assert StockMovement.objects.filter(item=milk).count() == 3
        assert_levels_are_the_sums_of_their_movements()


def test_a_count_at_midnight_closes_the_day_before_so_the_day_it_opens_still_sells() -> None:
    shop = make_shop()
    milk = shop.items[0]
    with tenant_context(shop.tenant.pk):
        set_counts(shop, (milk, 10))
        assert post(shop, (milk, MONDAY - DAY, 4), (milk, MONDAY, 3)) == 1
        assert shop.level(milk) == 7


def test_sales_of_a_day_move_stock_once_and_a_correction_by_the_difference() -> None:
    shop = make_shop()
    milk, bread, tea = shop.items
    with tenant_context(shop.tenant.pk):
        set_counts(shop, (milk, 10), (bread, 5))
        assert post(shop, (milk, MONDAY, 3), (bread, MONDAY, 2), (tea, MONDAY, 9)) == 2, "nobody counted the tea"
        assert post(shop, (milk, MONDAY, 3), (bread, MONDAY, 2)) == 0
        assert post(shop, (milk, MONDAY, 5)) == 1
        assert post(shop, (milk, MONDAY, 0)) == 1, "all of the day's sales were cancelled"
        assert (shop.level(milk), shop.level(bread)) == (10, 3)
        posted = StockMovement.objects.filter(item=milk, kind="sale").order_by("pk")
        assert [(row.reference, row.quantity) for row in posted] == [
            ("2017-12-04", -3),
            ("2017-12-04#1", -2),
            ("2017-12-04#2", 5),
        ]
        assert not StockLevel.objects.filter(item=tea).exists()
        assert_levels_are_the_sums_of_their_movements()


def test_a_real_shops_derived_stock_may_be_oversold_and_reported_stock_is_left_to_counts() -> None:
    shop = make_shop()
    milk, bread, _ = shop.items
    with tenant_context(shop.tenant.pk):
        set_counts(shop, (milk, 2))
        set_counts(shop, (bread, 2), is_reported=True)
        post(shop, (milk, MONDAY, 5), (bread, MONDAY, 5))
        assert (shop.level(milk), shop.level(bread)) == (-3, 2)


def closings(shop: Shop, item: Item) -> dict[int, float]:
    """What the ledger says was there at the close of each day that moved, by days after the first Monday."""
    days = selectors.stock_days_frame(MONDAY - 9 * DAY, MONDAY + 99 * DAY)
    days = days[days["item_id"] == item.pk]
    return {(day - MONDAY).days: units for day, units in zip(days["date"], days["closing"], strict=True)}


def test_a_count_of_a_day_before_others_is_history_and_those_others_still_hold() -> None:
    shop = make_shop()
    milk, bread, _ = shop.items
    with tenant_context(shop.tenant.pk):
        set_counts(shop, (milk, 30), (milk, 0, COUNTED_AT + 20 * DAY), (bread, 5))
        assert closings(shop, milk) == {-1: 30, 19: 0}, "two counts at once, each on its day"
        post(shop, (milk, MONDAY + 25 * DAY, 2))
        assert set_counts(shop, (milk, 12, COUNTED_AT + 10 * DAY)) == 1
        assert closings(shop, milk) == {-1: 30, 9: 12, 19: 0, 25: -2}
        assert set_counts(shop, (milk, 12, COUNTED_AT + 10 * DAY), (milk, 30)) == 0, "known already"
        assert set_counts(shop, (milk, 14, COUNTED_AT + 10 * DAY), (milk, 28), (milk, 50, COUNTED_AT - 3 * DAY)) == 3
        assert closings(shop, milk) == {-4: 50, -1: 28, 9: 14, 19: 0, 25: -2}, "counted days corrected, one before all"
        level = StockLevel.objects.get(item=milk)
        assert (level.on_hand, level.counted_at) == (-2, COUNTED_AT + 20 * DAY)
        assert set_counts(shop, (milk, 14, COUNTED_AT + 10 * DAY), (milk, 0, COUNTED_AT + 20 * DAY)) == 0
        assert_levels_are_the_sums_of_their_movements()


def test_of_several_counts_of_a_day_the_last_one_holds() -> None:
    shop, hour = make_shop(), dt.timedelta(hours=1)
    milk = shop.items[0]
    with tenant_context(shop.tenant.pk):
        assert set_counts(shop, (milk, 9, COUNTED_AT + 9 * hour), (milk, 7, COUNTED_AT + 18 * hour)) == 1
        assert set_counts(shop, (milk, 8, COUNTED_AT + 12 * hour)) == 0
        assert closings(shop, milk) == {0: 7}


def test_a_later_count_keeps_what_moved_after_its_day_and_so_does_an_older_one() -> None:
    shop = make_shop()
    milk = shop.items[0]
    with tenant_context(shop.tenant.pk):
        set_counts(shop, (milk, 10))
        post(shop, (milk, MONDAY, 3), (milk, MONDAY + DAY, 2), (milk, MONDAY + 2 * DAY, 1))
        assert set_counts(shop, (milk, 9, COUNTED_AT + 2 * DAY)) == 1, "the closing of Tuesday: 4 more than thought"
        assert shop.level(milk) == 8
        assert set_counts(shop, (milk, 100, COUNTED_AT + DAY)) == 1
        assert post(shop, (milk, MONDAY + DAY, 6)) == 0, "the count already knew"
        assert shop.level(milk) == 8
        assert_levels_are_the_sums_of_their_movements()


def test_in_a_demo_what_stock_cannot_serve_is_lost_day_by_day() -> None:
    shop = make_shop(demo_date=MONDAY)
    milk, bread, _ = shop.items
    with tenant_context(shop.tenant.pk):
        set_counts(shop, (milk, 5), (bread, 1))
        post(shop, (milk, MONDAY + DAY, 4), (milk, MONDAY, 3), (bread, MONDAY, 0), (bread, MONDAY + DAY, 1))
        assert (shop.level(milk), shop.level(bread)) == (0, 0)
        days = selectors.stock_days_frame(MONDAY, MONDAY + DAY)
        told = days.loc[days["item_id"] == milk.pk, ["sold", "wanted", "closing"]]
        assert told.values.tolist() == [[3, 3, 2], [2, 4, 0]], "two of Tuesday's four were lost"
        post(shop, (milk, MONDAY, 1))
        assert shop.level(milk) == 2, "two of Monday's sales were taken back"
        assert_levels_are_the_sums_of_their_movements()


def test_stock_at_the_opening_of_a_day_forgets_the_days_sales_and_all_that_came_later() -> None:
    shop = make_shop()
    milk = shop.items[0]
    with tenant_context(shop.tenant.pk):
        set_counts(shop, (milk, 10))
        post(shop, (milk, MONDAY, 3), (milk, MONDAY + DAY, 2))

        def opening(as_of: dt.date) -> float:
            [on_hand] = selectors.position_frame(as_of)["on_hand"].tolist()
            return float(on_hand)

        assert [opening(MONDAY + days * DAY) for days in range(4)] == [10, 7, 5, 5]


def test_another_tenants_items_are_refused_and_its_stock_untouched() -> None:
    shop, other = make_shop(), make_shop()
    milk = shop.items[0]
    with tenant_context(shop.tenant.pk):
        set_counts(shop, (milk, 10))
    with tenant_context(other.tenant.pk):
        assert post(shop, (milk, MONDAY, 3)) == 0
        assert selectors.position_frame(MONDAY).empty
    with tenant_context(shop.tenant.pk):
        assert shop.level(milk) == 10


events = st.one_of(
    st.tuples(st.just("count"), st.integers(0, 2), st.integers(0, 6), st.integers(0, 20)),
    st.tuples(st.just("sale"), st.integers(0, 2), st.integers(-1, 6), st.integers(-2, 15)),
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(story=st.lists(events, max_size=12), is_demo=st.booleans())
def test_whatever_happens_a_level_is_the_sum_of_its_movements_and_a_demos_never_falls_below_zero(
    story: list[tuple[str, int, int, int]], is_demo: bool
) -> None:
    shop = make_shop(demo_date=MONDAY if is_demo else None)
    counted: dict[Item, dict[int, float]] = {item: {} for item in shop.items}
    with tenant_context(shop.tenant.pk):
        for kind, place, day, quantity in story:
            item = shop.items[place]
            if kind == "count":
                set_counts(shop, (item, quantity, COUNTED_AT + day * DAY))
                counted[item][day - 1] = quantity
            else:
                post(shop, (item, MONDAY + day * DAY, quantity))
            assert_levels_are_the_sums_of_their_movements()
        if not is_demo:
            assert all(counted[item].items() <= closings(shop, item).items() for item in shop.items)
        if is_demo:
            running: dict[int, Decimal] = {}
            for movement in StockMovement.objects.order_by("pk"):
                running[movement.item_id] = running.get(movement.item_id, Decimal(0)) + movement.quantity
                assert running[movement.item_id] >= 0
            for sale in StockMovement.objects.filter(kind="sale"):
                assert sale.wanted is not None
