"""Networks keep the contract of every model, and learn a season that a four-week mean cannot."""

from collections.abc import Iterator
from functools import partial

import numpy as np
import pytest
import tensorflow
from scipy.special import gammaln

from apps.forecasting.engine.base import ArtifactError, Forecaster, Grid
from apps.forecasting.engine.keras_model import KerasLSTM, log_gamma
from apps.forecasting.engine.models import make
from tests.unit.forecasting import shops
from tests.unit.forecasting.conformance import Conformance, MakeModel

# TensorFlow's variables know NumPy 2's copy keyword not yet; Keras reads the learning rate through them.
pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Even though the `tf.config.experimental_run_functions_eagerly`:UserWarning"),
]


@pytest.fixture(scope="class", params=["keras_lstm", "keras_gru"])
def make_model(request: pytest.FixtureRequest) -> MakeModel:
    return partial(make, request.param, units=4, hidden=8, lookback_weeks=4, origins=3, epochs=1, batch=64)


@pytest.fixture(scope="class")
def step_by_step() -> Iterator[None]:
    """Tracing a graph for every tiny network takes longer than its training: these run operation by operation."""
    tensorflow.config.run_functions_eagerly(True)
    yield
    tensorflow.config.run_functions_eagerly(False)


@pytest.mark.usefixtures("step_by_step")
class TestNetworks(Conformance):
    def test_weights_that_do_not_fit_their_description_are_refused(self, fitted: Forecaster) -> None:
        files = fitted.to_artifact()
        with pytest.raises(ArtifactError):
            type(fitted).from_artifact(files | {"weights.npz": files["centres.npz"]})
        with pytest.raises(ArtifactError):
            type(fitted).from_artifact({name: content for name, content in files.items() if name != "weights.npz"})


def test_beats_the_four_week_mean_on_seasonal_series() -> None:
    stream = np.random.default_rng(6)
    weeks = np.arange(60)
    phase = stream.uniform(0, 2 * np.pi, (60, 1))
    rate = 4.0 * (1.0 + 0.9 * np.sin(2 * np.pi * weeks / 8 + phase))
    sales = stream.poisson(np.repeat(rate, 7, axis=1))
    panel = shops.panel_of(sales)
    known = panel.before(14)
    sold = panel.sales[:, -14:].sum(axis=1)

    told: list[str] = []
    lstm = KerasLSTM(units=24, lookback_weeks=16, origins=36, epochs=8, batch=64, learning_rate=0.01)
    foretold = lstm.fit(known, lambda fraction, sentence: told.append(sentence)).predict(Grid(14)).sum_mean(14)
    usual = make("weekday_mean").fit(known).predict(Grid(14)).sum_mean(14)
    assert np.abs(foretold - sold).sum() < 0.6 * np.abs(usual - sold).sum()
    assert any("round 2 of at most 8" in sentence and "loss" not in sentence for sentence in told)


def test_log_gamma_is_the_log_of_the_gamma_function() -> None:
    values = np.geomspace(1e-3, 1e3, 50).astype(np.float32)
    np.testing.assert_allclose(np.asarray(log_gamma(values)), gammaln(values), rtol=1e-4, atol=1e-4)
