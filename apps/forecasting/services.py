"""Saving forecasts and backtests, and saying which model is in use."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import connection, transaction

from apps.forecasting.models import Backtest, ForecastRun, ItemPair, ItemShape, KindForecast, SeriesForecast, Tuning
from apps.forecasting.selectors import DEMAND
from apps.jobs import services as jobs
from apps.registry import services as registry
from apps.registry.services import CannotRollBack, Lineage, ModelVersion
from apps.tenants.models import Tenant, User
from apps.tenants.scope import current_tenant_id

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from apps.forecasting.engine.base import Forecaster
    from apps.forecasting.engine.explanation import Explanation
    from apps.forecasting.engine.forecast import Forecast

__all__ = ["DEMAND", "LEVELS", "SEED", "CannotRollBack", "ItemScores", "Made", "add_to_backtest", "challenge",
           "promote", "register_model", "request_backtest", "request_retraining", "roll_back", "save_backtest",
           "save_forecast", "save_mined", "save_tuning"]

LEVELS = (0.025, 0.1, 0.5, 0.9, 0.975)
SEED = 1  # the same from day to day: an item's paths change with its forecast, not with the dice
KEPT_DAYS = 56  # runs older than this keep their head and scores, not their series


@dataclass(frozen=True, kw_only=True)
class Made:
    """How a forecast came about: what is written down beside it."""

    as_of: dt.date
    data_fingerprint: str
    version: ModelVersion | None = None
    note: str = ""
    on_request: int = 0
    is_replay: bool = False
    job_id: int | None = None
    seconds: float | None = None


@dataclass(frozen=True, kw_only=True)
class Lost:
    """What empty shelves kept from being sold of late (`SeriesForecast`); arrays in the order of the series."""

    days_out: NDArray[Any]
    units: NDArray[Any]
    low: NDArray[Any]
    high: NDArray[Any]


@transaction.atomic
def save_forecast(*, forecast: Forecast, made: Made, why: Explanation | None = None, lost: Lost | None = None,
                  kinds: Sequence[KindForecast] = ()) -> ForecastRun:
    """Save a forecast of `item/location` series: the run, then all series by one COPY and one INSERT, and why it is so.

    kinds: what they add up to, by kind of item.

    A later forecast of the same day stands beside the earlier one, which keeps what plans were made from.
    """
    import numpy as np

    from apps.forecasting.adapters import binary_copy

    run: ForecastRun = ForecastRun.objects.create(
        as_of=made.as_of, version=made.version, model=forecast.model, days=forecast.grid.days,
        weeks=forecast.grid.weeks, seed=SEED, levels=list(LEVELS), series=forecast.n_series,
        weekday_profile=forecast.weekday_profile.astype(float).tolist(), note=made.note, on_request=made.on_request,
        data_fingerprint=made.data_fingerprint, is_replay=made.is_replay, is_complete=True, job_id=made.job_id,
        seconds=made.seconds, parts=list(why.parts) if why else [], explained_days=why.days if why else 0)
    if forecast.n_series:
        item_ids, location_ids = split_ids(forecast.unique_ids)
        quantiles = forecast.quantiles(LEVELS).transpose(0, 2, 1).reshape(forecast.n_series, -1)
        recipes = forecast.recipe_frame()[["level_variance", "day_dispersion"]].to_numpy()
        columns = {
            "item_id": ("bigint", item_ids), "location_id": ("bigint", location_ids),
            "mean": ("float8[]", forecast.mean), "quantiles": ("float8[]", quantiles), "recipe": ("float8[]", recipes)}
        if why:
            columns["reasons"] = ("float8[]", np.stack([why.usual, *why.parts.values()], axis=1))
        if forecast.similar is not None:
            columns["similar_items"] = ("bigint", forecast.similar)
        if lost:
            columns.update(days_out=("bigint", lost.days_out), lost_units=("float8", lost.units),
                           lost_low=("float8", lost.low), lost_high=("float8", lost.high))
        _insert_copied(binary_copy.to_bytes(columns), "forecasting_seriesforecast", "run_id", run.pk,
                       {name: kind for name, (kind, _values) in columns.items()}, none_at_zero=("similar_items",))
    for kind in kinds:
        kind.run = run
    KindForecast.objects.bulk_create(kinds)
    if not made.is_replay:
        old = made.as_of - dt.timedelta(days=KEPT_DAYS)
        past = ForecastRun.objects.filter(as_of__lt=old, is_replay=False)
        SeriesForecast.objects.filter(run__in=past).delete()
        KindForecast.objects.filter(run__in=past).delete()
    return run


def split_ids(unique_ids: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """The item and location ids in series' ids, `item/location`."""
    import numpy as np

    parts = np.char.partition(unique_ids.astype(str), "/")
    return parts[:, 0].astype(np.int64), parts[:, 2].astype(np.int64)


@dataclass(frozen=True, kw_only=True)
class ItemScores:
    """How two models did on each series of a backtest; arrays of one length, NaN where there is nothing to say."""

    unique_ids: NDArray[Any]
    actual: NDArray[Any]
    champion_error: NDArray[Any]
    baseline_error: NDArray[Any]
    covered_80: NDArray[Any]


@transaction.atomic
def save_backtest(*, as_of: dt.date, champion: str, report: dict[str, Any], verdict: dict[str, Any], items: ItemScores,
                  job_id: int | None = None) -> Backtest:
    """Save a contest, its verdict, and how champion and best baseline did item by item."""
    from apps.forecasting.adapters import binary_copy

    backtest: Backtest = Backtest.objects.create(as_of=as_of, champion=champion, report=report, verdict=verdict,
                                       series=len(items.unique_ids), job_id=job_id)
    if len(items.unique_ids):
        item_ids, location_ids = split_ids(items.unique_ids)
        content = binary_copy.to_bytes({
            "item_id": ("bigint", item_ids), "location_id": ("bigint", location_ids),
            "actual": ("float8", items.actual), "champion_error": ("float8", items.champion_error),
            "baseline_error": ("float8", items.baseline_error), "covered_80": ("float8", items.covered_80)})
        _insert_copied(content, "forecasting_itembacktest", "backtest_id", backtest.pk,
                       {"item_id": "bigint", "location_id": "bigint", "actual": "float8", "champion_error": "float8",
                        "baseline_error": "float8", "covered_80": "float8"}, nullable=("covered_80",))
    return backtest


@transaction.atomic
def save_tuning(*, as_of: dt.date, model: str, outcome: str, parameters: dict[str, Any], report: dict[str, Any],
                job_id: int | None = None) -> Tuning:
    """Keep what a search for better settings came to: contests train the model with what the newest one found."""
    saved: Tuning = Tuning.objects.create(as_of=as_of, model=model, outcome=outcome, parameters=parameters,
                                          report=report, job_id=job_id)
    return saved


@transaction.atomic
def save_mined(*, as_of: dt.date, pairs: pd.DataFrame, shapes: pd.DataFrame) -> None:
    """Put what was mined in the place of all that was mined before; columns as the fields of ItemPair and ItemShape."""
    from apps.forecasting.adapters import binary_copy

    for model, frame, floats in ((ItemPair, pairs, ("expected", "surely")), (ItemShape, shapes, ())):
        model.objects.all().delete()
        if frame.empty:
            continue
        kinds = {str(name): "float8" if name in floats else "bigint" for name in frame.columns}
        content = binary_copy.to_bytes({name: (kind, frame[name].to_numpy()) for name, kind in kinds.items()})
        _insert_copied(content, model._meta.db_table, "as_of", as_of, kinds)


def _insert_copied(content: bytes, table: str, parent: str, parent_id: int | dt.date, columns: dict[str, str],
                   nullable: tuple[str, ...] = (), none_at_zero: tuple[str, ...] = ()) -> None:
    """COPY into a temporary table, then INSERT under the tenant in scope: row-level security refuses a direct COPY.

    NaN in a column of `nullable`, and 0 in one of `none_at_zero`, is told as nothing.
    """
    names = ", ".join(f'"{name}"' for name in columns)
    nothing = {**dict.fromkeys(nullable, "'NaN'"), **dict.fromkeys(none_at_zero, "0")}
    values = ", ".join(f'NULLIF("{name}", {nothing[name]})' if name in nothing else f'"{name}"' for name in columns)
    layout = ", ".join(f'"{name}" {kind}' for name, kind in columns.items())
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TEMPORARY TABLE copied ({layout}) ON COMMIT DROP")
        with cursor.copy(f"COPY copied ({names}) FROM STDIN (FORMAT BINARY)") as copy:
            copy.write(content)
        statement = f'INSERT INTO {table} (tenant_id, {parent}, {names}) SELECT %s, %s, {values} FROM copied'
        cursor.execute(statement, [current_tenant_id(), parent_id])
        cursor.execute("DROP TABLE copied")


@transaction.atomic
def add_to_backtest(*, backtest_id: int, row: dict[str, Any], seconds: dict[str, float]) -> Backtest:
    """Put a model that was trained later beside the others of a contest; again, it replaces its earlier line."""
    backtest: Backtest = Backtest.objects.select_for_update().get(pk=backtest_id)
    kept = [line for line in backtest.report["models"] if line["name"] != row["name"]]
    later = {f"{row['name']}: {stage}": value for stage, value in seconds.items()}
    backtest.report = {**backtest.report, "models": [*kept, row], "seconds": {**backtest.report["seconds"], **later}}
    backtest.save(update_fields=["report"])
    return backtest


@transaction.atomic
def register_model(*, model: Forecaster, lineage: Lineage, metrics: dict[str, Any]) -> ModelVersion:
    """Register a fitted model of the engine, its artifact signed."""
    return registry.register_version(name=DEMAND, model=model.name, family=model.family, artifact=model.to_artifact(),
                                     lineage=lineage, metrics=metrics)


@transaction.atomic
def challenge(*, version: ModelVersion, reason: str) -> ModelVersion:
    """Name a version the challenger: it is there to be promoted."""
    registry.set_alias(name=DEMAND, alias="challenger", version=version, reason=reason)
    return version


@transaction.atomic
def promote(*, version: ModelVersion, reason: str, actor: User | None = None) -> ModelVersion:
    """Make a version the champion: the next forecast uses it."""
    registry.set_alias(name=DEMAND, alias="champion", version=version, reason=reason, actor=actor)
    return version


@transaction.atomic
def roll_back(*, reason: str, actor: User | None = None) -> ModelVersion:
    """Go back to the champion before the present one; CannotRollBack where there is none."""
    return registry.roll_back(name=DEMAND, reason=reason, actor=actor)


@transaction.atomic
def request_backtest(*, tenant: Tenant, reason: str, is_first: bool = False) -> int:
    """Ask for a new contest, after it a forecast with whatever wins; the job's id."""
    chain = settings.JOBS_FIRST_CONTEST if is_first else settings.JOBS_CONTEST
    return jobs.start_chain(chain=chain, as_of=tenant.today(), reason=reason).pk


@transaction.atomic
def request_retraining(*, version: ModelVersion) -> int:
    """Ask for a version to be trained again from its lineage and compared with what is kept of it; the job's id."""
    kind_name = "forecasting.retrain_network" if version.family == "network" else "forecasting.retrain"
    return jobs.enqueue(kind_name=kind_name, input={"version": version.pk}, dedupe_key=str(version.pk)).pk
