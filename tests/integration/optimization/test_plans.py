"""A plan follows from its facts alone, says what limits it, and is never carried out twice."""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal

import pytest

from apps.catalog.models import Item, PlanningDefaults, Supplier, SupplyTerm
from apps.inventory import selectors as inventory
from apps.inventory import services as inventory_services
from apps.inventory.models import PurchaseOrderLine, StockLevel
from apps.jobs.running import GiveUp
from apps.optimization import selectors, services
from apps.optimization.models import Decision, Plan, Recommendation
from apps.optimization.pipeline import read_inputs
from apps.optimization.services import Choice
from apps.portal.selectors.today import today
from apps.sales.models import DailyDemand
from apps.tenants.scope import tenant_context
from tests.integration.inventory.people import page, signed_in
from tests.integration.inventory.shops import MONDAY, Shop
from tests.integration.optimization.planned_shops import (
    DAY,
    forecast_for,
    make_planned_shop,
    open_lines,
    present_plan,
    run_plan,
)

pytestmark = pytest.mark.django_db


def approve_all(as_of: dt.date = MONDAY) -> services.Decided:
    choices = [Choice(recommendation_id=line.pk) for line in open_lines()]
    return services.decide_many(choices=choices, as_of=as_of, actor=None, label="a test")


def codes(plan: Plan) -> set[str]:
    return {note["code"] for note in plan.binding}


def test_what_runs_out_is_recommended_and_every_waterfall_adds_up_to_its_line() -> None:
    shop = make_planned_shop()
    result = run_plan(shop)
    assert (result["status"], result["lines"], result["is_new"]) == ("optimal", 4, True)
    with tenant_context(shop.tenant.pk):
        lines = open_lines()
        assert len(lines) == 4
        for line in lines:
            assert sum(line.waterfall["units"].values()) == line.quantity > 0
            assert sum(line.waterfall["money"].values()) == pytest.approx(float(line.quantity * line.unit_cost))
            assert sum(line.waterfall["saves"].values()) == pytest.approx(float(line.net_gain), abs=0.01)
            assert line.quantity % 6 == 0
            assert line.arrives_on == MONDAY + 5 * DAY
            assert line.stockout_on is not None and line.stockout_on <= MONDAY + 3 * DAY
            assert line.order_by_on == MONDAY
            assert line.lost_units_with < line.lost_units_without
            assert line.avoided_lost_sales == pytest.approx(
                Decimal(str(line.lost_units_without - line.lost_units_with)), abs=Decimal("0.01"))
        plan = present_plan()
        assert plan.money == sum(line.quantity * line.unit_cost for line in lines)


def test_a_line_that_gains_next_to_nothing_presses_on_no_day() -> None:
    shop = make_planned_shop(2, demo_date=MONDAY)
    with tenant_context(shop.tenant.pk):
        Item.objects.filter(pk=shop.items[0].pk).update(price=Decimal("2.02"))
    run_plan(shop)
    with tenant_context(shop.tenant.pk):
        idle, worth = Recommendation.objects.order_by("item_id")
        assert idle.quantity > 0 and idle.net_gain <= Decimal("0.5") < worth.net_gain
        assert (idle.order_by_on, worth.order_by_on) == (None, MONDAY)
        assert today(shop.tenant).facts["due"] == 1
    client = signed_in(shop)
    for path, pressing in ((f"/replenish/?supplier={shop.suppliers[0].pk}", 0),
                           (f"/replenish/?supplier={shop.suppliers[1].pk}", 1), ("/", 1)):
        text = page(client, path)
        assert len(re.findall(r'data-label="Order by">today<', text)) == pressing, path
        assert text.count(">no hurry<") == (0 if path.endswith(f"={shop.suppliers[1].pk}") else 1), path
    assert page(client, "/").count("order today") == 1


def test_the_largest_sales_that_are_taken_for_true_end_in_the_largest_orders_that_can_be_placed() -> None:
    shop = make_planned_shop(2, weekly_units=7 * 9e10)
    with tenant_context(shop.tenant.pk):
        dear, cheap = shop.items
        Item.objects.filter(pk=dear.pk).update(unit_cost=400_000_000, price=900_000_000)
    assert run_plan(shop)["status"] == "optimal"
    with tenant_context(shop.tenant.pk):
        assert {line.item: line.quantity for line in open_lines()} == {dear: 2_496, cheap: 999_999_996}
        assert {line.binding for line in open_lines()} == {"max_order_quantity"}
        approve_all()
        money = {order.supplier_id: order.money for order in inventory.orders(MONDAY)}  # type: ignore[attr-defined]
        assert money == {shop.suppliers[0].pk: 2_496 * 400_000_000, shop.suppliers[1].pk: 999_999_996 * 2}


def test_the_same_facts_give_the_plan_that_is_there_and_other_facts_a_new_one() -> None:
    shop = make_planned_shop()
    first = run_plan(shop)
    with tenant_context(shop.tenant.pk):
        before = [(line.pk, line.quantity) for line in open_lines()]
    again = run_plan(shop)
    assert (again["plan"], again["is_new"]) == (first["plan"], False)
    with tenant_context(shop.tenant.pk):
        assert [(line.pk, line.quantity) for line in open_lines()] == before
        StockLevel.objects.filter(item=shop.items[0]).update(on_hand=30)
    second = run_plan(shop)
    assert second["is_new"]
    with tenant_context(shop.tenant.pk):
        StockLevel.objects.filter(item=shop.items[0]).update(on_hand=2)
    third = run_plan(shop)
    assert third["is_new"], "facts that come back after others make a plan of their own"
    assert run_plan(shop)["plan"] == third["plan"]
    with tenant_context(shop.tenant.pk):
        assert {line.plan_id for line in open_lines()} == {third["plan"]}
        states = dict(Recommendation.objects.values_list("plan_id", "state").distinct())
        assert states == {first["plan"]: "superseded", second["plan"]: "superseded", third["plan"]: "open"}


def test_a_plan_tells_what_changed_since_the_last_one_and_why() -> None:
    shop = make_planned_shop()
    run_plan(shop)
    with tenant_context(shop.tenant.pk):
        before = {line.item_id: line.quantity for line in open_lines()}
        StockLevel.objects.filter(item=shop.items[0]).update(on_hand=26)
    run_plan(shop)
    with tenant_context(shop.tenant.pk):
        plan = present_plan()
        [reason] = plan.changes["reasons"]
        assert (reason["driver"], reason["lines"]) == ("stock", 1)
        line = Recommendation.objects.get(plan=present_plan(), item=shop.items[0])
        assert line.change["driver"] == "stock"
        assert line.change["before"] == before[line.item_id] > line.quantity
        others = [each for each in open_lines() if each.item_id != shop.items[0].pk]
        assert {each.item_id: each.quantity for each in others}.items() <= before.items()
        assert all(each.change == {} for each in others)


def test_what_changed_adds_up_to_what_the_plan_buys_more_or_less() -> None:
    shop = make_planned_shop(6)
    run_plan(shop)
    with tenant_context(shop.tenant.pk):
        first, lines = present_plan(), open_lines()
        services.decide(recommendation_id=lines[0].pk, as_of=MONDAY, actor=None)
        gone, cheaper, fuller = (line.item for line in lines[1:4])
        Item.objects.filter(pk=gone.pk).update(status="discontinued")
        SupplyTerm.objects.filter(item=cheaper).update(unit_cost=Decimal("1.95"))
        StockLevel.objects.filter(item=fuller).update(on_hand=26)
    run_plan(shop)
    with tenant_context(shop.tenant.pk):
        plan = present_plan()
        changes, before, after = plan.changes, plan_units(first), plan_units(plan)
    reasons = {reason["driver"]: reason for reason in changes["reasons"]}
    assert {"decided", "gone", "cost", "stock"} == set(reasons)
    assert reasons["cost"]["units"] == 0 > reasons["cost"]["money"]
    assert sum(reason["units"] for reason in reasons.values()) == changes["units"] == after - before
    money = sum(reason["money"] for reason in reasons.values())
    assert money == pytest.approx(changes["money"]) == pytest.approx(float(plan.money - first.money))
    assert sum(reason["lines"] for reason in reasons.values()) == changes["lines"]


@pytest.mark.parametrize(("cause", "what"), [
    ("terms", "ordering period"), ("terms", "lead time"), ("model", "another model"), ("worth", "price"),
    ("worth", "cost"), ("spread", "range"), ("demand", "sales")])
def test_a_change_is_told_by_what_caused_it(cause: str, what: str) -> None:
    shop = make_planned_shop(1, on_hand=40 if what == "lead time" else 2)
    with tenant_context(shop.tenant.pk):
        SupplyTerm.objects.update(pack_size=1, moq=1)
        # So that the change is worth making, whatever paths are drawn: from a great margin, or from next to none.
        Item.objects.update(price={"cost": 3000, "lead time": 3000, "price": Decimal("2.05")}.get(what, 3))
    run_plan(shop)
    with tenant_context(shop.tenant.pk):
        if what == "ordering period":
            Supplier.objects.update(review_period_days=21)
        elif what == "lead time":
            Supplier.objects.update(lead_time_days=15)
        elif what in ("price", "cost"):
            Item.objects.update(**({"price": 3000} if what == "price" else {"unit_cost": 2900}))
        else:
            forecast_for(shop, 14 if cause == "spread" else 28, fingerprint="other",
                         model="lightgbm" if cause == "model" else "eight_week_mean",
                         level_variance=2.0 if cause == "spread" else 0.05)
    run_plan(shop)
    with tenant_context(shop.tenant.pk):
        assert [reason["driver"] for reason in present_plan().changes["reasons"]] == [cause]


def plan_units(plan: Plan) -> int:
    return sum(line.quantity for line in selectors.recommendations(plan))


def test_approved_and_planned_again_nothing_more_is_advised() -> None:
    shop = make_planned_shop()
    run_plan(shop)
    with tenant_context(shop.tenant.pk):
        decided = approve_all()
        assert (len(decided.decisions), len(decided.order_ids), decided.passed_over) == (4, 2, 0)
        assert approve_all().decisions == ()
    again = run_plan(shop)
    assert (again["status"], again["lines"], again["binding"]) == ("empty", 0, ["nothing_needed", "decided"])
    with tenant_context(shop.tenant.pk):
        assert open_lines() == []
        line = Recommendation.objects.get(plan=present_plan(), item=shop.items[0])
        assert line.binding == "decided" and line.quantity == sum(line.waterfall["units"].values()) == 0
        assert line.on_order > 0
        assert [reason["driver"] for reason in present_plan().changes["reasons"]] == ["decided"]


def test_under_a_budget_approving_does_not_free_the_money_again() -> None:
    shop = make_planned_shop()
    with tenant_context(shop.tenant.pk):
        PlanningDefaults.objects.update(cash_budget=100)
    run_plan(shop)
    with tenant_context(shop.tenant.pk):
        plan = present_plan()
        assert 0 < plan.money <= 100
        assert "budget_binds" in codes(plan)
        assert any(line.waterfall["units"]["cash"] < 0 for line in selectors.recommendations(plan))
        first = open_lines()[0]
        services.decide_many(choices=[Choice(recommendation_id=first.pk)], as_of=MONDAY, actor=None, label="a test")
        spent = first.quantity * first.unit_cost
        PlanningDefaults.objects.update(cash_budget=spent + 40)
    run_plan(shop)
    with tenant_context(shop.tenant.pk):
        plan = present_plan()
        assert plan.limits["cash_spent"] == float(spent)
        assert "budget_binds" in codes(plan), "the other lines would take more"
        assert 0 < plan.money <= 40


def test_dismissed_lines_stay_away_for_their_review_period_and_come_back_after_it() -> None:
    shop = make_planned_shop()
    run_plan(shop)
    with tenant_context(shop.tenant.pk):
        line = open_lines()[0]
        services.dismiss(recommendation_id=line.pk, reason="the season is over", as_of=MONDAY, actor=None)
    for days, is_open in ((0, False), (6, False), (7, True)):
        run_plan(shop, MONDAY + days * DAY)
        with tenant_context(shop.tenant.pk):
            assert (line.item_id in {each.item_id for each in open_lines()}) is is_open, days


def test_what_is_not_to_be_ordered_yet_says_by_when_it_will_be() -> None:
    shop = make_planned_shop(2, on_hand=60)
    run_plan(shop)
    with tenant_context(shop.tenant.pk):
        for line in Recommendation.objects.all():
            assert line.quantity == 0 == line.net_gain
            assert line.order_by_on is not None and line.stockout_on is not None
            assert MONDAY < line.order_by_on < line.stockout_on


def test_a_cancelled_order_brings_its_advice_back() -> None:
    shop = make_planned_shop()
    run_plan(shop)
    with tenant_context(shop.tenant.pk):
        [order_id, _other] = approve_all().order_ids
        inventory_services.cancel_order(order_id=order_id, reason="too late", actor=None)
    assert run_plan(shop)["lines"] == 2


def test_a_line_that_was_taken_off_its_draft_is_advised_again_and_the_others_are_left_in_peace() -> None:
    shop = make_planned_shop()
    run_plan(shop)
    with tenant_context(shop.tenant.pk):
        approve_all()
        line = PurchaseOrderLine.objects.order_by("pk")[0]
        inventory_services.remove_line(order_id=line.order_id, line_id=line.pk, reason="", actor=None)
    assert run_plan(shop, MONDAY + DAY)["lines"] == 1
    with tenant_context(shop.tenant.pk):
        assert [each.item_id for each in open_lines()] == [line.item_id]


def test_an_impossible_budget_and_an_moq_above_it_say_which_limit_binds() -> None:
    shop = make_planned_shop()
    with tenant_context(shop.tenant.pk):
        PlanningDefaults.objects.update(cash_budget=1)
    assert run_plan(shop)["status"] == "infeasible"
    with tenant_context(shop.tenant.pk):
        plan = present_plan()
        assert "budget_below_cheapest_line" in codes(plan)
        [note] = [note for note in plan.binding if note["code"] == "budget_below_cheapest_line"]
        assert note["numbers"]["budget"] == 1 and note["numbers"]["cheapest_line"] == 12
        assert note["numbers"]["item"].startswith("Item ")
        SupplyTerm.objects.update(moq=600)
        PlanningDefaults.objects.update(cash_budget=500)
    assert run_plan(shop)["status"] in ("infeasible", "empty")
    with tenant_context(shop.tenant.pk):
        plan = present_plan()
        assert codes(plan) & {"moq_above_budget", "not_worth_a_lot"}


def test_a_suppliers_minimum_is_filled_up_or_said_not_to_be_worth_it_by_name() -> None:
    shop = make_planned_shop()
    with tenant_context(shop.tenant.pk):
        Supplier.objects.filter(pk=shop.suppliers[0].pk).update(minimum_order_value=150)
    run_plan(shop)
    with tenant_context(shop.tenant.pk):
        notes = [note for note in present_plan().binding if note["code"].startswith("supplier_minimum")]
        assert [note["numbers"]["supplier"] for note in notes] == ["Alder Foods"]
        bought = sum(line.quantity * line.unit_cost for line in open_lines()
                     if line.supplier_id == shop.suppliers[0].pk)
        assert bought == 0 or bought >= 150


def paid(shop: Shop, item: Item, each: float, units: int = 100, days_ago: int = 1) -> None:
    """Customers paid so much for each of some units."""
    DailyDemand.objects.create(item=item, location=shop.location, date=MONDAY - days_ago * DAY, units=units, orders=1,
                               revenue=each * units, shelf_value=3 * units, discount=0)


def test_a_lost_sale_costs_what_customers_paid_less_what_it_costs() -> None:
    """By hand: at a cost of 2 and a shelf price of 3, who pays 2.50 leaves half the margin."""
    shop = make_planned_shop()
    with tenant_context(shop.tenant.pk):
        paid(shop, shop.items[0], 2.5)
    run_plan(shop)
    with tenant_context(shop.tenant.pk):
        cut, full = (Recommendation.objects.get(item=item) for item in shop.items[:2])
        assert (cut.price, full.price) == (Decimal("2.5"), 3)
        for line, margin in ((cut, 0.5), (full, 1.0)):
            assert float(line.avoided_lost_sales) == pytest.approx(
                margin * (line.lost_units_without - line.lost_units_with), abs=0.01)


@pytest.mark.parametrize("each", [1.5, 2.0])
def test_what_is_sold_at_or_below_its_cost_is_not_bought_not_even_to_fill_a_minimum(each: float) -> None:
    shop = make_planned_shop()
    cheap, _full = shop.items[:2]
    with tenant_context(shop.tenant.pk):
        paid(shop, cheap, each)
        Supplier.objects.filter(pk=shop.suppliers[0].pk).update(minimum_order_value=100)
    run_plan(shop)
    with tenant_context(shop.tenant.pk):
        line = Recommendation.objects.get(item=cheap)
        assert (line.quantity, line.avoided_lost_sales, line.net_gain) == (0, 0, 0)
        assert all(other.quantity > 0 for other in Recommendation.objects.exclude(item=cheap))
        [note] = [note for note in present_plan().binding if note["code"] == "without_margin"]
        assert note["numbers"]["items"] == 1
    client = signed_in(shop)
    words = "at or below its cost: nothing is gained by buying it"
    assert words in page(client, f"/replenish/{line.pk}/")
    assert words in page(client, f"/items/{cheap.pk}/")
    assert words not in page(client, f"/items/{shop.items[3].pk}/")
    assert "1 item sells at or below its cost" in page(client, "/replenish/")


def test_an_average_price_that_drifts_is_not_what_moved_a_buffer() -> None:
    shop = make_planned_shop(1)
    with tenant_context(shop.tenant.pk):
        SupplyTerm.objects.update(pack_size=1, moq=1)
        paid(shop, shop.items[0], 3)
    run_plan(shop)
    with tenant_context(shop.tenant.pk):
        paid(shop, shop.items[0], 2.9, units=50, days_ago=2)
        forecast_for(shop, 14, fingerprint="other", level_variance=2.0)
    run_plan(shop)
    with tenant_context(shop.tenant.pk):
        assert [reason["driver"] for reason in present_plan().changes["reasons"]] == ["spread"]


def test_a_draft_counts_towards_its_suppliers_minimum() -> None:
    shop = make_planned_shop()
    with tenant_context(shop.tenant.pk):
        Supplier.objects.filter(pk=shop.suppliers[0].pk).update(minimum_order_value=50)
    run_plan(shop)
    with tenant_context(shop.tenant.pk):
        line = next(line for line in open_lines() if line.supplier_id == shop.suppliers[0].pk)
        services.decide_many(choices=[Choice(recommendation_id=line.pk)], as_of=MONDAY, actor=None, label="a test")
        drafted = float(line.quantity * line.unit_cost)
        asked = read_inputs(MONDAY, None).supplier_minimums
    assert drafted > 0
    assert asked.get(str(shop.suppliers[0].pk), 0.0) == max(50 - drafted, 0.0)


@pytest.mark.parametrize("missing", ["stock", "supplier", "cost", "price"])
def test_what_nobody_said_is_assumed_and_said_so(missing: str) -> None:
    shop = make_planned_shop()
    with tenant_context(shop.tenant.pk):
        if missing == "stock":
            StockLevel.objects.all().delete()
        elif missing == "supplier":
            SupplyTerm.objects.all().delete()
        elif missing == "cost":
            Item.objects.update(unit_cost=None)
        else:
            Item.objects.update(unit_cost=None, price=None)
    result = run_plan(shop)
    with tenant_context(shop.tenant.pk):
        plan, lines = present_plan(), open_lines()
        if missing == "price":
            assert (result["status"], codes(plan)) == ("empty", {"without_price"})
            return
        assert len(lines) == 4
        assumed = {name for line in lines for name in line.assumed}
        expected = {"stock": "on_hand", "supplier": "lead_time_days", "cost": "unit_cost"}[missing]
        assert expected in assumed
        assert codes(plan) == {"stock": {"without_stock"}, "supplier": {"without_supplier"}, "cost": set()}[missing]
        if missing == "supplier":
            assert {line.supplier.name for line in lines} == {"Supplier not named"}
            assert approve_all().decisions


def test_a_shop_without_a_forecast_is_told_what_is_missing_and_one_without_series_gets_an_empty_plan() -> None:
    shop = make_planned_shop(1)
    with tenant_context(shop.tenant.pk):
        forecast_for(shop, 7, as_of=MONDAY + DAY, items=[])
    assert run_plan(shop)["lines"] == 1
    result = run_plan(shop, MONDAY + DAY)
    assert (result["status"], result["binding"]) == ("empty", ["no_items"])
    with pytest.raises(GiveUp, match="too old to plan with"):
        run_plan(shop, MONDAY + 30 * DAY)
    with pytest.raises(GiveUp, match="no forecast to plan with yet"):
        run_plan(make_planned_shop(1, as_of=MONDAY + 60 * DAY))


def test_a_plan_made_some_days_after_its_forecast_starts_on_its_own_day_and_outlasts_the_horizon() -> None:
    shop = make_planned_shop()
    with tenant_context(shop.tenant.pk):
        SupplyTerm.objects.filter(item=shop.items[0]).update(lead_time_days=60)
    run_plan(shop, MONDAY + 3 * DAY)
    with tenant_context(shop.tenant.pk):
        line = Recommendation.objects.get(plan=present_plan(), item=shop.items[0])
        assert line.arrives_on == MONDAY + 63 * DAY
        assert line.stockout_on is not None and line.stockout_on >= MONDAY + 3 * DAY
        assert line.mean_demand == pytest.approx(67 * 2, rel=0.15)


def test_a_demo_whose_day_was_let_in_meanwhile_is_planned_as_of_the_day_that_its_stock_is_of() -> None:
    shop = make_planned_shop(demo_date=MONDAY + DAY)
    run_plan(shop)
    with tenant_context(shop.tenant.pk):
        assert present_plan().as_of == MONDAY + DAY
        assert {line.arrives_on for line in open_lines()} == {MONDAY + 6 * DAY}


def test_an_older_day_is_not_planned_over_a_newer_plan() -> None:
    shop = make_planned_shop()
    newer = run_plan(shop, MONDAY + DAY)
    assert run_plan(shop, MONDAY)["plan"] == newer["plan"]


def test_another_tenant_sees_no_plan_and_decides_on_none() -> None:
    shop, other = make_planned_shop(), make_planned_shop()
    run_plan(shop)
    with tenant_context(shop.tenant.pk):
        ids = [line.pk for line in open_lines()]
    with tenant_context(other.tenant.pk):
        assert selectors.current_plan() is None
        with pytest.raises(services.NotOpen):
            services.decide(recommendation_id=ids[0], as_of=MONDAY, actor=None)
        assert not Decision.objects.exists() and not PurchaseOrderLine.objects.exists()


def test_figures_of_the_plan_add_up_over_filters() -> None:
    shop = make_planned_shop(6)
    run_plan(shop)
    with tenant_context(shop.tenant.pk):
        plan = present_plan()
        whole = selectors.totals(selectors.open_recommendations())
        assert (whole.lines, whole.money, whole.suppliers) == (plan.lines, plan.money, 2)
        shares = selectors.suppliers_of(plan)
        assert sum((share.money for share in shares), Decimal(0)) == whole.money
        assert sum(selectors.bindings_of(plan).values()) == whole.lines
        assert [line.item.title for line in selectors.open_recommendations(search="item 3")] == ["Item 3"]
        rows = list(selectors.recommendation_rows(selectors.open_recommendations()))
        assert len(rows) == 7 and len({len(row) for row in rows}) == 1


