"""What is bought together beyond chance: nothing where only popularity speaks, and what was planted where it was."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import false_discovery_control, poisson

from apps.forecasting.engine.baskets import CLEAR_LIFT, FALSE_SHARE, Baskets, bought_apart, bought_together, corrected

N_ITEMS = 40


def lines_of(baskets: list[list[int]], **columns: list[int]) -> pd.DataFrame:
    """Lines of some baskets, and a column of numbers by basket."""
    sizes = [len(basket) for basket in baskets]
    frame = pd.DataFrame({"order": np.repeat(np.arange(len(baskets)), sizes),
                          "unique_id": np.concatenate([np.asarray(basket, dtype=int) for basket in baskets])})
    return frame.assign(**{name: np.repeat(values, sizes) for name, values in columns.items()})


def independent(seed: int, n_baskets: int = 4000) -> list[list[int]]:
    """Baskets of one to twelve items, drawn by popularity alone: the most popular is in a good part of them."""
    stream = np.random.default_rng(seed)
    weight = 1 / np.arange(1, N_ITEMS + 1) ** 0.7
    keys = stream.exponential(size=(n_baskets, N_ITEMS)) / weight
    sizes = np.minimum(1 + stream.geometric(0.25, n_baskets), 12)
    return [np.argsort(row)[:size].tolist() for row, size in zip(keys, sizes, strict=True)]


def found_in(pairs: pd.DataFrame) -> set[tuple[int, int]]:
    return set(zip(pairs["unique_id"], pairs["other"], strict=True))


def one_kind(kind: str = "tea") -> "pd.Series[str]":
    return pd.Series(kind, index=np.arange(N_ITEMS))


def test_popularity_alone_finds_next_to_nothing() -> None:
    customer = [1 + number % 500 for number in range(3000)]
    shops = [Baskets.of(lines_of(independent(seed, len(customer)), buyer=customer)) for seed in range(12)]
    is_wrong = [bool(len(bought_together(shop)) + len(bought_apart(shop, one_kind()))) for shop in shops]
    assert sum(is_wrong) <= 2 * FALSE_SHARE * len(shops) + 1


def test_p_values_of_what_is_independent_are_no_smaller_than_they_say() -> None:
    """Beside the correction and the least lift, which would hide a null model that is off."""
    for seed in range(5):
        counted = Baskets.of(lines_of(independent(seed)))
        pairs = counted.pairs(np.arange(N_ITEMS), 0)
        assert len(pairs) == N_ITEMS * (N_ITEMS - 1) // 2
        expected = counted.expected(pairs)
        assert expected.sum() == pytest.approx(pairs.together.sum(), rel=0.01)
        for level in (0.01, 0.05):
            assert np.mean(poisson.sf(pairs.together - 1, expected) <= level) <= level + 0.02
            assert np.mean(poisson.cdf(pairs.together, expected) <= level) <= level + 0.02


def test_expected_is_what_trades_between_baskets_come_to() -> None:
    """Trading items between random pairs of baskets keeps every size and every item's orders (Strona et al. 2014)."""
    stream = np.random.default_rng(3)
    baskets = [set(basket) for basket in independent(11, n_baskets=250)]
    counted = Baskets.of(lines_of([sorted(basket) for basket in baskets]))
    total, samples = np.zeros((N_ITEMS, N_ITEMS)), 400
    for _sample in range(samples):
        for one, other in stream.permutation(len(baskets)).reshape(-1, 2):
            both = baskets[one] & baskets[other]
            either = stream.permutation(sorted(baskets[one] ^ baskets[other]))
            size = len(baskets[one]) - len(both)
            baskets[one], baskets[other] = both | set(either[:size]), both | set(either[size:])
        held = np.zeros((len(baskets), N_ITEMS))
        for row, basket in enumerate(baskets):
            held[row, list(basket)] = 1
        total += held.T @ held
    pairs = counted.pairs(np.arange(N_ITEMS), 1)
    expected, traded = counted.expected(pairs), (total / samples)[pairs.first, pairs.second]
    often = traded >= 5
    assert often.sum() > 100
    assert np.abs(expected / traded - 1)[often].mean() < 0.04
    assert np.abs(expected / traded - 1)[often].max() < 0.15


def test_a_planted_pair_is_found_and_stands_first() -> None:
    baskets = independent(5)
    for basket in baskets[::25]:
        basket[:] = sorted({*basket, 30, 37})
    found = bought_together(Baskets.of(lines_of(baskets)))
    assert found_in(found) == {(30, 37)}
    [row] = found.to_dict("records")
    assert row["together"] == row["buyers"] >= 160
    assert CLEAR_LIFT <= row["low"] < row["lift"] < row["high"]


def test_two_of_one_kind_that_the_same_customers_never_buy_at_once_are_found_and_of_two_kinds_not() -> None:
    baskets = independent(6)
    for number, basket in enumerate(baskets):
        if {0, 1} <= set(basket):
            basket.remove(number % 2)
    customer = [1 + number % 100 for number in range(len(baskets))]
    counted = Baskets.of(lines_of(baskets, buyer=customer))
    assert found_in(bought_apart(counted, one_kind())) == {(0, 1)}
    [row] = bought_apart(counted, one_kind()).to_dict("records")
    assert (row["together"], row["switchers"]) == (0, 100)
    pair = counted.likely_pairs(np.array([0, 1]), np.full(N_ITEMS, "tea"), 1)
    assert row["expected"] == counted.expected_of_both(pair)[0][0] != counted.expected(pair)[0]
    kinds = one_kind()
    kinds[1] = "coffee"
    assert bought_apart(counted, kinds).empty
    assert bought_apart(counted, one_kind("")).empty


def test_of_different_peoples_tastes_or_unknown_customers_nothing_is_said_to_be_bought_instead() -> None:
    baskets = independent(6)
    for number, basket in enumerate(baskets):
        if {0, 1} <= set(basket):
            basket.remove(number % 2)
    taste = [1 + (0 in basket) * 50 + number % 50 for number, basket in enumerate(baskets)]
    assert bought_apart(Baskets.of(lines_of(baskets, buyer=taste)), one_kind()).empty
    assert bought_apart(Baskets.of(lines_of(baskets)), one_kind()).empty


def test_a_few_customers_of_two_tastes_make_nothing_bought_instead() -> None:
    """Most households buy only the one or only the other; six of the first once bought the other too."""
    filler = np.random.default_rng(4).integers(2, N_ITEMS, 10_000)
    baskets = [[int(number >= 5000), int(other)] for number, other in enumerate(filler)]
    for number in range(0, 60, 10):
        baskets[number][0] = 1
    household = [1 + number // 10 for number in range(len(baskets))]
    assert bought_apart(Baskets.of(lines_of(baskets, buyer=household)), one_kind()).empty


def test_customers_who_mostly_buy_the_one_and_at_times_the_other_do_not_buy_instead() -> None:
    """Each household draws both by itself, half of them this one nearly always and half of them that one."""
    stream = np.random.default_rng(7)
    household = np.arange(20_000) % 400
    favourite = household % 2
    held = np.zeros((len(household), N_ITEMS), dtype=bool)
    held[:, 2:] = stream.random((len(household), N_ITEMS - 2)) < 0.1
    for item in (0, 1):
        held[:, item] = stream.random(len(household)) < np.where(favourite == item, 0.7, 0.06)
    counted = Baskets.of(lines_of([[*np.flatnonzero(row)] for row in held], buyer=(household + 1).tolist()))
    pairs = counted.pairs(np.array([0, 1]), 1)
    assert pairs.together[0] < counted.expected(pairs)[0] / CLEAR_LIFT  # as the orders of all would tell
    assert bought_apart(counted, one_kind()).empty


def test_one_customer_who_never_buys_both_at_once_makes_nothing_bought_instead() -> None:
    """However many orders that one has: the other customers of both are as chance has them."""
    baskets = independent(6, n_baskets=400)
    customer = [1 + number % 100 for number in range(len(baskets))]
    for number in range(3000):
        baskets.append([number % 2, 5 + number % 30])
        customer.append(101)
    counted = Baskets.of(lines_of(baskets, buyer=customer))
    pairs = counted.pairs(np.array([0, 1]), 1)
    [expected], _customers = counted.expected_of_both(pairs)
    assert pairs.together[0] < expected / 5  # by the orders, of which nearly all are that one's
    assert counted.customers_of_both(pairs)[0] - counted.buyers(pairs)[0] > 10
    assert bought_apart(counted, one_kind()).empty


def test_what_is_expected_of_customers_of_both_follows_each_ones_own_taste() -> None:
    """Orders of one size in one place: those with an item are spread evenly over all orders of the customer."""
    stream = np.random.default_rng(2)
    baskets = [sorted(stream.choice(8, 3, replace=False).tolist()) for _order in range(600)]
    customer = [1 + number % 40 if {0, 1} & set(basket) else 1 + number % 50 for number, basket in enumerate(baskets)]
    counted = Baskets.of(lines_of(baskets, buyer=customer))
    pairs = counted.pairs(np.arange(8), 1)
    expected, customers = counted.expected_of_both(pairs)
    held, chance = np.zeros((len(baskets), 8)), counted.orders / len(baskets)
    for row, basket in enumerate(baskets):
        held[row, basket] = 1
    orders = pd.DataFrame(held).groupby(customer)
    times, share = orders.sum().to_numpy(), orders.mean().to_numpy()
    for place, (one, other) in enumerate(zip(pairs.first, pairs.second, strict=True)):
        left = 1 - (1 - chance[one]) * (1 - chance[other]) / (chance * (1 - chance)).sum()
        of_each = times[:, one] * share[:, other] * left
        assert expected[place] == pytest.approx(of_each.sum(), rel=1e-4)
        assert customers[place] == pytest.approx((1 - np.exp(-of_each)).sum(), rel=1e-4)


def test_what_is_certain_but_weak_is_not_told() -> None:
    stream = np.random.default_rng(9)
    held = stream.random((30_000, 12)) < 0.25
    held[:, 1] = stream.random(len(held)) < np.where(held[:, 0], 0.32, 0.24)
    counted = Baskets.of(lines_of([[*np.flatnonzero(row)] for row in held if row.any()]))
    pairs = counted.pairs(np.array([0, 1]), 1)
    [together], [expected] = pairs.together, counted.expected(pairs)
    assert together > 2000
    assert 1.1 < together / expected < 1.4
    assert poisson.sf(together - 1, expected) < 1e-9
    assert bought_together(counted).empty


def test_q_values_count_all_pairs_that_were_tried() -> None:
    """Those that no order holds together as well: twenty items here are always bought alone."""
    baskets = independent(5) + [[N_ITEMS + number % 20] for number in range(20 * 30)]
    for every, pair in ((80, (30, 37)), (90, (28, 35)), (100, (26, 33))):
        for basket in baskets[:4000:every]:
            basket[:] = sorted({*basket, *pair})
    found = bought_together(Baskets.of(lines_of(baskets))).sort_values("p_value")
    assert found_in(found) == {(30, 37), (28, 35), (26, 33)}
    tried = (N_ITEMS + 20) * (N_ITEMS + 19) // 2
    stepped = found["p_value"].to_numpy() * tried / np.arange(1, 4)
    assert (stepped > 0).all()
    assert found["q_value"].to_numpy() == pytest.approx(np.minimum.accumulate(stepped[::-1])[::-1], rel=1e-9, abs=0)


def test_one_customers_habit_is_no_rule() -> None:
    baskets = independent(5)
    for basket in baskets[::25]:
        basket[:] = sorted({*basket, 30, 37})
    habit = [1 if {30, 37} <= set(basket) else number + 2 for number, basket in enumerate(baskets)]
    assert bought_together(Baskets.of(lines_of(baskets, buyer=habit))).empty


def test_a_season_or_a_place_in_common_is_neither_bought_together_nor_instead() -> None:
    baskets = independent(8)
    summer = [number % 4 == 0 for number in range(len(baskets))]
    for is_summer, basket in zip(summer, baskets, strict=True):  # 0 and 1 for summer only, 2 for the rest
        kept = [item for item in basket if (item not in (0, 1) if not is_summer else item != 2)]
        basket[:] = kept or [20]
    customer = [1 + number % 999 for number in range(len(baskets))]
    blind = Baskets.of(lines_of(baskets, buyer=customer))
    assert (0, 1) in found_in(bought_together(blind))
    assert (0, 2) in found_in(bought_apart(blind, one_kind()))
    seeing = Baskets.of(lines_of(baskets, buyer=customer, stratum=[int(each) for each in summer]))
    assert bought_together(seeing).empty
    assert bought_apart(seeing, one_kind()).empty


@given(st.lists(st.tuples(st.sets(st.integers(0, 5), min_size=1), st.integers(0, 3)), min_size=1, max_size=30))
def test_counts_are_those_of_sets(drawn: list[tuple[set[int], int]]) -> None:
    baskets = [sorted(basket) for basket, _buyer in drawn]
    counted = Baskets.of(lines_of(baskets, buyer=[buyer for _basket, buyer in drawn]))
    place = {int(item): number for number, item in enumerate(counted.items)}
    pairs = counted.pairs(np.arange(len(counted.items)), 1)
    told = zip(pairs.first, pairs.second, pairs.together, counted.together(pairs), counted.buyers(pairs),
               counted.customers_of_both(pairs), strict=True)
    expected = set()
    for one, other in combinations(sorted(place), 2):
        both = [(number, buyer) for number, (basket, buyer) in enumerate(drawn) if {one, other} <= basket]
        if not both:
            continue
        buyers = len({buyer or -number - 1 for number, buyer in both})
        bought = [{buyer for basket, buyer in drawn if item in basket and buyer} for item in (one, other)]
        expected.add((place[one], place[other], len(both), len(both), buyers, len(bought[0] & bought[1])))
    assert {tuple(int(value) for value in row) for row in told} == expected
    assert (counted.expected(pairs) >= 0).all()


def test_the_order_of_lines_a_line_that_stands_twice_and_other_names_change_nothing() -> None:
    baskets = independent(5)
    for basket in baskets[::25]:
        basket[:] = sorted({*basket, 30, 37})
    lines = lines_of(baskets, buyer=[1 + number % 3001 for number in range(len(baskets))])
    usual = bought_together(Baskets.of(lines))
    again = pd.concat([lines, lines.iloc[:500]]).sample(frac=1, random_state=1)
    pd.testing.assert_frame_equal(bought_together(Baskets.of(again)), usual, rtol=1e-4)
    names = lines.assign(unique_id="item-" + (99 - lines["unique_id"]).astype(str), order=-lines["order"])
    [named], [row] = bought_together(Baskets.of(names)).to_dict("records"), usual.to_dict("records")
    assert (named["unique_id"], named["other"]) == ("item-62", "item-69")
    assert (named["together"], named["buyers"]) == (row["together"], row["buyers"])
    assert named["expected"] == pytest.approx(row["expected"], rel=1e-4)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_the_correction_is_benjamini_and_hochbergs(p_values: list[float]) -> None:
    assert corrected(np.array(p_values), len(p_values)) == pytest.approx(false_discovery_control(p_values))


def test_no_orders_give_no_pairs() -> None:
    nothing = Baskets.of(pd.DataFrame({"order": [], "unique_id": []}))
    assert bought_together(nothing).empty
    assert bought_apart(nothing, pd.Series(dtype=object)).empty
    alone = Baskets.of(lines_of([[0]] * 50))
    assert bought_together(alone).empty
    every = Baskets.of(lines_of([[0, 1, 2]] * 50))
    assert bought_together(every).empty
