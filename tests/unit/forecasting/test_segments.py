"""Series are sorted by money and steadiness, and days by promotions, as they were known."""

import numpy as np
import pandas as pd

from apps.forecasting.engine.base import Panel
from apps.forecasting.engine.segments import YOUNG, abc_classes, demand_classes, promoted_days, promotions, xyz_classes
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


def test_ways_of_selling_follow_gaps_and_how_unlike_the_weeks_with_sales_are() -> None:
    rows = {
        "smooth": [5.0, 7.0] * 13,
        "erratic": [1.0, 1.0, 1.0, 20.0] * 6 + [1.0, 1.0],
        "intermittent": [5.0, 0.0] * 13,
        "lumpy": [1.0, 0.0, 20.0, 0.0] * 6 + [1.0, 0.0],
        YOUNG: [0.0] * 26,
    }
    assert demand_classes(weekly(*rows.values())).tolist() == list(rows)
    # A gap is 26 weeks over those with a sale: 20 of 26 make 1.3, 19 make 1.37.
    assert demand_classes(weekly([0.0] * 6 + [4.0] * 20, [0.0] * 7 + [4.0] * 19)).tolist() == ["smooth", "intermittent"]
    # Weeks of a and b in turn vary by ((b - a) / (b + a))^2: 0.69^2 lies below 0.49, 0.71^2 above.
    alike, unlike = [31.0, 169.0] * 13, [29.0, 171.0] * 13
    assert demand_classes(weekly(alike, unlike)).tolist() == ["smooth", "erratic"]


def test_before_it_was_on_sale_an_item_had_no_gap_and_in_eight_weeks_it_tells_enough() -> None:
    panel = shops.panel_of(np.ones((2, 182)), np.stack([np.arange(182) >= 182 - 56, np.arange(182) >= 182 - 49]))
    assert demand_classes(panel).tolist() == ["smooth", YOUNG]


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
