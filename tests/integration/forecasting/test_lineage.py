"""A registered version's lineage is enough to make it again; where today's data is not that, it is said in words."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from apps.catalog.models import PlanningDefaults
from apps.forecasting import selectors
from apps.forecasting.engine import models
from apps.forecasting.engine.backtest import backtest, rolling_cutoffs
from apps.forecasting.models import Backtest
from apps.forecasting.pipeline import report
from apps.forecasting.pipeline.contest import lineage
from apps.forecasting.services import register_model
from apps.jobs.models import Job, JobRecord
from apps.jobs.running import GiveUp
from apps.registry import selectors as registry
from apps.registry.models import AliasChange, ModelVersion
from apps.sales.models import DailyDemand, Promotion
from apps.tenants.models import Tenant
from apps.tenants.scope import tenant_context
from tests.integration.forecasting.selling_shops import make_selling_shop, run_job
from tests.integration.inventory.people import page, signed_in
from tests.integration.inventory.shops import MONDAY, Shop, make_shop

pytestmark = [
    pytest.mark.django_db,
    # TensorFlow's variables know NumPy 2's copy keyword not yet; Keras reads the learning rate through them.
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"),
]

SMALL: dict[str, dict[str, Any]] = {
    "lightgbm": {"rounds": 20, "rows_in_leaf": 10, "seed": 7},
    "ridge": {},
    "keras_lstm": {"units": 4, "hidden": 8, "lookback_weeks": 4, "origins": 3, "epochs": 2, "batch": 64, "seed": 5},
}


@pytest.fixture(autouse=True)
def media(settings: Any, tmp_path: Path) -> Iterator[None]:
    settings.MEDIA_ROOT = tmp_path
    yield


def registered(shop: Shop, name: str, **parameters: Any) -> ModelVersion:
    """A version as a contest registers it: trained on all that is known, scored at the last origin."""
    with tenant_context(shop.tenant.pk):
        known = selectors.known_history(MONDAY)
        panel = known.lessons()
        result = backtest(panel, {name: partial(models.make, name, **parameters)}, rolling_cutoffs(panel, 1))
        model = models.make(name, **parameters).fit(panel)
        row = report.model_row(result, name, name)
        return register_model(model=model, metrics=report.metrics_of({"models": [row]}, name),
                              lineage=lineage(model, known, selectors.data_fingerprint(panel), None))


@pytest.mark.parametrize("name", list(SMALL))
def test_lineage_is_enough_to_train_a_version_again(name: str) -> None:
    shop = make_selling_shop(6)
    version = registered(shop, name, **SMALL[name])
    assert version.parameters.items() >= SMALL[name].items()
    told = run_job(shop, "forecasting.retrain", version=version.pk)
    assert told["same_data"] and told["same_code"] and told["same_libraries"]
    assert told["forecast_differs_by"] <= 1e-6
    assert told["scores_differ_by"] is not None and told["scores_differ_by"] <= 1e-6
    assert told["note"] == f"Trained again from its lineage, {version} came out the same."
    with tenant_context(shop.tenant.pk):
        assert ModelVersion.objects.count() == 1
        assert not AliasChange.objects.exists()


def test_later_sales_change_nothing_and_earlier_ones_are_told() -> None:
    shop = make_selling_shop(6)
    version = registered(shop, "lightgbm", **SMALL["lightgbm"])
    with tenant_context(shop.tenant.pk):
        DailyDemand.objects.create(item=shop.items[0], location=shop.location, date=MONDAY, units=50, orders=1,
                                   revenue=150, shelf_value=150, discount=0)
    later = run_job(shop, "forecasting.retrain", version=version.pk, as_of=MONDAY + dt.timedelta(days=7))
    assert later["same_data"] and later["forecast_differs_by"] <= 1e-6
    with tenant_context(shop.tenant.pk):
        DailyDemand.objects.filter(item=shop.items[0], date__gte=MONDAY - dt.timedelta(days=56), date__lt=MONDAY
                                   ).update(units=40)
    changed = run_job(shop, "forecasting.retrain", version=version.pk)
    assert not changed["same_data"] and changed["forecast_differs_by"] > 0.01
    assert changed["note"].startswith("What is known of the time through 3 Dec 2017 is not what it was trained on")
    assert "The code has changed" not in changed["note"]


@pytest.mark.parametrize("name", ["ridge", "lightgbm"])
def test_a_mailer_planned_later_was_no_part_of_what_was_learned_but_is_of_what_is_forecast(name: str) -> None:
    shop = make_selling_shop(6)
    version = registered(shop, name, **SMALL[name])
    with tenant_context(shop.tenant.pk):
        before = selectors.known_history(MONDAY).lessons()
        Promotion.objects.create(item=shop.items[3], kind="mailer", starts_on=MONDAY + dt.timedelta(days=1), share=0.9,
                                 is_known_ahead=True, ends_on=MONDAY + dt.timedelta(days=9))
        after = selectors.known_history(MONDAY).lessons()
    one, other = (models.make(name, **SMALL[name]).fit(panel) for panel in (before, after))
    assert one.to_artifact() == other.to_artifact()
    assert selectors.data_fingerprint(before) == selectors.data_fingerprint(after) == version.data_fingerprint
    assert (selectors.data_fingerprint(before, is_forecast=True) != selectors.data_fingerprint(after, is_forecast=True))
    assert "came out the same." in run_job(shop, "forecasting.retrain", version=version.pk)["note"]
    with tenant_context(shop.tenant.pk):
        Promotion.objects.filter(item=shop.items[3]).update(starts_on=MONDAY - dt.timedelta(days=9))
        assert selectors.data_fingerprint(selectors.known_history(MONDAY).lessons()) != version.data_fingerprint


def test_settings_of_the_shop_are_named_among_the_causes() -> None:
    shop = make_selling_shop(6)
    version = registered(shop, "tsb")
    with tenant_context(shop.tenant.pk):
        usual = PlanningDefaults.objects.get().planned_units_per_week
    words = "the shop's country or how often an item has to sell to be planned was set anew"
    with tenant_context(shop.tenant.pk):
        PlanningDefaults.objects.update(planned_units_per_week=0.75)
    assert words in run_job(shop, "forecasting.retrain", version=version.pk)["note"]
    with tenant_context(shop.tenant.pk):
        PlanningDefaults.objects.update(planned_units_per_week=usual)
    assert words not in run_job(shop, "forecasting.retrain", version=version.pk)["note"]
    Tenant.objects.filter(pk=shop.tenant.pk).update(country="DE")
    assert words in run_job(shop, "forecasting.retrain", version=version.pk)["note"]


def test_the_network_is_registered_with_scores_that_can_be_proved(monkeypatch: pytest.MonkeyPatch) -> None:
    shop = make_selling_shop(6)
    make = models.make
    monkeypatch.setattr(models, "make", lambda name, **given: make(name, **{**SMALL.get(name, {}), **given}))
    with tenant_context(shop.tenant.pk):
        [origin] = rolling_cutoffs(selectors.known_history(MONDAY).lessons(), 1)
        Backtest.objects.create(as_of=MONDAY, champion="tsb", series=6, verdict={"published_on": str(origin)},
                                report={"models": [], "seconds": {}})
    run_job(shop, "forecasting.backtest_lstm")
    with tenant_context(shop.tenant.pk):
        version = ModelVersion.objects.get()
    assert version.model == "keras_lstm" and list(version.metrics["by_cutoff"]) == [str(origin)]
    told = run_job(shop, "forecasting.retrain_network", version=version.pk)
    assert told["scores_differ_by"] is not None and told["scores_differ_by"] <= 1e-6
    assert told["scores_gone"] == [] and told["note"].endswith("came out the same.")


def test_a_score_that_is_gone_is_told_in_words_and_json() -> None:
    shop = make_selling_shop(6)
    version = registered(shop, "tsb")
    origin = max(version.metrics["by_cutoff"])
    version.metrics["by_cutoff"][origin]["luck"] = 0.5
    with tenant_context(shop.tenant.pk):
        version.save()
    told = run_job(shop, "forecasting.retrain", version=version.pk)
    assert told["scores_differ_by"] <= 1e-6 and told["scores_gone"] == ["luck"]
    assert told["note"] == ("Not all of the scores kept with it can be reckoned anew. "
                            f"Trained again, {version} came out the same nevertheless.")
    with tenant_context(shop.tenant.pk):
        DailyDemand.objects.filter(date__lte=origin).delete()
    told = run_job(shop, "forecasting.retrain", version=version.pk)
    assert told["scores_differ_by"] is None and len(told["scores_gone"]) > 5
    assert "Not all of the scores" in told["note"] and "is not what it was trained on" in told["note"]
    json.dumps(told, allow_nan=False)


def test_what_can_no_longer_be_trained_is_given_up_with_a_sentence() -> None:
    shop = make_selling_shop(6)
    version = registered(shop, "ridge")
    usual = version.parameters
    for fields, words in (
        ({"parameters": {**usual, "horoscope": 3}}, "its model has other settings today than it was made with"),
        ({"model": "oracle", "parameters": usual}, "there is no model called “oracle” any more"),
    ):
        with tenant_context(shop.tenant.pk):
            ModelVersion.objects.filter(pk=version.pk).update(**fields)
        with pytest.raises(GiveUp, match=words):
            run_job(shop, "forecasting.retrain", version=version.pk)
    with tenant_context(shop.tenant.pk):
        ModelVersion.objects.filter(pk=version.pk).update(model="ridge")
        DailyDemand.objects.filter(date__lt=MONDAY - dt.timedelta(days=20)).delete()
    with pytest.raises(GiveUp, match=r"cannot be trained again: .* needs 56 days of history and there are 20"):
        run_job(shop, "forecasting.retrain", version=version.pk)


def test_another_seed_is_found_out() -> None:
    """The proof can fail: what was trained otherwise than its lineage says does not come out the same."""
    shop = make_selling_shop(6)
    quick = {"trees": 5, "rows_in_tree": 300}
    with tenant_context(shop.tenant.pk):
        known = selectors.known_history(MONDAY)
        panel = known.lessons()
        one, other = (models.make("random_forest", seed=seed, **quick).fit(panel) for seed in (1, 2))
        version = register_model(model=one, metrics={},
                                 lineage=lineage(other, known, selectors.data_fingerprint(panel), None))
    told = run_job(shop, "forecasting.retrain", version=version.pk)
    assert told["forecast_differs_by"] > 1e-3
    assert told["scores_differ_by"] is None
    assert "came out differently" in told["note"]
    assert np.isfinite(told["forecast_differs_by"])


def test_a_touched_artifact_is_not_compared(tmp_path: Path) -> None:
    shop = make_selling_shop(3)
    version = registered(shop, "tsb")
    (tmp_path / version.artifact_path / "model.json").write_bytes(b"{}")
    with pytest.raises(GiveUp, match="has changed since it was signed"):
        run_job(shop, "forecasting.retrain", version=version.pk)


def test_a_manager_asks_for_it_and_nobody_else() -> None:
    shop = make_selling_shop(3)
    version, network = registered(shop, "tsb"), registered(shop, "keras_lstm", **SMALL["keras_lstm"])
    path = f"/models/{version.pk}/again/"
    viewer = signed_in(shop, "viewer")
    assert "Train again" not in page(viewer, f"/models/{version.pk}/")
    assert viewer.post(path).status_code == 403
    assert signed_in(make_shop(1), "manager").post(path).status_code == 404
    manager = signed_in(shop, "manager")
    assert "Train again from its lineage" in page(manager, f"/models/{version.pk}/")
    asked = manager.post(path)
    with tenant_context(shop.tenant.pk):
        job = Job.objects.get(tenant=shop.tenant, kind="forecasting.retrain")
        assert asked["Location"] == f"/jobs/{job.pk}/"
        assert JobRecord.objects.get(job=job).input == {"version": version.pk}
    assert manager.post(path)["Location"] == f"/jobs/{job.pk}/", "asked twice, it waits once"
    manager.post(f"/models/{network.pk}/again/")
    assert Job.objects.get(tenant=shop.tenant, kind="forecasting.retrain_network").queue == "gpu"
    stranger = make_shop(1)
    with pytest.raises(GiveUp, match="no such version"):
        run_job(stranger, "forecasting.retrain", version=version.pk)
    with tenant_context(shop.tenant.pk):
        assert registry.champion("demand") is None
