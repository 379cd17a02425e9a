"""Ridge regression is scikit-learn's, sees a promotion coming, and reads only what it saw when it was fitted."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import Ridge as TheirRidge

from apps.forecasting.engine.base import ArtifactError, Grid, NotFitted
from apps.forecasting.engine.linear_model import LeastSquares, Line, Ridge, centres, scaled
from tests.unit.forecasting import shops


def test_the_line_is_scikit_learns() -> None:
    stream = np.random.default_rng(1)
    features, weights = stream.normal(size=(500, 6)), stream.gamma(2.0, 1.0, 500)
    targets = features @ stream.normal(size=6) + 3.0 + stream.normal(size=500)
    sums = LeastSquares(6)
    for part in (slice(0, 200), slice(200, 500)):
        sums.add(features[part], targets[part], weights[part])
    coefficients, intercept = sums.solved(0.05)
    theirs = TheirRidge(alpha=0.05 * weights.sum()).fit(features, targets, weights)
    np.testing.assert_allclose(coefficients, theirs.coef_, rtol=1e-8)
    assert intercept == pytest.approx(theirs.intercept_)


def test_what_is_missing_is_at_the_mean_and_what_tells_nothing_counts_for_nothing() -> None:
    values = np.array([[1.0, np.nan, 5.0], [3.0, 2.0, 5.0], [5.0, 4.0, 5.0]], dtype=np.float32)
    centre, spread = centres(values, np.array([1.0, 1.0, 2.0]))
    np.testing.assert_allclose(centre, [3.5, 10 / 3, 5.0])
    np.testing.assert_allclose(spread, [np.sqrt(2.75), np.sqrt(8) / 3, np.inf], rtol=1e-6)
    assert scaled(values, centre, spread)[0, 1] == 0
    assert (scaled(values, centre, spread)[:, 2] == 0).all()
    assert scaled(np.full((1, 3), np.inf, dtype=np.float32), centre, spread).tolist() == [[0.0, 0.0, 0.0]]


def test_the_line_sees_a_promotion_coming_and_says_what_it_adds() -> None:
    panel = shops.panel(n_series=100, n_days=168, grid=Grid(7))
    promoted = panel.covariates["mailer"][:, panel.n_days] > 0
    model, blind = Ridge().fit(panel), Ridge().fit(panel.with_covariates([]))
    rise = model.predict(Grid(7)).mean.sum(axis=1) / blind.predict(Grid(7)).mean.sum(axis=1)
    assert rise[promoted].mean() > 1.4 * rise[~promoted].mean()
    told = model.coefficients()
    assert next(name for name in told if name.startswith("mailer")) == "mailer_ahead"
    assert told["mailer_ahead"] > 0
    with pytest.raises(NotFitted):
        Ridge().coefficients()


def test_multiples_add_up_to_what_was_sold() -> None:
    panel = shops.panel(n_series=100, n_days=168)
    told = Ridge().fit(panel).predict(Grid(14)).sum_mean(14).sum()
    assert told == pytest.approx(panel.sales[:, -56:].sum() / 4, rel=0.1)


def test_promotions_are_read_by_their_names_when_the_shop_comes_to_know_others() -> None:
    panel = shops.panel()
    model = Ridge().fit(panel)
    more = replace(panel, covariates={"a_new_kind": panel.covariates["display"], **panel.covariates})
    np.testing.assert_array_equal(model.predict(Grid(), more).mean, model.predict(Grid(), panel).mean)


def test_a_line_that_does_not_fit_its_columns_is_refused() -> None:
    model = Ridge().fit(shops.panel())
    files = model.to_artifact()
    assert isinstance(model.grown_, Line)
    shorter = replace(model.grown_, spread=model.grown_.spread[1:]).files()
    for broken in (shorter, {"line.npz": b"no archive"}, {"line.npz": files["line.npz"][:200]}):
        with pytest.raises(ArtifactError):
            Ridge.from_artifact({**files, **broken})
    with pytest.raises(ArtifactError, match=r"lacks line\.npz"):
        Ridge.from_artifact({"model.json": files["model.json"]})
