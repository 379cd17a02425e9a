"""Series are sorted by money and steadiness, and days by promotions, as they were known."""

import numpy as np
import pandas as pd

from apps.forecasting.engine.base import Panel
from apps.forecasting.engine.segments import abc_classes, promoted_days, promotions, xyz_classes
from tests.unit.forecasting import shops


def test_classes_follow_money() -> None:
    assert abc_classes(np.array([1.0, 100.0, 15.0, 4.0])).tolist() == ["C", "A", "B", "C"]


def weekly(*weeks: list[float]) -> Panel:
    """A panel of series with these sums of weeks, sold on Mondays."""
    sales = np.zeros((len(weeks), 7 * len(weeks[0])))
    sales[:, ::7] = weeks
    return shops.panel_of(sales)


def test_steadiness_is_how_much_thirteen_weeks_varied_beside_their_mean() -> None:
    # Deviations over means of 0, 0.4, 0.6, 0.9 and 2; the last one sold nothing.
    rows = [[9.0] * 14, [6.0, 14.0] * 7, [4.0, 16.0] * 7, [1.0, 19.0] * 7, [0.0] * 9 + [50.0] + [0.0] * 4, [0.0] * 14]
    assert "".join(xyz_classes(weekly(*rows))) == "XXYYZZ"


def test_what_was_sold_before_the_thirteen_weeks_is_forgotten() -> None:
    assert "".join(xyz_classes(weekly([0.0] * 13 + [4.0] * 13, [500.0] + [0.0] * 12 + [4.0] * 13))) == "XX"


def test_short_histories_have_classes_too() -> None:
    assert "".join(xyz_classes(weekly([4.0] * 3, [0.0, 0.0, 9.0]))) == "XZ"
    assert "".join(xyz_classes(shops.panel_of(np.ones((1, 5))))) == "Z"


def test_a_promotion_is_known_ahead_and_is_not_the_rule() -> None:
    days = pd.date_range(shops.FIRST_DAY, periods=30)
    history = pd.DataFrame({"unique_id": "a", "ds": days, "y": 1.0})
    told = pd.DataFrame({"unique_id": "a", "ds": days, "mailer": 0.0, "display": 1.0, "price": 2.0, "warmth": 20.0,
                         "leaflet": ""})
    told.loc[[27, 29], "mailer"] = 0.4
    told.loc[28, "leaflet"] = "page one"
    panel = Panel.from_frames(history, None, told, known_ahead=["mailer", "price", "warmth", "leaflet"])
    assert promotions(panel) == ["leaflet", "mailer"]
    assert promoted_days(panel, slice(25, 30)).tolist() == [[False, False, True, True, True]]
    assert not promoted_days(panel.with_covariates(["display"]), slice(25, 30)).any()
