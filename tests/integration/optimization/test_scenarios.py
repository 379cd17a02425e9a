"""What if: the plan as it stands beside the plan that changed facts would make, and nothing else touched by it."""

from __future__ import annotations

import csv
import io
from decimal import Decimal
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
import pytest
from django.core.cache import cache
from django.test import Client

from apps.catalog.models import Item, PlanningDefaults
from apps.inventory.models import PurchaseOrder, StockLevel
from apps.jobs.models import Job
from apps.optimization import selectors, services
from apps.optimization.models import Changes, Decision, Recommendation, Scenario, ScenarioLine
from apps.optimization.pipeline import read_facts
from apps.tenants.models import Permission
from apps.tenants.scope import tenant_context
from apps.tenants.services import issue_key
from tests.integration.inventory.people import page, signed_in
from tests.integration.inventory.shops import MONDAY, Shop, make_shop
from tests.integration.optimization.planned_shops import (
    make_planned_shop,
    open_lines,
    present_plan,
    run_plan,
    run_scenario,
)

pytestmark = pytest.mark.django_db

LIST = "/plan/what-if/"


@pytest.fixture
def shop() -> Shop:
    """Its shelves hold ten of the twelve days that an order has to cover: what comes later leaves more to order."""
    shop = make_planned_shop(4, on_hand=20, demo_date=MONDAY)
    with tenant_context(shop.tenant.pk):
        Item.objects.filter(pk__in=[item.pk for item in shop.items[:2]]).update(category="Food > Dairy")
        PlanningDefaults.objects.update(cash_budget=1000)
    run_plan(shop)
    return shop


def ask(shop: Shop, **changes: Any) -> Scenario:
    with tenant_context(shop.tenant.pk):
        made, job = services.make_scenario(changes=Changes(**changes), actor=None, label="a test")
        made.job_id = job.pk
    return run_scenario(shop, made)


def test_a_scenario_stands_beside_the_plan_as_it_was_made_and_touches_nothing(shop: Shop) -> None:
    with tenant_context(shop.tenant.pk):
        first, *_rest = open_lines()
        services.decide(recommendation_id=first.pk, as_of=MONDAY, actor=None, label="a test")
        before = list(Recommendation.objects.order_by("pk").values())
    found = ask(shop, lead_days=-5)
    assert found.name == "Lead time −5 days" and found.is_as_planned
    with tenant_context(shop.tenant.pk):
        plan = present_plan()
        assert (found.plan_id, found.before["money"], found.before["lines"]) == (plan.pk, float(plan.money), plan.lines)
        assert list(Recommendation.objects.order_by("pk").values()) == before
        assert (Decision.objects.count(), PurchaseOrder.objects.count()) == (1, 1)
        advised = dict(Recommendation.objects.values_list("item_id", "quantity"))
        lines = list(ScenarioLine.objects.all())
        assert {line.item_id: line.quantity_before for line in lines} == advised
        assert all(line.quantity_after < line.quantity_before for line in lines)
        assert sum(line.quantity_after for line in lines) == found.after["units"]
        StockLevel.objects.filter(item=shop.items[3]).update(on_hand=30)
        again, job = found, services.run_scenario(scenario=found)
        again.job_id = job.pk
    assert not run_scenario(shop, again).is_as_planned
    assert "Stock, deliveries or terms have changed" in page(signed_in(shop), f"{LIST}{found.pk}/")


def test_each_change_moves_the_plan_the_way_it_must_and_no_change_moves_nothing(shop: Shop) -> None:
    alder = shop.suppliers[0].pk
    dairy = np.array([item.pk for item in shop.items[:2]])
    with tenant_context(shop.tenant.pk):
        plan = present_plan()
        facts = read_facts(MONDAY, plan.forecast_run, previous=None, undone=plan)

        def planned(**changes: Any) -> pd.DataFrame:
            solved = services.solve(inputs=services.changed_facts(facts, Changes(**changes)).inputs())
            assert solved.lines["item_id"].tolist() == [item.pk for item in shop.items]
            return solved.lines.assign(money=solved.order_value, lost_margin=solved.lost_margin,
                                       expected_cost=solved.expected_cost)

        usual = planned()
        pd.testing.assert_frame_equal(planned(demand_factor=1.0, lead_days=0, cost_factor=1.0), usual)
        is_dairy = usual["item_id"].isin(dairy)
        sooner, later = (planned(lead_days=days, lead_supplier_id=alder) for days in (-5, 7))
        assert (sooner["quantity"][is_dairy] < usual["quantity"][is_dairy]).all()
        assert sooner["lost_margin"][0] < usual["lost_margin"][0] < later["lost_margin"][0]
        for moved in (sooner, later):
            assert moved["quantity"][~is_dairy].tolist() == usual["quantity"][~is_dairy].tolist()
        assert planned(lead_days=-90)["lead_time_days"].eq(0).all()
        more, less = planned(demand_factor=2.0, demand_kind="Food"), planned(demand_factor=0.5)
        assert (more["quantity"][is_dairy] > usual["quantity"][is_dairy]).all()
        assert more["quantity"][~is_dairy].tolist() == usual["quantity"][~is_dairy].tolist()
        assert more["mean_demand"][is_dairy].to_numpy() == pytest.approx(2 * usual["mean_demand"][is_dairy], rel=0.12)
        assert (less["quantity"] < usual["quantity"]).all()
        assert planned(budget_factor=0.03)["money"][0] <= 30 < usual["money"][0]
        assert planned(budget=50)["money"][0] <= 50
        dear = planned(cost_factor=1.2, cost_supplier_id=alder)
        assert dear["unit_cost"].tolist() == [2.4, 2.4, 2, 2] and (dear["quantity"] <= usual["quantity"]).all()
        gone = planned(gone_supplier_id=alder)
        assert gone["quantity"].tolist() == [0, 0, *usual["quantity"][~is_dairy]]
        assert gone["lost_margin"][0] > usual["lost_margin"][0] and gone["expected_cost"][0] > usual["expected_cost"][0]


def test_what_makes_nothing_possible_is_named(shop: Shop) -> None:
    client = signed_in(shop)
    text = page(client, f"{LIST}{ask(shop, budget=0).pk}/")
    assert "No order would be possible under the limits" in text and "The cash of $0.00 is below the cheapest" in text
    with tenant_context(shop.tenant.pk):
        assert present_plan().status == "optimal"
    one = make_planned_shop(1, demo_date=MONDAY)
    run_plan(one)
    [supplier] = [each for each in one.suppliers if each.name == "Alder Foods"]
    gone = ask(one, gone_supplier_id=supplier.pk)
    assert (gone.after["status"], gone.after["lines"]) == ("empty", 0)
    text = page(signed_in(one, "viewer"), f"{LIST}{gone.pk}/")
    assert "Nothing would be ordered" in text and "Alder Foods is gone: 1 item that is bought there" in text


REFUSED = [
    ({}, "Change at least one thing"), ({"lead_days": "0", "demand_percent": "0"}, "Change at least one thing"),
    ({"lead_days": "a week"}, "Enter a whole number."), ({"demand_percent": "1.2.3"}, "is no number as they are"),
    ({"cost_percent": "-95"}, "greater than or equal to -90"), ({"demand_kind": "Food"}, "Say by how much."),
    ({"budget": "5", "budget_percent": "5"}, "Give either a share of the cash or an amount."),
    ({"gone_supplier_id": "99999"}, "Select a valid choice.")]


def test_what_cannot_be_tried_is_said_in_a_sentence(shop: Shop) -> None:
    client = signed_in(shop)
    for given, said in REFUSED:
        response = client.post(LIST, {**given, "name": "kept"})
        text = response.content.decode()
        assert response.status_code == 422 and text.count(said) == 1 and 'value="kept"' in text, said
    with tenant_context(shop.tenant.pk):
        PlanningDefaults.objects.update(cash_budget=None)
    run_plan(shop)
    assert "has no limit of cash to take a share of" in client.post(LIST, {"budget_percent": "-5"}).content.decode()
    with tenant_context(shop.tenant.pk):
        assert not Scenario.objects.exists()


def test_what_was_asked_is_listed_compared_run_again_and_deleted(shop: Shop) -> None:
    client, viewer = signed_in(shop), signed_in(shop, "viewer")
    made = client.post(LIST, {"demand_percent": "150", "demand_kind": "Food > Dairy", "name": "A warm June"})
    path = made.headers["Location"]
    assert "It is being reckoned" in page(client, path) and "hx-get" in page(viewer, path)
    with tenant_context(shop.tenant.pk):
        scenario = Scenario.objects.get()
    run_scenario(shop, scenario)
    other = ask(shop, gone_supplier_id=shop.suppliers[1].pk)
    text = page(viewer, LIST)
    for words in ("A warm June", "Food &gt; Dairy: demand +150%", "Without Birch Foods"):
        assert words in text
    assert "Reckon it" not in text and viewer.post(f"{path}delete/").status_code == 403
    text = page(viewer, f"{LIST}?compare={scenario.pk}&compare={other.pk}")
    assert "side by side" in text and "Birch Foods" in text
    assert "Tick two to 4" in page(client, f"{LIST}?compare={scenario.pk}")
    rows = list(csv.reader(io.StringIO(page(client, f"{path}export/").lstrip("\ufeff"))))
    assert len(rows) == 3 and {row[0] for row in rows[1:]} == {"sku-0", "sku-1"}
    with tenant_context(shop.tenant.pk):
        StockLevel.objects.update(on_hand=8)
    run_plan(shop, MONDAY)
    assert "A newer plan stands" in page(viewer, path) and "of an older plan" in page(viewer, LIST)
    client.post(f"{path}run/")
    assert "A newer plan stands" in page(client, path), "it stays until the new one is there"
    with tenant_context(shop.tenant.pk):
        scenario = Scenario.objects.get(pk=scenario.pk)
    assert run_scenario(shop, scenario).is_as_planned and "A newer plan stands" not in page(viewer, path)
    assert client.post(f"{path}delete/").headers["Location"] == LIST and client.get(path).status_code == 404
    Job.objects.filter(pk=other.job_id or 0).update(state="failed")
    assert "The last try stopped" in page(client, f"{LIST}{other.pk}/")


def test_a_shop_of_many_suppliers_sees_those_that_change_most_and_the_others_in_one_row(shop: Shop) -> None:
    changes = [selectors.SupplierChange(1, place, f"supplier {place}", 1, 2, Decimal(10), Decimal(10 + 50 - place))
               for place in range(14)]
    shown = selectors.others_together(changes)
    assert [share.name for share in shown] == [*(f"supplier {place}" for place in range(10)), "4 other suppliers"]
    for name in ("lines_before", "lines_after", "money_before", "money_after", "money_change"):
        assert sum(getattr(share, name) for share in shown) == sum(getattr(share, name) for share in changes), name
    assert selectors.others_together(changes[:11]) == changes[:11], "one more is shown by name"
    found = [ask(shop, demand_factor=times) for times in (0.5, 2)]
    with tenant_context(shop.tenant.pk):
        every = selectors.suppliers_compared(found)
        with mock.patch.object(selectors, "SUPPLIERS_SHOWN", 0):
            [(name, moneys)] = selectors.suppliers_compared(found)
    assert name == "2 other suppliers"
    assert moneys == [sum(column) for column in zip(*(row for _, row in every), strict=True)]


def test_no_page_asks_more_where_more_changes() -> None:
    shop = make_planned_shop(60, on_hand=20, demo_date=MONDAY)
    run_plan(shop)
    client, found = signed_in(shop), [ask(shop, demand_factor=times) for times in (4, 0)]
    every = ",".join(str(each.pk) for each in found)
    for query in ("", f"?compare={every}", f"{found[0].pk}/", f"{found[0].pk}/export/"):
        page(client, f"{LIST}{query}")
    assert "50 of 60 items; the CSV has them all" in page(client, f"{LIST}{found[0].pk}/")


def test_an_outsider_finds_nothing_on_pages_and_in_the_api(shop: Shop) -> None:
    def program(who: Shop) -> Client:
        _key, secret = issue_key(tenant=who.tenant, name="till", actor=None,
                                 permissions=[Permission.READ, Permission.PLAN])
        return Client(headers={"Authorization": f"Bearer {secret}"})

    cache.clear()
    found, stranger = ask(shop, lead_days=-5), make_shop(0)
    client, api, own = signed_in(stranger, "owner"), program(stranger), program(shop)
    assert found.name not in page(client, LIST) and "No plan yet" in page(client, LIST)
    for path in ("", "export/", "run/", "delete/"):
        ask_for = client.post if path in ("run/", "delete/") else client.get
        assert ask_for(f"{LIST}{found.pk}/{path}").status_code == 404, path
    assert client.get(f"{LIST}?compare={found.pk},{found.pk + 1}").status_code == 404
    resource = "/api/v1/scenarios/"
    assert api.get(resource).json()["results"] == [] and api.get(f"{resource}{found.pk}/").status_code == 404
    assert api.post(f"{resource}{found.pk}/run/").status_code == 404
    told = own.get(f"{resource}{found.pk}/").json()
    assert (told["changes"], told["is_stale"], len(told["lines"]), len(told["suppliers"])) == (
        {"lead_days": -5}, False, 4, 2)

    def post(changes: dict[str, Any]) -> Any:
        return own.post(resource, {"changes": changes}, content_type="application/json")

    asked = post({"demand_factor": 1.2, "cost_factor": "1.1", "cost_supplier_id": shop.suppliers[0].pk})
    assert asked.status_code == 202 and asked.json()["job"]["kind"] == "optimization.scenario"
    assert asked["Location"] == f"/api/v1/jobs/{asked.json()['scenario']['job_id']}/"
    assert asked.json()["scenario"]["name"] == "Demand +20%, Alder Foods: unit cost +10%"
    for changes, field in (({"demand_factor": "nan"}, "changes.demand_factor"), ({}, "changes.non_field_errors"),
                           ({"gone_supplier_id": 10 ** 9}, "changes.gone_supplier_id")):
        refused = post(changes)
        assert (refused.status_code, [error["field"] for error in refused.json()["errors"]]) == (400, [field])
    with tenant_context(shop.tenant.pk):
        assert len(selectors.scenarios()) == 2
