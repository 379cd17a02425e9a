"""Shapes of weeks and years: what was planted is found and named, in any order, and few sales make no season."""

import numpy as np
import pytest

from apps.forecasting.engine.shapes import EVEN, LEAST_UNITS, MOST, UNNAMED, indices, named, shapes

WEEKEND = np.array([0.7, 0.7, 0.7, 0.7, 0.7, 1.75, 1.75])
MONDAY = np.array([2.5, 0.75, 0.75, 0.75, 0.75, 0.75, 0.75])


def sold(seed: int = 1, items: int = 150) -> tuple[np.ndarray, np.ndarray]:
    """Units and days [n, 7] of a year: a third even, a third sold at weekends, a third on Mondays."""
    stream = np.random.default_rng(seed)
    shape = np.stack([np.ones(7), WEEKEND, MONDAY])[np.arange(items) % 3]
    days = np.full((items, 7), 52.0)
    return stream.poisson(stream.uniform(1, 5, items)[:, None] * shape * days).astype(float), days


def test_planted_shapes_are_found_and_named() -> None:
    units, days = sold()
    found = shapes(units, days, clusters=3)
    assert {(shape.kind, shape.first, shape.last) for shape in found.shapes} == {
        (EVEN, -1, -1), (MOST, 5, 6), (MOST, 0, 0)}
    assert all(len(set(found.of_item[kind::3])) == 1 for kind in range(3))


def test_the_order_of_items_changes_nothing_nor_does_another_run() -> None:
    units, days = sold()
    order = np.random.default_rng(2).permutation(len(units))
    usual, again = shapes(units, days), shapes(units[order], days[order])
    assert np.array_equal(usual.of_item[order], again.of_item)
    for one, other in zip(usual.shapes, again.shapes, strict=True):
        assert (one.kind, one.first, one.last) == (other.kind, other.first, other.last)
        assert one.index == pytest.approx(other.index)


def test_days_that_nobody_could_buy_on_are_no_part_of_the_shape() -> None:
    stream = np.random.default_rng(4)
    days = np.full((60, 12), 30.0)
    days[::2, :6] = 6.0  # came on sale late, or had run out
    units = stream.poisson(4 * days).astype(float)
    found = shapes(units, days)
    assert {shape.kind for shape in found.shapes} == {EVEN}


def test_a_part_of_which_nothing_is_known_is_left_out() -> None:
    units, days = sold()
    units[:, 3] = days[:, 3] = 0
    found = shapes(units, days, clusters=3)
    assert {shape.index[3] for shape in found.shapes} == {0.0}
    assert {shape.kind for shape in found.shapes} == {EVEN, MOST}


def test_what_sold_little_has_no_shape() -> None:
    units, days = sold()
    units[0] = [LEAST_UNITS - 1, 0, 0, 0, 0, 0, 0]
    assert shapes(units, days).of_item[0] == -1
    nothing = shapes(np.zeros((3, 7)), np.zeros((3, 7)))
    assert nothing.shapes == []
    assert (nothing.of_item == -1).all()


def test_indices_average_one_and_few_units_stay_near_the_shops_own_shape() -> None:
    units, days = sold()
    units[0] = [3, 0, 0, 0, 0, 0, 0]
    found = indices(units, days)
    assert found.mean(axis=1) == pytest.approx(np.ones(len(units)))
    usual = units.sum(axis=0) / days.sum(axis=0)
    assert found[0] == pytest.approx(usual / usual.mean(), abs=0.35)


def test_a_peak_may_run_over_the_end_of_the_cycle_and_two_peaks_have_no_name() -> None:
    assert named(np.array([1.6, 0.9, 0.8, 0.8, 0.8, 0.9, 0.8, 0.8, 0.8, 0.8, 1.2, 1.8])).kind == MOST
    winter = named(np.array([1.6, 0.9, 0.8, 0.8, 0.8, 0.9, 0.8, 0.8, 0.8, 0.8, 1.2, 1.8]))
    assert (winter.first, winter.last) == (10, 0)
    assert named(np.array([1.5, 0.5, 1.5, 0.5, 1.0, 1.0, 1.0])).kind == UNNAMED
    assert named(np.array([0.3, 1.1, 1.1, 1.1, 1.1, 1.15, 1.15])).kind == UNNAMED
