"""A night's forecast: with much history or little, with a champion or without, never from a touched file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from apps.alerts.models import Alert
from apps.catalog.models import SupplyTerm
from apps.forecasting import selectors
from apps.forecasting.engine import models
from apps.forecasting.models import ForecastRun, SeriesForecast
from apps.forecasting.services import promote, register_model
from apps.jobs.models import Job
from apps.jobs.running import Cancelled, GiveUp
from apps.jobs.services import claim, start_chain
from apps.jobs.worker import run
from apps.registry.models import ModelVersion
from apps.registry.services import Lineage
from apps.sales.models import DailyDemand, Promotion
from apps.tenants.scope import tenant_context
from config.schedule import NIGHT
from tests.integration.forecasting.selling_shops import DAY, make_selling_shop, run_dry, run_job
from tests.integration.inventory.shops import MONDAY, Shop, make_shop

pytestmark = pytest.mark.django_db

SELDOM = [MONDAY - 200 * DAY, MONDAY - 5 * DAY]


@pytest.fixture(autouse=True)
def media(settings: Any, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = tmp_path
    return tmp_path


def registered(shop: Shop, name: str = "tsb") -> ModelVersion:
    """A fitted simple model, registered and in use."""
    with tenant_context(shop.tenant.pk):
        known = selectors.known_history(MONDAY)
        version = register_model(
            model=models.make(name).fit(known.panel()), metrics={},
            lineage=Lineage(trained_through=MONDAY - DAY, data_fingerprint="d", code_version="c", seed=0))
        return promote(version=version, reason="for a test")


def test_without_a_champion_the_best_simple_model_forecasts_and_the_run_says_so() -> None:
    shop = make_selling_shop(6)
    told = run_job(shop, "forecasting.forecast")
    with tenant_context(shop.tenant.pk):
        run = selectors.latest_run()
        assert run is not None
        assert (run.as_of, run.series, run.version_id) == (MONDAY, 6, None)
        assert run.model in models.RIVALS
        assert "No model has won a contest yet" in run.note
        assert told["run"] == run.pk
        [series] = selectors.item_forecast(shop.items[0].pk).series
    sold_a_week = sum(step.mean for step in series.steps[:7])
    assert 9 < sold_a_week < 19, "items sell about two a day"
    assert series.steps[0].starts_on == MONDAY, "the planning day is the first one forecast"


@pytest.mark.parametrize("champion", [None, "tsb", "ridge"])
def test_each_forecast_says_why_it_is_so(champion: str | None) -> None:
    shop = make_selling_shop(6)
    if champion:
        registered(shop, champion)
    run_job(shop, "forecasting.forecast")
    with tenant_context(shop.tenant.pk):
        run = selectors.latest_run()
        assert run is not None
        assert {"stockouts", "recent_sales"} <= set(run.parts)
        assert ("trend" in run.parts) == (champion == "ridge")
        for row in selectors.newest_series():
            told = selectors.why_of(run, [row])
            assert told is not None
            assert (told.starts_on, told.days) == (MONDAY, 14)
            assert told.total == pytest.approx(sum(row.mean[:14]), rel=1e-4, abs=1e-5)


def test_an_item_that_has_just_come_on_sale_is_forecast_from_similar_ones_and_says_so() -> None:
    shop = make_selling_shop(6)
    with tenant_context(shop.tenant.pk):
        DailyDemand.objects.filter(item=shop.items[0]).delete()
        DailyDemand.objects.create(item=shop.items[0], location=shop.location, date=MONDAY - 2 * DAY, units=20,
                                   orders=1, revenue=60, shelf_value=60, discount=0)
    run_job(shop, "forecasting.forecast")
    with tenant_context(shop.tenant.pk):
        run = selectors.latest_run()
        assert run is not None
        new, *others = selectors.newest_series().order_by("item_id")
        assert (new.item_id, new.similar_items) == (shop.items[0].pk, 2), "two more of its category"
        assert all(row.similar_items is None for row in others)
        assert sum(new.mean[:7]) < 35, "twenty on its first day are no rate"
        why = selectors.why_of(run, [new])
        assert why is not None
        assert why.parts["similar_items"] < -10
        assert why.total == pytest.approx(sum(new.mean[:14]), rel=1e-4)


def test_the_horizon_covers_the_longest_lead_time_and_review_period() -> None:
    shop = make_selling_shop(3)
    with tenant_context(shop.tenant.pk):
        shop.suppliers[0].lead_time_days = 56
        shop.suppliers[0].save()
    run_job(shop, "forecasting.forecast")
    with tenant_context(shop.tenant.pk):
        run = selectors.latest_run()
        assert run is not None
        assert (run.days, sum(run.step_days) >= 56 + 7) == (28, True)


def test_the_champion_forecasts_from_its_artifact_with_the_newest_sales() -> None:
    shop = make_selling_shop(4)
    version = registered(shop)
    run_job(shop, "forecasting.forecast")
    with tenant_context(shop.tenant.pk):
        first = selectors.latest_run()
        assert first is not None
        assert (first.version_id, first.model, first.note) == (version.pk, "tsb", "")
        before = selectors.demand_paths(first).forecast.mean.sum()
        DailyDemand.objects.bulk_create([
            DailyDemand(item=item, location=shop.location, date=MONDAY + day * DAY, units=30, orders=1, revenue=90,
                        shelf_value=90, discount=0) for item in shop.items for day in range(7)])
    run_job(shop, "forecasting.forecast", MONDAY + 7 * DAY)
    with tenant_context(shop.tenant.pk):
        second = selectors.latest_run()
        assert second is not None
        assert second.version_id == version.pk
        assert second.data_fingerprint != first.data_fingerprint
        assert selectors.demand_paths(second).forecast.mean.sum() > before


def test_the_same_facts_give_the_same_forecast() -> None:
    shop = make_selling_shop(4)
    run_job(shop, "forecasting.forecast")
    run_job(shop, "forecasting.forecast")
    with tenant_context(shop.tenant.pk):
        one, other = ForecastRun.objects.order_by("pk")
        assert one.data_fingerprint == other.data_fingerprint
        np.testing.assert_array_equal(selectors.demand_paths(one).paths([0, 3], 20),
                                      selectors.demand_paths(other).paths([0, 3], 20))


def test_a_tampered_champion_is_not_opened_and_someone_is_told(media: Path) -> None:
    shop = make_selling_shop(4)
    version = registered(shop)
    (media / version.artifact_path / "model.json").write_bytes(b'{"model": "tsb", "parameters": {}, "dispersion": {}}')
    run_job(shop, "forecasting.forecast")
    with tenant_context(shop.tenant.pk):
        run = selectors.latest_run()
        assert run is not None
        assert run.version_id is None
        assert "has changed since it was signed" in run.note
        assert Alert.objects.get(code="model.unreadable").severity == "critical"


def test_ten_days_of_history_are_forecast_by_the_eight_week_mean_with_its_reason() -> None:
    shop = make_selling_shop(3, days=10)
    run_job(shop, "forecasting.forecast")
    with tenant_context(shop.tenant.pk):
        run = selectors.latest_run()
        assert run is not None
        assert (run.model, run.series) == (models.FALLBACK, 3)
        assert "10 days of history are too few" in run.note


def test_one_item_is_enough() -> None:
    shop = make_selling_shop(1)
    assert run_job(shop, "forecasting.forecast")["series"] == 1


def test_the_night_of_a_shop_without_sales_ends_before_the_forecast_and_alarms_nobody() -> None:
    shop = make_shop(2)
    with tenant_context(shop.tenant.pk):
        start_chain(chain=NIGHT, as_of=MONDAY)
    Job.objects.update(run_after="2000-01-01T00:00Z")  # this test's transaction began before it was asked for
    running = claim(queue="light", worker="test")
    assert running is not None
    run(running)
    assert list(Job.objects.values_list("kind", "state")) == [(NIGHT[0], "done")]
    with tenant_context(shop.tenant.pk):
        assert not Alert.objects.exists()


def test_a_shop_without_sales_is_told_what_is_missing() -> None:
    with pytest.raises(GiveUp, match="There are no sales before 4 Dec 2017"):
        run_job(make_shop(2), "forecasting.forecast")


def test_items_that_sell_too_seldom_are_ordered_on_request() -> None:
    shop = make_selling_shop(3)
    with tenant_context(shop.tenant.pk):
        DailyDemand.objects.filter(item=shop.items[0]).exclude(date__in=SELDOM).delete()
    run_job(shop, "forecasting.forecast")
    with tenant_context(shop.tenant.pk):
        run = selectors.latest_run()
        assert run is not None
        assert (run.series, run.on_request) == (2, 1)
        assert selectors.item_forecast(shop.items[0].pk).is_on_request
        DailyDemand.objects.exclude(date__in=SELDOM).delete()
    run_job(shop, "forecasting.forecast")
    with tenant_context(shop.tenant.pk):
        newest = selectors.latest_run()
        assert newest is not None
        assert (newest.series, newest.on_request) == (0, 3)
        assert "ordered on request" in newest.note


def test_sales_of_the_planning_day_itself_change_nothing() -> None:
    shop = make_selling_shop(2)
    run_job(shop, "forecasting.forecast")
    with tenant_context(shop.tenant.pk):
        for item in shop.items:
            DailyDemand.objects.create(item=item, location=shop.location, date=MONDAY, units=500, orders=1,
                                       revenue=1500, shelf_value=1500, discount=0)
    run_job(shop, "forecasting.forecast")
    with tenant_context(shop.tenant.pk):
        one, other = ForecastRun.objects.order_by("pk")
        assert one.data_fingerprint == other.data_fingerprint


def test_a_mailer_planned_meanwhile_makes_a_forecast_of_other_facts() -> None:
    shop = make_selling_shop(2)
    run_job(shop, "forecasting.forecast")
    with tenant_context(shop.tenant.pk):
        Promotion.objects.create(item=shop.items[0], kind="mailer", starts_on=MONDAY + DAY, ends_on=MONDAY + 9 * DAY,
                                 share=0.9, is_known_ahead=True)
    run_job(shop, "forecasting.forecast")
    with tenant_context(shop.tenant.pk):
        one, other = ForecastRun.objects.order_by("pk")
        assert one.data_fingerprint != other.data_fingerprint


def test_a_cancelled_forecast_saves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    shop = make_selling_shop(2)
    monkeypatch.setattr("apps.jobs.running.Running.check", _cancel_late)
    with pytest.raises(Cancelled):
        run_job(shop, "forecasting.forecast")
    with tenant_context(shop.tenant.pk):
        assert selectors.latest_run() is None


def _cancel_late(running: Any) -> None:
    if running.fraction >= 0.8:
        raise Cancelled("cancelled at its last report of progress")


def four_weeks_of_the_first(shop: Shop) -> float:
    run_job(shop, "forecasting.forecast")
    with tenant_context(shop.tenant.pk):
        [series] = selectors.item_forecast(shop.items[0].pk).series
    return sum(step.mean for step in series.steps[:28])


def test_an_item_that_ran_dry_is_forecast_at_its_earlier_rate_and_made_up_stock_changes_nothing() -> None:
    stocked, dry, made_up, untold = (make_selling_shop(4, a_day=20) for _number in range(4))
    run_dry(dry, 21)
    run_dry(made_up, 21, origin="simulated")
    with tenant_context(untold.tenant.pk):
        DailyDemand.objects.filter(item=untold.items[0], date__gte=MONDAY - 21 * DAY).delete()
    usual, ran_dry, as_sold, unknown = (four_weeks_of_the_first(shop) for shop in (stocked, dry, made_up, untold))
    assert ran_dry == pytest.approx(usual, rel=0.15)
    assert as_sold == unknown < 0.8 * usual


def test_the_fingerprint_of_the_data_tells_a_day_that_ended_sold_out_from_one_that_did_not() -> None:
    shop = make_selling_shop(2)
    with tenant_context(shop.tenant.pk):
        known = selectors.known_history(MONDAY)
    panel = known.panel()
    bounds = np.full_like(panel.y, np.nan)
    bounds[0, -1] = 1
    assert selectors.data_fingerprint(panel) != selectors.data_fingerprint(replace(panel, sold_out=bounds))


def test_what_an_empty_shelf_kept_from_being_sold_is_saved_beside_the_forecast() -> None:
    """Twenty a day for ten days, and some more of the day that ended sold out before them."""
    shop = make_selling_shop(4, a_day=20)
    run_dry(shop, 10)
    run_job(shop, "forecasting.forecast")
    with tenant_context(shop.tenant.pk):
        dry, *others = SeriesForecast.objects.order_by("item_id")
    assert dry.days_out == 10
    assert 160 < dry.lost_low < dry.lost_units < dry.lost_high < 260
    assert {(each.days_out, each.lost_units, each.lost_low, each.lost_high) for each in others} == {(0, 0, 0, 0)}


def test_what_sold_until_last_autumn_is_learned_from_and_not_forecast() -> None:
    shop = make_selling_shop(3)
    with tenant_context(shop.tenant.pk):
        gone = shop.items[0]
        last = MONDAY - 181 * DAY  # of a half-year, one day of sales is left
        DailyDemand.objects.filter(item=gone, date__gte=last).delete()
        known = selectors.known_history(MONDAY)
        assert any(name.startswith(f"{gone.pk}/") for name in known.lessons().ids)
        assert not any(name.startswith(f"{gone.pk}/") for name in known.panel().ids)
    told = run_job(shop, "forecasting.forecast")
    with tenant_context(shop.tenant.pk):
        assert told["series"] == 2
        assert set(SeriesForecast.objects.values_list("item_id", flat=True)) == {item.pk for item in shop.items[1:]}


def test_what_nobody_plans_any_more_does_not_say_how_far_ahead_is_forecast() -> None:
    shop = make_selling_shop(3)
    with tenant_context(shop.tenant.pk):
        usual = selectors.known_history(MONDAY).protection_days
        SupplyTerm.objects.filter(item=shop.items[0]).update(lead_time_days=120)
        assert selectors.known_history(MONDAY).protection_days > usual + 90
        DailyDemand.objects.filter(item=shop.items[0], date__gte=MONDAY - 181 * DAY).delete()
        known = selectors.known_history(MONDAY)
        assert any(name.startswith(f"{shop.items[0].pk}/") for name in known.static["unique_id"])
        assert known.protection_days == usual
