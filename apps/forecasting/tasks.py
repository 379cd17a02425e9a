"""The kinds of job that forecasting carries out."""

from django.utils.translation import gettext_lazy as _

from apps.jobs.kinds import Kind, Precedence, declare

declare(Kind("forecasting.forecast", title=_("Forecast demand"),
             handler="apps.forecasting.pipeline:forecast_tenant", queue="heavy"))
declare(Kind("forecasting.backtest", title=_("Compare the models on past weeks"),
             handler="apps.forecasting.pipeline:backtest_tenant", queue="batch", precedence=Precedence.LATER))
declare(Kind("forecasting.mine", title=_("Find what is bought together"),
             handler="apps.forecasting.pipeline:mine_tenant", queue="batch", precedence=Precedence.LATER))
declare(Kind("forecasting.renew", title=_("See whether a contest of models is due"),
             handler="apps.forecasting.pipeline:renew_tenant"))
declare(Kind("forecasting.backtest_lstm", title=_("Train and compare the neural network"),
             handler="apps.forecasting.pipeline:backtest_lstm_tenant", queue="gpu",
             precedence=Precedence.LATER))
declare(Kind("forecasting.tune", title=_("Search better settings for the trained model"),
             handler="apps.forecasting.pipeline:tune_tenant", queue="batch", precedence=Precedence.LAST))
declare(Kind("forecasting.retrain", title=_("Train a model again from its lineage"),
             handler="apps.forecasting.pipeline:retrain_tenant", queue="batch", precedence=Precedence.LATER))
declare(Kind("forecasting.retrain_network", title=_("Train a neural network again from its lineage"),
             handler="apps.forecasting.pipeline:retrain_tenant", queue="gpu", precedence=Precedence.LATER))
