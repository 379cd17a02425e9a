"""What orders tell: found where it was planted, shown as an association, replaced by each run, its own shop's."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pytest
from django.test import Client

from apps.catalog.models import Channel, Item
from apps.forecasting import selectors
from apps.forecasting.models import ItemPair, ItemShape
from apps.forecasting.pipeline import mining
from apps.sales import selectors as sales
from apps.sales.models import DailyDemand, SaleLine
from apps.tenants.models import Permission
from apps.tenants.scope import tenant_context
from apps.tenants.services import issue_key
from tests.integration.forecasting.selling_shops import make_selling_shop, run_dry, run_job
from tests.integration.inventory.people import page, signed_in
from tests.integration.inventory.shops import MONDAY, Shop, make_shop
from tests.rows import make_tenant_row

pytestmark = pytest.mark.django_db

DAY = dt.timedelta(days=1)
TEA, HONEY, GREEN, BLACK = range(4)


def order(shop: Shop, number: int, places: set[int], *, customer: str = "", **fields: Any) -> list[SaleLine]:
    at = dt.datetime(2017, 10, 2, 15, tzinfo=dt.UTC) + (number % 60) * DAY
    return [SaleLine(**{"channel": Channel.objects.get(), "external_line_id": f"{number}-{place}", "quantity": 1,
                        "order_id": str(number), "item": shop.items[place], "location": shop.location,
                        "customer": customer, "currency": "USD", "occurred_at": at, **fields})
            for place in sorted(places)]


@pytest.fixture
def shop() -> Shop:
    """Tea and honey go together; green and black tea are never in one order, though all customers buy both."""
    shop = make_shop(12, demo_date=MONDAY)
    drawn = np.random.default_rng(1)
    with tenant_context(shop.tenant.pk):
        channel = Channel.objects.create(slug="till", name="Till")
        teas = [shop.items[place].pk for place in (GREEN, BLACK)]
        Item.objects.filter(pk__in=teas).update(category="Food > Tea > Loose")
        lines = []
        for number in range(1500):
            places = {int(place) for place in drawn.choice(12, size=1 + number % 3, replace=False)}
            if number % 8 == 0:
                places |= {TEA, HONEY}
            if {GREEN, BLACK} <= places or drawn.random() < 0.3:
                places -= {GREEN, BLACK}
                places.add((GREEN, BLACK)[number % 2])
            lines += order(shop, number, places, customer=f"person {number % 333}")
        for line in lines:
            line.channel = channel
        SaleLine.objects.bulk_create(lines)
    return shop


@pytest.fixture
def mined(shop: Shop) -> Shop:
    told = run_job(shop, "forecasting.mine")
    assert (told["orders"], told["pairs_with"], told["pairs_instead"]) == (1500, 2, 2)
    return shop


def pairs(shop: Shop) -> set[tuple[str, str, int]]:
    with tenant_context(shop.tenant.pk):
        told = ItemPair.objects.values_list("item__sku", "other__sku", "relation")
        return set(told)


def test_planted_pairs_are_found_of_both_items_and_nothing_else(mined: Shop) -> None:
    both = ItemPair.Relation
    assert pairs(mined) == {("sku-0", "sku-1", both.WITH), ("sku-1", "sku-0", both.WITH),
                            ("sku-2", "sku-3", both.INSTEAD), ("sku-3", "sku-2", both.INSTEAD)}
    with tenant_context(mined.tenant.pk):
        pair = ItemPair.objects.get(item=mined.items[TEA], other=mined.items[HONEY])
        apart = ItemPair.objects.get(item=mined.items[GREEN])
        held = [set(places) for places in baskets(mined).values()]
        assert pair.together == sum({TEA, HONEY} <= places for places in held) > 100
        assert pair.orders == sum(TEA in places for places in held)
        assert 1.5 <= pair.surely <= pair.buyers / pair.expected
        assert (apart.together, apart.as_of) == (0, MONDAY)
        assert apart.switchers > 100


def baskets(shop: Shop) -> dict[str, list[int]]:
    place_of = {item.pk: place for place, item in enumerate(shop.items)}
    found: dict[str, list[int]] = {}
    for order_id, item_id in SaleLine.objects.values_list("order_id", "item_id"):
        found.setdefault(order_id, []).append(place_of[item_id])
    return found


def test_a_later_run_replaces_what_the_earlier_one_found(mined: Shop) -> None:
    before = pairs(mined)
    run_job(mined, "forecasting.mine")
    assert pairs(mined) == before
    with tenant_context(mined.tenant.pk):
        Item.objects.filter(pk=mined.items[HONEY].pk).update(status="discontinued")
    told = run_job(mined, "forecasting.mine")
    assert told["pairs_with"] == 0
    told = run_job(mined, "forecasting.mine", as_of=MONDAY + 400 * DAY)
    assert (told["orders"], told["pairs_instead"]) == (0, 0)
    assert pairs(mined) == set()


def test_what_was_taken_back_what_is_no_goods_and_what_is_older_than_a_year_is_in_no_basket(shop: Shop) -> None:
    with tenant_context(shop.tenant.pk):
        before = sales.baskets_frame(MONDAY)
        Item.objects.filter(pk=shop.items[11].pk).update(category="Coupon")
        SaleLine.objects.bulk_create([
            *order(shop, 5000, {0, 1}), *order(shop, 5000, {1}, revision=1, entry=-1, quantity=-1),
            *order(shop, 6000, {0}, occurred_at=dt.datetime(2016, 11, 1, tzinfo=dt.UTC)),
            *order(shop, 7000, {0}, occurred_at=dt.datetime(2017, 12, 4, 12, tzinfo=dt.UTC))])
        after = sales.baskets_frame(MONDAY)
    coupons = int((before["unique_id"] == shop.items[11].pk).sum())
    assert coupons > 0
    assert len(after) == len(before) - coupons + 1
    assert before["order"].nunique() == 1500
    assert (after["buyer"] == 0).sum() == 1


def test_the_items_page_says_it_with_its_evidence_and_links_and_stays_silent_else(mined: Shop) -> None:
    client = signed_in(mined, "viewer")
    tea = page(client, f"/items/{mined.items[TEA].pk}/")
    assert "Often bought with" in tea
    assert f'href="/items/{mined.items[HONEY].pk}/"' in tea
    assert "by chance in" in tea
    assert "is not told" in tea
    assert "Bought instead of it" not in tea
    green = page(client, f"/items/{mined.items[GREEN].pk}/")
    assert "Bought instead of it" in green
    assert "customers buy both, never together" in green
    assert "Often bought with" not in green
    other = page(client, f"/items/{mined.items[7].pk}/")
    assert "Often bought with" not in other
    assert "Bought instead" not in other


def test_programs_read_it_and_an_outsider_gets_nothing(mined: Shop) -> None:
    def get(tenant: Any, path: str) -> Any:
        _key, secret = issue_key(tenant=tenant, name="till", permissions=[Permission.READ], actor=None)
        return Client(headers={"Authorization": f"Bearer {secret}"}).get(f"/api/v1/{path}").json()["results"]

    [told] = get(mined.tenant, f"item-pairs/?item_id={mined.items[TEA].pk}")
    assert (told["other_sku"], told["relation"]) == ("sku-1", "with")
    outsider = make_tenant_row()
    assert get(outsider, "item-pairs/") == get(outsider, "item-shapes/") == []
    with tenant_context(outsider.pk):
        assert sales.baskets_frame(MONDAY).empty
        assert len(sales.cycles(MONDAY, 1).item_ids) == 0
    assert run_job(Shop(outsider, mined.location, []), "forecasting.mine")["orders"] == 0
    assert len(pairs(mined)) == 4


def test_the_shape_of_the_week_stands_beside_the_class_and_of_a_year_only_once_it_is_known() -> None:
    shop = make_selling_shop(6)
    assert run_job(shop, "forecasting.mine")["shaped_items"] == 6
    with tenant_context(shop.tenant.pk):
        assert {selectors.shape_words(shape) for shape in selectors.shapes()} <= {
            "sells most on a Saturday", "sells most from Friday to Saturday"}
    assert "sells most " in page(signed_in(shop, "viewer"), f"/items/{shop.items[0].pk}/")
    year = make_selling_shop(2, days=mining.YEAR_DAYS)
    run_job(year, "forecasting.mine")
    with tenant_context(year.tenant.pk):
        assert {shape.cycle for shape in selectors.shapes()} == {ItemShape.Cycle.WEEK, ItemShape.Cycle.YEAR}
        assert "even all year" in {selectors.shape_words(shape) for shape in selectors.shapes()}


def test_cycles_are_sums_of_days_and_days_without_stock_are_none_on_sale() -> None:
    shop = make_selling_shop(8, days=70)
    run_dry(shop, 7)
    with tenant_context(shop.tenant.pk):
        found = sales.cycles(MONDAY, 1)
        for place, item in enumerate(shop.items):
            units = np.zeros((7, 12))
            for date, sold in DailyDemand.objects.filter(item=item).values_list("date", "units"):
                units[date.weekday(), date.month - 1] += float(sold)
            row = found.item_ids.tolist().index(item.pk)
            assert found.week_units[row].tolist() == units.sum(axis=1).tolist()
            assert found.year_units[row].tolist() == units.sum(axis=0).tolist()
            begun = DailyDemand.objects.filter(item=item).order_by("date").values_list("date", flat=True)[0]
            assert found.year_days[row].sum() == found.week_days[row].sum() == (MONDAY - begun).days - 7 * (place == 0)


@pytest.mark.parametrize(("cycle", "first", "last", "words"), [
    (1, 5, 6, "weekend item"), (1, 4, 5, "sells most from Friday to Saturday"), (1, 0, 0, "sells most on a Monday"),
    (2, 11, 11, "sold most in December"), (2, 10, 1, "sold most from November to February")])
def test_a_peak_is_said_in_words(cycle: int, first: int, last: int, words: str) -> None:
    assert selectors.shape_words(ItemShape(cycle=cycle, kind=ItemShape.Kind.MOST, first=first, last=last)) == words
    assert selectors.shape_words(ItemShape(cycle=cycle, kind=ItemShape.Kind.OTHER)) == ""
