"""The plan's page: everything can be looked at by all, decided on by planners, and no form loses what was typed."""

from __future__ import annotations

import csv
import datetime as dt
import io
import re

import pytest
from django.test import Client

from apps.catalog.models import Channel, Supplier
from apps.inventory.models import PurchaseOrder, PurchaseOrderLine
from apps.jobs.models import Job
from apps.optimization import services
from apps.optimization.models import Decision, Plan, Recommendation
from apps.optimization.services import Choice
from apps.portal.services import refresh_summaries
from apps.sales.models import DailyDemand, SaleLine
from apps.tenants.figures import units
from apps.tenants.scope import tenant_context
from tests.integration.inventory.people import page, signed_in
from tests.integration.inventory.shops import COUNTED_AT, MONDAY, Shop, make_shop
from tests.integration.optimization.planned_shops import make_planned_shop, open_lines, run_plan
from tests.rows import make_row

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop() -> Shop:
    shop = make_planned_shop(6, demo_date=MONDAY)
    run_plan(shop)
    return shop


def lines(shop: Shop) -> list[Recommendation]:
    with tenant_context(shop.tenant.pk):
        return open_lines()


def decide(client: Client, query: str = "", /, **data: object) -> tuple[int, str]:
    response = client.post(f"/replenish/decide/{query}", {"act": "approve", **data})
    return response.status_code, response.headers.get("Location", "") or response.content.decode()


def test_the_plan_is_shown_line_by_line_with_its_limits_and_changes(shop: Shop) -> None:
    text = page(signed_in(shop), "/replenish/")
    for item in shop.items:
        assert str(item) in text
    assert "Put on orders" in text and "What limits this plan" in text and "This is the first plan." in text


def test_a_plan_without_a_limit_says_how_many_lines_are_kept_and_labels_what_changed_in_all(shop: Shop) -> None:
    client, best = signed_in(shop), "No limit: every line is what is best for its item, in whole packs"
    with tenant_context(shop.tenant.pk):
        reason = {"driver": "kept", "lines": 2, "units": 6, "money": 12}
        Plan.objects.update(binding=[], changes={"reasons": [reason], "lines": 2, "units": 6, "money": 12})
        Recommendation.objects.update(binding="pack")
    text = page(client, "/replenish/")
    assert f"{best}." in text
    row = text.split("In all</th>")[1].split("</tr>")[0]
    assert re.findall(r'data-label="(\w+)"', row) == ["Lines", "Units", "Money"]
    kept = lines(shop)[:2]
    with tenant_context(shop.tenant.pk):
        Recommendation.objects.filter(pk__in=[line.pk for line in kept]).update(binding="kept")
    words = f"{best}, but for 2 that are kept from the last plan: moving them would gain too little."
    assert words in page(client, "/replenish/") and words in page(client, "/replenish/?q=nothing"), "of the whole plan"


def test_a_shop_without_a_plan_is_told_what_is_missing() -> None:
    assert "No plan yet" in page(signed_in(make_shop()), "/replenish/")


def test_filters_search_and_order_are_in_the_address(shop: Shop) -> None:
    client = signed_in(shop)
    text = page(client, f"/replenish/?supplier={shop.suppliers[0].pk}")
    assert "Item 0" in text and "Item 5" not in text
    assert "Item 4" in page(client, "/replenish/?q=sku-4&sort=-money")
    assert "No line fits these filters" in page(client, "/replenish/?q=nothing+of+the+kind")
    page(client, "/replenish/?supplier=abc&sort=no_such_column&page=77&binds=none&only=assumed")


def test_no_page_asks_more_when_the_plan_is_longer(shop: Shop) -> None:
    other = make_planned_shop(60, demo_date=MONDAY)
    run_plan(other)
    assert "?page=2" in page(signed_in(other), "/replenish/")


def test_why_a_line_is_what_it_is_opens_within_the_page_or_on_its_own(shop: Shop) -> None:
    client, line = signed_in(shop, "viewer"), lines(shop)[0]
    part = page(client, f"/replenish/{line.pk}/", HTTP_HX_REQUEST="true")
    assert "<html" not in part and "To buy" in part and "Need" in part
    assert "How it adds up" in page(client, f"/replenish/{line.pk}/")
    assert client.get("/replenish/999999/").status_code == 404
    assert signed_in(make_shop()).get(f"/replenish/{line.pk}/").status_code == 404


def test_each_figure_of_a_line_is_marked_by_where_it_comes_from_itself(shop: Shop) -> None:
    with tenant_context(shop.tenant.pk):
        Supplier.objects.update(lead_time_days=10, review_period_days=14, simulated=["review_period_days"])
    run_plan(shop)
    line = lines(shop)[0]
    assert line.simulated == ["review_period_days"]
    client = signed_in(shop)
    assert 'title="Simulated: how often is ordered"' in page(client, "/replenish/")
    facts = page(client, f"/replenish/{line.pk}/", HTTP_HX_REQUEST="true").split("<dt>")[1:]
    marked = [fact.split("</dt>")[0] for fact in facts if "badge-purple" in fact]
    assert marked == ["Ordered every"]


def test_ticked_lines_are_approved_into_orders_once(shop: Shop) -> None:
    client, found = signed_in(shop), lines(shop)
    ticked = [line.pk for line in found]
    assert decide(client, line=ticked) == (302, "/orders/")
    assert decide(client, line=ticked)[0] == 302
    with tenant_context(shop.tenant.pk):
        assert (PurchaseOrder.objects.count(), PurchaseOrderLine.objects.count()) == (2, 6)
        assert not open_lines()
    assert "Everything is decided" in page(client, "/replenish/")


def test_what_stood_on_a_cancelled_draft_is_on_the_page_again(shop: Shop) -> None:
    client, line = signed_in(shop), lines(shop)[0]
    _status, order = decide(client, line=[line.pk])
    assert "on an order" in page(client, f"/replenish/{line.pk}/")
    client.post(f"{order}cancel/", {"reason": "by mistake"})
    assert f'name="quantity-{line.pk}"' in page(client, "/replenish/")
    for path in (f"/replenish/{line.pk}/", f"/items/{line.item_id}/"):
        text = client.get(path).content.decode()
        assert "on an order" not in text and "Ordered as advised" not in text, path


def test_a_drafts_line_is_changed_and_taken_off_on_the_orders_page(shop: Shop) -> None:
    client, first = signed_in(shop), lines(shop)[0]
    with tenant_context(shop.tenant.pk):
        [order_id] = services.decide_many(choices=[
            Choice(recommendation_id=line.pk) for line in lines(shop)[:6] if line.supplier_id == first.supplier_id],
            as_of=MONDAY, actor=None).order_ids
        ordered = PurchaseOrderLine.objects.get(recommendation_id=first.pk)
        others = PurchaseOrderLine.objects.filter(order_id=order_id).exclude(pk=ordered.pk).count()
    order = f"/orders/{order_id}/"
    path, odd = f"{order}lines/{ordered.pk}/", first.quantity + 1
    assert f'action="{path}"' in page(client, order)
    assert f'action="{path}"' not in page(signed_in(shop, "viewer"), order)
    assert signed_in(make_shop()).post(path, {"act": "remove"}).status_code == 404

    def send(**typed: object) -> tuple[int, str]:
        response = client.post(path, {"act": "change", **typed})
        return response.status_code, response.headers.get("Location", "") or response.content.decode()

    for wrong in ("", "-3", "2.5", "many", "9" * 12):
        status, text = send(quantity=wrong)
        assert status == 422 and "is no quantity" in text, wrong
    status, text = send(quantity=odd, reason="a party")
    assert status == 422 and "is no whole number of packs of 6" in text and 'value="keep"' in text
    assert f'value="{odd}"' in text and 'value="a party"' in text and text.count('<details class="why"') == others + 1
    assert text.count('class="why" open') == 1
    status, text = send(quantity=odd, act="keep")
    assert status == 422 and "Say why" in text and f'name="kept" value="{odd}"' in text
    assert send(quantity=odd, kept=odd, reason="a party") == (302, order)
    text = page(client, order)
    assert f"{first.quantity} were advised; changed by" in text and "The line is changed." in text
    assert send(act="remove", quantity="") == (302, order)
    text = page(client, order)
    assert "Taken off" in text and f'action="{path}"' not in text
    assert f'name="quantity-{first.pk}"' in page(client, "/replenish/")
    assert send(act="remove") == (302, order), "it is off already"
    assert "has no such line" in page(client, order)
    trail = page(signed_in(shop, "owner"), "/settings/audit/")
    assert "changed a line of an order" in trail and "took a line off an order" in trail


def test_a_line_of_which_there_is_more_than_enough_says_that_nothing_is_needed() -> None:
    shop = make_planned_shop(2, demo_date=MONDAY, on_hand=200)
    run_plan(shop)
    client = signed_in(shop)
    with tenant_context(shop.tenant.pk):
        line = Recommendation.objects.all()[0]
        refresh_summaries(as_of=MONDAY)
    assert (line.quantity, line.waterfall["units"]["need"]) == (0, 0)
    words = f"the 200 on hand and on order cover the {units(line.mean_demand)} that are expected to sell"
    assert words in page(client, f"/replenish/{line.pk}/") and words in page(client, f"/items/{line.item_id}/")


def test_a_changed_quantity_needs_a_reason_and_keeps_what_was_typed_until_there_is_one(shop: Shop) -> None:
    client, line = signed_in(shop), lines(shop)[0]
    typed: dict[str, object] = {f"quantity-{line.pk}": str(line.quantity + 6), "line": [line.pk]}
    status, text = decide(client, **typed)
    assert status == 422 and "Say why" in text and f'value="{line.quantity + 6}"' in text and " checked" in text
    for wrong in ("-3", "2.5", "many", "9" * 12, "9" * 40, "9" * 5000):
        status, text = decide(client, **{**typed, f"quantity-{line.pk}": wrong})
        assert status == 422 and "is no quantity" in text
        assert f"data-cost>${round(line.quantity * line.unit_cost)}<" in text, "what is no quantity costs nothing else"
    status, order = decide(client, **typed, reason="a party")
    assert status == 302
    assert f"{line.quantity} were advised; changed by" in page(client, order) and "a party" in page(client, order)
    with tenant_context(shop.tenant.pk):
        decision = Decision.objects.get()
        assert (decision.kind, decision.quantity, decision.reason) == ("edited", line.quantity + 6, "a party")


def test_a_quantity_that_breaks_a_pack_or_the_minimum_is_asked_about_and_may_be_kept(shop: Shop) -> None:
    client, line = signed_in(shop), lines(shop)[0]
    with tenant_context(shop.tenant.pk):
        Recommendation.objects.filter(pk=line.pk).update(waterfall={**line.waterfall, "moq": 10})
    odd = line.quantity + 3
    typed: dict[str, object] = {f"quantity-{line.pk}": str(odd), "line": [line.pk], "reason": "a party"}
    status, text = decide(client, **typed)
    assert status == 422 and 'value="keep"' in text and f'value="{odd}"' in text
    assert (f"{line.item}: {odd} is no whole number of packs of 6; the nearest are {odd - 3} and {odd + 3}. Order what "
            "is typed all the same?") in text
    assert f"data-cost>${round(odd * line.unit_cost)}<" in text, "its cost is that of what was typed"
    status, text = decide(client, **{**typed, f"quantity-{line.pk}": "6"})
    assert status == 422 and f"{line.item}: 6 is below the smallest order, 12." in text
    with tenant_context(shop.tenant.pk):
        assert not Decision.objects.exists() and not PurchaseOrder.objects.exists()
    assert decide(client, **{**typed, "act": "keep"})[0] == 302
    with tenant_context(shop.tenant.pk):
        assert PurchaseOrderLine.objects.get().quantity == odd


def test_what_is_kept_when_asked_is_not_asked_about_again(shop: Shop) -> None:
    client, line = signed_in(shop), lines(shop)[0]
    name, kept, odd = f"quantity-{line.pk}", f"kept-{line.pk}", str(line.quantity + 1)
    status, text = decide(client, **{"line": [line.pk], name: odd})
    assert status == 422 and f'name="{kept}"' not in text
    status, text = decide(client, **{"line": [line.pk], name: odd, "act": "keep"})
    assert status == 422 and "Say why" in text and f'name="{kept}" value="{odd}"' in text
    assert text.count('name="kept-') == 1
    status, text = decide(client, **{"line": [line.pk], name: str(line.quantity + 2), kept: odd, "reason": "a party"})
    assert status == 422 and "is no whole number of packs" in text, "another quantity was not asked about yet"
    assert decide(client, **{"line": [line.pk], name: odd, kept: odd, "reason": "a party"})[0] == 302


def test_an_odd_quantity_among_all_lines_is_kept_with_all_of_them() -> None:
    shop = make_planned_shop(60, demo_date=MONDAY)
    run_plan(shop)
    client, line = signed_in(shop), lines(shop)[0]
    typed: dict[str, object] = {f"quantity-{line.pk}": str(line.quantity + 1), "reason": "a party"}
    status, text = decide(client, everything="1", **typed)
    box = text[text.index('name="everything"'):]
    assert status == 422 and " checked" in box[:box.index(">")]
    assert decide(client, everything="1", **{**typed, "act": "keep"})[0] == 302
    with tenant_context(shop.tenant.pk):
        assert PurchaseOrderLine.objects.count() == 60


def test_an_odd_quantity_kept_among_all_lines_is_asked_for_its_reason_only() -> None:
    shop = make_planned_shop(60, demo_date=MONDAY)
    run_plan(shop)
    client, line = signed_in(shop), lines(shop)[0]
    name, odd = f"quantity-{line.pk}", str(line.quantity + 1)
    for act in ("approve", "keep"):
        status, text = decide(client, everything="1", act=act, **{name: odd})
        box = text[text.index('name="everything"'):]
        assert status == 422 and " checked" in box[:box.index(">")], act
        decide(client, line=[each.pk for each in lines(shop)[-20:]], act="dismiss", reason="decided meanwhile")
    assert "Say why" in text and f'name="kept-{line.pk}" value="{odd}"' in text
    assert decide(client, everything="1", reason="a party", **{name: odd, f"kept-{line.pk}": odd})[0] == 302
    with tenant_context(shop.tenant.pk):
        assert PurchaseOrderLine.objects.count() == 20


def test_what_enter_would_press_is_a_button_that_decides_nothing(shop: Shop) -> None:
    client, line = signed_in(shop), lines(shop)[0]
    _status, question = decide(client, line=[line.pk], **{f"quantity-{line.pk}": str(line.quantity + 1)})
    for text in (page(client, "/replenish/"), question):
        of_the_plan = text[text.index('<button type="submit" form="plan-lines" disabled'):]
        assert text.count('name="act"') == of_the_plan.count('name="act"') >= 2


@pytest.mark.parametrize("times", [10, 100])
def test_a_quantity_far_above_the_advised_is_asked_about_though_it_is_whole_packs(shop: Shop, times: int) -> None:
    client, line = signed_in(shop), lines(shop)[0]
    typed: dict[str, object] = {"line": [line.pk], "reason": "a fair", f"quantity-{line.pk}": line.quantity * times}
    status, text = decide(client, **typed)
    assert status == 422 and 'value="keep"' in text
    assert f"{line.quantity * times:,} is {times} times the {line.quantity} that are advised. Order what" in text
    assert decide(client, **{**typed, "act": "keep"})[0] == 302
    with tenant_context(shop.tenant.pk):
        assert PurchaseOrderLine.objects.get().quantity == line.quantity * times


def test_some_packs_more_than_advised_are_not_asked_about(shop: Shop) -> None:
    line = lines(shop)[0]
    typed: dict[str, object] = {f"quantity-{line.pk}": str(line.quantity * 9), "line": [line.pk], "reason": "a fair"}
    assert decide(signed_in(shop), **typed)[0] == 302


def test_many_odd_quantities_are_asked_about_in_one_question() -> None:
    shop = make_planned_shop(8, demo_date=MONDAY)
    run_plan(shop)
    found = lines(shop)
    typed = {f"quantity-{line.pk}": str(line.quantity + 1) for line in found}
    status, text = decide(signed_in(shop), line=[line.pk for line in found], reason="why not", **typed)
    assert status == 422 and text.count("is no whole number of packs") == 5 and "3 more lines are so." in text


def test_dismissing_needs_a_reason_and_nothing_ticked_is_said(shop: Shop) -> None:
    client, line = signed_in(shop), lines(shop)[0]
    assert decide(client, line=[line.pk], act="dismiss")[0] == 422
    assert decide(client, line=[line.pk], act="dismiss", reason="delisted") == (302, "/replenish/")
    assert decide(client, "?q=sku-1") == (302, "/replenish/?q=sku-1")
    with tenant_context(shop.tenant.pk):
        assert Decision.objects.get().kind == "dismissed"


def test_all_lines_that_a_filter_finds_are_approved_together(shop: Shop) -> None:
    status, location = decide(signed_in(shop), f"?supplier={shop.suppliers[0].pk}", everything="1")
    assert status == 302 and location.startswith("/orders/")
    with tenant_context(shop.tenant.pk):
        assert PurchaseOrderLine.objects.count() == 3
        assert len(open_lines()) == 3


def test_a_viewer_sees_no_button_and_every_change_is_refused(shop: Shop) -> None:
    client, line = signed_in(shop, "viewer"), lines(shop)[0]
    text = page(client, "/replenish/")
    assert "Item 0" in text
    assert "Put on orders" not in text and 'name="line"' not in text and "Plan again" not in text
    assert client.post("/replenish/decide/", {"line": [line.pk]}).status_code == 403
    assert client.post("/replenish/plan/").status_code == 403
    with tenant_context(shop.tenant.pk):
        assert not Decision.objects.exists()


def test_an_outsider_decides_on_nothing(shop: Shop) -> None:
    client = signed_in(make_shop(), "owner")
    decide(client, line=[lines(shop)[0].pk])
    with tenant_context(shop.tenant.pk):
        assert not Decision.objects.exists()
    assert Client().get("/replenish/").status_code == 302


def test_planning_again_is_a_job_whose_progress_the_page_shows(shop: Shop) -> None:
    client = signed_in(shop)
    assert client.post("/replenish/plan/").status_code == 302
    job = Job.objects.get(tenant=shop.tenant, kind="optimization.plan", state="queued")
    text = page(client, "/replenish/")
    assert f'id="job-{job.pk}-progress"' in text and "Plan again" not in text


def test_the_csv_holds_the_same_lines_with_plain_figures(shop: Shop) -> None:
    text = page(signed_in(shop, "viewer"), f"/replenish/export/?supplier={shop.suppliers[1].pk}")
    rows = list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))
    assert {row["SKU"] for row in rows} == {"sku-3", "sku-4", "sku-5"}
    for row in rows:
        parts = ("Need", "Buffer", "Pack and minimum quantity", "Supplier's minimum", "Cash", "Kept from the last plan")
        assert sum(int(row[part]) for part in parts) == int(row["Quantity"])


def test_what_follows_one_unusual_sale_says_so_beside_its_quantity_and_leads_to_it() -> None:
    shop = make_planned_shop(2, demo_date=MONDAY)
    with tenant_context(shop.tenant.pk):
        channel = make_row(Channel)
        for number, quantity in enumerate([1, 1, 1, 1, 1, 500]):
            make_row(SaleLine, item=shop.items[0], location=shop.location, channel=channel, quantity=quantity,
                     occurred_at=COUNTED_AT - dt.timedelta(days=number + 1))
        make_row(DailyDemand, item=shop.items[0], location=shop.location, date=MONDAY - dt.timedelta(days=6), units=505,
                 revenue=1515)
    run_plan(shop)
    assert [line.item for line in lines(shop) if "one_sale" in line.assumed] == [shop.items[0]]
    client = signed_in(shop)
    for path in ("/replenish/", "/"):
        text = page(client, path)
        assert "1 of 2 lines" in text and 'href="/data/unusual/"' in text, path
    assert "one big sale" in page(client, "/replenish/")


def test_the_address_of_a_refused_decision_leads_back_to_the_plan(shop: Shop) -> None:
    answer = signed_in(shop).get("/replenish/decide/?supplier=1")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/replenish/")
