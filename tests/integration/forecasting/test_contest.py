"""The contest of models: the same origins for all, saved with its reasons, and pages that show who may do what."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any, get_args

import pytest
from django.db import connection, transaction
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext

from apps.feedback.selectors import loop
from apps.forecasting import selectors, services
from apps.forecasting.engine.selection import Refusal
from apps.forecasting.models import Backtest, ItemBacktest
from apps.jobs.models import Job, JobRecord
from apps.jobs.running import GiveUp
from apps.registry import selectors as registry
from apps.registry.models import AliasChange, ModelVersion
from apps.tenants.models import AuditEntry, Permission
from apps.tenants.scope import tenant_context
from apps.tenants.services import issue_key
from tests.integration.forecasting.selling_shops import make_selling_shop, run_job
from tests.integration.inventory.people import page, signed_in
from tests.integration.inventory.shops import MONDAY, Shop, make_shop

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module", autouse=True)
def media(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with override_settings(MEDIA_ROOT=tmp_path_factory.mktemp("media")):
        yield


@pytest.fixture(scope="module")
def contested(media: None, django_db_setup: None, django_db_blocker: Any) -> Iterator[Shop]:
    """A shop after its contest; whatever a test does to it is undone."""
    with django_db_blocker.unblock(), transaction.atomic():
        shop = make_selling_shop(8)
        run_job(shop, "forecasting.backtest")
        with django_db_blocker.block():
            yield shop
        transaction.set_rollback(True)


def test_a_contest_scores_every_model_at_the_same_origins_and_puts_its_winner_in_use(contested: Shop) -> None:
    with tenant_context(contested.tenant.pk):
        contest = Backtest.objects.get()
        report, verdict = contest.report, contest.verdict
        names = {row["name"] for row in report["models"]}
        assert {"seasonal_naive", "weekday_mean", "eight_week_mean", "seasonal_mean", "tsb", "lightgbm"} == names
        assert len(report["cutoffs"]) == 5
        assert all(list(row["by_cutoff"]) == report["cutoffs"] for row in report["models"])
        for row in report["models"]:
            assert {"mse", "rmse", "mae", "wape", "bias", "mase", "rmsse", "wrmsse", "crps", "coverage_80"
                    } <= set(row["metrics"])
        assert verdict["published_on"] == report["cutoffs"][-1]
        assert verdict["published_on"] not in verdict["chosen_on"]
        champion = registry.champion("demand")
        assert champion is not None
        assert champion.model == contest.champion == verdict["champion"]
        assert champion.trained_through == MONDAY - dt.timedelta(days=1)
        assert AliasChange.objects.get(alias="champion").reason == verdict["reason"]
        assert all(name in verdict["reason"] for name in ("LightGBM against ", " better, between "))
        assert all(("It passes." in selectors.trial_words(trial)) == trial["passes"] for trial in verdict["trials"])
        assert selectors.with_titles(verdict["reason"]) == verdict["reason"], "no name of the engine's own is left"
        assert ItemBacktest.objects.filter(backtest=contest).count() == 8
        weighed = {row["name"]: row for row in report["signals"]}
        assert set(weighed) == {"mailer", "price", "holidays"}
        left_out = {name for name, row in weighed.items() if not row["is_used"]}
        trained = ModelVersion.objects.get(model="lightgbm")
        assert {name.removesuffix("_unforeseen") for name in trained.parameters["without"]} == left_out
        assert set(report["seconds"]) == {"read", "cheap models", "signals", "lightgbm", "final fit"}


def test_the_next_forecast_is_the_winners(contested: Shop) -> None:
    run_job(contested, "forecasting.forecast")
    with tenant_context(contested.tenant.pk):
        run, champion = selectors.latest_run(), registry.champion("demand")
        assert run is not None
        assert run.version == champion
        [shown] = selectors.item_forecast(contested.items[0].pk).series
        assert shown.backtest is not None
        assert shown.backtest.actual > 0


def test_too_short_a_history_is_a_contest_with_a_reason_and_no_version() -> None:
    shop = make_selling_shop(3, days=20)
    told = run_job(shop, "forecasting.backtest")
    assert "six weeks are needed" in told["reason"]
    with tenant_context(shop.tenant.pk):
        assert Backtest.objects.get().champion == "eight_week_mean"
        assert not ModelVersion.objects.exists()
    assert "too little history to compare" in page(signed_in(shop), "/models/")


def test_there_has_to_be_something_to_compare_on() -> None:
    with pytest.raises(GiveUp, match="no sales"):
        run_job(make_shop(1), "forecasting.backtest")


def test_without_a_contest_or_with_too_little_history_the_network_leaves_a_note_and_no_failed_job() -> None:
    shop = make_selling_shop(2, days=70)
    assert "compared first" in run_job(shop, "forecasting.backtest_lstm")["note"]
    run_job(shop, "forecasting.backtest")
    assert "days of history" in run_job(shop, "forecasting.backtest_lstm")["note"]
    assert "Leaderboard" in page(signed_in(shop), "/models/"), "a model that was not scored everywhere is no obstacle"
    with tenant_context(shop.tenant.pk):
        assert "keras_lstm" not in {row["name"] for row in Backtest.objects.get().report["models"]}


def test_a_model_scored_at_fewer_origins_stands_below_those_it_cannot_be_compared_with(contested: Shop) -> None:
    with tenant_context(contested.tenant.pk):
        contest = Backtest.objects.get()
        lucky = {**contest.report["models"][0], "name": "keras_lstm", "is_champion": False}
        day = contest.report["cutoffs"][-1]
        lucky["by_cutoff"] = {day: {**lucky["by_cutoff"][day], "scaled_pinball": 0.0}}
        lucky["metrics"] = {**lucky["metrics"], "scaled_pinball": 0.0}
        contest.report["models"].append(lucky)
        contest.save()
        found = selectors.models_page()
        assert found.leaderboard[-1]["name"] == "keras_lstm" == found.published[0]["name"]
        ranked = [row["metrics"]["scaled_pinball"] for row in found.leaderboard[:-1]]
        assert ranked == sorted(ranked)


@pytest.mark.parametrize(("refusal", "words"), [
    ("small_gain", "it has to be 1% better"), ("chance", "its gain could be chance"),
    ("top_items", "on the tenth of items with the most money it is 7.5% worse, and may be 5%"),
    ("band_50", "its 50% band holds 66% of two-week sums, and should hold 40.0% to 62.0%"),
    ("band_80", "its 80% band holds 93% of two-week sums, and should hold 70.0% to 90.0%"),
    ("band_95", "its 95% band holds 100% of two-week sums, and should hold 88.0% to 99.5%")])
def test_the_page_says_why_a_candidate_was_refused(contested: Shop, refusal: str, words: str) -> None:
    assert refusal in get_args(Refusal)
    with tenant_context(contested.tenant.pk):
        contest = Backtest.objects.get()
        contest.verdict["trials"][0].update(
            passes=False, against=[refusal], top_loss=0.075, coverage={"50": 0.66, "80": 0.93, "95": 1.0})
        contest.save()
    assert f"It does not pass: {words}." in page(signed_in(contested, "viewer"), "/models/")


def test_cells_and_promotion_days_are_told_of_every_model_and_shown_of_the_champion(contested: Shop) -> None:
    with tenant_context(contested.tenant.pk):
        contest = Backtest.objects.get()
        names = {row["name"] for row in contest.report["models"]}
        assert contest.report["by_cell"]
        for row in contest.report["by_cell"]:
            assert set(row["values"]) == names
            assert all(found["sums"] >= 30 and 0 <= found["coverage_80"] <= 1 for found in row["values"].values())
        assert [row["segment"] for row in contest.report["by_promotion"]] == ["on promotion", "other days"]
        assert all(set(row["values"]) == names and row["units"] for row in contest.report["by_promotion"])
        held = {"sums": 400, "coverage_80": 0.8, "coverage_50": 0.5, "coverage_95": 0.95, "sum_bias": -0.12}
        contest.report["by_cell"] = [
            {"segment": cell, "values": {contest.champion: {**held, **told}}} for cell, told in (
                ("AX", {"coverage_80": 0.9}), ("AY", {}), ("CZ", {"coverage_80": 0.7}),
                ("CX", {"coverage_80": 0.7, "sums": 35}))]
        contest.save()
        rows = dict(selectors.models_page().cells)
    assert [[cell and cell["verdict"] for cell in rows[money]] for money in "ABC"] == [
        ["wide", "honest", None], [None, None, None], ["honest", None, "narrow"]]
    text = page(signed_in(contested, "viewer"), "/models/")
    for words in ("The 80% band, cell by cell", "Z: unsteady weeks", "too narrow", "too wide", "about right",
                  "400 sums, off by −12%", "Promotion days", "On promotion", "Other days", "WRMSSE", "CRPS"):
        assert words in text, words


def program_of(shop: Shop) -> Client:
    """A program that may read what is the shop's."""
    _key, secret = issue_key(tenant=shop.tenant, name="till", permissions=[Permission.READ], actor=None)
    return Client(headers={"Authorization": f"Bearer {secret}"})


def queries_of_contests(shop: Shop) -> int:
    """How many queries the API's list of contests takes."""
    client = program_of(shop)
    with CaptureQueriesContext(connection) as seen:
        assert client.get("/api/v1/contests/").status_code == 200
    return len(seen)


def test_maps_of_errors_are_on_the_page_and_in_the_api_of_the_own_shop_alone(contested: Shop) -> None:
    with tenant_context(contested.tenant.pk):
        contest = Backtest.objects.get()
        rows, worst = contest.report["by_weekday"], contest.report["worst_items"]
        shown = selectors.models_page()
        [told] = [row for row in contest.report["models"] if row["is_champion"]]
        loop_told = loop.last_contest()
    assert {row["segment"] for row in rows} == {"Food > Tea", "Home > Soap"}
    assert len(worst["weeks"]) == 10 and len(worst["rows"]) == 8 and worst["cost_share"] == 1
    assert [row.title for row in shown.weekdays] == [*(row["segment"].split(" > ")[1] for row in rows), "All kinds"]
    assert shown.weekdays[-1].total.missed == pytest.approx(told["metrics"]["wape"], rel=0.05), "weighted, not a mean"
    for row in shown.worst_items:
        cells = [cell for cell in row.cells if cell.off is not None]
        assert sum(cell.off or 0 for cell in cells) / len(cells) == pytest.approx(row.total.off)
    text = page(signed_in(contested, "viewer"), "/models/")
    for words in ("Errors by weekday", "The costliest errors, week by week", "All kinds", "Soap", " sold</span>",
                  f'href="/items/{worst["rows"][0]["item_id"]}/"', "within 10%", "heat heat-"):
        assert words in text, words
    assert "style=" not in text
    assert loop_told is not None
    assert loop_told["by_weekday"] == rows and loop_told["worst_items"] == worst
    [found] = program_of(contested).get("/api/v1/contests/").json()["results"]
    assert found["by_weekday"] == rows and found["worst_items"] == worst and found["id"] == contest.pk
    with tenant_context(contested.tenant.pk):
        sent = selectors.contests().get()
        assert {"report", "verdict"} <= sent.get_deferred_fields(), "the long rest of the report is not read"
        alone = queries_of_contests(contested)
        earlier = Backtest.objects.create(as_of=MONDAY - dt.timedelta(days=7), champion="tsb", series=0)
        assert queries_of_contests(contested) == alone, "nor later, contest by contest"
    told_earlier = program_of(contested).get(f"/api/v1/contests/{earlier.pk}/").json()
    assert told_earlier["by_weekday"] == [] and told_earlier["worst_items"] is None
    stranger = program_of(make_shop(1))
    assert stranger.get("/api/v1/contests/").json()["results"] == []
    assert stranger.get(f"/api/v1/contests/{contest.pk}/").status_code == 404


def test_a_contest_held_before_cells_and_promotions_were_scored_is_still_shown(contested: Shop) -> None:
    with tenant_context(contested.tenant.pk):
        contest = Backtest.objects.get()
        for name in ("by_cell", "by_promotion", "by_weekday", "worst_items"):
            del contest.report[name]
        for row in contest.report["models"]:
            for scores in (row["metrics"], *row["by_cutoff"].values()):
                for name in ("crps", "rmsse", "wrmsse"):
                    del scores[name]
        contest.save()
        told = loop.last_contest()
    assert told is not None
    assert told["cells"] == {} and told["promotion_days"] == []
    assert told["metrics"][told["champion"]]["crps"] is None
    text = page(signed_in(contested, "viewer"), "/models/")
    assert "Leaderboard" in text
    assert text.count('data-label="WRMSSE"><span class="text-secondary" title="not known">–') == len(told["metrics"])
    assert "cell by cell" not in text and "Promotion days" not in text
    assert "Errors by weekday" not in text and "costliest errors" not in text


def asked_contests(shop: Shop) -> list[dict[str, Any]]:
    with tenant_context(shop.tenant.pk):
        jobs = Job.objects.filter(kind="forecasting.backtest", tenant=shop.tenant, state="queued")
        return [JobRecord.objects.get(job=job).input for job in jobs]


def test_the_first_contest_is_asked_for_by_itself_with_what_advice_would_have_done() -> None:
    shop = make_selling_shop(2, days=70)
    assert "note" in run_job(shop, "forecasting.renew"), "nothing was forecast yet"
    assert asked_contests(shop) == []
    run_job(shop, "forecasting.forecast")
    assert "job" in run_job(shop, "forecasting.renew")
    assert "being compared already" in run_job(shop, "forecasting.renew")["note"]
    [asked] = asked_contests(shop)
    assert {"feedback.replay", "feedback.proof"} < set(asked["then"])


def test_a_contest_is_held_every_week_and_not_more_often(contested: Shop) -> None:
    run_job(contested, "forecasting.forecast")
    for days, is_asked in ((0, False), (6, False), (7, True)):
        told = run_job(contested, "forecasting.renew", as_of=MONDAY + dt.timedelta(days=days))
        assert ("job" in told) is is_asked, days
    [asked] = asked_contests(contested)
    assert "feedback.replay" not in asked["then"]
    assert asked["then"][-1] == "forecasting.tune"


def test_the_page_shows_the_contest_the_versions_and_their_lineage(contested: Shop) -> None:
    text = page(signed_in(contested, "viewer"), "/models/")
    for words in ("The verdict", "Leaderboard", "Origin by origin", "What signals are worth", "Public holidays",
                  "Scores to go by", "Versions", "eight-week mean", "LightGBM"):
        assert words in text
    assert "Compare anew" not in text, "a viewer changes nothing"
    with tenant_context(contested.tenant.pk):
        version = registry.champion("demand")
    assert version is not None
    text = page(signed_in(contested, "viewer"), f"/models/{version.pk}/")
    assert version.data_fingerprint in text
    assert version.artifact_sha256 in text
    for left_out, told in (([], "–"), (["display", "holidays"], "display, holidays")):
        with tenant_context(contested.tenant.pk):
            ModelVersion.objects.filter(pk=version.pk).update(parameters={"without": left_out})
        text = page(signed_in(contested, "viewer"), f"/models/{version.pk}/")
        assert f"<code>without</code></dt><dd>{told}</dd>" in text


def test_a_manager_promotes_with_a_reason_and_goes_back(contested: Shop) -> None:
    with tenant_context(contested.tenant.pk):
        first = registry.champion("demand")
        other = registry.aliased_version("demand", "challenger")
    assert first is not None
    assert other is not None, "the trained model that did not win is there to be promoted"
    client = signed_in(contested, "manager")
    assert "Promote" in page(client, f"/models/{other.pk}/")
    refused = client.post(f"/models/{other.pk}/promote/", {"reason": ""})
    assert refused.status_code == 422
    assert client.post(f"/models/{other.pk}/promote/", {"reason": "I know this shop"}).status_code == 302
    with tenant_context(contested.tenant.pk):
        assert registry.champion("demand") == other
        assert AuditEntry.objects.filter(action="model.alias", detail__reason="I know this shop").exists()
    assert client.post("/models/back/", {"reason": "worse"}).status_code == 302
    with tenant_context(contested.tenant.pk):
        assert registry.champion("demand") == first


def test_asking_for_a_contest_queues_it_with_what_follows(contested: Shop) -> None:
    client = signed_in(contested, "manager")
    assert client.post("/models/contest/").status_code == 302
    with tenant_context(contested.tenant.pk):
        job = Job.objects.get(kind="forecasting.backtest", state="queued")
        assert JobRecord.objects.get(job=job).input["then"][0] == "forecasting.forecast"


@pytest.mark.parametrize("role", ["viewer", "planner"])
def test_those_who_may_not_operate_change_nothing(contested: Shop, role: str) -> None:
    with tenant_context(contested.tenant.pk):
        before, version = registry.champion("demand"), ModelVersion.objects.order_by("pk").last()
    assert version is not None
    client = signed_in(contested, role)
    for path in (f"/models/{version.pk}/promote/", "/models/back/", "/models/contest/"):
        assert client.post(path, {"reason": "because"}).status_code == 403
    with tenant_context(contested.tenant.pk):
        assert registry.champion("demand") == before


def test_an_outsider_sees_no_version_of_another_shop(contested: Shop) -> None:
    with tenant_context(contested.tenant.pk):
        version = registry.champion("demand")
    assert version is not None
    other = make_shop(1)
    stranger = signed_in(other)
    page(stranger, f"/models/{version.pk}/", status=404)
    text = page(stranger, "/models/")
    assert "No models have been compared yet" in text and "Once six weeks of sales are in" in text
    with tenant_context(other.tenant.pk):
        services.request_backtest(tenant=other.tenant, reason="Sales came in.")
    text = page(stranger, "/models/")
    assert "as soon as it is their turn" in text and "Once six weeks" not in text
