"""The summary table says what the facts say: each column is reckoned again here, item by item, in plain Python."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from contextlib import AbstractContextManager
from decimal import Decimal
from functools import partial
from importlib import import_module
from math import inf
from statistics import mean, pstdev
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connection

from apps.catalog.models import Location, PlanningDefaults, SupplyTerm
from apps.forecasting.models import ForecastRun, SeriesForecast
from apps.forecasting.selectors import demand_paths
from apps.inventory.models import PurchaseOrder, PurchaseOrderLine, StockLevel
from apps.inventory.services import (
    ReceivedLine,
    approve_order,
    cancel_order,
    mark_sent,
    post_sales,
    receive_lines,
    set_counts,
)
from apps.optimization.models import Recommendation
from apps.optimization.selectors import recommendation_rows
from apps.optimization.services import Choice, decide_many, dismiss
from apps.portal.models import ItemSummary
from apps.portal.selectors.items import Filters, export_rows, summaries
from apps.portal.services import refresh_summaries
from apps.portal.templatetags.portal_figures import lasts_note, whole_days
from apps.sales.models import DailyDemand
from apps.tenants.figures import day_short
from apps.tenants.scope import tenant_context
from tests.integration.inventory.people import page, signed_in
from tests.integration.inventory.shops import MONDAY, Shop, counts, make_shop, sales
from tests.integration.optimization.planned_shops import (
    forecast_for,
    make_planned_shop,
    put_on_hand,
    run_plan,
)
from tests.integration.portal.stocked_shops import DAY, make_stocked_shop, refreshed, sell
from tests.integration.portal.test_pages import data_of

pytestmark = pytest.mark.django_db


def summary(shop: Shop, place: int) -> ItemSummary:
    found: ItemSummary = ItemSummary.objects.get(item=shop.items[place])
    return found


def test_sales_are_counted_to_the_day_before_and_by_their_windows() -> None:
    shop = make_shop(2)
    with tenant_context(shop.tenant.pk):
        for days_ago, units in ((0, 99), (1, 3), (28, 4), (29, 5), (182, 7), (183, 11)):
            sell(shop, 0, days_ago, units)
    refreshed(shop)
    with tenant_context(shop.tenant.pk):
        found = summary(shop, 0)
        assert found.units_28d == 3 + 4
        assert found.revenue_28d == (3 + 4) * 3
        assert found.weekly_units == pytest.approx((3 + 4 + 5 + 7) / 26)
        assert found.last_sold_on == MONDAY - DAY
        assert summary(shop, 1).last_sold_on is None


def test_a_young_shop_is_not_divided_by_weeks_it_did_not_have() -> None:
    shop = make_shop(1)
    with tenant_context(shop.tenant.pk):
        for days_ago in range(1, 15):
            sell(shop, 0, days_ago, 1)
    refreshed(shop)
    with tenant_context(shop.tenant.pk):
        assert summary(shop, 0).weekly_units == pytest.approx(7)


def test_classes_hold_the_first_80_percent_of_the_money_then_the_next_15() -> None:
    shop = make_shop(6)
    revenues = [500, 290, 100, 60, 50, 0]
    with tenant_context(shop.tenant.pk):
        for place, revenue in enumerate(revenues[:5]):
            sell(shop, place, 3, 1, revenue)
    refreshed(shop)
    with tenant_context(shop.tenant.pk):
        above, expected = 0.0, []
        for revenue in revenues:
            part = above / sum(revenues)
            expected.append("" if not revenue else "A" if part < 0.8 else "B" if part < 0.95 else "C")
            above += revenue
        assert [summary(shop, place).abc for place in range(6)] == expected == ["A", "A", "A", "B", "C", ""]


WEEKS = {  # units of each week, the newest last
    "smooth, X": [10, 11] * 13,
    "erratic, Y": [2, 3, 2, 3, 4, 12] * 4 + [2, 3],
    "intermittent, Z": [0, 0, 5] * 8 + [0, 5],
    "lumpy, Z": [0, 0, 1, 0, 30, 0, 0, 2] * 3 + [0, 1],
    "smooth, Y": [20] * 13 + [0, 20, 20, 0, 20, 20, 20, 20, 0, 20, 20, 20, 20],
    "smooth, X since ten weeks": [7] * 10,
    "too young": [5] * 7,
    "intermittent, Z and gone": [4] * 8 + [0] * 18,
}


def test_steadiness_and_kind_of_demand_are_those_of_the_weeks_of_half_a_year() -> None:
    shop = make_shop(len(WEEKS))
    with tenant_context(shop.tenant.pk):
        for place, weeks in enumerate(WEEKS.values()):
            for ago, units in enumerate(reversed(weeks)):
                for days_ago in (1 + 7 * ago, 7 + 7 * ago):  # the first and the last day of each week
                    if units:
                        sell(shop, place, days_ago, units / 2)
    refreshed(shop)
    with tenant_context(shop.tenant.pk):
        for place, (name, weeks) in enumerate(WEEKS.items()):
            found, busy, recent = summary(shop, place), [each for each in weeks if each], weeks[-13:]
            gaps, unlike = len(weeks) / len(busy), (pstdev(busy) / mean(busy)) ** 2
            kind = ("lumpy" if unlike >= 0.49 else "intermittent") if gaps >= 1.32 else (
                "erratic" if unlike >= 0.49 else "smooth")
            varied = pstdev(recent) / mean(recent) if any(recent) else inf
            letter = "X" if varied < 0.5 else "Y" if varied < 1 else "Z"
            expected = ("", "") if len(weeks) < 8 else (kind, letter)
            assert (found.demand, found.xyz) == expected, name
            if "," in name:
                assert name.startswith(f"{found.demand}, {found.xyz}"), "the example is what it is called"
        assert [row.item for row in summaries(Filters(demand="lumpy"))] == [shop.items[3]]
        assert {row.xyz for row in summaries(Filters(rank="AX"))} == {"X"}


def test_an_item_is_planned_when_it_is_forecast_on_request_when_not_and_unsold_before_its_first_sale() -> None:
    shop = make_stocked_shop(4)
    with tenant_context(shop.tenant.pk):
        SeriesForecast.objects.filter(item__in=shop.items[2:]).delete()
        DailyDemand.objects.filter(item=shop.items[3]).delete()
    refreshed(shop)
    with tenant_context(shop.tenant.pk):
        assert [summary(shop, place).planning for place in range(4)] == ["planned", "planned", "on_request", "unsold"]


def test_before_any_forecast_the_rule_of_the_defaults_says_what_will_be_planned() -> None:
    shop = make_shop(2)
    with tenant_context(shop.tenant.pk):
        PlanningDefaults.objects.create(tenant=shop.tenant, planned_units_per_week=1)
        for days_ago in range(7, 78, 7):
            sell(shop, 0, days_ago, 2)
        sell(shop, 1, 70, 2)
    refreshed(shop)
    with tenant_context(shop.tenant.pk):
        assert [summary(shop, place).planning for place in range(2)] == ["planned", "on_request"]


@pytest.mark.parametrize(("term_cost", "item_cost", "expected", "origin"), [
    (Decimal("1.25"), Decimal(2), Decimal("1.25"), "simulated"), (None, Decimal(2), Decimal(2), "given"),
    (None, None, Decimal("1.80"), "assumed"),
])
def test_the_cost_is_the_suppliers_then_the_items_then_assumed(
        term_cost: Decimal | None, item_cost: Decimal | None, expected: Decimal, origin: str) -> None:
    shop = make_shop(1)
    with tenant_context(shop.tenant.pk):
        PlanningDefaults.objects.create(tenant=shop.tenant, cost_share=0.6)
        shop.items[0].unit_cost = item_cost
        shop.items[0].save()
        SupplyTerm.objects.create(item=shop.items[0], supplier=shop.suppliers[0], unit_cost=term_cost,
                                  simulated=["unit_cost"] if term_cost else [])
    refreshed(shop)
    with tenant_context(shop.tenant.pk):
        found = summary(shop, 0)
        assert (found.unit_cost, found.cost_origin, found.supplier_name) == (expected, origin, "Alder Foods")


def test_stock_and_what_is_on_its_way_are_added_up_and_what_has_come_left_out() -> None:
    shop = make_shop(2)
    with tenant_context(shop.tenant.pk):
        put_on_hand(shop, shop.items[0], 17)
        for number, (status, received) in enumerate([("draft", 0), ("partly_received", 4), ("received", 0),
                                                     ("cancelled", 0)]):
            order = PurchaseOrder.objects.create(number=f"PO-{number}", supplier=shop.suppliers[0], currency="USD",
                                                 location=shop.location, status=status)
            PurchaseOrderLine.objects.create(order=order, item=shop.items[0], quantity=10, unit_cost=2,
                                             received_quantity=received, expected_on=MONDAY)
    refreshed(shop)
    with tenant_context(shop.tenant.pk):
        assert (summary(shop, 0).on_hand, summary(shop, 0).on_order) == (17, 10 + 6)
        assert (summary(shop, 1).on_hand, summary(shop, 1).on_order) == (None, 0)


def test_only_open_advice_is_advised_and_at_risk() -> None:
    shop = make_stocked_shop(3)
    with tenant_context(shop.tenant.pk):
        Recommendation.objects.filter(item=shop.items[1]).update(state="approved")
    refreshed(shop)
    with tenant_context(shop.tenant.pk):
        for place, item in enumerate(shop.items):
            line, found = Recommendation.objects.get(item=item), summary(shop, place)
            is_open = line.state == "open"
            assert found.recommended == (line.quantity if is_open else 0)
            assert (found.money_at_risk > 0) is is_open


def make_varied_shop() -> Shop:
    """Items of which there is nothing, little and plenty, sold by the day and by the month, on orders of every kind."""
    shop = make_planned_shop(40, demo_date=MONDAY)
    with tenant_context(shop.tenant.pk):
        for place, item in enumerate(shop.items):
            StockLevel.objects.filter(item=item).update(on_hand=[-1, 0, 1, 2.5, 5, 8, 13, 21, 40, 90][place % 10])
        StockLevel.objects.filter(item=shop.items[39]).delete()
        SeriesForecast.objects.filter(item__in=shop.items[10:20]).update(
            mean=[0.06] * 28 + [0.4] * 4, recipe=[0.4, 0.6])
        SeriesForecast.objects.filter(item__in=shop.items[29:30]).update(mean=[0] * 32)
        for number, status in enumerate(("draft", "approved", "sent")):
            order = PurchaseOrder.objects.create(number=f"PO-{number}", supplier=shop.suppliers[0], currency="USD",
                                                 location=shop.location, status=status, ordered_on=MONDAY - DAY)
            PurchaseOrderLine.objects.bulk_create([
                PurchaseOrderLine(order=order, item=item, quantity=12, unit_cost=2, expected_on=MONDAY + 3 * DAY)
                for item in shop.items[number:36:4]])
    return shop


def test_stock_lasts_as_the_plan_of_the_same_facts_says_to_the_day() -> None:
    shop = make_varied_shop()
    run_plan(shop)
    refreshed(shop)
    client = signed_in(shop)
    with tenant_context(shop.tenant.pk):
        lines = {line.item_id: line for line in Recommendation.objects.all()}
        found = {each.item_id: each for each in ItemSummary.objects.all()}
        told = {pk: (each.stockout_on, each.lasts_from) for pk, each in found.items()}
        uncounted = shop.items[39].pk
        assert told == {pk: (line.stockout_on, None if pk == uncounted else MONDAY) for pk, line in lines.items()}
        assert len(set(told.values())) > 8 and told[shop.items[29].pk] == (None, MONDAY)
        for pk, line in lines.items():
            assert found[pk].days_of_cover == (None if pk == uncounted else line.days_of_cover)
    for line in lines.values():
        text = page(client, f"/items/{line.item_id}/").split('class="grid"')[0]
        why = page(client, f"/replenish/{line.pk}/", HTTP_HX_REQUEST="true").split("On hand covers</dt><dd>")[1]
        covers = why.split("<")[0].removesuffix(" of expected sales")
        assert covers in ("not known" if line.item_id == uncounted else text)
        if line.stockout_on and line.on_hand > 0:
            assert (f"likely out {day_short(line.stockout_on)}" in text) or line.stockout_on == MONDAY


def test_a_plan_says_that_it_cannot_tell_when_what_nobody_counted_runs_out() -> None:
    shop = make_planned_shop(1, demo_date=MONDAY)
    with tenant_context(shop.tenant.pk):
        StockLevel.objects.all().delete()
    run_plan(shop)
    refreshed(shop)
    client = signed_in(shop)
    with tenant_context(shop.tenant.pk):
        line = Recommendation.objects.get()
    for path in ("/", "/replenish/", f"/replenish/{line.pk}/"):
        text = page(client, path)
        assert "not known" in text and "is out" not in text and "not soon" not in text, path
    assert "0 days" not in page(client, f"/replenish/{line.pk}/").split("Lead time")[0]
    assert ";;" in page(client, "/replenish/export/") or ",," in page(client, "/replenish/export/")


def test_of_several_places_it_is_told_how_long_stock_lasts_where_it_ends_first() -> None:
    shop = make_stocked_shop(1)
    with tenant_context(shop.tenant.pk):
        north = Location.objects.create(code="north", name="North")
        item, [series] = shop.items[0], SeriesForecast.objects.all()
        for place, units in ((north, 9), (shop.location, 6)):
            StockLevel.objects.update_or_create(item=item, location=place, defaults={"on_hand": units})
        series.pk, series.location = None, north
        series.save()
        order = PurchaseOrder.objects.create(number="PO-1", supplier=shop.suppliers[0], currency="USD",
                                             location=shop.location, status="sent", ordered_on=MONDAY - DAY)
        PurchaseOrderLine.objects.create(order=order, item=item, quantity=60, unit_cost=2, expected_on=MONDAY + DAY)
    refreshed(shop)
    client, path = signed_in(shop), f"/items/{shop.items[0].pk}/"
    with tenant_context(shop.tenant.pk):
        found = summary(shop, 0)
        assert (found.lasts_at, found.on_hand) == (north.pk, 15) and found.days_of_cover == pytest.approx(4.5)
        assert found.stockout_on is not None
    text = page(client, path)
    chart = data_of(text, "projection")
    assert "How the stock will run at North, where it ends first" in text
    assert f"of expected sales; likely out {day_short(found.stockout_on)} at North" in text
    assert chart["markers"][0]["x"] == found.stockout_on.isoformat()
    closing = dict(zip(chart["x"], chart["series"][0]["values"], strict=True))
    assert chart["series"][0]["values"][0] == pytest.approx(7, abs=0.5), "of the 9 that are there"
    assert closing[found.stockout_on.isoformat()] < 2
    with tenant_context(shop.tenant.pk):
        for place, units in ((north, 700), (shop.location, 900)):
            StockLevel.objects.filter(location=place).update(on_hand=units)
    refreshed(shop)
    with tenant_context(shop.tenant.pk):
        found = summary(shop, 0)
        assert found.stockout_on is None and found.lasts_at == north.pk
        assert found.days_of_cover == pytest.approx(350)


@pytest.mark.parametrize(("days", "words"), [(12.5, "12 days"), (13.5, "13 days"), (6.99, "6 days"), (1.2, "1 day"),
                                             (0.4, "under a day"), (0, "0 days"), (4.9999999999, "5 days")])
def test_cover_is_told_in_days_that_are_covered_wholly(days: float, words: str) -> None:
    shop = make_stocked_shop(1)
    with tenant_context(shop.tenant.pk):
        ItemSummary.objects.update(days_of_cover=days)
        Recommendation.objects.update(days_of_cover=days)
        line = Recommendation.objects.get()
        assert whole_days(days) == words
        row = dict(zip(*map(list, export_rows(Filters())), strict=True))
        told = dict(zip(*map(list, recommendation_rows(Recommendation.objects.all())), strict=True))
        assert row["Days of cover"] == told["Days of cover"] == int("0" if days < 1 else words.removesuffix("s")[:-4])
    client = signed_in(shop)
    for path in ("/items/", f"/items/{line.item_id}/", f"/replenish/{line.pk}/"):
        assert words in page(client, path), path


@pytest.mark.parametrize("level_variance", [0.02, 0.3, 1.0, 2.5, 4.0])
def test_the_run_out_day_is_the_one_that_the_forecasts_own_distribution_gives(level_variance: float) -> None:
    shop = make_shop(12)
    on_hand = [1, 2, 3, 4, 5, 6, 8, 10, 14, 20, 30, 60]
    with tenant_context(shop.tenant.pk):
        for item, units in zip(shop.items, on_hand, strict=True):
            put_on_hand(shop, item, units)
        run = forecast_for(shop, 7, level_variance=level_variance)
        forecast = demand_paths(run).forecast
    refreshed(shop)
    medians = [forecast.sum_quantiles([0.5], days)[0, 0] for days in range(1, forecast.grid.horizon_days + 1)]
    with tenant_context(shop.tenant.pk):
        for place, units in enumerate(on_hand):
            exact = next((day for day, median in enumerate(medians) if median > units), len(medians))
            found = summary(shop, place).stockout_on
            days = (found - MONDAY).days if found else len(medians)
            assert abs(days - exact) <= max(1, 0.07 * exact), units


def test_what_is_on_its_way_moves_the_run_out_day_and_not_the_cover_of_what_is_there() -> None:
    shop = make_shop(2)
    with tenant_context(shop.tenant.pk):
        for item in shop.items:
            put_on_hand(shop, item, 10)
        forecast_for(shop, 14)
        order = PurchaseOrder.objects.create(number="PO-1", supplier=shop.suppliers[0], currency="USD",
                                             location=shop.location, status="sent", ordered_on=MONDAY - DAY)
        PurchaseOrderLine.objects.create(order=order, item=shop.items[0], quantity=20, unit_cost=2,
                                         expected_on=MONDAY + 3 * DAY)
    refreshed(shop)
    with tenant_context(shop.tenant.pk):
        helped, other = summary(shop, 0), summary(shop, 1)
        assert helped.days_of_cover == other.days_of_cover == 5
        assert helped.stockout_on is not None and other.stockout_on is not None
        assert other.stockout_on <= MONDAY + 6 * DAY < MONDAY + 13 * DAY <= helped.stockout_on


def test_what_neither_is_forecast_nor_sold_says_what_is_known_of_it() -> None:
    shop = make_shop(3, demo_date=MONDAY)
    with tenant_context(shop.tenant.pk):
        put_on_hand(shop, shop.items[0], 5)
        put_on_hand(shop, shop.items[1], 0)
    refreshed(shop)
    client = signed_in(shop)
    with tenant_context(shop.tenant.pk):
        said = [lasts_note(summary(shop, place), MONDAY) for place in range(3)]
        assert said == ["nothing sold in half a year", "out of stock", ""]
        assert all("–" in whole_days(summary(shop, place).days_of_cover) for place in range(3))
    for path in ("/items/", *(f"/items/{item.pk}/" for item in shop.items)):
        text = page(client, path)
        assert ">None<" not in text and "0 days" not in text.split('class="grid"')[0], path


def test_what_is_forecast_to_sell_nothing_lasts_however_much_it_sold_before() -> None:
    shop = make_shop(3)
    with tenant_context(shop.tenant.pk):
        for place, units in enumerate((4, 0, 4)):
            put_on_hand(shop, shop.items[place], units)
            sell(shop, place, 1, 28)
        forecast_for(shop, 0, items=shop.items[:2])
    refreshed(shop)
    with tenant_context(shop.tenant.pk):
        lasting, out, paced = (summary(shop, place) for place in range(3))
        assert (whole_days(lasting.days_of_cover), lasts_note(lasting, MONDAY)) == (
            "over a year", "of expected sales; no stockout in sight")
        assert (out.days_of_cover, lasts_note(out, MONDAY)) == (0, "out of stock")
        assert (paced.days_of_cover, paced.lasts_from) == (1, None)
        assert lasts_note(paced, MONDAY) == "at the pace of the last half year"


def test_a_draft_puts_the_run_out_day_off_once_it_is_approved(
        django_capture_on_commit_callbacks: Callable[..., AbstractContextManager[Any]]) -> None:
    shop = make_shop(1, demo_date=MONDAY)
    with tenant_context(shop.tenant.pk):
        put_on_hand(shop, shop.items[0], 10)
        forecast_for(shop, 14)
        order = PurchaseOrder.objects.create(number="PO-1", supplier=shop.suppliers[0], currency="USD",
                                             location=shop.location, status="draft", ordered_on=MONDAY)
        PurchaseOrderLine.objects.create(order=order, item=shop.items[0], quantity=20, unit_cost=2,
                                         expected_on=MONDAY + 3 * DAY)
    refreshed(shop)
    with tenant_context(shop.tenant.pk):
        drafted = summary(shop, 0)
        assert (drafted.on_order, drafted.stockout_on) == (20, MONDAY + 5 * DAY)
    days = []
    for act in (approve_order, partial(mark_sent, sent_on=MONDAY)):
        with django_capture_on_commit_callbacks(execute=True), tenant_context(shop.tenant.pk):
            act(order_id=order.pk, actor=None)
        with tenant_context(shop.tenant.pk):
            days.append(summary(shop, 0).stockout_on)
    assert days == [MONDAY + 15 * DAY] * 2


def test_what_is_out_of_stock_runs_out_today_whatever_the_plan_expected() -> None:
    shop = make_stocked_shop(2)
    with tenant_context(shop.tenant.pk):
        StockLevel.objects.filter(item=shop.items[0]).update(on_hand=0)
        Recommendation.objects.update(stockout_on=MONDAY + 9 * DAY, days_of_cover=9)
    refreshed(shop)
    with tenant_context(shop.tenant.pk):
        assert (summary(shop, 0).days_of_cover, summary(shop, 0).stockout_on) == (0, MONDAY)
        assert summary(shop, 1).days_of_cover == pytest.approx(1)


def test_of_an_older_forecast_only_the_days_from_today_on_are_left_and_of_today_what_is_not_sold_yet() -> None:
    shop = make_shop(1)
    with tenant_context(shop.tenant.pk):
        put_on_hand(shop, shop.items[0], 6)
        run = forecast_for(shop, 7, as_of=MONDAY - 3 * DAY)
        series = SeriesForecast.objects.get()
        series.mean = [100.0] * 3 + [2.0] * (run.days - 3) + [14.0] * run.weeks
        series.save()
    refreshed(shop)
    with tenant_context(shop.tenant.pk):
        assert summary(shop, 0).days_of_cover == pytest.approx(3)
        sell(shop, 0, 0, 2)
    refreshed(shop)
    with tenant_context(shop.tenant.pk):
        assert summary(shop, 0).days_of_cover == pytest.approx(4), "today's two are sold: they are not to come as well"


@pytest.mark.parametrize(("as_of", "changes", "days"), [
    (MONDAY, {"is_replay": True}, 5), (MONDAY, {"is_complete": False}, 5), (MONDAY + DAY, {}, 5), (MONDAY - DAY, {}, 5),
    (MONDAY, {}, 1),
])
def test_stock_lasts_by_the_newest_whole_forecast_of_the_day_or_before(
        as_of: dt.date, changes: dict[str, Any], days: int) -> None:
    shop = make_shop(1)
    with tenant_context(shop.tenant.pk):
        put_on_hand(shop, shop.items[0], 10)
        forecast_for(shop, 14)
        later = forecast_for(shop, 70, as_of=as_of, fingerprint="others")
        ForecastRun.objects.filter(pk=later.pk).update(**changes)
    refreshed(shop)
    with tenant_context(shop.tenant.pk):
        assert summary(shop, 0).days_of_cover == pytest.approx(days)


def test_what_is_overdue_is_counted_as_coming_today() -> None:
    shop = make_shop(1)
    with tenant_context(shop.tenant.pk):
        put_on_hand(shop, shop.items[0], 10)
        forecast_for(shop, 14)
    refreshed(shop)
    with tenant_context(shop.tenant.pk):
        before = summary(shop, 0).stockout_on
        order = PurchaseOrder.objects.create(number="PO-1", supplier=shop.suppliers[0], currency="USD",
                                             location=shop.location, status="sent", ordered_on=MONDAY - 9 * DAY)
        PurchaseOrderLine.objects.create(order=order, item=shop.items[0], quantity=10, unit_cost=2,
                                         expected_on=MONDAY - 4 * DAY)
    refreshed(shop)
    with tenant_context(shop.tenant.pk):
        after = summary(shop, 0).stockout_on
        assert before is not None and after is not None and after >= before + 4 * DAY


def test_of_today_only_what_was_sold_at_the_place_is_taken_off_and_no_more_than_was_expected() -> None:
    shop = make_shop(1)
    with tenant_context(shop.tenant.pk):
        put_on_hand(shop, shop.items[0], 10)
        forecast_for(shop, 14)
        sell(shop, 0, 0, 100)
        DailyDemand.objects.update(location=Location.objects.create(code="north"))
    refreshed(shop)
    with tenant_context(shop.tenant.pk):
        assert summary(shop, 0).days_of_cover == pytest.approx(5), "the others were sold elsewhere"
        DailyDemand.objects.update(location=shop.location)
    refreshed(shop)
    with tenant_context(shop.tenant.pk):
        assert summary(shop, 0).days_of_cover == pytest.approx(6), "of today nothing is to come, of the rest all"


def test_cover_ends_with_the_first_day_that_asks_for_more_than_there_is_however_little_is_asked_for_later() -> None:
    shop = make_shop(1)
    with tenant_context(shop.tenant.pk):
        put_on_hand(shop, shop.items[0], 9)
        forecast_for(shop, 14)
        SeriesForecast.objects.update(mean=[2.0] * 6 + [0.01] * 22 + [0.01] * 4)
    refreshed(shop)
    with tenant_context(shop.tenant.pk):
        assert summary(shop, 0).days_of_cover == pytest.approx(4.5)


def test_what_is_not_forecast_never_lasts_less_than_no_day() -> None:
    shop = make_shop(2)
    with tenant_context(shop.tenant.pk):
        put_on_hand(shop, shop.items[0], -4)
        put_on_hand(shop, shop.items[1], 4)
        sell(shop, 0, 1, 28)
        sell(shop, 1, 1, -28)
    refreshed(shop)
    with tenant_context(shop.tenant.pk):
        assert [summary(shop, place).days_of_cover for place in range(2)] == [0, None]


def test_an_unknown_stock_lasts_for_an_unknown_time() -> None:
    shop = make_stocked_shop(1)
    with tenant_context(shop.tenant.pk):
        StockLevel.objects.all().delete()
    refreshed(shop)
    with tenant_context(shop.tenant.pk):
        assert (summary(shop, 0).days_of_cover, summary(shop, 0).stockout_on) == (None, None)


def test_the_largest_orders_of_several_places_are_advised_together() -> None:
    shop = make_stocked_shop(1)
    with tenant_context(shop.tenant.pk):
        line = Recommendation.objects.get()
        for code in ("north", "south", "west"):
            line.pk, line.location, line.quantity = None, Location.objects.create(code=code), 10**9
            line.save()
    refreshed(shop)
    with tenant_context(shop.tenant.pk):
        assert summary(shop, 0).recommended > 3 * 10**9


def test_a_second_refresh_of_the_same_facts_writes_nothing() -> None:
    shop = make_stocked_shop(3)
    assert (refreshed(shop).items, refreshed(shop).written) == (3, 0)
    with tenant_context(shop.tenant.pk):
        sell(shop, 1, 100, 5)
    assert refreshed(shop).written == 3, "one item sold more, and all classes and weeks are reckoned by all"


def test_what_people_do_shows_at_once_as_if_all_had_been_derived_anew(
        django_capture_on_commit_callbacks: Callable[..., AbstractContextManager[Any]]) -> None:
    shop = make_stocked_shop(4)

    def then(act: Callable[[], Any]) -> list[tuple[float, float, int]]:
        with django_capture_on_commit_callbacks(execute=True), tenant_context(shop.tenant.pk):
            act()
        with tenant_context(shop.tenant.pk):
            seen = [(each.on_hand or 0, each.on_order, each.recommended)
                    for each in map(partial(summary, shop), range(4))]
        assert refreshed(shop).written == 0, "a refresh finds all of it said already"
        return seen

    with tenant_context(shop.tenant.pk):
        lines = list(Recommendation.objects.order_by("item_id"))
    choices = [Choice(recommendation_id=line.pk) for line in lines[:2]]
    first, second, third, _last = (line.quantity for line in lines)
    assert then(lambda: decide_many(choices=choices, as_of=MONDAY, actor=None))[:3] == [
        (2, first, 0), (2, second, 0), (2, 0, third)]
    assert then(lambda: dismiss(recommendation_id=lines[3].pk, reason="not now", as_of=MONDAY, actor=None))[3] == (
        2, 0, 0)
    with tenant_context(shop.tenant.pk):
        order = PurchaseOrder.objects.get()
        approve_order(order_id=order.pk, actor=None)
        mark_sent(order_id=order.pk, sent_on=MONDAY, actor=None)
        came = [ReceivedLine(line_id=order.lines.order_by("item_id")[0].pk, quantity=Decimal(5))]
    assert then(lambda: receive_lines(order_id=order.pk, lines=came, received_on=MONDAY, reference="van", actor=None))[
        :2] == [(7, first - 5, 0), (2, second, 0)]
    with tenant_context(shop.tenant.pk):
        assert summary(shop, 0).days_of_cover == pytest.approx(3.5), "five more at two a day"
    assert then(lambda: cancel_order(order_id=order.pk, reason="", actor=None))[:2] == [(7, 0, 0), (2, 0, second)]
    counted = dt.datetime(2017, 12, 5, 4, tzinfo=dt.UTC)
    assert then(lambda: set_counts(table=counts(shop, (shop.items[0], 20, counted))))[0] == (20, 0, 0)
    with tenant_context(shop.tenant.pk):
        assert summary(shop, 0).days_of_cover == pytest.approx(10)
    tuesday = MONDAY + DAY
    assert then(lambda: post_sales(table=sales(shop, (shop.items[0], tuesday, 4))))[0] == (16, 0, 0)
    with tenant_context(shop.tenant.pk):
        assert summary(shop, 0).days_of_cover == pytest.approx(8)


def test_what_a_plan_said_before_lists_derived_it_themselves_is_dated_by_that_plan() -> None:
    shop, other = make_stocked_shop(3), make_shop(1)
    with tenant_context(shop.tenant.pk):
        Recommendation.objects.filter(item=shop.items[2]).delete()
        ItemSummary.objects.update(lasts_from=None, stockout_on=MONDAY + 9 * DAY, days_of_cover=9)
        ItemSummary.objects.filter(item=shop.items[1]).update(days_of_cover=None, stockout_on=None)
    move = import_module("apps.portal.migrations.0005_date_what_lasted_by_a_plan")
    move.date_figures(None, SimpleNamespace(connection=connection))
    with tenant_context(shop.tenant.pk):
        of_plan, unknown, paced = (summary(shop, place) for place in range(3))
        assert lasts_note(of_plan, MONDAY + DAY) == "of expected sales; likely out Wed 13 Dec, as of Mon 4 Dec"
        assert (unknown.lasts_from, paced.lasts_from) == (None, None)
    with tenant_context(other.tenant.pk):
        assert not ItemSummary.objects.exists()


def test_another_shops_items_stay_as_they_are() -> None:
    shop, other = make_stocked_shop(2), make_stocked_shop(2)
    with tenant_context(other.tenant.pk):
        before = list(ItemSummary.objects.order_by("pk").values())
    with tenant_context(shop.tenant.pk):
        sell(shop, 0, 90, 50)
    assert refreshed(shop).items == 2
    with tenant_context(other.tenant.pk):
        assert list(ItemSummary.objects.order_by("pk").values()) == before


def test_a_day_in_the_past_is_derived_as_it_was_known_then() -> None:
    shop = make_shop(1)
    with tenant_context(shop.tenant.pk):
        sell(shop, 0, 1, 5)
        sell(shop, 0, 8, 3)
        refresh_summaries(as_of=MONDAY - dt.timedelta(days=7))
        assert summary(shop, 0).units_28d == 3
