"""The blend answers unless one of its members was clearly better on the past, and unless time runs out."""

from time import monotonic
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from apps.forecasting.engine import automatic
from apps.forecasting.engine.automatic import PLAIN, Clock, OutOfTime, choose, errors_by_level, fit_within
from apps.forecasting.engine.base import OnProgress, Panel, silent
from tests.unit.forecasting import shops


class Off:
    """It foretells what will be sold, and so much more: a factor for each cutoff, the latest first."""

    def __init__(self, whole: Panel, factors: list[float]) -> None:
        self.whole = whole
        self.factors = factors

    def daily_means(self, panel: Panel, days: int) -> np.ndarray:
        cutoff = (self.whole.n_days - panel.n_days) // days - 1
        return self.whole.sales[:, panel.n_days : panel.n_days + days] * (1 + self.factors[cutoff])


@pytest.fixture
def panel() -> Panel:
    return shops.panel_of(np.random.default_rng(3).poisson(4.0, (40, 300)))


def blend_of(monkeypatch: pytest.MonkeyPatch, panel: Panel, **factors: list[float]) -> None:
    """Let the blend and its members err as told."""

    class Fake:
        name = "blend"
        minimum_days = 98

        def __init__(self, **options: Any) -> None:
            pass

        def grow(self, then: Panel, thin: int, on_progress: OnProgress) -> Any:
            on_progress(1.0, "grown")
            grown = {name: Off(panel, each) for name, each in factors.items() if name != "blend"}
            return SimpleNamespace(daily_means=Off(panel, factors["blend"]).daily_means, grown=grown)

    monkeypatch.setattr(automatic, "Blend", Fake)


@pytest.mark.parametrize(("blend", "member", "chosen"), [
    ([0.2] * 4, [0.1] * 4, "lightgbm"),
    ([0.2] * 4, [0.1, 0.1, 0.1, 0.3], "lightgbm"),
    ([0.2] * 4, [0.05, 0.05, 0.25, 0.25], "blend"),  # better on average, but at two cutoffs only
    ([0.2] * 4, [0.199] * 4, "blend"),  # better everywhere, but hardly
    ([0.1] * 4, [0.2] * 4, "blend"),
], ids=["clear", "clear but once", "by luck", "hardly", "worse"])
def test_a_member_takes_the_blends_place_for_a_clear_gain_only(
    monkeypatch: pytest.MonkeyPatch, panel: Panel, blend: list[float], member: list[float], chosen: str
) -> None:
    blend_of(monkeypatch, panel, blend=blend, lightgbm=member)
    monkeypatch.setattr(automatic, "PLAIN", ())
    name, sentence = choose(panel, 28)
    assert name == chosen
    assert sentence.startswith(f"{chosen} is chosen; scaled errors at 4 past cutoffs: blend ")


def test_a_plain_average_answers_where_all_that_was_trained_misses_much_more(
    monkeypatch: pytest.MonkeyPatch, panel: Panel
) -> None:
    blend_of(monkeypatch, panel, blend=[9.0] * 4, lightgbm=[9.0] * 4)
    name, _ = choose(panel, 28)
    assert name in PLAIN
    fitted, told = fit_within(panel)
    assert fitted.name == name and told[0].startswith(f"{name} is chosen")


def test_where_the_past_is_too_short_to_judge_by_the_blend_is_tried(panel: Panel) -> None:
    name, sentence = choose(panel.before(190), 28)
    assert (name, sentence) == ("blend", "blend is tried: there was no past, or no time, to judge by.")


def test_nothing_missed_is_no_error_and_a_constant_miss_is_what_a_formula_says() -> None:
    stream = np.random.default_rng(4)
    panel = shops.panel_of(stream.poisson(4.0, (3, 100)).astype(float))
    true = panel.sales[:, 72:]
    assert errors_by_level(panel, 28, true) == 0
    past = panel.sales[:, :72].astype(float)
    weight = panel.sales[:, 44:72].sum(axis=1) / panel.sales[:, 44:72].sum()
    items = float(weight @ np.sqrt(1.0 / (np.diff(past, axis=1) ** 2).mean(axis=1)))
    whole = 3.0 / np.sqrt((np.diff(past.sum(axis=0)) ** 2).mean())
    assert errors_by_level(panel, 28, true + 1) == pytest.approx((items + whole + whole) / 3)


def test_days_on_which_a_series_was_out_are_no_errors() -> None:
    sales = np.random.default_rng(4).poisson(4.0, (3, 100)).astype(float)
    known = np.ones(sales.shape, dtype=bool)
    known[0, 80:90] = False
    panel = shops.panel_of(np.where(known, sales, np.nan), known)
    daily = sales[:, 72:].astype(np.float32).copy()
    daily[0, 8:18] = 1000
    assert errors_by_level(panel, 28, daily) == 0


def test_time_is_out_at_its_share_and_not_before() -> None:
    Clock(10.0, began=monotonic() - 4.0).until(0.5, silent, 0.0, 1.0)(0.0, "on the way")
    with pytest.raises(OutOfTime):
        Clock(10.0, began=monotonic() - 5.1).until(0.5, silent, 0.0, 1.0)(0.0, "too late")
    Clock(None, began=0.0).until(0.5, silent, 0.0, 1.0)(0.0, "there is no end")


def test_a_model_that_would_take_too_long_gives_way_to_simpler_ones(panel: Panel) -> None:
    model, told = fit_within(panel, clock=Clock(1e-6))
    assert model.name == "eight_week_mean"
    assert [sentence.split()[0] for sentence in told] == ["blend", "blend", "lightgbm", "The"]
    named, told = fit_within(panel, "lightgbm", clock=Clock(1e-6))
    assert (named.name, len(told)) == ("eight_week_mean", 2)
