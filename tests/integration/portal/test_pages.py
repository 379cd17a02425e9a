"""Today, Items, one item and the planning rules: what is there is shown, what is not is said, nobody sees another's."""

from __future__ import annotations

import csv
import io
import json
import re
from decimal import Decimal
from typing import Any

import pytest
from django.db.models import F
from django.forms import BoundField
from django.test import Client

from apps.alerts.models import Alert
from apps.catalog.models import Item, PlanningDefaults, Supplier
from apps.catalog.selectors import planning_defaults, terms_of_items
from apps.feedback.models import Proof
from apps.feedback.selectors.verdicts import PROOF_KIND
from apps.forecasting.models import Backtest, ForecastRun, ItemBacktest, SeriesForecast
from apps.inventory.models import PurchaseOrder, StockLevel
from apps.inventory.selectors import order_counts
from apps.inventory.services import approve_order, mark_sent
from apps.jobs.models import Job
from apps.jobs.running import Running
from apps.jobs.services import enqueue
from apps.optimization.models import Recommendation
from apps.optimization.selectors import open_recommendations
from apps.optimization.services import decide, dismiss
from apps.portal.forms import PlanningForm, TermForm
from apps.portal.models import ItemSummary
from apps.portal.pipeline import refresh_tenant
from apps.portal.selectors.items import SORTS
from apps.portal.selectors.today import today
from apps.portal.services import refresh_summaries
from apps.sales.models import DailyDemand, Promotion
from apps.tenants.figures import day_short, numbers_as, units
from apps.tenants.models import AuditEntry, Tenant
from apps.tenants.scope import tenant_context
from tests.integration.forecasting.selling_shops import make_selling_shop, run_dry, run_job
from tests.integration.inventory.people import page, signed_in
from tests.integration.inventory.shops import COUNTED_AT, MONDAY, Shop, make_shop
from tests.integration.optimization.planned_shops import forecast_for, make_planned_shop, run_plan
from tests.integration.portal.stocked_shops import DAY, make_stocked_shop, refreshed, sell

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop() -> Shop:
    return make_stocked_shop(6)


def data_of(text: str, chart: str) -> dict[str, Any]:
    """The data of a chart, as the page hands it to its script."""
    found = re.search(rf'<script id="{chart}-data" type="application/json">(.*?)</script>', text, re.S)
    assert found, f"no chart {chart}"
    return dict(json.loads(found[1]))


# --- Today --------------------------------------------------------------------------------------------------------

def test_today_shows_the_ten_decisions_worth_most_by_supplier() -> None:
    shop = make_stocked_shop(14)
    with tenant_context(shop.tenant.pk):
        for place, item in enumerate(shop.items):
            Recommendation.objects.filter(item=item).update(net_gain=place)
    text = page(signed_in(shop), "/")
    shown = {int(found) for found in re.findall(r'href="/items/(\d+)/"', text)}
    assert shown == {item.pk for item in shop.items[4:]}, "the ten of the greatest gain, and no other"
    for supplier in shop.suppliers:
        assert f'href="/replenish/?supplier={supplier.pk}"' in text


def test_todays_figures_are_the_plans_the_orders_and_the_lists() -> None:
    shop = make_stocked_shop(14)
    with tenant_context(shop.tenant.pk):
        lines = list(Recommendation.objects.order_by("item_id"))
        decide(recommendation_id=lines[0].pk, as_of=MONDAY, actor=None)
        second = decide(recommendation_id=lines[-1].pk, as_of=MONDAY, actor=None).purchase_order_id
        assert second is not None
        approve_order(order_id=second, actor=None)
        # Sold below its cost: no margin is at risk, and none of the others' is taken off.
        Recommendation.objects.filter(pk=lines[1].pk).update(unit_cost=lines[1].price + 1, avoided_lost_sales=0)
    refreshed(shop)
    with tenant_context(shop.tenant.pk):
        found = today(shop.tenant)
        waiting = Recommendation.objects.filter(state="open")
        at_risk = sum(max(float(line.price - line.unit_cost), 0) * line.lost_units_without for line in waiting)
        assert found.facts["at_risk"] == pytest.approx(at_risk)
        assert sum(row.money_at_risk for row in ItemSummary.objects.all()) == pytest.approx(at_risk)
        assert at_risk >= found.totals.avoided == sum(line.avoided_lost_sales for line in waiting if line.quantity)
        assert (found.facts["drafts"], found.facts["unsent"]) == (1, 1)
        counts = order_counts()
        assert (counts["draft"], counts["approved"]) == (1, 1)
        for group in found.groups:
            whole = waiting.filter(supplier_id=group.supplier_id, quantity__gt=0)
            assert group.all_money == sum(line.quantity * line.unit_cost for line in whole), "not of the ten alone"
    assert "1 to approve, 1 to send" in page(signed_in(shop), "/")


def test_before_any_count_nothing_is_said_of_what_is_out_of_stock() -> None:
    shop = make_stocked_shop(3)
    assert "of 3 planned items<" in page(signed_in(shop), "/")
    with tenant_context(shop.tenant.pk):
        StockLevel.objects.filter(item__in=shop.items[:2]).delete()
    refreshed(shop)
    assert "of 1 planned items whose stock is known" in page(signed_in(shop), "/")
    with tenant_context(shop.tenant.pk):
        StockLevel.objects.all().delete()
    refreshed(shop)
    text = page(signed_in(shop), "/")
    assert "no stock was counted yet" in text and "planned items<" not in text


def test_advice_on_thin_ground_says_so_at_the_top_and_on_its_lines() -> None:
    shop = make_stocked_shop(4)
    client = signed_in(shop)
    assert not any(words in page(client, path) for path in ("/", "/replenish/")
                   for words in ("nobody has counted", "under eight weeks"))
    with tenant_context(shop.tenant.pk):
        StockLevel.objects.filter(item=shop.items[0]).delete()
        StockLevel.objects.filter(item=shop.items[1]).update(counted_at=None)
        DailyDemand.objects.filter(item=shop.items[2], date__lt=MONDAY - 10 * DAY).delete()
    run_plan(shop, MONDAY + DAY)
    with tenant_context(shop.tenant.pk):
        assumed = dict(Recommendation.objects.filter(state="open").values_list("item_id", "assumed"))
        marks = [{"on_hand", "history"} & set(assumed[item.pk]) for item in shop.items]
        assert marks == [{"on_hand"}, {"on_hand"}, {"history"}, set()]
    for path in ("/", "/replenish/"):
        text = page(client, path)
        assert "2 of 4 lines" in text and "nobody has counted" in text and 'href="/data/imports/"' in text
        assert "1 of 4 lines" in text and "rests on under eight weeks of sales" in text
        assert "Import earlier sales, if there are any" in text, "an item may be new"
        assert (text.count(">never counted<"), text.count(">short history<")) == (2, 1)


def test_today_says_who_won_the_proof_and_when_nobody_did(shop: Shop) -> None:
    client = signed_in(shop)
    for low, high, words in ((5, 20, "earned more than the simple rule"), (-20, -5, "for now, it wins"),
                             (-5, 20, "do not tell the two apart")):
        with tenant_context(shop.tenant.pk):
            Proof.objects.update_or_create(as_of=MONDAY, defaults={
                "gain": Decimal(low + high) / 2, "gain_low": low, "gain_high": high})
        assert words in page(client, "/")


def test_today_says_what_the_proof_waits_for_by_the_weeks_and_jobs_there_are(shop: Shop) -> None:
    client = signed_in(shop)
    words = "It needs 21 weeks of sales, 13 to replay and 8 before them; 10 are known so far."
    assert words in page(client, "/")
    with tenant_context(shop.tenant.pk):
        enqueue(kind_name=PROOF_KIND)
    text = page(client, "/")
    assert "as soon as it is their turn" in text and "21 weeks" not in text
    with tenant_context(shop.tenant.pk):
        Job.objects.update(state="done")
        sell(shop, 0, 21 * 7, 1)
    text = page(client, "/")
    assert "There are enough weeks of sales" in text and "21 weeks" not in text


@pytest.mark.parametrize(("days_ago", "words"), [
    (70, "Sold a week, over the 10 weeks that are known"), (7, "Sold a week, over the 1 week that is known"),
    (182, "Sold a week, over half a year"), (400, "Sold a week, over half a year")])
def test_an_item_says_over_how_many_weeks_its_pace_is_told(days_ago: int, words: str) -> None:
    shop = make_planned_shop(1, demo_date=MONDAY)
    with tenant_context(shop.tenant.pk):
        sell(shop, 0, days_ago, 1)
    refreshed(shop)
    assert words in page(signed_in(shop), f"/items/{shop.items[0].pk}/")


@pytest.mark.parametrize(("error", "shown", "is_explained"), [(4.6, "4.6 (115%)", True), (3, "3 (75%)", False)])
def test_an_item_that_is_missed_by_more_than_it_sold_says_what_that_means(
        shop: Shop, error: float, shown: str, is_explained: bool) -> None:
    with tenant_context(shop.tenant.pk):
        contest = Backtest.objects.create(as_of=MONDAY, champion="mean_8w", series=6)
        ItemBacktest.objects.create(backtest=contest, item=shop.items[0], location=shop.location, actual=4,
                                    champion_error=error, baseline_error=2)
    text = page(signed_in(shop), f"/items/{shop.items[0].pk}/")
    assert shown in text and ("More than 100% missed means" in text) is is_explained


def test_today_shows_alerts_jobs_and_how_far_round_the_loop_the_shop_is(shop: Shop) -> None:
    with tenant_context(shop.tenant.pk):
        Alert.objects.create(severity="critical", code="x", title="Accuracy left its range", reason="Two weeks.")
        enqueue(kind_name="portal.refresh")
    text = page(signed_in(shop), "/")
    assert "Accuracy left its range" in text and "Lists and figures" in text
    assert re.findall(r"loop-step loop-(\w+)", text) == ["done", "done", "done", "done", "missing", "missing"]


def test_an_empty_shop_is_told_what_to_do_first() -> None:
    shop = make_shop(0)
    text = page(signed_in(shop, "planner"), "/")
    assert "Bring in your order lines to begin" in text and 'href="/data/"' in text
    assert "your role only looks" in page(signed_in(shop, "viewer"), "/")


def test_while_data_loads_today_shows_how_far_it_is() -> None:
    shop = make_shop(0)
    with tenant_context(shop.tenant.pk):
        job = enqueue(kind_name="portal.refresh")
    text = page(signed_in(shop), "/")
    assert "Bring in your order lines" not in text and f'hx-get="/jobs/{job.pk}/progress/"' in text


def test_today_asks_no_more_when_the_plan_is_longer(shop: Shop) -> None:
    page(signed_in(make_stocked_shop(60)), "/")


# --- Items --------------------------------------------------------------------------------------------------------

def titles(text: str) -> list[str]:
    return re.findall(r'<th scope="row"><a href="/items/\d+/">(.*?)</a>', text)


@pytest.mark.parametrize("sort", [*SORTS, *(f"-{name}" for name in SORTS)])
def test_items_are_ordered_as_the_address_says_unknown_values_last(shop: Shop, sort: str) -> None:
    column = SORTS[sort.removeprefix("-")]
    with tenant_context(shop.tenant.pk):
        if ItemSummary._meta.get_field(column).null:
            ItemSummary.objects.filter(item=shop.items[0]).update(**{column: None})
        known = {row.title: getattr(row, column) for row in ItemSummary.objects.all()}
    shown = [known[title] for title in titles(page(signed_in(shop), f"/items/?sort={sort}"))]
    values = sorted((value for value in shown if value is not None), reverse=sort.startswith("-"))
    assert len(shown) == 6 and shown == [*values, *[None] * (6 - len(values))]


def test_search_and_filters_narrow_and_are_kept_on_the_next_page(shop: Shop) -> None:
    client = signed_in(shop)
    assert titles(page(client, "/items/?q=item+3")) == ["Item 3"]
    assert titles(page(client, "/items/?q=sku-4")) == ["Item 4"]
    assert set(titles(page(client, "/items/?supplier=Birch+Foods"))) == {"Item 3", "Item 4", "Item 5"}
    assert titles(page(client, "/items/?abc=C")) == [] and "No item fits" in page(client, "/items/?abc=C")
    assert len(titles(page(client, "/items/?planning=planned&stock=advised&status=active"))) == 6
    page(client, "/items/?sort=no_such_column&page=abc&stock=nonsense&supplier=y&department=x")


def test_pages_hold_every_item_once() -> None:
    shop = make_stocked_shop(120)
    client = signed_in(shop)
    seen = [title for number in (1, 2, 3) for title in titles(page(client, f"/items/?page={number}"))]
    assert sorted(seen) == sorted(str(item) for item in shop.items)
    assert 'href="?planning=planned&amp;page=2"' in page(client, "/items/?planning=planned")


def test_the_list_comes_out_as_a_file_that_no_spreadsheet_takes_for_formulas(shop: Shop) -> None:
    with tenant_context(shop.tenant.pk):
        ItemSummary.objects.filter(item=shop.items[0]).update(title="=HYPERLINK(1)")
    rows = list(csv.reader(io.StringIO(page(signed_in(shop), "/items/export/?sort=sku").removeprefix("\ufeff"))))
    assert rows[0][:2] == ["SKU", "Title"] and [row[0] for row in rows[1:]] == [f"sku-{n}" for n in range(6)]
    assert rows[1][1] == "'=HYPERLINK(1)"


def test_every_download_is_written_as_the_shop_writes_numbers_and_rounded_as_its_page(shop: Shop) -> None:
    Tenant.objects.filter(pk=shop.tenant.pk).update(locale="de-de")
    with tenant_context(shop.tenant.pk):
        ItemSummary.objects.filter(item=shop.items[0]).update(
            weekly_units=1234.55434782608695, days_of_cover=103.55434782608695, revenue_28d=8.6,
            unit_cost=Decimal("2.1250"), on_hand=2.25, cost_origin="assumed")
        line = Recommendation.objects.get(item=shop.items[0])
        Recommendation.objects.filter(pk=line.pk).update(
            mean_demand=103.55434782608695, days_of_cover=4.26, unit_cost=Decimal("2.1250"), quantity=11,
            assumed=["review_period_days", "unit_cost"], binding="moq")
    client = signed_in(shop, "manager")

    def read(path: str) -> list[dict[str, str]]:
        text = page(client, path)
        assert text.startswith("\ufeff")
        return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff")), delimiter=";"))

    item = next(row for row in read("/items/export/") if row["SKU"] == "sku-0")
    assert [item[name] for name in ("A week", "Days of cover", "Sales, 28 days", "Unit cost", "On hand")] == [
        "1235", "103", "9", "2,125", "2,2"]
    assert (item["Unit cost is"], item["Planning"], item["Status"]) == ("assumed", "planned", "active")
    advice = next(row for row in read("/replenish/export/") if row["SKU"] == "sku-0")
    assert [advice[name] for name in ("Mean demand", "Days of cover", "Unit cost", "Amount")] == [
        "104", "4", "2,125", "23,38"]
    assert advice["Assumed"] == "how often is ordered, unit cost, as a share of the price"
    assert advice["What binds"] == "minimum quantity"
    assert client.post("/replenish/decide/", {"act": "approve", "line": line.pk, f"quantity-{line.pk}": "11"}
                       ).status_code == 302
    with tenant_context(shop.tenant.pk):
        order = PurchaseOrder.objects.get(lines__item=shop.items[0])
    [ordered] = [row for row in read(f"/orders/{order.pk}/export/") if row["SKU"] == "sku-0"]
    assert [ordered[name] for name in ("Quantity", "Unit cost", "Amount")] == ["11", "2,125", "23,38"]


# --- One item -----------------------------------------------------------------------------------------------------

def test_an_item_shows_its_past_its_forecast_its_stock_and_why_this_quantity(shop: Shop) -> None:
    item = shop.items[0]
    with tenant_context(shop.tenant.pk):
        line = Recommendation.objects.get(item=item)
        Promotion.objects.create(item=item, kind="mailer", starts_on=MONDAY - 9 * DAY, ends_on=MONDAY - 3 * DAY,
                                 is_known_ahead=True)
    text = page(signed_in(shop), f"/items/{item.pk}/")
    sales, projection, why = data_of(text, "sales"), data_of(text, "projection"), data_of(text, "why-1")
    assert sales["x"][0] == "2017-09-25" and (MONDAY - DAY).isoformat() in sales["x"]
    lines = {one["name"]: one["values"] for one in sales["series"]}
    assert set(lines["sold"][:70]) == {2.0} and lines["sold"][70:] == [None] * (len(lines["forecast"]) - 70)
    wide, narrow = sales["bands"]
    for n in range(70, len(lines["forecast"])):
        assert wide["low"][n] <= narrow["low"][n] <= narrow["high"][n] <= wide["high"][n]
    assert projection["series"][0]["values"][0] <= 2, "two on the shelf at the opening"
    steps = why["steps"]
    assert steps[-1]["value"] == line.quantity
    assert sum(step["value"] for step in steps[:-1]) == line.quantity
    assert "mailer" in text.lower() and "known ahead" in text


def test_a_planner_changes_an_items_terms_and_they_are_assumed_no_more(shop: Shop) -> None:
    item, client = shop.items[0], signed_in(shop, "planner")
    path = f"/items/{item.pk}/"
    assert "Change the terms" in page(client, path)
    with tenant_context(shop.tenant.pk):
        was = terms_of_items([item.pk])[item.pk]
    given = {**TermForm.of(was), "lead_time_days": "9", "pack_size": "12"}
    refused = client.post(f"{path}terms/", {**given, "pack_size": "0"})
    assert refused.status_code == 422 and "greater than or equal to 1" in refused.content.decode()
    assert client.post(f"{path}terms/", given).headers["Location"] == path
    with tenant_context(shop.tenant.pk):
        term = terms_of_items([item.pk])[item.pk]
        assert (term["lead_time_days"], term["pack_size"]) == (9, 12)
        assert {name: term[name] for name in ("unit_cost", "moq", "lead_time_spread_days")} == {
            name: was[name] for name in ("unit_cost", "moq", "lead_time_spread_days")}
        assert "lead_time_days" not in term["assumed"]
        [entry] = AuditEntry.objects.filter(tenant=shop.tenant, action="term.changed")
        assert entry.detail["after"] == {"lead_time_days": "9.0", "pack_size": "12"}
    assert "Change the terms" not in page(signed_in(shop, "viewer"), path)
    assert signed_in(make_shop(0), "owner").post(f"{path}terms/", given).status_code == 404


def test_a_form_opened_before_somebody_elses_change_overwrites_it_only_when_asked_twice(shop: Shop) -> None:
    item, client = shop.items[0], signed_in(shop, "owner")
    with tenant_context(shop.tenant.pk):
        terms, rules = terms_of_items([item.pk])[item.pk], PlanningForm.of(planning_defaults())
    for path, to, given in ((f"/items/{item.pk}/", f"/items/{item.pk}/terms/", TermForm.of(terms)),
                            ("/settings/planning/", "/settings/planning/", {**rules, "cash_budget": ""})):
        def stamp(text: str) -> str:
            return re.search(r'name="seen" value="(\w+)"', text)[1]  # type: ignore[index]

        opened = stamp(page(client, path))
        assert client.post(to, {**given, "lead_time_days": "9", "seen": opened}).status_code == 302
        late = {**given, "lead_time_spread_days": "3"}
        asked = client.post(to, {**late, "seen": opened}).content.decode()
        assert "Somebody has changed this since you opened the page" in asked
        assert 'value="9"' in page(client, path)
        assert client.post(to, {**late, "seen": stamp(asked)}).status_code == 302
        assert 'value="9"' not in page(client, path)


def test_only_what_is_open_is_offered_to_decide_on_and_what_is_out_is_said_to_be_out(shop: Shop) -> None:
    client = signed_in(shop)
    with tenant_context(shop.tenant.pk):
        line = Recommendation.objects.filter(quantity__gt=0, state="open")[0]
        ItemSummary.objects.filter(item=line.item).update(on_hand=0, planning="planned")
        Recommendation.objects.filter(pk=line.pk).update(on_hand=0)
    path = f"/items/{line.item_id}/"
    assert "Decide on" in page(client, path)
    assert "is out" in page(client, "/items/") and "is out" in page(client, "/replenish/")
    with tenant_context(shop.tenant.pk):
        decide(recommendation_id=line.pk, as_of=MONDAY, actor=None, label="a test")
    text = page(client, path)
    assert "Decide on" not in text and "Figures are of" not in text, "what was advised was ordered"


def test_what_is_told_of_an_advised_quantity_is_not_told_of_another_that_was_ordered(shop: Shop) -> None:
    client = signed_in(shop)
    with tenant_context(shop.tenant.pk):
        line, dismissed = open_recommendations()[:2]
        decide(recommendation_id=line.pk, as_of=MONDAY, quantity=line.quantity + line.pack_size, reason="a party",
               actor=None, label="a test")
        dismiss(recommendation_id=dismissed.pk, as_of=MONDAY, reason="not now", actor=None, label="a test")
    words = f"Figures are of the {units(line.quantity)} advised; {units(line.quantity + line.pack_size)} were ordered."
    for path in (f"/items/{line.item_id}/", f"/replenish/{line.pk}/"):
        assert words in page(client, path), path
    assert "Figures are of" not in page(client, f"/items/{dismissed.item_id}/"), "it says that it was dismissed"


def test_how_long_stock_lasts_is_said_of_today_or_of_the_day_that_it_was_reckoned_from(shop: Shop) -> None:
    client, path = signed_in(shop), f"/items/{shop.items[0].pk}/"
    with tenant_context(shop.tenant.pk):
        ends_on = ItemSummary.objects.get(item=shop.items[0]).stockout_on
        assert ends_on is not None and ends_on > MONDAY
    text = page(client, path)
    assert f"of expected sales; likely out {day_short(ends_on)}" in text
    assert "as of" not in text.split('class="grid"')[0]
    assert data_of(text, "projection")["markers"][0]["x"] == ends_on.isoformat(), "the chart says the same"
    assert "as of" not in page(client, "/items/")
    Tenant.objects.filter(pk=shop.tenant.pk).update(demo_date=MONDAY + DAY)
    assert f"likely out {day_short(ends_on)}, as of Mon 4 Dec" in page(client, path)
    assert page(client, "/items/").count("as of Mon 4 Dec") == 6
    with tenant_context(shop.tenant.pk):
        StockLevel.objects.filter(item=shop.items[0]).update(on_hand=0)
        refresh_summaries(as_of=MONDAY + DAY)
    text = page(client, path)
    assert "out of stock" in text and "; likely out" not in text.split('class="grid"')[0]


def test_the_lines_of_an_older_plan_run_out_on_days_and_never_today(shop: Shop) -> None:
    client = signed_in(shop)
    with tenant_context(shop.tenant.pk):
        Recommendation.objects.update(stockout_on=MONDAY, on_hand=0)
    for path in ("/", "/replenish/"):
        assert "is out" in page(client, path)
    Tenant.objects.filter(pk=shop.tenant.pk).update(demo_date=MONDAY + DAY)
    for path in ("/", "/replenish/"):
        text = page(client, path)
        assert "is out" not in text and "Mon 4 Dec<span" in text, path
        assert '<span class="cell-sub">as of Mon 4 Dec</span>' in text, path


def test_an_item_says_why_it_is_forecast_to_sell_what_it_is(shop: Shop) -> None:
    client, path = signed_in(shop), f"/items/{shop.items[0].pk}/"
    assert "Why this forecast" not in page(client, path), "this one was made without asking"
    with tenant_context(shop.tenant.pk):
        ForecastRun.objects.update(parts=["stockouts", "trend", "season", "kind", "mailer"], explained_days=14)
        SeriesForecast.objects.filter(item=shop.items[0]).update(reasons=[20.0, 0, -6.5, 0.1, 0.2, 12.2])
    text = page(client, path)
    assert "Why this forecast: 14 days from Mon 4 Dec on" in text
    steps = data_of(text, "forecast-parts")["steps"]
    assert [(step["label"], step["value"]) for step in steps] == [
        ("Sold lately", 20), ("Trend", -6.5), ("Mailer", 12.2), ("All else", 0.3), ("Forecast", 26)]


def test_a_new_item_says_that_its_forecast_is_made_of_similar_ones(shop: Shop) -> None:
    client, path = signed_in(shop), f"/items/{shop.items[0].pk}/"
    assert "New item" not in page(client, path)
    with tenant_context(shop.tenant.pk):
        SeriesForecast.objects.filter(item=shop.items[0]).update(similar_items=38)
    assert "New item: forecast from 38 similar items" in page(client, path)


def test_an_item_that_the_lists_do_not_hold_yet_has_its_page_in_as_few_queries(shop: Shop) -> None:
    with tenant_context(shop.tenant.pk):
        ItemSummary.objects.all().delete()
    assert "Sales and forecast" in page(signed_in(shop), f"/items/{shop.items[0].pk}/")


def test_an_item_that_the_newest_forecast_leaves_out_is_ordered_on_request(shop: Shop) -> None:
    with tenant_context(shop.tenant.pk):
        forecast_for(shop, 14, items=shop.items[1:], fingerprint="later facts")
    text = page(signed_in(shop), f"/items/{shop.items[0].pk}/")
    assert "order it on request" in text and "order on request" in text
    assert [one["name"] for one in data_of(text, "sales")["series"]] == ["sold"], "no forecast of an earlier run"
    assert "order it on request" not in page(signed_in(shop), f"/items/{shop.items[1].pk}/")


def test_an_item_says_what_is_on_order_but_was_never_sent_and_counts_it_once_it_is_approved(shop: Shop) -> None:
    with tenant_context(shop.tenant.pk):
        line = Recommendation.objects.get(item=shop.items[0])
        order_id = decide(recommendation_id=line.pk, as_of=MONDAY - 9 * DAY, actor=None).purchase_order_id
    assert order_id is not None
    client, path = signed_in(shop), f"/items/{shop.items[0].pk}/"
    text = page(client, path)
    assert f"{line.quantity} of it not sent yet" in text and f"{line.quantity} on order stand on a draft" in text
    surely, maybe = data_of(text, "projection")["series"]
    assert max(surely["values"][2:]) < 1 and maybe["name"] == "with the draft"
    assert maybe["values"][5] > max(maybe["values"][2:5]), "five days of lead time from today, not from nine days ago"
    with tenant_context(shop.tenant.pk):
        approve_order(order_id=order_id, actor=None)
    text = page(client, path)
    assert f"{line.quantity} of it not sent yet" in text and "stand on a draft" not in text
    assert f"{line.quantity} on order were approved and not sent to a supplier yet" in text
    assert [one["values"] for one in data_of(text, "projection")["series"]] == [maybe["values"]]
    with tenant_context(shop.tenant.pk):
        mark_sent(order_id=order_id, sent_on=MONDAY, actor=None)
    assert "not sent yet" not in page(signed_in(shop), f"/items/{shop.items[0].pk}/")


def test_what_today_has_sold_so_far_is_on_the_items_page_as_in_the_data(shop: Shop) -> None:
    item, client = shop.items[0], signed_in(shop)
    path = f"/items/{item.pk}/"
    before = page(client, path)
    assert data_of(before, "sales")["markers"] == [{"x": MONDAY.isoformat(), "label": "today"}]
    with tenant_context(shop.tenant.pk):
        sell(shop, 0, 0, 5)
    assert "sales to Mon 4 Dec" in page(client, "/")
    text = page(client, path)
    closing = [data_of(each, "projection")["series"][0]["values"][0] for each in (before, text)]
    assert closing[1] > closing[0], "what was sold is not to come as well"
    chart = data_of(text, "sales")
    sold = dict(zip(chart["x"], chart["series"][0]["values"], strict=True))
    assert [sold[(MONDAY + days * DAY).isoformat()] for days in (-1, 0, 1)] == [2, 5, None]
    assert chart["markers"][0]["label"] == "today, so far"


def test_days_without_stock_are_shaded_and_what_they_kept_from_being_sold_is_said() -> None:
    shop = make_selling_shop(2, a_day=20)
    run_dry(shop, 10)
    run_job(shop, "forecasting.forecast")
    refreshed(shop)
    client, (dry, other) = signed_in(shop), shop.items
    text = page(client, f"/items/{dry.pk}/")
    [shaded] = [span for span in data_of(text, "sales")["spans"] if span["label"] == "out of stock"]
    assert (shaded["from"], shaded["to"]) == ((MONDAY - 10 * DAY).isoformat(), (MONDAY - DAY).isoformat())
    assert re.search(r"24 Nov.* – .*3 Dec.*: out of stock", text), "in the table too"
    assert re.search(r"Out of stock on 10 of the last 91 days, and sold out on 1 more: about 2\d\d units were not sold "
                     r"for that \(between 1\d\d and 2\d\d\)\.", text)
    text = page(client, f"/items/{other.pk}/")
    assert "out of stock" not in text.lower()


def test_the_data_page_says_what_was_not_sold_for_want_of_stock_and_leads_to_the_items() -> None:
    """By hand: a margin of 1 on each of some 200 units, at a price of 3 and a cost of 2."""
    shop = make_selling_shop(3, a_day=20)
    run_dry(shop, 10)
    run_job(shop, "forecasting.forecast")
    refreshed(shop)
    client = signed_in(shop)
    found = re.search(r"In the last 91 days 1 item had run out, on 10 days: about (2\d\d) units, and \$(2\d\d) of "
                      r"margin, were not sold for that\.", page(client, "/data/"))
    assert found and found[1] == found[2]
    text = page(client, "/items/?stock=ran_out&sort=-lost")
    assert titles(text) == ["Item 0"] and "Not sold" in text and f"{found[1]} units, 10 days" in text
    assert "Not sold" not in page(client, "/items/")


def test_what_was_not_sold_is_worth_what_customers_paid_lately() -> None:
    """By hand: at 2.50 each and a cost of 2, half a unit of money a unit."""
    shop = make_selling_shop(3, a_day=20)
    run_dry(shop, 10)
    run_job(shop, "forecasting.forecast")
    with tenant_context(shop.tenant.pk):
        DailyDemand.objects.update(revenue=F("units") * Decimal("2.5"))
        refresh_summaries(as_of=MONDAY)
        item = ItemSummary.objects.get(item=shop.items[0])
    assert item.lost_units > 100
    assert item.lost_margin == pytest.approx(item.lost_units / 2)


def test_an_items_page_tells_the_shelf_price_and_what_was_paid_and_its_figures_multiply() -> None:
    """By hand: 56 units in 28 days and 84 in the six weeks before; 3 on the shelf, 1.50 paid for those of the month."""
    shop = make_stocked_shop(2)
    first, other = shop.items
    with tenant_context(shop.tenant.pk):
        DailyDemand.objects.filter(item=first, date__gte=MONDAY - 28 * DAY).update(revenue=3)
        DailyDemand.objects.filter(item=other).update(revenue=0)
    refreshed(shop)
    client = signed_in(shop)
    text = page(client, f"/items/{first.pk}/")
    assert "at $1.50 each on average" in text and "56 in the 28 days before today" in text and "$84" in text
    assert re.search(r"<dt>Price</dt><dd>\$3\.00 .*?<dt>Paid on average, 13 weeks</dt><dd>\$2\.40</dd>", text, re.S)
    text = page(client, f"/items/{other.pk}/")
    assert text.count("in the 28 days before today") == 1 and "nothing was paid" in text
    assert "on average" not in text and re.search(r"<dt>Price</dt><dd>\$3\.00", text)


@pytest.mark.parametrize(("fields", "words"), [
    (None, "Stock is not tracked"), ({"origin": "simulated"}, "Stock is simulated here"),
    ({}, "There was none in the last 91 days"), ({"counted_at": None}, "Stock is not tracked")])
def test_the_data_page_says_why_no_day_counts_as_one_without_stock(
        fields: dict[str, Any] | None, words: str) -> None:
    shop = make_shop(1, demo_date=MONDAY)
    if fields is not None:
        with tenant_context(shop.tenant.pk):
            StockLevel.objects.create(item=shop.items[0], location=shop.location, on_hand=3,
                                      **{"counted_at": COUNTED_AT, **fields})
    refreshed(shop)
    assert words in page(signed_in(shop), "/data/")


def test_slow_items_are_shaded_by_the_weeks_in_which_they_had_run_out() -> None:
    shop = make_selling_shop(2, a_day=0.5)
    run_dry(shop, 10)
    refreshed(shop)
    chart = data_of(page(signed_in(shop), f"/items/{shop.items[0].pk}/"), "sales")
    assert [(span["from"], span["to"]) for span in chart["spans"] if span["label"] == "out of stock"] == [
        ((MONDAY - 14 * DAY).isoformat(), (MONDAY - 7 * DAY).isoformat())]


def test_made_up_stock_shades_nothing() -> None:
    shop = make_selling_shop(2, a_day=20)
    run_dry(shop, 10, origin="simulated")
    run_job(shop, "forecasting.forecast")
    refreshed(shop)
    text = page(signed_in(shop), f"/items/{shop.items[0].pk}/")
    assert "out of stock" not in {span["label"] for span in data_of(text, "sales")["spans"]}
    assert "of the last 91 days" not in text


def test_an_item_that_was_first_sold_today_is_not_said_to_be_unsold() -> None:
    shop = make_shop(1, demo_date=MONDAY)
    with tenant_context(shop.tenant.pk):
        sell(shop, 0, 0, 3)
    refreshed(shop)
    chart = data_of(page(signed_in(shop), f"/items/{shop.items[0].pk}/"), "sales")
    assert (chart["x"], chart["series"][0]["values"]) == ([MONDAY.isoformat()], [3])


def test_slow_items_are_charted_by_whole_weeks_that_end_yesterday() -> None:
    shop = make_shop(1, demo_date=MONDAY)
    with tenant_context(shop.tenant.pk):
        for days_ago in (1, 7, 8, 30):
            sell(shop, 0, days_ago, 1)
    refreshed(shop)
    sales = data_of(page(signed_in(shop), f"/items/{shop.items[0].pk}/"), "sales")
    assert sales["x"] == [(MONDAY - days * DAY).isoformat() for days in (28, 21, 14, 7)]
    assert sales["series"][0]["values"] == [0, 0, 1, 2]


def test_an_item_without_sales_stock_or_summary_still_has_a_page() -> None:
    shop = make_shop(1)
    text = page(signed_in(shop), f"/items/{shop.items[0].pk}/")
    assert "Not sold yet" in text and "never counted" in text


def test_an_item_asks_no_more_with_a_longer_past(shop: Shop) -> None:
    with tenant_context(shop.tenant.pk):
        for days_ago in range(71, 300):
            sell(shop, 0, days_ago, 2)
    refreshed(shop)
    page(signed_in(shop), f"/items/{shop.items[0].pk}/")


def test_terms_that_nobody_said_are_marked(shop: Shop) -> None:
    with tenant_context(shop.tenant.pk):
        Supplier.objects.update(lead_time_days=None)
    text = page(signed_in(shop), f"/items/{shop.items[0].pk}/")
    assert text.count(">assumed</span>") == 2, "the lead time, and how often it is ordered"


# --- Planning rules -----------------------------------------------------------------------------------------------

def test_the_rules_are_changed_by_a_manager_and_the_change_is_written_down(shop: Shop) -> None:
    sent = {"lead_time_days": 10, "lead_time_spread_days": 4, "review_period_days": 7, "cost_percent": 55,
            "holding_percent": 25, "planned_units_per_week": 0.25, "cash_budget": "1000"}
    assert signed_in(shop, "planner").post("/settings/planning/", sent).status_code == 403
    assert signed_in(shop, "manager").post("/settings/planning/", sent).status_code == 302
    with tenant_context(shop.tenant.pk):
        found = PlanningDefaults.objects.get()
        assert (found.lead_time_days, found.cost_share, found.cash_budget) == (10, 0.55, 1000)
        assert found.holding_cost_rate == 0.25
    assert AuditEntry.objects.filter(tenant=shop.tenant, action="defaults.changed").count() == 1


def test_rules_and_terms_are_shown_and_taken_as_the_shop_writes_numbers(shop: Shop) -> None:
    Tenant.objects.filter(pk=shop.tenant.pk).update(locale="de-de")
    with tenant_context(shop.tenant.pk):
        PlanningDefaults.objects.update(planned_units_per_week=0.25, cash_budget=Decimal("12345.50"))
        Item.objects.filter(pk=shop.items[0].pk).update(unit_cost=Decimal("2.125"))
    client, path = signed_in(shop, "manager"), "/settings/planning/"
    text = page(client, path)
    assert 'value="0,25"' in text and 'value="12.345,5"' in text
    assert 'value="2,125"' in page(client, f"/items/{shop.items[0].pk}/")

    def saved(**typed: str) -> tuple[float, Decimal]:
        shown = {name: BoundField(form, form.fields[name], name).value() for name in form.fields}
        assert client.post(path, {**shown, **typed}).status_code == 302
        with tenant_context(shop.tenant.pk):
            found = PlanningDefaults.objects.get()
            return found.planned_units_per_week, found.cash_budget

    with tenant_context(shop.tenant.pk), numbers_as("de-de"):
        form = PlanningForm(initial=PlanningForm.of(planning_defaults()))
        assert saved() == (0.25, Decimal("12345.50")), "what is only looked at stays as it is"
        assert saved(planned_units_per_week="0,5", cash_budget="1.200") == (0.5, Decimal(1200))
        assert saved(planned_units_per_week="0.75", cash_budget="1200,5") == (0.75, Decimal("1200.5"))
    refused = client.post(f"/items/{shop.items[0].pk}/terms/", {"unit_cost": "1,234.5"})
    assert "“1,234.5” is no number as they are written here: write it like 1.234,5" in refused.content.decode()


def test_rules_that_make_no_sense_are_refused_and_stay_in_the_form(shop: Shop) -> None:
    response = signed_in(shop, "manager").post("/settings/planning/", {"lead_time_days": -3, "cost_percent": 140})
    text = response.content.decode()
    assert response.status_code == 200 and 'value="-3"' in text and 'aria-invalid="true"' in text
    with tenant_context(shop.tenant.pk):
        assert PlanningDefaults.objects.get().lead_time_days == 14


# --- Strangers ----------------------------------------------------------------------------------------------------

def test_an_outsider_finds_nothing_and_a_stranger_is_sent_to_sign_in(shop: Shop) -> None:
    outsider = signed_in(make_stocked_shop(2), "owner")
    assert outsider.get(f"/items/{shop.items[0].pk}/").status_code == 404
    text = page(outsider, "/items/")
    assert not any(f'/items/{item.pk}/"' in text for item in shop.items)
    assert f"/items/{shop.items[0].pk}/" not in page(outsider, "/")
    assert len(page(outsider, "/items/export/").splitlines()) == 3
    for path in ("/", "/items/", f"/items/{shop.items[0].pk}/", "/settings/planning/"):
        response = Client().get(path)
        assert response.status_code == 302 and response.headers["Location"].startswith("/accounts/login/?next=")


def test_the_job_derives_the_lists_as_of_the_shops_own_day(shop: Shop) -> None:
    with tenant_context(shop.tenant.pk):
        ItemSummary.objects.all().delete()
    job = Job.objects.create(tenant=shop.tenant, kind="portal.refresh", queue="light", state=Job.State.RUNNING,
                             attempts=1)
    result = refresh_tenant(Running(job_id=job.pk, tenant_id=shop.tenant.pk, kind=job.kind, attempt=1, input={}))
    assert result == {"as_of": MONDAY.isoformat(), "items": 6, "changed": 6}
