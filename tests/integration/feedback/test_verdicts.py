"""The judges on a shop: scores beside simple models, earlier plans made again, decisions, drift, the proof."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.db.models import F

from apps.alerts.models import Alert
from apps.feedback import selectors
from apps.feedback.models import ForecastScore, Judgement, Outcome, Proof
from apps.feedback.pipeline.judge import look_for_drift, look_for_empty_shelves
from apps.forecasting.models import Backtest, ForecastRun
from apps.inventory import services as orders
from apps.inventory.models import PurchaseOrder, StockLevel, StockMovement
from apps.inventory.selectors import position_frame
from apps.inventory.services import ReceivedLine
from apps.jobs.models import Job
from apps.optimization import services as optimization
from apps.optimization.models import Plan, Recommendation
from apps.sales.models import DailyDemand
from apps.tenants.scope import tenant_context
from tests.integration.forecasting.selling_shops import DAY, make_selling_shop, run_job, sell
from tests.integration.inventory.people import page, signed_in
from tests.integration.inventory.shops import COUNTED_AT, MONDAY, Shop, make_shop

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def media(settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path


@pytest.fixture
def shop() -> Shop:
    """Sold for thirty weeks and forecast this Monday."""
    made = make_selling_shop(6)
    run_job(made, "forecasting.forecast")
    return made


def let_days_pass(shop: Shop, days: int, a_day: float = 2.0) -> dt.date:
    with tenant_context(shop.tenant.pk):
        sell(shop, [MONDAY + day * DAY for day in range(days)], a_day, np.random.default_rng(9))
    return MONDAY + days * DAY


# --- Forecasts ----------------------------------------------------------------------------------------------------

def test_a_week_is_scored_when_it_has_passed_and_not_before(shop: Shop) -> None:
    let_days_pass(shop, 7)
    assert run_job(shop, "feedback.judge", MONDAY + 6 * DAY)["runs_scored"] == 0
    assert run_job(shop, "feedback.judge", MONDAY + 7 * DAY)["runs_scored"] == 1
    with tenant_context(shop.tenant.pk):
        everything = ForecastScore.objects.filter(segment_kind="all", horizon="week_1")
        run = ForecastRun.objects.get()
        assert {score.model for score in everything} >= {"weekday_mean", "eight_week_mean", "tsb", run.model}
        assert everything.get(is_champion=True).model == run.model
        sold = shop_units(shop)
        assert everything.get(is_champion=True).actual_units == sold
        assert set(ForecastScore.objects.values_list("segment_kind", flat=True)) == {"all", "category", "abc"}


def test_a_week_in_which_an_item_ran_out_is_not_scored_for_it(shop: Shop) -> None:
    let_days_pass(shop, 7)
    item = shop.items[0]
    with tenant_context(shop.tenant.pk):
        DailyDemand.objects.filter(item=item, date__gte=MONDAY + 4 * DAY).delete()
        StockLevel.objects.create(item=item, location=shop.location, on_hand=0)
        StockMovement.objects.create(item=item, location=shop.location, kind="count", occurred_on=MONDAY + 3 * DAY,
                                     quantity=0, reference="0")
    run_job(shop, "feedback.judge", MONDAY + 7 * DAY)
    with tenant_context(shop.tenant.pk):
        for score in ForecastScore.objects.filter(segment_kind="all", horizon="week_1"):
            assert score.series == len(shop.items) - 1
            assert score.actual_units == shop_units(shop) - shop_units(shop, item.pk)


def shop_units(shop: Shop, item_id: int | None = None) -> float:
    from apps.sales.selectors import units_frame

    sold = units_frame(MONDAY, MONDAY + 7 * DAY)
    return float(sold.loc[sold["item_id"] == item_id if item_id else slice(None), "units"].sum())


def test_judging_again_says_the_same_and_adds_nothing(shop: Shop) -> None:
    as_of = let_days_pass(shop, 14)
    first = run_job(shop, "feedback.judge", as_of)
    with tenant_context(shop.tenant.pk):
        rows = ForecastScore.objects.count()
    again = run_job(shop, "feedback.judge", as_of)
    with tenant_context(shop.tenant.pk):
        assert (ForecastScore.objects.count(), Judgement.objects.count()) == (rows, 1)
    assert again["runs_scored"] == 0
    assert again["words"] == first["words"]


def test_a_shop_with_nothing_to_judge_gets_a_verdict_that_says_so() -> None:
    told = run_job(make_shop(1), "feedback.judge")
    assert told["words"] == ["No forecast is a week old yet: there is nothing to score."]


USUAL = {"mean": 0.3, "low": 0.2, "high": 0.4, "weeks": 5}


def test_two_weeks_out_of_range_raise_an_alert_and_queue_a_contest_once(shop: Shop) -> None:
    with tenant_context(shop.tenant.pk):
        run = ForecastRun.objects.get()
        Backtest.objects.create(as_of=MONDAY, champion=run.model, series=6, verdict={},
                                report={"usual_weeks": {run.model: USUAL}})
    sold_out_of_pattern = let_days_pass(shop, 14, a_day=9.0)
    assert run_job(shop, "feedback.judge", MONDAY + 7 * DAY)["drift"] == "usual", "one week alone is no drift"
    run_job(shop, "forecasting.forecast", MONDAY)
    with tenant_context(shop.tenant.pk):
        ForecastRun.objects.filter(pk=run.pk).update(as_of=MONDAY - 7 * DAY)
        ForecastScore.objects.filter(run=run).update(absolute_error=1e6)
    told = run_job(shop, "feedback.judge", sold_out_of_pattern)
    assert told["drift"] == "worse"
    with tenant_context(shop.tenant.pk):
        alert = Alert.objects.get(code="accuracy.drift")
        assert "its own contest lets expect at most 40%" in alert.reason
    with tenant_context(shop.tenant.pk):
        queued = Job.objects.filter(kind="forecasting.backtest", tenant_id=shop.tenant.pk)
        contest = Backtest.objects.get()
        assert queued.count() == (1 if contest.as_of <= MONDAY - 7 * DAY else 0)
        Backtest.objects.update(as_of=MONDAY - 7 * DAY)
    run_job(shop, "feedback.judge", sold_out_of_pattern)
    run_job(shop, "feedback.judge", sold_out_of_pattern)
    with tenant_context(shop.tenant.pk):
        assert Job.objects.filter(kind="forecasting.backtest", tenant_id=shop.tenant.pk).count() == 1
        assert Alert.objects.filter(code="accuracy.drift").count() == 1


def test_drift_watches_the_model_that_people_put_in_use_and_not_the_contests_winner(
        shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    with tenant_context(shop.tenant.pk):
        run = ForecastRun.objects.get()
        other = "tsb" if run.model != "tsb" else "weekday_mean"
        Backtest.objects.create(as_of=MONDAY, champion=run.model, series=6, verdict={},
                                report={"usual_weeks": {run.model: USUAL, other: {**USUAL, "high": 1e9}}})
        for weeks in (1, 2):
            ForecastScore.objects.create(
                run=forecast_of(run, MONDAY - weeks * 7 * DAY), model=run.model, is_champion=True, segment_kind="all",
                segment="all", horizon="week_1", series=6, actual_units=1, absolute_error=9, error=9, squared_error=9,
                scored_through=MONDAY)
        assert look_for_drift(MONDAY)["state"] == "worse"
        for better_week in ForecastScore.objects.order_by("run__as_of"):
            ForecastScore.objects.filter(pk=better_week.pk).update(absolute_error=0.3)
            assert look_for_drift(MONDAY)["state"] == "usual", "one of the two weeks alone is no drift"
            ForecastScore.objects.filter(pk=better_week.pk).update(absolute_error=9)
        for model, state in ((other, "unknown"), ("keras_lstm", "unknown")):
            monkeypatch.setattr("apps.feedback.pipeline.judge.forecasting.model_in_use", lambda _day, name=model: name)
            found = look_for_drift(MONDAY)
            assert (found["state"], Alert.objects.filter(state="open").count()) == (state, 0)
        assert "LSTM" in found["why"], "it was scored too seldom to say what is usual"


def forecast_of(run: ForecastRun, day: dt.date) -> ForecastRun:
    run.pk, run.as_of = None, day
    run.save()
    return run


# --- Decisions ----------------------------------------------------------------------------------------------------

def planned(shop: Shop) -> list[Recommendation]:
    """The lines of a plan, the items' order; stock told day by day: two asked for and one served."""
    with tenant_context(shop.tenant.pk):
        for item in shop.items:
            StockLevel.objects.create(item=item, location=shop.location, on_hand=5)
            StockMovement.objects.create(item=item, location=shop.location, kind="count", occurred_on=MONDAY - DAY,
                                         quantity=5, reference="opening")
    run_job(shop, "optimization.plan")
    with tenant_context(shop.tenant.pk):
        for day in range(20):
            for item in shop.items:
                StockMovement.objects.create(item=item, location=shop.location, kind="sale", quantity=-1,
                                             wanted=2 if day < 10 else 3, occurred_on=MONDAY + day * DAY,
                                             reference=f"day {day}")
        return list(Recommendation.objects.order_by("item_id"))


def ordered(line: Recommendation, quantity: int, sent_after: int | None) -> PurchaseOrder:
    """A line approved into an order of its own, and sent some days later."""
    decision = optimization.decide(recommendation_id=line.pk, quantity=quantity, reason="I know better", as_of=MONDAY,
                                   actor=None, may_be_odd=True)
    assert decision.purchase_order_id is not None
    order = orders.approve_order(order_id=decision.purchase_order_id, actor=None)
    if sent_after is not None:
        orders.mark_sent(order_id=order.pk, sent_on=MONDAY + sent_after * DAY, actor=None)
    return order


def test_of_a_line_that_was_decided_twice_the_order_that_came_is_judged(shop: Shop) -> None:
    line = planned(shop)[0]
    with tenant_context(shop.tenant.pk):
        orders.cancel_order(order_id=ordered(line, 30, None).pk, reason="by mistake", actor=None)
        ordered(line, 24, 0)
    let_days_pass(shop, 20)
    assert run_job(shop, "feedback.judge", MONDAY + 20 * DAY)["decisions_judged"] == 1
    with tenant_context(shop.tenant.pk):
        assert Outcome.objects.get().decided_quantity == 24


def test_a_decision_is_judged_once_over_the_time_from_the_day_its_goods_were_due(shop: Shop) -> None:
    lines = planned(shop)
    with tenant_context(shop.tenant.pk):
        optimization.dismiss(recommendation_id=lines[0].pk, reason="enough of it", as_of=MONDAY, actor=None)
        for line, sent_after in zip(lines[1:4], (0, 4, None), strict=True):
            ordered(line, 3, sent_after)
        cut_short = ordered(lines[5], 6, 0)
        came = [ReceivedLine(line_id=cut_short.lines.get().pk, quantity=Decimal(2))]
        orders.receive_lines(order_id=cut_short.pk, lines=came, received_on=MONDAY + 3 * DAY, reference="van",
                             actor=None)
        orders.cancel_order(order_id=cut_short.pk, reason="no more of it", actor=None)
        orders.cancel_order(order_id=ordered(lines[4], 3, 0).pk, reason="cannot deliver", actor=None)
    let_days_pass(shop, 20)
    assert run_job(shop, "feedback.judge", MONDAY + 11 * DAY)["decisions_judged"] == 0
    assert run_job(shop, "feedback.judge", MONDAY + 12 * DAY)["decisions_judged"] == 3
    assert run_job(shop, "feedback.judge", MONDAY + 20 * DAY)["decisions_judged"] == 1
    with tenant_context(shop.tenant.pk):
        *outcomes, part = Outcome.objects.order_by("recommendation__item_id")
        assert (part.recommendation_id, part.decided_quantity, part.override_gain) == (lines[5].pk, 2, None), (
            "of what was cancelled midway, what came is judged, and held against nobody's change")
        assert [outcome.recommendation_id for outcome in outcomes] == [line.pk for line in lines[:3]], (
            "what was never sent or was cancelled is not scored as bought")
        assert [outcome.decided_quantity for outcome in outcomes] == [0, 3, 3]
        assert all(not outcome.followed and outcome.override_gain is not None for outcome in outcomes)
        assert [outcome.demand_units for outcome in outcomes] == [16, 16, 20], "days 5 to 11; sent later, 9 to 15"
        assert [outcome.lost_units for outcome in outcomes] == [9, 9, 13]
        assert selectors.forecast_value_added() == {"n": 3, "is_told": False, "needed": 20}
        [week] = selectors.plan_outcomes(is_replay=False)
        assert (week["week"], week["lines"], week["money"]) == (MONDAY.isoformat(), 4, (3 + 3 + 2) * 2.0), (
            "decisions of a week's plans stand together, with what was bought on them")
        Plan.objects.update(as_of=MONDAY + 3 * DAY)
        assert selectors.plan_outcomes(is_replay=False) == [week]


def open_with(shop: Shop, place: int, units: float) -> None:
    """Monday opens with so much of an item on the shelf, whatever has been sold since."""
    stock = position_frame(MONDAY).set_index("item_id")["on_hand"]
    StockLevel.objects.filter(item=shop.items[place]).update(
        on_hand=F("on_hand") + units - stock[shop.items[place].pk])


def test_more_empty_shelves_than_in_the_four_weeks_before_raise_an_alert(shop: Shop) -> None:
    planned(shop)
    with tenant_context(shop.tenant.pk):
        StockLevel.objects.update(counted_at=COUNTED_AT)
    run_job(shop, "optimization.plan")
    with tenant_context(shop.tenant.pk):
        for days, share in ((3, 0.4), (2, 0.0), (1, 0.2)):
            Judgement.objects.create(as_of=MONDAY - days * DAY, report={"out_of_stock": share})
        open_with(shop, 0, 0)
        assert look_for_empty_shelves(MONDAY) == pytest.approx(1 / 6)
        open_with(shop, 1, -2)
        assert look_for_empty_shelves(MONDAY) == pytest.approx(2 / 6)
        assert not Alert.objects.filter(code="stock.out").exists(), "three days do not say what is usual"
        for days in range(4, 9):
            Judgement.objects.create(as_of=MONDAY - days * DAY, report={"out_of_stock": 0.34})
        look_for_empty_shelves(MONDAY)
        assert not Alert.objects.filter(code="stock.out").exists(), "33% is less than 5 points above a mean of 29%"
        Judgement.objects.filter(report__out_of_stock=0.34).update(report={"out_of_stock": 0.28})
        look_for_empty_shelves(MONDAY)
        assert "33% of the planned items have nothing on hand" in Alert.objects.get(code="stock.out").reason
        open_with(shop, 0, 4)
        open_with(shop, 1, 4)
        look_for_empty_shelves(MONDAY)
        assert Alert.objects.get(code="stock.out").state == "resolved"


def test_what_changes_are_worth_is_told_from_twenty_on_with_its_interval(shop: Shop) -> None:
    planned(shop)
    with tenant_context(shop.tenant.pk):
        line = Recommendation.objects.first()
        assert line is not None
        gains = [Decimal(4), Decimal(6)] * 10
        for number, gain in enumerate(gains):
            line.pk, line.item = None, _another_item(number)
            line.save()
            Outcome.objects.create(recommendation=line, judged_through=MONDAY, demand_units=1, served_units=1,
                                   lost_units=0, days_out=0, closing_units=0, followed=False, decided_quantity=1,
                                   override_gain=gain)
        told = selectors.forecast_value_added()
    assert (told["n"], told["is_told"], told["gain"], told["helped"]) == (20, True, 100.0, 20)
    # 2.0930 is the 97.5 % point of Student's t with 19 degrees of freedom; the sample's deviation is sqrt(20/19).
    reach = 2.0930 * (20 / 19) ** 0.5 * 20 ** 0.5
    assert told["low"] == pytest.approx(100 - reach, abs=0.01)
    assert told["high"] == pytest.approx(100 + reach, abs=0.01)


def _another_item(number: int) -> Any:
    from apps.catalog.models import Item

    return Item.objects.create(sku=f"more-{number}", title="More")


# --- Replay and proof ---------------------------------------------------------------------------------------------

def test_earlier_plans_are_made_again_scored_and_judged_without_touching_facts(shop: Shop) -> None:
    told = run_job(shop, "feedback.replay", weeks=4)
    mondays = [MONDAY - weeks * 7 * DAY for weeks in (4, 3, 2, 1)]
    with tenant_context(shop.tenant.pk):
        runs = ForecastRun.objects.filter(is_replay=True).order_by("as_of")
        assert [run.as_of for run in runs] == mondays
        assert [plan.as_of for plan in Plan.objects.filter(is_replay=True).order_by("as_of")] == mondays
        assert not PurchaseOrder.objects.exists()
        assert not StockMovement.objects.exists()
        assert told["lines_judged"] == Outcome.objects.count() > 0
        weeks = selectors.weekly_accuracy()
        assert [week["week"] for week in weeks] == [day.isoformat() for day in reversed(mondays)]
        assert all(week["is_replay"] for week in weeks)
        [totals] = selectors.outcome_totals()
        assert totals["served_units"] + totals["lost_units"] == totals["demand_units"]


def test_what_was_left_over_is_told_apart_by_where_it_came_from(shop: Shop) -> None:
    run_job(shop, "feedback.replay", weeks=4)
    with tenant_context(shop.tenant.pk):
        Recommendation.objects.update(mean_demand=2.0, waterfall={"moq": 10, "pack_size": 6})
        first, second, third, *rest = Outcome.objects.order_by("pk")
        Outcome.objects.filter(pk__in=[one.pk for one in rest]).update(closing_units=3, decided_quantity=12)
        for outcome, bought in ((first, 0), (second, 12), (third, 13)):
            Outcome.objects.filter(pk=outcome.pk).update(closing_units=9, decided_quantity=bought)
        [totals] = selectors.outcome_totals()
        assert (totals["over_lines"], totals["over_bought"], totals["over_least"]) == (3, 2, 1)


def test_a_replay_run_again_makes_nothing_twice(shop: Shop) -> None:
    run_job(shop, "feedback.replay", weeks=2)
    with tenant_context(shop.tenant.pk):
        before = (ForecastRun.objects.count(), Plan.objects.count(), ForecastScore.objects.count(),
                  Outcome.objects.count(), list(Outcome.objects.order_by("pk").values_list("lost_units", flat=True)))
    run_job(shop, "feedback.replay", weeks=2)
    with tenant_context(shop.tenant.pk):
        after = (ForecastRun.objects.count(), Plan.objects.count(), ForecastScore.objects.count(),
                 Outcome.objects.count(), list(Outcome.objects.order_by("pk").values_list("lost_units", flat=True)))
    assert after == before


def test_a_replayed_plan_knows_nothing_of_later_sales(shop: Shop) -> None:
    as_of = let_days_pass(shop, 7)
    plans = []
    for _ in range(2):
        run_job(shop, "feedback.replay", as_of, weeks=1)
        with tenant_context(shop.tenant.pk):
            plans.append(list(Recommendation.objects.filter(plan__is_replay=True).order_by("item_id")
                              .values_list("quantity", "mean_demand", "on_hand", "lost_units_without")))
            for model in (Outcome, Plan, ForecastScore):
                model.objects.all().delete()
            ForecastRun.objects.filter(is_replay=True).delete()
            DailyDemand.objects.filter(date__gte=MONDAY).update(units=500)
    assert plans[0] == plans[1]


def prices_of(plan: Plan) -> set[Decimal]:
    return set(Recommendation.objects.filter(plan=plan).values_list("price", flat=True))


def test_a_replayed_plan_reckons_with_what_was_paid_until_then(shop: Shop) -> None:
    with tenant_context(shop.tenant.pk):
        DailyDemand.objects.filter(date__lt=MONDAY - 14 * DAY).update(revenue=F("units") * Decimal("2.5"))
    run_job(shop, "feedback.replay", weeks=2)
    with tenant_context(shop.tenant.pk):
        first, second = Plan.objects.filter(is_replay=True).order_by("as_of")
        assert prices_of(first) == {Decimal("2.5")}
        assert all(Decimal("2.5") < price < 3 for price in prices_of(second))


def test_the_proof_is_reckoned_at_what_customers_paid(shop: Shop) -> None:
    """By hand: at a cost of 2, who pays 2.50 and not 3 leaves half the margin; the simple rule looks at no price."""
    lost = []
    for each in ("3", "2.5"):
        with tenant_context(shop.tenant.pk):
            DailyDemand.objects.update(revenue=F("units") * Decimal(each))
        run_job(shop, "feedback.proof", anew=True)
        with tenant_context(shop.tenant.pk):
            lost.append(Proof.objects.latest("pk").report["rule"]["lost_margin"])
    assert lost[0] > 0 and lost[1] == pytest.approx(lost[0] / 2, abs=0.01)


def test_the_proof_replays_thirteen_weeks_in_money_and_keeps_for_a_week(shop: Shop) -> None:
    told = run_job(shop, "feedback.proof")
    with tenant_context(shop.tenant.pk):
        proof = Proof.objects.get()
    report = proof.report
    assert proof.gain_low <= proof.gain <= proof.gain_high
    assert report["gain"] == pytest.approx(report["ours"]["profit"] - report["rule"]["profit"])
    assert report["ours"]["demand"] == report["rule"]["demand"]
    assert report["ours"]["opening_value"] == report["rule"]["opening_value"]
    assert len(report["week_starts"]) == 13
    assert any(sentence.startswith("With hindsight") for sentence in report["assumptions"])
    assert told["proof"] == proof.pk
    assert run_job(shop, "feedback.proof", MONDAY + DAY) == {"proof": proof.pk, "kept": True}


@pytest.mark.parametrize(("days", "kind", "words"), [
    (60, "feedback.proof", "A replay needs 21 weeks of sales and there are 8"),
    (10, "feedback.replay", "too little history"),
])
def test_too_little_history_is_said_and_stops_nothing(days: int, kind: str, words: str) -> None:
    shop = make_selling_shop(2, days=days)
    assert words in run_job(shop, kind)["note"]


# --- The page -----------------------------------------------------------------------------------------------------

def test_the_page_shows_scores_outcomes_and_the_proof(shop: Shop) -> None:
    run_job(shop, "feedback.replay", weeks=3)
    run_job(shop, "feedback.proof")
    text = page(signed_in(shop, "viewer"), "/accuracy/")
    for words in ("Week by week", "In plain words", "By department", "How far ahead", "Are the bands honest?",
                  "What came of the advice", "Changes of the advice", "The proof, and how it is reckoned", "replay"):
        assert words in text
    card = text.split("What came of the advice</h2>")[1]
    assert 'class="table-scroll"' in card.split("<table")[0], "seven columns are wider than their card"


def test_the_page_says_plainly_in_which_weeks_a_simple_model_was_as_good(shop: Shop) -> None:
    let_days_pass(shop, 7)
    run_job(shop, "feedback.judge", MONDAY + 7 * DAY)
    with tenant_context(shop.tenant.pk):
        judgement = Judgement.objects.get()
        [week] = judgement.report["weeks"]
        week["is_better"] = False
        judgement.save()
    text = page(signed_in(shop), "/accuracy/")
    assert "In 1 of 1 weeks the model in use did not beat the best simple model." in text
    assert "More than 100% missed" not in text
    with tenant_context(shop.tenant.pk):
        week["wape"] = 1.15
        judgement.save()
    assert "More than 100% missed means" in page(signed_in(shop), "/accuracy/")


def test_an_outsider_sees_no_verdict_of_another_shop(shop: Shop) -> None:
    run_job(shop, "feedback.replay", weeks=1)
    text = page(signed_in(make_shop(1)), "/accuracy/")
    assert "No forecast has been judged yet" in text
