"""Groups are as fine as they may be, and items follow their group's total without changing how it divides."""

import numpy as np
import pandas as pd
import pytest

from apps.forecasting.engine.base import Panel
from apps.forecasting.engine.smoothing import theta_means
from apps.forecasting.engine.totals import added_up, drawn_to_totals, groups
from tests.unit.forecasting import shops


def labelled(n_series: int, n_days: int = 112, **labels: list[str]) -> Panel:
    sales = np.random.default_rng(2).poisson(3.0, (n_series, n_days))
    history = pd.DataFrame({
        "unique_id": np.repeat([f"item-{number:03d}" for number in range(n_series)], n_days),
        "ds": np.tile(pd.date_range(shops.FIRST_DAY, periods=n_days), n_series), "y": sales.reshape(-1)})
    static = pd.DataFrame({"unique_id": [f"item-{number:03d}" for number in range(n_series)], **labels})
    return Panel.from_frames(history, static)


def every(count: int, n_series: int = 240) -> list[str]:
    return [f"kind-{number % count}" for number in range(n_series)]


def test_labels_divide_series_into_groups_while_these_stay_large() -> None:
    assert set(groups(labelled(240))) == {0}
    assert len(set(groups(labelled(240, shop=every(2), kind=every(4))))) == 4
    finest = groups(labelled(240, shop=every(2), item=every(240)))
    assert len(set(finest)) == 2, "a label of every item's own divides nothing"
    assert len(set(groups(labelled(240, a=every(3), b=every(4), c=every(5))))) == 3, "twelve would leave twenty each"


def test_groups_do_not_depend_on_the_order_of_labels() -> None:
    one = groups(labelled(240, a=every(2), b=every(3)))
    two = groups(labelled(240, b=every(3), a=every(2)))
    np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_totals_lie_as_far_as_asked_on_the_way_to_theta_and_shares_within_a_group_stay(share: float) -> None:
    panel = labelled(120, kind=every(2, 120))
    daily = np.random.default_rng(3).uniform(1, 4, (120, 14)).astype(np.float32)
    drawn = drawn_to_totals(panel, daily, share)
    members = groups(panel)
    before, after = added_up(daily, members), added_up(drawn, members)
    theta = theta_means(added_up(panel.sales, members), 7, 14)
    np.testing.assert_allclose(after, share * theta + (1 - share) * before, rtol=1e-4)
    np.testing.assert_allclose(drawn / after[members], daily / before[members], rtol=1e-4)


def test_an_empty_shelf_is_no_lack_of_demand() -> None:
    stream = np.random.default_rng(7)
    demand = stream.poisson(6.0, (200, 168)).astype(float)
    known = stream.random(demand.shape) > 0.3
    panel = shops.panel_of(np.where(known, demand, np.nan), known)
    assert panel.recovered().demand.sum() == pytest.approx(demand.sum(), rel=0.01)
    daily = np.full((200, 14), 6.0, dtype=np.float32)
    assert drawn_to_totals(panel, daily, 1.0).mean() == pytest.approx(6.0, rel=0.02)


def test_a_shelf_that_went_empty_lately_is_no_fall_and_an_item_before_its_first_day_sells_nothing() -> None:
    demand = np.full((40, 140), 5.0)
    known = np.ones(demand.shape, dtype=bool)
    known[:20, -50:] = False
    known[30:, :70] = False
    panel = shops.panel_of(np.where(known, demand, np.nan), known)
    filled = panel.recovered().demand
    np.testing.assert_allclose(filled[:30], 5.0)
    np.testing.assert_allclose(filled[30:], np.where(np.arange(140) < 70, 0.0, 5.0)[None].repeat(10, axis=0))


def test_a_group_that_sells_nothing_stays_at_nothing_and_no_factor_is_wild() -> None:
    panel = labelled(60)
    nothing = np.zeros((60, 7), dtype=np.float32)
    np.testing.assert_array_equal(drawn_to_totals(panel, nothing, 0.5), nothing)
    far = np.full((60, 7), 0.001, dtype=np.float32)
    np.testing.assert_allclose(drawn_to_totals(panel, far, 1.0), 3 * far, rtol=1e-5)
    np.testing.assert_allclose(drawn_to_totals(panel, far * 1e6, 1.0), far * 1e6 / 3, rtol=1e-5)


def test_a_history_of_a_few_weeks_says_nothing_of_totals() -> None:
    panel = labelled(60, n_days=50)
    daily = np.ones((60, 7), dtype=np.float32)
    assert drawn_to_totals(panel, daily, 1.0) is daily
