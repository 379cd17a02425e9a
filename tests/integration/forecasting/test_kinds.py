"""What kinds of item and the whole shop are forecast to sell: saved by the night, shown on a page, told to programs."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from django.db.models import F
from django.test import Client

from apps.catalog.models import Item
from apps.forecasting import selectors
from apps.forecasting.models import Backtest, KindForecast, SeriesForecast
from apps.sales.models import DailyDemand
from apps.tenants.models import Permission
from apps.tenants.scope import tenant_context
from apps.tenants.services import issue_key
from tests.integration.forecasting.selling_shops import DAY, make_selling_shop, run_job
from tests.integration.inventory.people import page, signed_in
from tests.integration.inventory.shops import MONDAY, make_shop

pytestmark = pytest.mark.django_db
Level = KindForecast.Level


@pytest.fixture(autouse=True)
def media(settings: Any, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = tmp_path
    return tmp_path


def test_kinds_are_what_their_items_add_up_to() -> None:
    shop = make_selling_shop(6)
    with tenant_context(shop.tenant.pk):
        Item.objects.filter(pk=shop.items[2].pk).update(category="Food > Coffee")
    run_job(shop, "forecasting.forecast")
    with tenant_context(shop.tenant.pk):
        found = {(kind.level, kind.name): kind for kind in KindForecast.objects.all()}
        series = {row.item_id: row for row in SeriesForecast.objects.select_related("run")}
        category = dict(Item.objects.values_list("pk", "category"))
        sold = sum(DailyDemand.objects.filter(date__gte=MONDAY - 28 * DAY).values_list("units", flat=True))
        run = selectors.latest_run()
    assert run is not None
    assert set(found) == {(Level.SHOP, ""), (Level.DEPARTMENT, "Food"), (Level.DEPARTMENT, "Home"),
                          (Level.CATEGORY, "Food > Tea"), (Level.CATEGORY, "Food > Coffee"),
                          (Level.CATEGORY, "Home > Soap")}
    for (level, name), kind in found.items():
        inside = [row for item, row in series.items()
                  if level == Level.SHOP or category[item] == name or category[item].startswith(f"{name} > ")]
        assert kind.items == len(inside)
        assert kind.units == pytest.approx(sum(sum(row.mean[:28]) for row in inside), rel=1e-4)
        assert kind.mean[0] == pytest.approx(sum(sum(row.mean[:7]) for row in inside), rel=1e-4)
        assert kind.units_low < kind.units < kind.units_high
        assert len(kind.mean) == len(kind.low) == len(kind.high) == 4 + run.weeks
        assert kind.money == pytest.approx(3 * kind.units, rel=1e-4)
    assert sum(found[Level.SHOP, ""].past[-4:]) == sold


def test_what_the_last_contest_found_makes_the_bands_as_wide_as_sums_strayed() -> None:
    shop = make_selling_shop(6)
    widths: list[float] = []
    run_job(shop, "forecasting.forecast")
    with tenant_context(shop.tenant.pk):
        in_use = selectors.kinds()[0].run.model
    for unsure, champion in ((0.0, in_use), (0.4, in_use), (0.4, "lightgbm")):
        with tenant_context(shop.tenant.pk):
            Backtest.objects.create(as_of=MONDAY, series=6, champion=champion, verdict={}, report={
                "levels": [{"level": level, "unsure": unsure} for level in Level]})
        run_job(shop, "forecasting.forecast")
        with tenant_context(shop.tenant.pk):
            whole = selectors.kinds().get(level=Level.SHOP)
        widths.append((whole.units_high - whole.units_low) / whole.units)
    assert widths[1] > 0.8 > 2 * widths[0]
    assert widths[0] < widths[2] < 0.5 * widths[1], "of another model's contest nothing follows"


def test_the_contest_says_how_far_sums_of_each_level_were_off() -> None:
    shop = make_selling_shop(6, a_day=8)
    run_job(shop, "forecasting.backtest")
    with tenant_context(shop.tenant.pk):
        contest = selectors.latest_backtest()
        assert contest is not None
        levels = {row["level"]: row for row in contest.report["levels"]}
        champion = next(row for row in contest.report["models"] if row["is_champion"])
    assert {level: row["sums"] for level, row in levels.items()} == {1: 5, 2: 10, 3: 10}
    assert levels[1]["sum_wape"] <= levels[2]["sum_wape"] <= champion["metrics"]["sum_wape"], "what differs cancels"
    assert levels[1]["sum_bias"] == pytest.approx(levels[3]["sum_bias"])
    assert all(0 < row["unsure"] <= 0.5 for row in levels.values())
    assert all(row["coverage_80"] is None for row in levels.values()), "two sums at an origin tell nothing of bands"


def test_the_page_of_demand_shows_the_shop_then_a_department_and_neither_grows_in_queries() -> None:
    shop = make_selling_shop(6)
    client = signed_in(shop, "viewer")
    for path in ("/demand/", "/demand/?kind=Food"):
        told = page(client, path)
        assert "Nothing is added up yet" in told and "<h1>Demand</h1>" in told
    with tenant_context(shop.tenant.pk):
        Item.objects.filter(pk=shop.items[2].pk).update(category="Food > Coffee & more")
    run_job(shop, "forecasting.forecast")
    told = page(client, "/demand/")
    assert "By department" in told and 'href="?kind=Food"' in told and 'href="?kind=Home"' not in told
    inside = page(client, f"/demand/?kind={quote('Food')}")
    assert "By category" in inside and "Coffee &amp; more" in inside and "Tea" in inside and "Soap" not in inside
    page(client, "/demand/?kind=Nowhere", status=404)


def test_outsiders_and_keys_of_another_shop_get_nothing() -> None:
    shop, other = make_selling_shop(4), make_shop(1)
    run_job(shop, "forecasting.forecast")
    with tenant_context(other.tenant.pk):
        assert not selectors.kinds().exists() and not KindForecast.objects.filter(items=F("items")).exists()
        assert selectors.demand_page() is None
    for one, levels in ((shop, {"shop", "department", "category"}), (other, set())):
        _key, secret = issue_key(tenant=one.tenant, name="reads", permissions=[Permission.READ], actor=None)
        program = Client(headers={"Authorization": f"Bearer {secret}"})
        told = program.get("/api/v1/kind-forecasts/").json()["results"]
        assert {row["level"] for row in told} == levels
        found = program.get("/api/v1/kind-forecasts/?level=category").json()["results"]
        assert {row["name"] for row in found} == ({"Food > Tea", "Home > Soap"} if levels else set())
