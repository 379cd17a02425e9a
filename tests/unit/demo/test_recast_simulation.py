"""The simulated stock never creates, hides or owes a unit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from apps.demo.recast.simulate import NotAStock, serve_day, serve_days

Counts = NDArray[np.int64]


@st.composite
def shops(draw: st.DrawFn) -> tuple[Counts, Counts, Counts]:
    items = draw(st.integers(1, 5))
    days = draw(st.integers(0, 12))
    counts = st.integers(0, 40)

    def table(rows: int, columns: int) -> Counts:
        values = draw(st.lists(counts, min_size=rows * columns, max_size=rows * columns))
        return np.array(values, dtype=np.int64).reshape(rows, columns)

    return table(items, 1)[:, 0], table(items, days), table(items, days)


@given(shops())
def test_every_unit_is_accounted_for(shop: tuple[Counts, Counts, Counts]) -> None:
    opening, arrivals, demand = shop
    outcome = serve_days(opening, arrivals, demand)
    received = opening[:, None] + arrivals.cumsum(axis=1)
    np.testing.assert_array_equal(outcome.closing, received - outcome.served.cumsum(axis=1))
    np.testing.assert_array_equal(outcome.served + outcome.lost, demand)


@given(shops())
def test_stock_is_never_below_zero_and_sales_are_lost_only_from_an_empty_shelf(
    shop: tuple[Counts, Counts, Counts],
) -> None:
    outcome = serve_days(*shop)
    assert (outcome.closing >= 0).all()
    assert (outcome.served >= 0).all()
    assert (outcome.closing[outcome.lost > 0] == 0).all()


@given(shops())
def test_days_in_turn_agree_with_one_item_and_one_unit_at_a_time(shop: tuple[Counts, Counts, Counts]) -> None:
    opening, arrivals, demand = shop
    outcome = serve_days(opening, arrivals, demand)
    for item, stock in enumerate(opening.tolist()):
        left = stock
        for day in range(demand.shape[1]):
            left += int(arrivals[item, day])
            served = 0
            for _ in range(int(demand[item, day])):
                if left:
                    left -= 1
                    served += 1
            assert (outcome.served[item, day], outcome.closing[item, day]) == (served, left)


@given(shops())
def test_a_day_at_a_time_is_the_same_as_all_days_at_once(shop: tuple[Counts, Counts, Counts]) -> None:
    on_hand, arrivals, demand = shop
    at_once = serve_days(on_hand, arrivals, demand)
    for day in range(demand.shape[1]):
        outcome = serve_day(on_hand, arrivals[:, day], demand[:, day])
        np.testing.assert_array_equal(outcome.served, at_once.served[:, day])
        np.testing.assert_array_equal(outcome.lost, at_once.lost[:, day])
        on_hand = outcome.closing
        np.testing.assert_array_equal(on_hand, at_once.closing[:, day])


@given(shops(), st.integers(1, 30))
def test_more_stock_never_serves_less(shop: tuple[Counts, Counts, Counts], extra: int) -> None:
    opening, arrivals, demand = shop
    poorer, richer = serve_days(opening, arrivals, demand), serve_days(opening + extra, arrivals, demand)
    assert (richer.served.cumsum(axis=1) >= poorer.served.cumsum(axis=1)).all()


@pytest.mark.parametrize(
    ("opening", "arrivals", "demand"), [([-1], [0], [0]), ([1], [-2], [0]), ([1], [0], [-1]), ([1], [0], [0.5])]
)
def test_what_is_no_count_is_refused(opening: list[int], arrivals: list[int], demand: list[float]) -> None:
    with pytest.raises(NotAStock, match="whole numbers"):
        serve_day(opening, arrivals, demand)
