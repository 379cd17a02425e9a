"""No feature knows anything later than its origin, and each says what its name says."""

import numpy as np
import pytest

from apps.forecasting.engine.backtest import poisoned
from apps.forecasting.engine.base import Panel
from apps.forecasting.engine.features import Codes, Weeks, level, pooled_groups, rows_at
from tests.unit.forecasting import shops


def rows(panel: Panel, weeks: Weeks, origin: int) -> np.ndarray:
    return np.stack([block.values for block in rows_at(weeks, origin, (1, 2, 3, 4), pooled_groups(panel), {})])


@pytest.mark.parametrize("origin", [5, 11, 16])
def test_rows_of_an_origin_do_not_change_by_one_bit_when_everything_after_it_does(origin: int) -> None:
    panel = shops.panel(n_days=140)
    cutoff = panel.dates[7 * origin - 1]
    blind = poisoned(panel, cutoff)
    known = panel.upto(cutoff)
    seen = rows(panel, Weeks.of(panel, 0), origin)
    np.testing.assert_array_equal(seen, rows(blind, Weeks.of(blind, 0), origin))
    np.testing.assert_array_equal(seen, rows(known, Weeks.of(known, 4), origin))


def test_weeks_end_on_the_cutoff_and_unknown_days_do_not_dilute_them() -> None:
    sales, known = np.ones((1, 17)), np.ones((1, 17))
    known[0, 3:7] = 0
    weeks = Weeks.of(shops.panel_of(sales, known), 2)
    np.testing.assert_allclose(weeks.rate, [[7, 7]])
    np.testing.assert_allclose(weeks.exposure, [[3 / 7, 1]])
    assert weeks.n_ahead == 4


def test_the_level_follows_a_steady_seller_and_is_never_zero() -> None:
    weeks = Weeks.of(shops.panel_of(np.stack([np.full(84, 2.0), np.zeros(84)])), 0)
    np.testing.assert_allclose(level(weeks, 12), [14.05, 0.05], rtol=1e-4)


def test_where_no_plan_reaches_the_usual_share_stands_in() -> None:
    panel = shops.panel(n_series=4, n_days=140)
    values = panel.covariates["mailer"].copy()
    values[:, panel.n_days + 14 :] = 0
    panel = Panel(panel.ids, panel.dates, panel.y, panel.available, panel.static, {"mailer": values}, panel.known_ahead,
                  told={"mailer": panel.n_days + 14})
    weeks = Weeks.of(panel, 6)
    usual = weeks.covariates["mailer"][:, :20].mean(axis=1)
    np.testing.assert_array_equal(weeks.covariates["mailer"][:, 20], values[:, 140:147].mean(axis=1))
    for ahead in range(22, 26):
        np.testing.assert_allclose(weeks.covariates["mailer"][:, ahead], usual)


def test_codes_are_the_same_whatever_order_labels_come_in_and_unseen_ones_are_minus_one() -> None:
    codes = Codes.learn(["pear", "apple", "pear"])
    np.testing.assert_array_equal(codes.of(np.array(["apple", "pear", "fig", "zebra"])), [0, 1, -1, -1])
    np.testing.assert_array_equal(Codes.learn([]).of(np.array(["apple"])), [-1])
