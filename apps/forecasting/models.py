"""Forecasts as they were made, the recipes that redraw their sample paths, and the backtests that chose the model."""

from __future__ import annotations

import datetime as dt

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.tenants.tables import TenantForeignKey, TenantModel


class Backtest(TenantModel):
    """A rolling-origin contest: the same cutoffs for every model, the verdict, and every score in one report."""

    as_of = models.DateField(_("as of"))
    job_id = models.BigIntegerField(null=True)
    report = models.JSONField(default=dict)
    verdict = models.JSONField(default=dict)
    champion = models.CharField(_("champion"), max_length=60)
    series = models.PositiveIntegerField(_("series"))
    created_at = models.DateTimeField(default=timezone.now)

    class Meta(TenantModel.Meta):
        indexes = [models.Index(fields=["tenant", "-as_of", "-id"], name="forecasting_backtest_recent")]


class ItemBacktest(TenantModel):
    """How the champion and the best baseline did on one item: sums over the cutoffs' 14 days."""

    backtest = TenantForeignKey(Backtest, models.CASCADE)
    item = TenantForeignKey("catalog.Item", models.CASCADE)
    location = TenantForeignKey("catalog.Location", models.CASCADE)
    actual = models.FloatField()
    champion_error = models.FloatField()
    baseline_error = models.FloatField()
    covered_80 = models.FloatField(null=True)

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["tenant", "backtest", "item", "location"],
                                               name="forecasting_item_backtest_once")]

    @property
    def shares_missed(self) -> dict[str, float]:
        """The errors as shares of what was sold, where something was."""
        return {"wape": self.champion_error / self.actual,
                "baseline_wape": self.baseline_error / self.actual} if self.actual else {}


class Tuning(TenantModel):
    """A search for settings of a trained model that forecast better than its defaults: what was tried, what came of it.

    `parameters` is what contests make the model with from then on: nothing where the defaults stay. `report` holds the
    number of `trials` and how many were `given_up`, the `found_gain` where it was searched, the `gain` at the later
    cutoff `proved_on` (None where that was not looked at), `searched_on` and the `seconds` it took.
    """

    class Outcome(models.TextChoices):
        KEPT = "kept", _("better settings found")
        NONE_BETTER = "none_better", _("nothing better found")
        NOT_PROVED = "not_proved", _("not better later on")
        OUT_OF_TIME = "out_of_time", _("out of time")

    as_of = models.DateField(_("as of"))
    model = models.CharField(_("model"), max_length=60)
    outcome = models.CharField(_("outcome"), max_length=20, choices=Outcome)
    parameters = models.JSONField(_("settings"), default=dict)
    report = models.JSONField(default=dict)
    job_id = models.BigIntegerField(null=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta(TenantModel.Meta):
        indexes = [models.Index(fields=["tenant", "model", "-as_of", "-id"], name="forecasting_tuning_recent")]


class ForecastRun(TenantModel):
    """One forecast of all planned series, as of one day: what made it, from which data, with which seed."""

    as_of = models.DateField(_("as of"))
    version = TenantForeignKey("registry.ModelVersion", models.PROTECT, null=True)
    model = models.CharField(_("model"), max_length=60)
    days = models.PositiveSmallIntegerField(_("days, one by one"))
    weeks = models.PositiveSmallIntegerField(_("weeks after them"))
    seed = models.BigIntegerField(_("seed"))
    levels = ArrayField(models.FloatField(), help_text="The quantile levels of SeriesForecast.quantiles, in order.")
    weekday_profile = ArrayField(models.FloatField(), default=list,
                                 help_text="How the weekly steps spread over their days, Monday first.")
    parts = ArrayField(models.CharField(max_length=60), default=list,
                       help_text="What moves the forecasts, in the order of SeriesForecast.reasons after the first.")
    explained_days = models.PositiveSmallIntegerField(_("days explained"), default=0)
    note = models.TextField(_("note"), blank=True)
    series = models.PositiveIntegerField(_("series"))
    on_request = models.PositiveIntegerField(_("too slow to forecast"), default=0)
    data_fingerprint = models.CharField(max_length=64)
    is_replay = models.BooleanField(_("replayed"), default=False)
    is_complete = models.BooleanField(default=False)
    job_id = models.BigIntegerField(null=True)
    seconds = models.FloatField(null=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta(TenantModel.Meta):
        indexes = [models.Index(fields=["tenant", "-as_of", "-id"], name="forecasting_run_recent")]

    @property
    def known_through(self) -> dt.date:
        """The last day whose sales it knew: the planning day itself is the first one forecast."""
        return self.as_of - dt.timedelta(days=1)

    @property
    def step_days(self) -> list[int]:
        """The length of each step of the grid."""
        return [1] * self.days + [7] * self.weeks


class KindForecast(TenantModel):
    """What the planned items of a kind, or of the whole shop, are forecast to sell together, and what they sold.

    `name` is the path of the kind, nothing for the shop or for items without one. Weeks are of seven days: of `past`
    the last ends on the last known day, of `mean`, `low` and `high` (an 80 % band of the week) the first begins on the
    planning day. `units`, `units_low`, `units_high` and `money` are of the first four weeks together, money at today's
    prices of those items that have one.
    """

    class Level(models.IntegerChoices):
        SHOP = 1, _("the whole shop")
        DEPARTMENT = 2, _("department")
        CATEGORY = 3, _("category")

    run = TenantForeignKey(ForecastRun, models.CASCADE)
    level = models.PositiveSmallIntegerField(_("level"), choices=Level)
    name = models.CharField(_("name"), max_length=300, blank=True)
    items = models.PositiveIntegerField(_("items"))
    past = ArrayField(models.FloatField(), default=list)
    mean = ArrayField(models.FloatField(), default=list)
    low = ArrayField(models.FloatField(), default=list)
    high = ArrayField(models.FloatField(), default=list)
    units = models.FloatField(_("units"))
    units_low = models.FloatField(_("at least"))
    units_high = models.FloatField(_("at most"))
    money = models.FloatField(_("money"), null=True)

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["tenant", "run", "level", "name"], name="forecasting_kind_once")]


class ItemPair(TenantModel):
    """Two items that are bought together far more often, or far more seldom, than chance has it: as told of `item`.

    An association and no cause. Every pair stands twice, once of each item; each run of the mining replaces them all.
    `together` of the `orders` with the item hold the other too, those of `buyers` different customers, where chance
    would have it in `expected`. `surely` is the times as often (or as seldom) that the figures bear out 95 times of
    100. Of two bought instead of each other, `together`, `buyers` and `expected` are of the orders of customers who
    bought both, and `switchers` are those of them who never bought both together. `place` 1 is the surest.
    """

    class Relation(models.IntegerChoices):
        WITH = 1, _("bought with")
        INSTEAD = 2, _("bought instead of")

    item = TenantForeignKey("catalog.Item", models.CASCADE)
    other = TenantForeignKey("catalog.Item", models.CASCADE)
    relation = models.PositiveSmallIntegerField(_("relation"), choices=Relation)
    place = models.PositiveSmallIntegerField()
    as_of = models.DateField(_("as of"))
    orders = models.PositiveIntegerField(_("orders with the item"))
    together = models.PositiveIntegerField(_("orders with both"))
    buyers = models.PositiveIntegerField(_("customers who bought both together"))
    switchers = models.PositiveIntegerField(_("customers who bought both, never together"), default=0)
    expected = models.FloatField(_("orders with both, by chance"))
    surely = models.FloatField(_("surely so many times"))

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["tenant", "item", "other"], name="forecasting_pair_once")]


class ItemShape(TenantModel):
    """The shape of the week or of the year that an item shares with `alike` items: each run replaces them all.

    `first` and `last` are the peak's, Monday or January 0, where it has one.
    """

    class Cycle(models.IntegerChoices):
        WEEK = 1, _("week")
        YEAR = 2, _("year")

    class Kind(models.IntegerChoices):
        OTHER = 0, _("of no simple shape")
        EVEN = 1, _("even")
        MOST = 2, _("with one peak")

    item = TenantForeignKey("catalog.Item", models.CASCADE)
    cycle = models.PositiveSmallIntegerField(choices=Cycle)
    kind = models.PositiveSmallIntegerField(choices=Kind)
    first = models.PositiveSmallIntegerField(default=0)
    last = models.PositiveSmallIntegerField(default=0)
    alike = models.PositiveIntegerField(_("items of this shape"))
    as_of = models.DateField(_("as of"))

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["tenant", "item", "cycle"], name="forecasting_shape_once")]


class SeriesForecast(TenantModel):
    """The forecast of one item at one location.

    `mean` has one value for each step of the run's grid (its days, then its weeks); `quantiles` is laid out step by
    step within a level, level by level; `recipe` is what redraws the same sample paths with the run's seed; `reasons`
    are units over the run's first `explained_days` days, what was usually sold and then the run's `parts`, that add up
    to the forecast of these days (none where nobody asked why). `days_out` are the days without stock among the
    LOST_DAYS before the run's, and `lost_units` what was not sold on them and on those that ended sold out, 8 times of
    10 between `lost_low` and `lost_high`; none where nobody asked. `similar_items` are those that the forecast of a new
    item is drawn from, none for items that are not new.
    """

    LOST_DAYS = 91

    run = TenantForeignKey(ForecastRun, models.CASCADE)
    item = TenantForeignKey("catalog.Item", models.CASCADE)
    location = TenantForeignKey("catalog.Location", models.CASCADE)
    mean = ArrayField(models.FloatField())
    quantiles = ArrayField(models.FloatField())
    recipe = ArrayField(models.FloatField())
    reasons = ArrayField(models.FloatField(), null=True)
    days_out = models.PositiveSmallIntegerField(null=True)
    lost_units = models.FloatField(null=True)
    lost_low = models.FloatField(null=True)
    lost_high = models.FloatField(null=True)
    similar_items = models.PositiveIntegerField(_("similar items"), null=True)

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["tenant", "run", "item", "location"],
                                               name="forecasting_series_once")]
        indexes = [models.Index(fields=["tenant", "item", "-run"], name="forecasting_series_item")]
