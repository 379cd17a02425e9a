"""The search for better settings: it sees no week that contests judge by, and contests train with what it kept."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import pytest
from django.test import override_settings

from apps.forecasting import selectors, services
from apps.forecasting.engine.backtest import rolling_cutoffs
from apps.forecasting.engine.base import Panel
from apps.forecasting.engine.tuning import Outcome, Tried, Tuned, tune
from apps.forecasting.models import Backtest, Tuning
from apps.forecasting.pipeline import contest, tuning
from apps.jobs.kinds import Precedence, all_kinds
from apps.registry.models import ModelVersion
from apps.tenants.scope import tenant_context
from config.schedule import CONTEST, FIRST_CONTEST
from tests.integration.forecasting.selling_shops import make_selling_shop, run_job
from tests.integration.inventory.people import page, signed_in
from tests.integration.inventory.shops import MONDAY, Shop
from tests.rows import make_tenant_row

pytestmark = pytest.mark.django_db

DAY = dt.timedelta(days=1)
BETTER = {"leaves": 9, "rows_in_leaf": 40, "rounds": 70}


@pytest.fixture(autouse=True)
def media(tmp_path: Any) -> Iterator[None]:
    with override_settings(MEDIA_ROOT=tmp_path):
        yield


@pytest.fixture
def shop() -> Shop:
    return make_selling_shop(6)


def finding(
        monkeypatch: pytest.MonkeyPatch, outcome: Outcome, gain: float | None) -> list[tuple[Panel, dict[str, Any]]]:
    """Let a search come to this; returns what each was given."""
    asked: list[tuple[Panel, dict[str, Any]]] = []

    def found(panel: Panel, name: str, **given: Any) -> Tuned:
        asked.append((panel, given))
        tried = (Tried({"leaves": 31}, (0.2, 0.2)), Tried(BETTER, (0.19, 0.19)), Tried({"leaves": 7}, (0.3,)))
        return Tuned(name, BETTER if outcome == "kept" else {}, outcome, tried, 0.05, gain,
                     (panel.dates[-43], panel.dates[-29]), panel.dates[-15])

    monkeypatch.setattr(tuning, "tune", found)
    return asked


def test_a_search_on_a_shops_own_past_is_kept_with_its_figures_and_said(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tuning, "tune", partial(tune, trials=3))
    result = run_job(shop, "forecasting.tune")
    with tenant_context(shop.tenant.pk):
        saved = Tuning.objects.get()
        assert (saved.pk, saved.as_of, saved.model) == (result["tuning"], MONDAY, "lightgbm")
        assert saved.report["trials"] == 3
        assert saved.report["searched_on"] + [saved.report["proved_on"]] == [
            str(MONDAY - back * DAY) for back in (113, 99, 85)]
        assert bool(saved.parameters) == (saved.outcome == "kept")
    assert "3 settings of LightGBM were tried on past weeks" in result["note"]


def test_the_search_ends_where_contests_begin_to_judge(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = finding(monkeypatch, "kept", 0.02)
    run_job(shop, "forecasting.tune")
    [(panel, given)] = asked
    with tenant_context(shop.tenant.pk):
        whole = selectors.known_history(MONDAY).lessons()
    assert panel.cutoff == rolling_cutoffs(whole, contest.CUTOFFS)[0]
    np.testing.assert_array_equal(panel.y, whole.y[:, : panel.n_days])
    assert given["clock"].seconds == tuning.TUNE_SECONDS


def test_contests_train_with_what_was_kept_until_a_later_search_keeps_nothing(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    finding(monkeypatch, "kept", 0.02)
    run_job(shop, "forecasting.tune")
    run_job(shop, "forecasting.backtest")
    with tenant_context(shop.tenant.pk):
        version = ModelVersion.objects.get(model="lightgbm")
        assert BETTER.items() <= version.parameters.items()
        scored = {row["name"]: row["metrics"] for row in Backtest.objects.get().report["models"]}
    text = page(signed_in(shop, "viewer"), "/models/")
    assert "Better settings" in text
    assert "3 settings of LightGBM were tried on past weeks, 1 of them given up early" in text
    assert "The best did 5.0% better there than the usual one, and 2.0% better after 10 Sep 2017" in text

    finding(monkeypatch, "not_proved", -0.004)
    run_job(shop, "forecasting.tune", as_of=MONDAY + 28 * DAY)
    run_job(shop, "forecasting.backtest")
    with tenant_context(shop.tenant.pk):
        usual = ModelVersion.objects.filter(model="lightgbm").latest("pk")
        assert usual.parameters["leaves"] == 31
        report = Backtest.objects.latest("pk").report
        assert {row["name"]: row["metrics"] for row in report["models"]}["lightgbm"] != scored["lightgbm"]
    assert "That is too little to be sure of: the usual one stays." in page(signed_in(shop, "viewer"), "/models/")


@pytest.mark.parametrize(("outcome", "gain", "words"), [
    ("none_better", None, "None did better there than the usual one, which stays."),
    ("not_proved", 0.004, "5.0% better there than the usual one, but +0.4% after 10 Sep 2017"),
    ("not_proved", -0.01, "but −1.0% after 10 Sep 2017"),
    ("out_of_time", None, "There was no time to find and prove a better one: the usual one stays.")])
def test_what_came_of_it_is_said_plainly_and_changes_nothing(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, outcome: Outcome, gain: float | None, words: str
) -> None:
    finding(monkeypatch, outcome, gain)
    assert words in run_job(shop, "forecasting.tune")["note"]
    with tenant_context(shop.tenant.pk):
        assert selectors.tuned_parameters("lightgbm") == {}


def test_settings_are_searched_once_in_four_weeks(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = finding(monkeypatch, "none_better", None)
    run_job(shop, "forecasting.tune")
    note = run_job(shop, "forecasting.tune", as_of=MONDAY + 27 * DAY)["note"]
    assert note == "Better settings were searched for on 4 Dec 2017."
    assert len(asked) == 1
    run_job(shop, "forecasting.tune", as_of=MONDAY + 28 * DAY)
    assert len(asked) == 2


def test_too_short_a_history_is_said_and_searched_again_after_the_next_contest() -> None:
    short = make_selling_shop(2, days=60)
    assert run_job(short, "forecasting.tune")["note"] == (
        "Better settings are searched for once there are 168 days of sales: there are 60.")
    with tenant_context(short.tenant.pk):
        assert not Tuning.objects.exists()


def test_an_outsider_gets_nothing_of_it(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    finding(monkeypatch, "kept", 0.02)
    run_job(shop, "forecasting.tune")
    outsider = make_tenant_row()
    with tenant_context(outsider.pk):
        assert selectors.latest_tuning("lightgbm") is None
        assert selectors.tuned_parameters("lightgbm") == {}
        services.save_tuning(as_of=MONDAY, model="lightgbm", outcome="kept", parameters={"leaves": 8}, report={})
    with tenant_context(shop.tenant.pk):
        assert selectors.tuned_parameters("lightgbm") == BETTER


def test_it_waits_for_everything_else() -> None:
    assert CONTEST[-1] == FIRST_CONTEST[-1] == "forecasting.tune"
    kinds = {kind.name: kind for kind in all_kinds()}
    assert kinds["forecasting.tune"].precedence == max(Precedence)
    assert kinds["forecasting.tune"].queue == "batch"
