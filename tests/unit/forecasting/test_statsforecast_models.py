"""ETS and ARIMA answer for the series with the most money, from every day that is known and no zero that is not."""

import numpy as np
import pytest
from statsforecast.models import AutoETS

from apps.forecasting.engine.base import Grid
from apps.forecasting.engine.smoothing import Theta
from apps.forecasting.engine.statsforecast_models import ARIMA, ETS, Answer, OneByOne, by_money, filled
from tests.unit.forecasting import shops

WEEK = np.array([10.0, 12.0, 11.0, 9.0, 14.0, 22.0, 20.0])


def test_ets_of_a_known_series_is_statsforecasts() -> None:
    sales = np.random.default_rng(1).poisson(np.tile(WEEK, 20)).astype(float)[None, :]
    published = AutoETS(season_length=7, model="ZNZ").forecast(sales[0], 14)["mean"]
    np.testing.assert_allclose(ETS().daily_mean(shops.panel_of(sales), 14)[0], published, rtol=1e-6)


@pytest.mark.parametrize("model", [ETS(), ARIMA()], ids=["ets", "arima"])
def test_a_weekly_rhythm_is_carried_on_and_unknown_days_are_no_zeros(model: OneByOne) -> None:
    stream = np.random.default_rng(2)
    sales = stream.poisson(np.tile(WEEK, (2, 20))).astype(float)
    known_day = stream.random(sales.shape) > 0.3
    known_day[:, :30] = False
    daily = model.daily_mean(shops.panel_of(sales, known_day), 14)
    assert daily.mean() == pytest.approx(WEEK.mean(), rel=0.15)
    assert (daily.reshape(2, 2, 7)[:, :, 5:].mean(axis=(1, 2)) > 1.3 * daily.mean(axis=1)).all()


def test_an_unknown_day_is_filled_with_the_mean_of_its_weekday_weighed_by_availability() -> None:
    sales = np.tile(WEEK, (1, 4))
    available = np.ones_like(sales)
    sales[0, 3], available[0, 3] = 4.0, 0.25
    sales[0, 10] = available[0, 10] = 0.0
    rates = filled(shops.panel_of(sales, available))[0]
    assert rates[3] == pytest.approx(16.0), "the rate of a whole day"
    assert rates[10] == pytest.approx((4.0 + 9.0 + 9.0) / 2.25)
    weekday_never_known = np.where(np.arange(28) % 7 == 2, 0.0, 1.0)[None, :]
    rates = filled(shops.panel_of(np.tile(WEEK, (1, 4)), weekday_never_known))[0]
    assert rates[2] == pytest.approx(np.delete(WEEK, 2).mean())


def test_the_series_with_the_most_money_are_searched_and_theta_answers_for_the_others() -> None:
    panel = shops.panel()
    chosen, others = np.split(by_money(panel), [5])
    money = panel.sales.sum(axis=1) * panel.prices()
    assert money[chosen].min() >= money[others].max()
    model = ETS(most_series=5).fit(panel)
    own, theta = model.predict(Grid(28)), Theta().fit(panel).predict(Grid(28))
    assert (own.mean[others] == theta.mean[others]).all()
    assert (own.mean[chosen] != theta.mean[chosen]).any(axis=1).all()
    assert own.notes == ("ets answers for the 5 series with the most money of 24, theta for the others.",)
    assert model.predict(Grid(28), panel.take(chosen)).notes == ()


class Astray(ETS):
    """A search that ends in nothing, or far from anything that ever sold."""

    found: float | None = None

    def answer(self) -> Answer:
        def answer(own: np.ndarray, days: int) -> np.ndarray:
            if self.found is None:
                raise Exception("no model able to be fitted")
            return np.full(days, self.found)

        return answer


@pytest.mark.parametrize("found", [None, float("nan"), 1e6])
def test_where_the_search_ends_in_nothing_theta_answers(found: float | None) -> None:
    panel = shops.panel(n_series=3)
    model = Astray()
    model.found = found
    np.testing.assert_array_equal(model.daily_mean(panel, 14), Theta().daily_mean(panel, 14))


def test_tails_are_fitted_on_a_sample_in_which_as_large_a_part_is_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ETS, "tail_series", 3)
    asked: list[tuple[int, int]] = []

    def daily_mean(self: ETS, panel, days: int):  # type: ignore[no-untyped-def]
        asked.append((panel.n_series, self.most_series))
        return Theta().daily_mean(panel, days)

    monkeypatch.setattr(ETS, "daily_mean", daily_mean)
    ETS(most_series=12).fit(shops.panel())
    assert set(asked) == {(6, 3)}
