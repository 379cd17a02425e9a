"""Days on which an item had run out are unknown and never zeros, as far as its ledger of stock can be believed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import pandas as pd
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.catalog.models import Item
from apps.catalog.services import change_defaults
from apps.inventory.models import StockLevel, StockMovement
from apps.sales import selectors
from apps.sales.models import SaleLine
from apps.tenants.scope import tenant_context
from tests.integration.sales.test_demand_frames import AS_OF, FIRST, Shop, every_day
from tests.rows import make_row, make_tenant_row

pytestmark = pytest.mark.django_db

DAY = dt.timedelta(days=1)
START = FIRST + 20 * DAY  # a Sunday, on which stock is counted at the close
DRY = {START + n * DAY: 0.0 for n in range(10, 20)}

Move = tuple[dt.date, str, float]


@pytest.fixture
def shop() -> Any:
    tenant = make_tenant_row()
    with tenant_context(tenant.pk):
        change_defaults(actor=None, planned_units_per_week=1.0)
        made = Shop(tenant)
        made.sell(made.item(), every_day(1))  # so that no day is without any sale
        yield made


def stock(shop: Shop, item: Item, *moves: Move, origin: str = "given", **fields: Any) -> None:
    """A ledger of movements, each cause of its own."""
    StockLevel.objects.create(item=item, location=shop.location, on_hand=sum(units for *_, units in moves),
                              origin=origin)
    StockMovement.objects.bulk_create([
        StockMovement(item=item, location=shop.location, kind=kind, occurred_on=day, quantity=units,
                      reference=str(number), **fields) for number, (day, kind, units) in enumerate(moves)])


def dry_shop(shop: Shop, **fields: Any) -> Item:
    """An item that sells 2 a day, but was sold out on the ninth day after its count and empty on the ten after it."""
    item = shop.item()
    sold = {**every_day(2), **DRY}
    shop.sell(item, {day: units for day, units in sold.items() if units})
    stock(shop, item, (START, "count", 18), *sales(START + DAY, [2] * 9), (START + 20 * DAY, "receipt", 200),
          *sales(START + 20 * DAY, [2] * ((AS_OF - START).days - 20)), **fields)
    return item


def sales(since: dt.date, units: Sequence[float]) -> list[Move]:
    return [(since + n * DAY, "sale", -sold) for n, sold in enumerate(units)]


def told(shop: Shop, item: Item, **given: Any) -> tuple[list[int], list[int]]:
    """Days after START without stock, and those that ended sold out."""
    history = selectors.demand_frame(AS_OF, **given).history
    history = history[history["unique_id"] == shop.name(item)]

    def days(chosen: pd.Series) -> list[int]:
        found: list[int] = (history.loc[chosen, "ds"] - pd.Timestamp(START)).dt.days.tolist()
        return found

    return days(history["available"] == 0), days(history["sold_out"] == 1)


def selling(shop: Shop, sold: dict[int, float], *moves: tuple[int, str, float]) -> tuple[list[int], list[int]]:
    """What is told of an item by days after START: what it sold beside its movements; it sold daily before the count.
    """
    item = shop.item()
    shop.sell(item, {**every_day(2, START), **{START + day * DAY: units for day, units in sold.items()}})
    stock(shop, item, *[(START + day * DAY, kind, units) for day, kind, units in moves])
    return told(shop, item)


def until_today(first: int) -> list[int]:
    return list(range(first, (AS_OF - START).days))


def test_days_without_stock_are_unknown_and_the_day_that_ended_sold_out_says_so(shop: Shop) -> None:
    item = dry_shop(shop)
    assert told(shop, item) == (list(range(10, 20)), [9])
    history = selectors.demand_frame(AS_OF).history
    history = history[history["unique_id"] == shop.name(item)]
    assert history.loc[history["sold_out"] == 1, ["y", "available"]].to_numpy().tolist() == [[2, 1]]
    assert not history["ds"].duplicated().any()


@pytest.mark.parametrize("fields", [{"origin": "simulated"}, {"wanted": 2}], ids=["made up", "of a demo"])
def test_stock_of_a_demo_says_nothing_as_its_recorded_sales_are_what_was_asked_for(
        shop: Shop, fields: dict[str, Any]) -> None:
    assert told(shop, dry_shop(shop, **fields)) == ([], [])


def test_an_item_that_merely_stops_selling_at_nothing_is_out_until_today(shop: Shop) -> None:
    assert selling(shop, {1: 3}, (0, "count", 3), (1, "sale", -3)) == (until_today(2), [1])


def test_a_count_of_nothing_says_nothing_of_its_own_day_and_of_those_before(shop: Shop) -> None:
    assert selling(shop, {}, (0, "count", 0)) == (until_today(1), [])
    assert selling(shop, {0: 2}, (0, "count", 0)) == (until_today(1), [0]), "it sold on the day that closed at nothing"
    assert selling(shop, {1: 2}, (0, "count", 5), (1, "sale", -2), (4, "count", -3)) == (until_today(5), [])


def test_between_counts_what_was_sold_is_gone_though_no_sale_moved_stock(shop: Shop) -> None:
    """30 counted and 2 sold on each of 15 days: from the sixteenth on the shelf is empty, until something comes."""
    sold: dict[int, float] = dict.fromkeys(range(1, 16), 2)
    assert selling(shop, sold, (0, "count", 30)) == (until_today(16), [15])
    assert selling(shop, sold, (0, "count", 30), (27, "count", -30)) == (until_today(16), [15])
    came = [(20, "receipt", 5), (27, "count", -35)]
    assert selling(shop, {**sold, 20: 3}, (0, "count", 30), *came) == ([16, 17, 18, 19, *until_today(28)], [15]), (
        "two that nobody bought were gone when they were counted")
    assert selling(shop, {**sold, 30: 4}, (0, "count", 30), (27, "count", -30), (29, "receipt", 9)) == (
        list(range(16, 29)), [15])


def test_a_count_that_finds_goods_nobody_told_of_leaves_the_days_before_it_alone(shop: Shop) -> None:
    sold: dict[int, float] = {1: 2}
    assert selling(shop, sold, (0, "count", 2), (9, "count", 5)) == ([], [])
    assert selling(shop, sold, (0, "count", 2), (4, "count", -2), (9, "count", 5)) == ([2, 3, 4], [1])
    assert selling(shop, sold, (0, "count", 2), (9, "receipt", 5), (9, "count", -2)) == (list(range(2, 9)), [1])
    assert selling(shop, sold, (0, "count", 2), (5, "receipt", 1), (9, "count", 0)) == (list(range(2, 5)), [1])
    wrong = {**sold, 6: 1.0}
    assert selling(shop, wrong, (0, "count", 2), (4, "count", -2), (9, "count", 5)) == ([], []), "sales contradict it"


def test_more_sold_than_was_counted_discredits_the_count(shop: Shop) -> None:
    assert selling(shop, {1: 2, 4: 1}, (0, "count", 2), (9, "count", -2)) == ([], [])


def test_the_same_count_again_leaves_the_days_between_empty(shop: Shop) -> None:
    assert selling(shop, {}, (0, "count", 0), (3, "count", 0), (4, "count", 0)) == (until_today(1), [])


def test_stock_that_was_never_counted_is_not_known(shop: Shop) -> None:
    assert selling(shop, {1: 3}, (0, "receipt", 3), (1, "sale", -3)) == ([], [])
    assert selling(shop, {1: 3, 8: 1}, (0, "receipt", 3), (1, "sale", -3), (6, "count", 1), (8, "sale", -1)) == (
        until_today(9), [8]), "known from its first count on"


def test_a_ledger_that_sales_contradict_says_nothing_until_there_is_stock_again(shop: Shop) -> None:
    """Something was sold on the fifth day though nothing had been there for four: the count was wrong."""
    wrong = [(0, "count", 3), (1, "sale", -3), (5, "sale", -1)]
    assert selling(shop, {1: 3, 5: 1}, *wrong) == ([], [])
    again = [*wrong, (9, "count", 5), (10, "sale", -4)]
    assert selling(shop, {1: 3, 5: 1, 10: 4}, *again) == (until_today(11), [10])
    assert selling(shop, {5: 1}, (0, "count", 0)) == ([], []), "a shop that reports its stock: sales move nothing"


def test_what_comes_and_goes_within_a_day_leaves_it_no_day_without_stock(shop: Shop) -> None:
    moves = [(0, "count", 0), (4, "receipt", 2), (4, "sale", -2), (6, "receipt", 2), (6, "adjustment", -2)]
    assert selling(shop, {4: 2}, *moves) == ([1, 2, 3, 5, *until_today(7)], [4])


def test_below_zero_is_nothing_too_and_goods_or_returns_that_do_not_make_up_for_it_change_nothing(shop: Shop) -> None:
    moves = [(0, "count", 3), (1, "sale", -5), (3, "sale", 1), (5, "receipt", 1), (8, "receipt", 10)]
    assert selling(shop, {1: 5, 3: -1, 9: 2}, *moves, (9, "sale", -2)) == ([2, 3, 4, 5, 6, 7], [1])


def test_days_on_which_the_whole_shop_sold_nothing_are_told_once_and_closed_ones_stay_zeros() -> None:
    tenant = make_tenant_row()
    with tenant_context(tenant.pk):
        change_defaults(actor=None, planned_units_per_week=1.0)
        shop, missing = Shop(tenant), START + 12 * DAY
        open_days = [day for day in every_day(1) if day.isoweekday() != 7 and day != missing]
        shop.sell(shop.item(), dict.fromkeys(open_days, 1))
        item = shop.item()
        shop.sell(item, {day: 2 for day in open_days if day not in DRY})
        stock(shop, item, (START, "count", 16), (START + 9 * DAY, "sale", -16), (START + 20 * DAY, "receipt", 99))
        empty, _ended = told(shop, item)
        assert [START + day * DAY for day in empty] == [day for day in DRY if day.isoweekday() != 7]


def test_nothing_is_told_before_an_item_is_first_sold(shop: Shop) -> None:
    item = shop.item()
    shop.sell(item, {START + day * DAY: 2 for day in range(10, 20)})
    stock(shop, item, (START, "count", 0), (START + 5 * DAY, "receipt", 99))
    assert told(shop, item) == ([], [])


def test_however_many_items_ran_dry_it_is_asked_in_as_many_queries(shop: Shop) -> None:
    dry_shop(shop)
    with CaptureQueriesContext(connection) as one:
        selectors.demand_frame(AS_OF)
    for _number in range(3):
        dry_shop(shop)
    with CaptureQueriesContext(connection) as many:
        selectors.demand_frame(AS_OF)
    assert len(many) == len(one)


def test_movements_that_the_ledger_learned_of_later_are_left_out(shop: Shop) -> None:
    item, then = shop.item(), dt.datetime(2017, 12, 4, tzinfo=dt.UTC)
    for day in every_day(2, START):
        make_row(SaleLine, item=item, location=shop.location, quantity=2, recorded_at=then - 3 * DAY,
                 occurred_at=dt.datetime.combine(day, dt.time(12), tzinfo=dt.UTC))
    shop.sell(item, every_day(2, START))
    stock(shop, item, (START, "count", 0), recorded_at=then - DAY)
    assert told(shop, item, known_at=then) == (until_today(1), [])
    assert told(shop, item, known_at=then - 2 * DAY) == ([], [])


def test_an_outsider_hears_of_no_empty_shelf() -> None:
    insider, outsider = make_tenant_row(), make_tenant_row()
    with tenant_context(insider.pk):
        change_defaults(actor=None, planned_units_per_week=1.0)
        theirs = Shop(insider)
        theirs.sell(theirs.item(), every_day(1))
        assert told(theirs, dry_shop(theirs))[0]
    with tenant_context(outsider.pk):
        assert selectors.demand_frame(AS_OF).history.empty
