"""What a forecast may know: planned series, zeros apart from gaps, and nothing of the day itself or later."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd
import pytest

from apps.catalog.models import Item, Location
from apps.catalog.services import change_defaults
from apps.sales import selectors
from apps.sales.models import DailyDemand, Promotion
from apps.tenants.models import Tenant
from apps.tenants.scope import tenant_context
from tests.rows import make_row, make_tenant_row

pytestmark = pytest.mark.django_db

FIRST = dt.date(2017, 10, 2)
AS_OF = dt.date(2017, 12, 4)


class Shop:
    """A shop with one location, and sales written straight into its daily demand."""

    def __init__(self, tenant: Tenant) -> None:
        self.tenant = tenant
        self.location = make_row(Location)

    def item(self, **fields: Any) -> Item:
        made: Item = make_row(Item, **{"category": "Food > Dairy > Milk", "brand": "Farm", "price": 2, **fields})
        return made

    def sell(self, item: Item, days: dict[dt.date, float]) -> None:
        DailyDemand.objects.bulk_create([
            DailyDemand(item=item, location=self.location, date=day, units=units, orders=1, revenue=units * 2,
                        shelf_value=units * 3, discount=0) for day, units in days.items()])

    def name(self, item: Item) -> str:
        return f"{item.pk}/{self.location.pk}"


@pytest.fixture
def shop() -> Any:
    tenant = make_tenant_row()
    with tenant_context(tenant.pk):
        change_defaults(actor=None, planned_units_per_week=1.0)
        yield Shop(tenant)


def every_day(units: float, until: dt.date = AS_OF) -> dict[dt.date, float]:
    return {FIRST + dt.timedelta(days=n): units for n in range((until - FIRST).days)}


def missing_days() -> set[pd.Timestamp]:
    history = selectors.demand_frame(AS_OF).history
    return set(history.loc[history["available"] == 0, "ds"])


def test_items_that_sell_often_enough_are_planned_and_carry_what_is_known_of_them(shop: Shop) -> None:
    fast, slow, paused = shop.item(), shop.item(), shop.item(status="paused")
    for item in (fast, paused):
        shop.sell(item, every_day(2))
    shop.sell(slow, {FIRST: 1, FIRST + dt.timedelta(days=30): 1})
    frames = selectors.demand_frame(AS_OF)
    assert list(frames.static["unique_id"]) == [shop.name(fast)]
    [known] = frames.static.to_dict("records")
    assert (known["category"], known["department"]) == ("Food > Dairy > Milk", "Food")
    assert (known["brand"], known["price"]) == ("Farm", 3)
    assert known["start"] == pd.Timestamp(FIRST)
    assert frames.history["y"].sum() == 2 * (AS_OF - FIRST).days


def test_nothing_of_the_planning_day_or_later_is_known(shop: Shop) -> None:
    item = shop.item()
    shop.sell(item, every_day(2, AS_OF + dt.timedelta(days=3)))
    assert selectors.demand_frame(AS_OF).history["ds"].max() == pd.Timestamp(AS_OF - dt.timedelta(days=1))


def test_a_day_without_any_line_is_missing_and_a_day_without_this_item_is_a_zero(shop: Shop) -> None:
    item, other = shop.item(), shop.item()
    closed, quiet = FIRST + dt.timedelta(days=10), FIRST + dt.timedelta(days=11)
    shop.sell(item, {day: units for day, units in every_day(2).items() if day not in (closed, quiet)})
    shop.sell(other, {day: units for day, units in every_day(2).items() if day != closed})
    assert selectors.gap_days(AS_OF) == [closed]
    assert missing_days() == {pd.Timestamp(closed)}
    history = selectors.demand_frame(AS_OF).history
    assert not ((history["unique_id"] == shop.name(item)) & (history["ds"] == pd.Timestamp(quiet))).any()


def test_a_shop_that_is_closed_every_sunday_has_no_gap_and_one_whose_sales_stopped_coming_has(shop: Shop) -> None:
    item = shop.item()
    shop.sell(item, {day: 2 for day in every_day(2, AS_OF - dt.timedelta(days=3)) if day.isoweekday() != 7})
    stopped = [AS_OF - dt.timedelta(days=n) for n in (3, 2, 1)]
    assert missing_days() == {pd.Timestamp(day) for day in stopped if day.isoweekday() != 7}


def test_returns_are_netted_and_a_day_of_returns_is_no_demand(shop: Shop) -> None:
    item = shop.item()
    shop.sell(item, {**every_day(2), FIRST: -3})
    assert (selectors.demand_frame(AS_OF).history["y"] >= 0).all()


def test_what_is_known_ahead_reaches_past_the_day_and_what_is_not_does_not(shop: Shop) -> None:
    item = shop.item()
    shop.sell(item, every_day(2))
    for kind, ahead in (("mailer", True), ("display", False)):
        Promotion.objects.create(item=item, kind=kind, starts_on=AS_OF - dt.timedelta(days=2),
                                 ends_on=AS_OF + dt.timedelta(days=4), share=0.5, is_known_ahead=ahead)
    frames = selectors.demand_frame(AS_OF)
    assert frames.known_ahead == ["mailer"]
    seen = frames.covariates.set_index("ds").loc[pd.Timestamp(AS_OF - dt.timedelta(days=2)):]
    assert np.allclose(seen["mailer"], 0.5)
    assert len(seen) == 7
    assert (seen.loc[seen.index >= pd.Timestamp(AS_OF), "display"] == 0).all()
    assert (seen.loc[seen.index < pd.Timestamp(AS_OF), "display"] == 0.5).all()


def test_each_promotion_is_known_ahead_or_not_by_itself_and_not_by_its_kind(shop: Shop) -> None:
    item = shop.item()
    shop.sell(item, every_day(2))
    for days, ahead in ((-9, False), (-2, True)):
        Promotion.objects.create(item=item, kind="mailer", starts_on=AS_OF + dt.timedelta(days=days), share=0.5,
                                 ends_on=AS_OF + dt.timedelta(days=days + 6), is_known_ahead=ahead)
    Promotion.objects.create(item=item, kind="mailer", starts_on=AS_OF + dt.timedelta(days=20), share=0.5,
                             ends_on=AS_OF + dt.timedelta(days=26), is_known_ahead=False)
    frames = selectors.demand_frame(AS_OF)
    assert frames.known_ahead == ["mailer"]

    def days_of(column: str) -> list[int]:
        days = frames.covariates.loc[frames.covariates[column] > 0, "ds"]
        return sorted((days - pd.Timestamp(AS_OF)).dt.days)

    assert days_of("mailer") == [-2, -1, 0, 1, 2, 3, 4], "what was foretold reaches past the day"
    assert days_of("mailer_unforeseen") == [-9, -8, -7, -6, -5, -4, -3], "what was not is known once it has happened"


def test_a_young_shop_is_measured_by_the_weeks_it_has_and_an_empty_one_has_no_series(shop: Shop) -> None:
    assert len(selectors.demand_frame(AS_OF).static) == 0
    item = shop.item()
    shop.sell(item, {AS_OF - dt.timedelta(days=n): 1 for n in range(1, 11)})
    assert len(selectors.demand_frame(AS_OF).static) == 1


def test_what_was_planned_within_half_a_year_comes_with_what_is_planned_now(shop: Shop) -> None:
    names = {}
    for weeks_ago in (1, 20, 45, 60):
        item = shop.item()
        shop.sell(item, {AS_OF - dt.timedelta(weeks=weeks_ago, days=n): 2 for n in range(1, 100)})
        names[weeks_ago] = shop.name(item)
    frames = selectors.demand_frame(AS_OF)
    known = set(frames.static["unique_id"])
    assert {names[1], names[20], names[45]} <= known and names[60] not in known
    assert frames.pace == 1.0
    assert set(frames.planned) == {names[1], names[20]}, "six weeks of 14 units are more than 26 weeks of one"


@pytest.mark.django_db
def test_an_outsider_gets_no_demand() -> None:
    insider, outsider = make_tenant_row(), make_tenant_row()
    with tenant_context(insider.pk):
        theirs = Shop(insider)
        theirs.sell(theirs.item(), every_day(2))
        assert len(selectors.demand_frame(AS_OF).static) == 1
    with tenant_context(outsider.pk):
        frames = selectors.demand_frame(AS_OF)
        assert len(frames.static) == len(frames.history) == len(frames.covariates) == 0
        assert selectors.history_range() == (None, None)


def test_the_assumptions_that_move_the_most_money_come_first(shop: Shop) -> None:
    """By hand: 3 a day at a cost of 1.2 (0.6 of the price), bought every 7 days with a lead time of 14 +- 4."""
    for _number in range(2):
        shop.sell(shop.item(price=2, unit_cost=None), every_day(3))
    shop.sell(shop.item(price=2, unit_cost=None), {FIRST: 1})  # too slow to be planned: nothing rests on it
    a_day = 2 * 3 * 1.2
    found: list[Any] = [(each.name, each.items, each.money) for each in selectors.leading_assumptions(AS_OF)]
    assert found == [(name, 2, pytest.approx(a_day * days)) for name, days in (
        ("unit_cost", 14 + 7), ("lead_time_days", 14), ("review_period_days", 7), ("holding_cost_rate", 21 * 0.25),
        ("lead_time_spread_days", 4))]


# --- What one brings ----------------------------------------------------------------------------------------------

def test_money_is_reckoned_at_what_customers_paid_lately_as_known_on_that_morning(shop: Shop) -> None:
    """By hand: 20 at 2 and 10 at 1 are 1.6667 on average; given away, long ago or too few say nothing."""
    sold, given, few, old, unpriced = (shop.item(price=price, unit_cost=1) for price in (9, 9, 9, 9, None))
    day = AS_OF - dt.timedelta(days=1)

    def bring(item: Item, date: dt.date, units: float, revenue: float) -> None:
        DailyDemand.objects.create(item=item, location=shop.location, date=date, units=units, orders=1,
                                   revenue=revenue, shelf_value=9 * units, discount=0)

    for place, (units, revenue) in enumerate([(20, 40), (10, 10), (5, 0), (-2, -18)]):
        bring(sold, day - dt.timedelta(days=place), units, revenue)
    bring(sold, AS_OF, 10, 90)  # not known yet
    bring(given, day, 30, 0)
    bring(few, day, 2, 4)
    bring(old, AS_OF - dt.timedelta(days=92), 30, 60)
    bring(unpriced, day, 3, 6)
    terms = selectors.earning_terms(AS_OF).set_index("item_id")
    assert terms["price"].round(4).to_dict() == {
        sold.pk: 1.6667, given.pk: 9, few.pk: 9, old.pk: 9, unpriced.pk: 2}
    assert not any("price" in names for names in terms.loc[[unpriced.pk], "assumed"])
    assert "price" not in {each.name for each in selectors.leading_assumptions(AS_OF)}
    later = selectors.earning_terms(AS_OF + dt.timedelta(days=1)).set_index("item_id")
    assert later.loc[sold.pk, "price"] == 3.5, "140 for 40"
    assert selectors.earning_terms(AS_OF - dt.timedelta(days=5)).set_index("item_id").loc[sold.pk, "price"] == 9
