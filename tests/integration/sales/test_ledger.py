"""The ledger ends in the same state whatever the order and number of deliveries, and the days follow it exactly."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any
from unittest.mock import patch

import pytest
from django.db import IntegrityError, connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.catalog.models import Channel, Item, Location
from apps.inventory.models import StockLevel, StockMovement
from apps.sales import services
from apps.sales.models import DailyDemand, SaleLine
from apps.tenants.models import Tenant
from apps.tenants.scope import tenant_context
from tests.rows import make_row, make_tenant_row

pytestmark = pytest.mark.django_db
NOON = dt.datetime(2017, 7, 1, 12, tzinfo=dt.UTC)


@dataclass(frozen=True)
class Said:
    """One statement of a line, as some delivery makes it."""

    line: int
    version: int
    quantity: int | Decimal
    price: int | Decimal
    item: int
    hours: int
    paid: int | Decimal | None = None  # as much as the price, where nothing else is said
    discount: Decimal = Decimal(0)


class Rolled(Exception):
    """Ends an example without leaving anything behind."""


@pytest.fixture
def shop() -> Any:
    tenant = make_tenant_row(time_zone="America/New_York")
    with tenant_context(tenant.pk):
        yield Shop(tenant)


class Shop:
    """A channel, a location and three items to sell."""

    def __init__(self, tenant: Tenant) -> None:
        self.tenant = tenant
        self.channel = make_row(Channel)
        self.location = make_row(Location)
        self.items = [make_row(Item) for _number in range(3)]

    def record(self, statements: Sequence[Said], **options: Any) -> services.Recorded:
        with connection.cursor() as cursor:
            cursor.execute("""CREATE TEMP TABLE given_lines (channel_id bigint, external_line_id text, order_id text,
                item_id bigint, location_id bigint, customer text, quantity numeric, shelf_price numeric,
                paid_price numeric, discount numeric, promotion text, currency text, occurred_at timestamptz,
                version_at timestamptz, source text) ON COMMIT DROP""")
            cursor.executemany(f"INSERT INTO given_lines VALUES ({', '.join(['%s'] * 15)})", [
                [self.channel.pk, f"line {said.line}", f"order {said.line // 2}", self.items[said.item].pk,
                 self.location.pk, "", said.quantity, said.price, said.price if said.paid is None else said.paid,
                 said.discount, "", "USD",
                 NOON + dt.timedelta(hours=said.hours), NOON + dt.timedelta(minutes=said.version), "test"]
                for said in statements])
            recorded = services.record_lines(rows="given_lines", **options)
            cursor.execute("DROP TABLE given_lines")
        return recorded

    def state(self) -> dict[Any, Any]:
        """Each line's net state, without how it came about."""
        with connection.cursor() as cursor:
            cursor.execute("""
                SELECT external_line_id, item_id, occurred_at, sum(quantity), sum(quantity * paid_price)
                FROM sales_saleline WHERE tenant_id = %s GROUP BY 1, 2, 3 HAVING sum(quantity) <> 0""",
                           [self.tenant.pk])
            return {row[:3]: row[3:] for row in cursor.fetchall()}

    def days(self) -> set[Any]:
        return set(DailyDemand.objects.order_by().values_list(
            "item_id", "location_id", "date", "units", "orders", "revenue", "shelf_value", "discount"))


SAID = st.builds(Said, line=st.integers(0, 3), version=st.integers(0, 3), quantity=st.integers(-2, 3),
                 price=st.integers(1, 3), item=st.integers(0, 2), hours=st.integers(0, 60))
MANY = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@MANY
@given(st.lists(SAID, min_size=1, max_size=8), st.data())
def test_any_order_and_any_number_of_deliveries_ends_the_same(shop: Shop, statements: list[Said],
                                                              data: st.DataObject) -> None:
    ends = []
    shuffled = data.draw(st.permutations(statements + statements[:2]))
    cut = data.draw(st.integers(0, len(shuffled)))
    for deliveries in ([[said] for said in statements], [statements], [shuffled[:cut], shuffled[cut:]],
                       [[said] for said in shuffled]):
        try:
            with transaction.atomic():
                for delivery in deliveries:
                    if delivery:
                        recorded = shop.record(delivery)
                        assert recorded.made + recorded.corrected + recorded.unchanged == len(delivery)
                ends.append((shop.state(), shop.days()))
                raise Rolled
        except Rolled:
            continue
    assert all(end == ends[0] for end in ends)


MOST_UNITS, MOST_PRICE = Decimal("99999999999.999"), Decimal("9999999999.9999")
BROAD = Said(line=0, version=0, quantity=1, price=0, item=0, hours=0)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(("held", "beyond"), [
    ([replace(BROAD, quantity=MOST_UNITS)], [replace(BROAD, quantity=Decimal("0.001"))]),
    ([replace(BROAD, quantity=100, price=0, paid=MOST_PRICE)], [replace(BROAD, quantity=1, paid=MOST_PRICE)]),
    ([replace(BROAD, quantity=100, price=MOST_PRICE, paid=0)], [replace(BROAD, quantity=1, price=MOST_PRICE, paid=0)]),
    ([replace(BROAD, discount=MOST_PRICE)] * 100, [replace(BROAD, discount=MOST_PRICE)])])
def test_a_day_holds_what_its_columns_hold_and_not_a_bit_more(
        shop: Shop, held: list[Said], beyond: list[Said], sign: int) -> None:
    """Units, revenue, value at the shelf and discount, up to either end."""
    held, beyond = ([replace(said, line=line, quantity=sign * said.quantity, discount=sign * said.discount)
                     for line, said in enumerate(lines, start)] for start, lines in ((0, held), (1000, beyond)))
    assert shop.record(held).made == len(held)
    before = shop.days()
    with pytest.raises(services.TooMuchADay) as refused, transaction.atomic():
        shop.record(beyond)
    assert refused.value.days == [(shop.items[0].pk, shop.location.pk, NOON.date())]
    assert shop.days() == before


BASE = [Said(line=day * 3 + item, version=0, quantity=2, price=2, item=item, hours=day * 24)
        for day in range(20) for item in range(3)]
LATER = st.builds(Said, line=st.integers(0, 70), version=st.integers(1, 3), quantity=st.integers(-2, 3),
                  price=st.integers(1, 3), item=st.integers(0, 2), hours=st.integers(0, 20 * 24))


@MANY
@given(st.lists(st.lists(LATER, min_size=1, max_size=5), min_size=1, max_size=4))
def test_few_changes_touch_few_days_and_many_are_derived_at_once_with_the_same_end(
        shop: Shop, deliveries: list[list[Said]]) -> None:
    """Both ways in earnest, each where it is the faster one: neither may be the only one, and neither may differ."""
    with contextlib.suppress(Rolled), transaction.atomic():
        shop.record(BASE)
        with patch.object(services, "_derive_days", wraps=services._derive_days) as derive:
            for delivery in deliveries:
                shop.record(delivery)
            assert not any(call.kwargs["is_whole"] for call in derive.call_args_list)
            bit_by_bit = shop.days()
            assert services.rebuild_days() == 0
            assert shop.days() == bit_by_bit
            derive.reset_mock()
            shop.record([replace(said, version=9, quantity=1) for said in BASE[:20]])
            assert [call.kwargs["is_whole"] for call in derive.call_args_list] == [True]
            at_once = shop.days()
            DailyDemand.objects.all().delete()
            services.rebuild_days()
            assert shop.days() == at_once
        raise Rolled


@pytest.mark.parametrize("column", ["item_id", "location_id", "channel_id"])
def test_one_bad_reference_among_many_rows_fails_them_all(shop: Shop, column: str) -> None:
    """What a statement refers to is checked as a set: the good rows must not stand in for the bad one."""
    shop.record([Said(number, 0, 1, 1, number % 3, number) for number in range(5)])
    lines = list(SaleLine.objects.order_by("id"))
    for number, line in enumerate(lines):
        line.pk, line.external_line_id = None, f"other {number}"
    good = len(lines)
    with pytest.raises(IntegrityError, match=rf"1 of \d values of sales_saleline.{column}"), transaction.atomic():
        setattr(lines[2], column, 999_999)
        SaleLine.objects.bulk_create(lines)
    assert SaleLine.objects.count() == good


def test_the_newest_version_holds_and_the_sum_of_all_revisions_is_its_quantity(shop: Shop) -> None:
    shop.record([Said(0, 1, 3, 2, 0, 0)])
    shop.record([Said(0, 2, 1, 2, 0, 0)])
    assert shop.record([Said(0, 1, 3, 2, 0, 0)]).unchanged == 1
    lines = SaleLine.objects.order_by("revision")
    assert [(line.revision, line.entry, line.quantity) for line in lines] == [(0, 1, 3), (1, -1, -3), (2, 1, 1)]
    assert [(day.units, day.orders) for day in DailyDemand.objects.all()] == [(1, 1)]


def test_a_newer_version_that_says_the_same_is_remembered(shop: Shop) -> None:
    shop.record([Said(0, 1, 3, 2, 0, 0)])
    shop.record([Said(0, 3, 3, 2, 0, 0)])
    assert shop.record([Said(0, 2, 1, 2, 0, 0)]).unchanged == 1
    assert {units for (_item, _place, _day, units, *_rest) in shop.days()} == {Decimal(3)}


def test_what_comes_again_from_a_source_without_versions_leaves_no_trace(shop: Shop) -> None:
    shop.record([Said(0, 1, 3, 2, 0, 0)], keeps_versions=False)
    shop.record([Said(0, 2, 3, 2, 0, 0)], keeps_versions=False)
    assert SaleLine.objects.count() == 1


def test_a_day_is_the_tenants_own(shop: Shop) -> None:
    late = Said(0, 0, 1, 1, 0, 15)  # 3 in the morning of 2 July in UTC is 11 in the evening of 1 July in New York
    shop.record([late])
    assert [day.date for day in DailyDemand.objects.all()] == [dt.date(2017, 7, 1)]


def test_a_cancelled_line_leaves_no_day_behind(shop: Shop) -> None:
    shop.record([Said(0, 0, 2, 1, 0, 0)])
    shop.record([Said(0, 1, 0, 1, 0, 0)])
    assert DailyDemand.objects.count() == 0
    assert shop.state() == {}


def test_derived_stock_follows_corrections(shop: Shop) -> None:
    item = shop.items[0]
    make_row(StockLevel, item=item, location=shop.location, on_hand=10, mode="derived", counted_at=NOON
             - dt.timedelta(days=10))
    make_row(StockMovement, item=item, location=shop.location, kind="count", quantity=10,
             occurred_on=dt.date(2017, 6, 20))
    shop.record([Said(0, 0, 4, 1, 0, 0)])
    assert StockLevel.objects.get(item=item).on_hand == 6
    shop.record([Said(0, 1, 1, 1, 0, 0)])
    assert StockLevel.objects.get(item=item).on_hand == 9
    shop.record([Said(0, 2, 0, 1, 0, 0)])
    assert StockLevel.objects.get(item=item).on_hand == 10


def test_the_ledger_cannot_be_rewritten(shop: Shop) -> None:
    from django.db import ProgrammingError

    shop.record([Said(0, 0, 2, 1, 0, 0)])
    with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
        SaleLine.objects.update(quantity=5)
