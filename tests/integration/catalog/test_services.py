"""Items, suppliers and terms come in sets; what nobody said is assumed, and says so."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.catalog import selectors, services
from apps.catalog.models import ExternalId, Item, Location, PlanningDefaults, Supplier, SupplyTerm
from apps.tenants.models import AuditEntry
from apps.tenants.scope import tenant_context
from apps.tenants.services import make_tenant
from tests.rows import make_user

pytestmark = pytest.mark.django_db
ITEM = ("value", "sku", "has_sku", "title", "category", "brand", "unit_of_measure", "unit_cost", "price", "status")


@pytest.fixture(autouse=True)
def shop() -> Any:
    tenant = make_tenant(name="Shop", owner=make_user())
    with tenant_context(tenant.pk):
        yield tenant


def items(*rows: dict[str, Any]) -> str:
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS given_items")
        cursor.execute("CREATE TEMP TABLE given_items (value text, sku text, has_sku boolean, title text, "
                       "category text, brand text, unit_of_measure text, unit_cost numeric, price numeric, "
                       "status text)")
        cursor.executemany(f"INSERT INTO given_items VALUES ({', '.join(['%s'] * 10)})",
                           [[{"sku": row["value"], "has_sku": True, **row}.get(name) for name in ITEM] for row in rows])
    return "given_items"


def terms(*rows: dict[str, Any]) -> str:
    columns = {"row_number": "int", "supplier": "text", "item_id": "bigint", "lead_time_days": "float8",
               "lead_time_spread_days": "float8", "moq": "int", "pack_size": "int", "unit_cost": "numeric",
               "minimum_order_value": "numeric", "review_period_days": "int", "currency": "text"}
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS given_terms")
        cursor.execute(f"CREATE TEMP TABLE given_terms ({', '.join(' '.join(pair) for pair in columns.items())})")
        cursor.executemany(f"INSERT INTO given_terms VALUES ({', '.join(['%s'] * len(columns))})",
                           [[number, *({**row}.get(name) for name in list(columns)[1:])]
                            for number, row in enumerate(rows, start=2)])
    return "given_terms"


def counts(upserted: services.Upserted) -> tuple[int, int, int]:
    return upserted.made, upserted.changed, upserted.unchanged


def test_a_new_tenant_has_defaults_and_a_first_location() -> None:
    assert PlanningDefaults.objects.count() == 1
    assert [location.code for location in Location.objects.all()] == ["main"]


def test_items_are_made_then_changed_then_left_alone() -> None:
    channel = services.make_channel(slug="files")
    rows: list[dict[str, Any]] = [{"value": "A", "title": "Apple", "price": 2}, {"value": "B"}]
    assert counts(services.upsert_items(channel=channel, rows=items(*rows))) == (2, 0, 0)
    assert counts(services.upsert_items(channel=channel, rows=items(*rows))) == (0, 0, 2)
    assert counts(services.upsert_items(channel=channel, rows=items({"value": "A", "price": 3}))) == (0, 1, 0)
    apple = Item.objects.get(sku="A")
    assert (apple.title, apple.price) == ("Apple", 3)  # what was not said stays
    assert Item.objects.get(sku="B").title == "B"


def test_another_channel_finds_an_item_by_a_sku_that_only_it_has() -> None:
    services.upsert_items(channel=services.make_channel(slug="one"), rows=items({"value": "A"}, {"value": "B"}))
    two = services.make_channel(slug="two")
    assert counts(services.upsert_items(channel=two, rows=items({"value": "A", "price": 5}))) == (0, 1, 0)
    assert Item.objects.filter(sku="A").count() == 1
    Item.objects.create(sku="B", title="another B")
    assert counts(services.upsert_items(channel=two, rows=items({"value": "B"}))) == (1, 0, 0)
    assert Item.objects.filter(sku="B").count() == 3
    assert ExternalId.objects.filter(channel=two).count() == 2


def test_the_names_of_a_channel_leave_out_what_two_items_share() -> None:
    channel = services.make_channel(slug="files")
    services.upsert_items(channel=channel, rows=items({"value": "A"}, {"value": "G", "category": "Fuel > Petrol"}))
    Item.objects.create(sku="B", title="one")
    Item.objects.create(sku="B", title="two")
    Item.objects.create(sku="C", title="Gift card, $25")
    names = {name: rule for name, _item, rule in selectors.item_names(channel)}
    assert names == {"A": "", "G": "fuel", "C": "gift_card"}


@pytest.mark.parametrize(("category", "title", "rule"), [
    ("Fuel > Petrol", "Super 95", "fuel"), ("Miscellaneous > Gasoline regular", "x", "fuel"),
    ("Coupons > Store", "x", "coupon"), ("Shop > Gift cards, all", "x", "gift_card"),
    ("", "Gift Card $50", "gift_card"),
    ("", "Shipping", "shipping"), ("", "Versandkosten", "shipping"), ("", "Tip", "tip"),
    ("Grocery > Fuel logs", "Fire log", None), ("Food > Tea", "Teapot", None),
    ("Toys", "Container for shipping", None),
    ("Kitchen", "Tipi tent", None), ("Garden", "Delivery van model", None),
])
def test_what_is_no_goods_is_known_by_its_category_or_title(category: str, title: str, rule: str | None) -> None:
    Item.objects.create(sku="X", title=title, category=category)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {selectors.not_goods_sql()} FROM catalog_item item WHERE sku = 'X'")
        assert cursor.fetchone()[0] == rule


def test_a_plan_of_its_own_limits_how_many_items_there_are(shop: Any) -> None:
    shop.limits = {"items": 1}
    shop.save()
    with pytest.raises(services.TooManyItems, match="room for 1 item;"):
        services.upsert_items(channel=services.make_channel(slug="files"), rows=items({"value": "A"}, {"value": "B"}))


def test_terms_belong_to_suppliers_and_the_first_supplier_is_preferred() -> None:
    channel = services.make_channel(slug="files")
    services.upsert_items(channel=channel, rows=items({"value": "A", "price": 10}))
    item = Item.objects.get()
    rows = [{"supplier": "Alder", "item_id": item.pk, "lead_time_days": 9.0, "pack_size": 6},
            {"supplier": "Alder", "lead_time_spread_days": 2.0, "minimum_order_value": 100, "review_period_days": 14},
            {"supplier": "Birch", "item_id": item.pk, "unit_cost": 4}]
    assert counts(services.upsert_terms(rows=terms(*rows))) == (2, 1, 0)
    assert counts(services.upsert_terms(rows=terms(*rows))) == (0, 0, 3)
    assert set(SupplyTerm.objects.values_list("supplier__name", "is_preferred")) == {("Alder", True), ("Birch", False)}
    frame = selectors.terms_frame()
    found = frame.iloc[0].to_dict()
    assert (found["lead_time_days"], found["lead_time_spread_days"], found["review_period_days"]) == (9.0, 2.0, 14)
    assert (found["pack_size"], found["moq"], found["unit_cost"], found["price"]) == (6, 1, 6.0, 10.0)
    assert (found["minimum_order_value"], found["assumed"]) == (100.0, ["unit_cost"])


def test_what_nobody_said_is_assumed_from_the_defaults_and_says_so() -> None:
    services.change_defaults(actor=None, lead_time_days=21, cost_share=0.5)
    Item.objects.create(sku="A", title="A", price=8)
    Item.objects.create(sku="B", title="B", unit_cost=3, cost_origin="simulated")
    frame = selectors.terms_frame().set_index("item_id")
    first, second = (frame.loc[Item.objects.get(sku=sku).pk] for sku in ("A", "B"))
    assert (first["lead_time_days"], first["unit_cost"], first["supplier_id"]) == (21, 4, 0)
    assert first["assumed"] == ["lead_time_days", "lead_time_spread_days", "review_period_days", "unit_cost"]
    assert (second["price"], second["simulated"], first["simulated"]) == (6, ["unit_cost"], [])
    assert "price" in second["assumed"]
    assert selectors.terms_of_items([Item.objects.get(sku="A").pk]).popitem()[1]["unit_cost"] == Decimal("4.0000")


def test_changed_defaults_leave_a_trace_and_keep_sane() -> None:
    services.change_defaults(actor=None, lead_time_days=30)
    entry = AuditEntry.objects.get(action="defaults.changed")
    assert entry.detail == {"before": {"lead_time_days": "14.0"}, "after": {"lead_time_days": "30"}}
    with pytest.raises(ValidationError):
        services.change_defaults(actor=None, cost_share=1.5)
    with pytest.raises(TypeError):
        services.change_defaults(actor=None, colour=1)


def test_what_someone_says_of_a_term_is_given_from_then_on_and_the_rest_stays_made_up() -> None:
    item = Item.objects.create(sku="A", title="A", price=8)

    def simulated() -> set[str]:
        return set(selectors.terms_of_items([item.pk])[item.pk]["simulated"])

    for_item: dict[str, Any] = {"supplier": "Alder", "item_id": item.pk, "lead_time_days": 5.0, "moq": 6,
                                "unit_cost": 4}
    for_all = {"supplier": "Alder", "lead_time_days": 9.0, "lead_time_spread_days": 2.0, "review_period_days": 14}
    services.upsert_terms(rows=terms(for_item, for_all), origin="simulated")
    assert simulated() == {"lead_time_days", "lead_time_spread_days", "review_period_days", "moq", "unit_cost"}
    term = services.change_term(item=item, supplier=Supplier.objects.get(), actor=None, lead_time_days=12)
    assert (term.lead_time_days, term.is_preferred) == (12, True)
    assert simulated() == {"lead_time_spread_days", "review_period_days", "moq", "unit_cost"}
    assert AuditEntry.objects.filter(action="term.changed").count() == 1
    said = {"supplier": "Alder", "item_id": item.pk, "unit_cost": 3}
    for origin, expected in (("given", ["moq"]), ("simulated", ["moq", "unit_cost"])):
        assert counts(services.upsert_terms(rows=terms(said), origin=origin)) == (0, 1, 0)
        assert SupplyTerm.objects.get().simulated == expected
        assert counts(services.upsert_terms(rows=terms(said), origin=origin)) == (0, 0, 1)


def test_what_someone_says_of_a_supplier_leaves_its_other_terms_made_up() -> None:
    item = Item.objects.create(sku="A", title="A", price=8)
    made_up = {"supplier": "Alder", "lead_time_days": 9.0, "lead_time_spread_days": 2.0, "review_period_days": 14,
               "minimum_order_value": 100}
    services.upsert_terms(rows=terms(made_up, {"supplier": "Alder", "item_id": item.pk}), origin="simulated")
    left = set(made_up) - {"supplier"}
    assert set(Supplier.objects.get().simulated) == left
    for said in ({"lead_time_days": 9.0}, {"minimum_order_value": 50}):
        row = {"supplier": "Alder", **said}
        assert counts(services.upsert_terms(rows=terms(row))) == (0, 1, 0), "a figure that was made up is now given"
        left -= set(said)
        assert set(selectors.terms_of_items([item.pk])[item.pk]["simulated"]) == left
        assert counts(services.upsert_terms(rows=terms(row))) == (0, 0, 1)
    services.change_term(item=item, supplier=Supplier.objects.get(), actor=None, lead_time_spread_days=1)
    assert selectors.terms_of_items([item.pk])[item.pk]["simulated"] == ["review_period_days"]


def test_locations_are_found_by_the_names_that_channels_use() -> None:
    channel = services.make_channel(slug="files")
    first = services.make_locations(channel=channel, names=["Berlin Mitte", "上海"])
    assert services.make_locations(channel=channel, names=["上海", " Berlin Mitte "]) == first
    assert services.make_locations(channel=services.make_channel(slug="other"), names=["Berlin Mitte"]) == {
        "Berlin Mitte": first["Berlin Mitte"]}


def test_thousands_of_locations_cost_no_more_questions_than_one_and_none_is_taken_for_another() -> None:
    channel = services.make_channel(slug="files")
    odd = ["!!!", "???", "x" * 70 + " north", "x" * 70 + " south"]
    with CaptureQueriesContext(connection) as of_one:
        services.make_locations(channel=channel, names=["One", "Another"])
    with CaptureQueriesContext(connection) as of_many:
        found = services.make_locations(channel=channel, names=[f"Shop {n}" for n in range(400)] + odd)
    assert len(of_many) == len(of_one)
    assert len(set(found.values())) == 404
    assert services.make_locations(channel=channel, names=odd) == {name: found[name] for name in odd}


def test_a_shop_of_one_place_has_one_location_whatever_its_files_call_it() -> None:
    main, channel = services.main_location(), services.make_channel(slug="files")
    assert services.make_locations(channel=channel, names=["Hauptlager"]) == {"Hauptlager": main.pk}
    assert [location.name for location in Location.objects.all()] == ["Hauptlager"]
    assert services.make_locations(channel=channel, names=["Hauptlager"]) == {"Hauptlager": main.pk}
    assert services.make_locations(channel=channel, names=["Filiale"])["Filiale"] != main.pk, "a second name is another"
    assert services.main_location().pk == main.pk
