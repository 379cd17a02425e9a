"""The shop and the fitted model that the conformance tests share, once for each model."""

import pytest

from apps.forecasting.engine.base import Forecast, Forecaster, Panel
from tests.unit.forecasting import shops
from tests.unit.forecasting.conformance import GRID, HELD_BACK_DAYS, MakeModel


@pytest.fixture(scope="class")
def whole() -> Panel:
    return shops.panel(grid=GRID)


@pytest.fixture(scope="class")
def known(whole: Panel) -> Panel:
    return whole.before(HELD_BACK_DAYS)


@pytest.fixture(scope="class")
def fitted(make_model: MakeModel, known: Panel) -> Forecaster:
    return make_model().fit(known)


@pytest.fixture(scope="class")
def forecast(fitted: Forecaster) -> Forecast:
    return fitted.predict(GRID)
