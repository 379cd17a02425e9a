"""The batch side of forecasting: the nightly forecast, the contests that choose what makes it and the search for better
settings, what orders tell."""

from apps.forecasting.pipeline.contest import backtest_lstm_tenant, backtest_tenant, renew_tenant
from apps.forecasting.pipeline.lineage import retrain_tenant
from apps.forecasting.pipeline.mining import mine_tenant
from apps.forecasting.pipeline.night import forecast_tenant
from apps.forecasting.pipeline.tuning import tune_tenant

__all__ = ["backtest_lstm_tenant", "backtest_tenant", "forecast_tenant", "mine_tenant", "renew_tenant",
           "retrain_tenant", "tune_tenant"]
