"""Files of items, stock, suppliers and promotions become facts, in any order, and again change nothing."""

from __future__ import annotations

import csv
import datetime as dt
import io
from decimal import Decimal

import pytest
from django.db import transaction
from django.utils import timezone

from apps.catalog import selectors as catalog
from apps.catalog.models import Item, Location, Supplier, SupplyTerm
from apps.ingestion.adapters.columns import COLUMNS
from apps.ingestion.adapters.rules import rule
from apps.inventory.models import StockLevel
from apps.inventory.selectors import stock_days_frame
from apps.sales.models import Promotion
from tests.integration.ingestion.shops import ORDERS, counts, sold, take

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("shop")]


def test_items_come_in_with_what_the_file_says_of_them() -> None:
    text = (
        "sku,title,category,brand,unit_of_measure,unit_cost,price,status\n"
        "A,Apple,Food>Fruit,Farm,each,1.20,2.00,active\nB,Bread,Food > Bakery,,,,3,draft\n"
        "C,Cake,,,,1,2,unheard of\nD,Date,,,,-1,2,\nA,Apple,Food>Fruit,Farm,each,1.20,2.00,active\n"
        "B,Brioche,,,,,4,active\n"
    )
    file = take(text, "items")
    assert counts(file) == (6, 2, 0, 1, 3)
    assert file.rules["rejected"] == {"status": 1, "below_zero": 1, "twice": 1}
    apple, bread = Item.objects.order_by("sku")
    assert (apple.category, apple.unit_cost, apple.price, apple.status) == ("Food > Fruit", Decimal("1.2"), 2, "active")
    assert (bread.status, bread.unit_cost) == ("paused", None)
    assert counts(take(text, "items")) == (6, 0, 2, 1, 3)


def test_a_shopify_product_export_gives_variants_their_orders_names() -> None:
    file = take(
        "Handle,Title,Body (HTML),Vendor,Type,Option1 Name,Option1 Value,Variant SKU,Variant Price,Image Src,"
        "Cost per item,Status\n"
        'tea,Green tea,"<p>Fine\nleaves</p>",Leaf,Drinks,Size,100 g,T-1,5.00,http://x/1.png,2.00,active\n'
        "tea,,,,,,200 g,,9.00,,4.00,\n"
        "tea,,,,,,,,,http://x/2.png,,\n"
        "cup,Cup,,Pot,Kitchen,Title,Default Title,C-1,4.00,,,archived\n",
        None,
    )
    assert counts(file) == (4, 3, 0, 1, 0)
    assert file.rules["set_aside"] == {"not_a_variant": 1}
    found = {item.sku: (item.title, item.brand, item.category, item.status) for item in Item.objects.all()}
    assert found == {
        "T-1": ("Green tea - 100 g", "Leaf", "Drinks", "active"),
        "Green tea - 200 g": ("Green tea - 200 g", "Leaf", "Drinks", "active"),
        "C-1": ("Cup", "Pot", "Kitchen", "discontinued"),
    }


def test_a_woocommerce_product_export_leaves_out_parents() -> None:
    file = take(
        "ID,Type,SKU,Name,Published,Regular price,Categories,Brands\n"
        '1,variable,P,Tea,1,,"Drinks > Tea, Sale",Leaf\n'
        '2,variation,P-1,Tea - 100 g,1,5,"Drinks > Tea, Sale",Leaf\n'
        "3,simple,C-1,Cup,-1,4,Kitchen,\n",
        None,
    )
    assert counts(file) == (3, 2, 0, 1, 0)
    assert {item.sku: (item.category, item.status) for item in Item.objects.all()} == {
        "P-1": ("Drinks > Tea", "active"),
        "C-1": ("Kitchen", "discontinued"),
    }


def test_stock_counts_set_levels_once_and_folded_ones_add_up() -> None:
    text = "sku,location,on_hand,counted_at\nA,North,5,2025-01-05\nA,South,7,2025-01-05\nB,North,-,2025-01-05\n"
    file = take(text, "stock", options={"fold_locations": "main"})
    assert counts(file) == (3, 2, 0, 0, 1)
    assert StockLevel.objects.values_list("on_hand", "location__code").get() == (12, "main")
    assert counts(take(text, "stock", options={"fold_locations": "main"}))[2] >= 1
    assert StockLevel.objects.get().on_hand == 12


def balances(code: str = "main") -> list[tuple[str, float]]:
    """What the ledger says was there at the close of each day that moved."""
    days = stock_days_frame(dt.date(2025, 1, 1), dt.date(2025, 12, 31))
    days = days[days["location_id"] == Location.objects.get(code=code).pk]
    return [(day.isoformat(), units) for day, units in zip(days["date"], days["closing"], strict=True)]


def test_counts_of_several_days_in_one_file_each_hold_on_their_day_and_the_newest_is_in_force() -> None:
    text = (
        "sku,on_hand,counted_at\nA,30,2025-01-05\nA,4,2025-01-30\nA,30,2025-01-05\nA,9,2025-01-12\n"
        "A,8,2025-01-12\nA,7,2025-01-20 08:00\nA,6,2025-01-20 18:00\n"
    )
    file = take(text, "stock")
    assert file.rules["rejected"] == {"counted_twice": 1}
    assert (counts(file), file.rules["set_aside"]) == ((7, 5, 0, 1, 1), {"repeated": 1})
    assert balances() == [("2025-01-05", 30), ("2025-01-12", 9), ("2025-01-20", 6), ("2025-01-30", 4)]
    assert StockLevel.objects.get().on_hand == 4
    assert rule("counted_twice").remedy() == "Keep the right one, or say on which day each was counted."
    assert counts(take(text, "stock")) == (7, 0, 5, 1, 1)
    older = take("sku,on_hand,counted_at\nA,12,2025-01-09\n", "stock")
    assert counts(older) == (1, 1, 0, 0, 0)
    assert (balances()[1], StockLevel.objects.get().on_hand) == (("2025-01-09", 12), 4)


def test_folded_counts_of_several_days_add_up_from_the_day_on_which_all_were_counted() -> None:
    text = (
        "sku,location,on_hand,counted_at\nA,North,5,2025-01-05\nA,South,7,2025-01-06\nA,North,3,2025-01-30\n"
        "A,South,2,2025-01-30\nA,North,4,2025-01-20\n"
    )
    take(text, "stock", options={"fold_locations": "main"})
    assert balances() == [("2025-01-06", 12), ("2025-01-20", 11), ("2025-01-30", 5)]


@pytest.mark.parametrize("counted_at", ["2025-01-05", "05.01.2025", "Jan 5, 2025", "2025-01-05 18:30"])
def test_a_count_of_a_day_holds_what_was_sold_on_it_and_the_next_days_sales_move_it(counted_at: str) -> None:
    take(f'sku,on_hand,counted_at\nA,0,"{counted_at}"\n', "stock", options={"dates": "dmy"})
    take(ORDERS + "1,1,2025-01-05 12:00,A,1,3,\n")
    assert StockLevel.objects.get().on_hand == 0, "counted in the evening, after the day's sale: not one below nothing"
    take(ORDERS + "2,1,2025-01-06 12:00,A,2,3,\n")
    assert StockLevel.objects.get().on_hand == -2


def test_what_is_sold_already_since_a_count_comes_off_it_whichever_file_came_first() -> None:
    take(ORDERS + "1,1,2025-01-05 12:00,A,1,3,\n2,1,2025-01-06 12:00,A,2,3,\n3,1,2025-01-09 12:00,A,4,3,\n")
    count = "sku,on_hand,counted_at\nA,9,2025-01-05\n"
    take(count, "stock")
    assert StockLevel.objects.get().on_hand == 3
    take(count, "stock")
    assert StockLevel.objects.get().on_hand == 3, "once"
    take("sku,on_hand,counted_at\nA,20,2025-01-08\n", "stock")
    assert StockLevel.objects.get().on_hand == 16
    assert balances() == [("2025-01-05", 9), ("2025-01-06", 7), ("2025-01-08", 20), ("2025-01-09", 16)]


def test_a_count_is_of_no_later_moment_than_it_came() -> None:
    later = timezone.now() + dt.timedelta(hours=12)
    take(f"sku,on_hand,counted_at\nA,5,{later:%Y-%m-%d %H:%M}\n", "stock")
    assert StockLevel.objects.get().counted_at <= timezone.now()


def test_suppliers_speak_for_items_and_for_all_they_sell() -> None:
    text = (
        "supplier,sku,lead_time_days,moq,pack_size,unit_cost,minimum_order_value,review_period_days,currency\n"
        "Alder,A,5,10,6,1.5,200,7,USD\nAlder,,,,,,,,\nBirch,A,9,2.5,0,,,,\nBirch,B,9,,,,,,euro\n"
        "Cedar,C,2000,,,,,,\n"
    )
    file = take(text, "suppliers")
    assert counts(file) == (5, 2, 0, 0, 3)
    assert file.rules["rejected"] == {"whole": 1, "currency": 1, "too_large": 1}
    term = SupplyTerm.objects.select_related("supplier", "item").get()
    assert (term.supplier.name, term.item.sku, term.moq, term.pack_size) == ("Alder", "A", 10, 6)
    assert Supplier.objects.get().minimum_order_value == 200
    assert counts(take(text, "suppliers"))[1] == 0


def test_terms_in_another_currency_are_not_taken_for_the_shops() -> None:
    text = (
        "supplier,sku,lead_time_days,unit_cost,minimum_order_value,currency\n"
        "Alder,,5,,150,EUR\nBirch,,6,,150,USD\nCedar,,7,,,EUR\nDogwood,A,8,2,,eur\n"
    )
    file = take(text, "suppliers")
    assert file.rules["rejected"] == {"foreign_terms": 2}
    assert dict(Supplier.objects.values_list("name", "minimum_order_value")) == {"Birch": 150, "Cedar": None}
    assert not SupplyTerm.objects.exists()


def test_promotions_are_facts_with_a_share_and_whether_they_were_known() -> None:
    text = (
        "sku,location,kind,starts_on,ends_on,share,known_ahead\nA,,mailer,2025-01-06,2025-01-12,0.5,yes\n"
        "A,,endcap,2025-01-06,2025-01-12,50 %,no\nA,,surprise,2025-01-06,2025-01-12,,\n"
        "A,,price,2025-01-12,2025-01-06,1,no\nA,,price,2025-01-12,2025-01-16,7,no\n"
    )
    file = take(text, "promotions")
    assert counts(file) == (5, 3, 0, 0, 2)
    assert file.rules["rejected"] == {"ends_first": 1, "share": 1}
    assert set(Promotion.objects.values_list("kind", "share", "is_known_ahead", "location")) == {
        ("mailer", 0.5, True, None),
        ("display", 0.5, False, None),
        ("other", 1.0, False, None),
    }
    assert counts(take(text, "promotions")) == (5, 0, 3, 0, 2)
    later = take(text.replace("0.5,yes", "0.75,yes"), "promotions")
    assert counts(later) == (5, 1, 2, 0, 2)
    assert Promotion.objects.get(kind="mailer").starts_on == dt.date(2025, 1, 6)


FILES = {
    "items": "sku,title,category,unit_cost,price\nA,Apple,Fruit,1,3\nB,Bread,Bakery,,\n",
    "orders": ORDERS[:-1] + ",title\n1,1,2025-01-05,A,2,2.50,,apple (old)\n1,2,2025-01-05,B,1,4,,\n"
    "1,3,2025-01-05,C,1,6,,Cake\n",
    "later orders": "order,date,sku,qty,price\n2,2025-01-06,A,1,2.75\n2,2025-01-06,B,1,4.50\n3,2025-01-06,C,1,7\n",
    "suppliers": "supplier,sku,lead_time_days,unit_cost\nAlder,A,6,1.10\nAlder,B,6,\nAlder,D,6,2\n",
    "stock": "sku,on_hand,counted_at\nA,9,2025-01-07\nB,9,2025-01-07\nC,9,2025-01-07\nD,9,2025-01-07\n",
    "promotions": "sku,kind,starts_on,ends_on\nA,mailer,2025-01-05,2025-01-06\nC,mailer,2025-01-05,2025-01-06\n",
}


def test_files_may_come_in_any_order() -> None:
    """What one file says fills the gaps of another, whichever comes first, and a said figure beats a seen one."""
    names = list(FILES)
    turned = names[3:] + names[:3]
    states = []
    for order in (names, names[::-1], turned, turned[::-1]):  # of any two files, each comes before the other
        point = transaction.savepoint()
        for name in order:
            file = take(FILES[name], name.split()[-1])
            assert file.rows_applied == file.rows_read, (order, name)
        terms = catalog.terms_of_items(list(Item.objects.values_list("id", flat=True)))
        skus = dict(Item.objects.values_list("id", "sku"))
        found_items = Item.objects.order_by("sku").values_list("sku", "title", "category", "price", "unit_cost")
        states.append(
            (
                list(found_items),
                {skus[key]: (found["price"], found["unit_cost"], found["assumed"]) for key, found in terms.items()},
                sold(),
                StockLevel.objects.count(),
                Promotion.objects.count(),
            )
        )
        transaction.savepoint_rollback(point)
    assert states[0][0] == [
        ("A", "Apple", "Fruit", 3, 1),
        ("B", "Bread", "Bakery", Decimal("4.5"), None),
        ("C", "Cake", "", 7, None),
        ("D", "D", "", None, None),
    ]
    assert all(state == states[0] for state in states)


def test_an_items_file_is_news_even_where_sales_told_as_much() -> None:
    take("order,date,sku,qty,price,title\n1,2025-01-05,A,1,3,Apple\n")
    text = "sku,title,price\nA,Apple,3\n"
    assert counts(take(text, "items")) == (1, 1, 0, 0, 0)
    assert counts(take(text, "items")) == (1, 0, 1, 0, 0)
    take("order,date,sku,qty,price,title\n2,2025-01-06,A,1,9,Pear\n")
    assert Item.objects.values_list("title", "price").get() == ("Apple", 3)


def test_a_title_stands_in_for_a_sku_until_there_is_one() -> None:
    shopify = (
        "Name,Financial Status,Created at,Lineitem quantity,Lineitem name,Lineitem price,Lineitem sku\n"
        "#1,paid,2025-01-05 10:00:00 -0500,1,Cup - red,4.00,\n"
    )
    file = take(shopify, None)
    assert (counts(file), file.rules["flagged"]) == ((1, 1, 0, 0, 0), {"new_item": 1})
    cup = Item.objects.get()
    assert (cup.sku, cup.shown_sku) == ("Cup - red", "no SKU")
    take("Handle,Title,Option1 Value,Variant SKU,Variant Price\ncup,Cup,red,C-1,5.00\ncup,,blue,,5.00\n", None)
    assert set(Item.objects.values_list("sku", "has_sku", "price")) == {("C-1", True, 5), ("Cup - blue", False, 5)}
    again = take(shopify, None)
    assert (counts(again), again.rules["flagged"]) == ((1, 0, 1, 0, 0), {"by_title": 1})
    take(shopify.replace("#1", "#2").replace("Cup - red", "cup - RED"), None)
    assert sold() == {("C-1", "2025-01-05"): 2}


def test_a_gap_among_skus_is_filled_by_a_title_or_pointed_out() -> None:
    take("sku,title\nA,Apple\nT1,Twin\nT2,Twin\n", "items")
    file = take(
        "order,date,sku,qty,title\n1,2025-01-05,,1,apple\n2,2025-01-05,,1,Twin\n3,2025-01-05,,1,Cake\n"
        "4,2025-01-05,C,1,Cake\n5,2025-01-05,,1,Pie\n"
    )
    assert counts(file) == (5, 3, 0, 0, 2)
    assert file.rules["rejected"] == {"two_titles": 1, "no_sku": 1}
    assert file.rules["flagged"]["by_title"] == 2, "the apple of the catalog, and the cake of another line"
    assert sold() == {("A", "2025-01-05"): 1, ("C", "2025-01-05"): 2}
    aside = take(
        "order,date,sku,qty,title\n6,2025-01-05,,1,apple\n7,2025-01-05,,1,Pie\n", options={"unknown_items": "set_aside"}
    )
    assert (counts(aside), aside.rules["set_aside"]) == ((2, 1, 0, 1, 0), {"unknown_sku": 1})


def test_simulated_figures_keep_their_origin() -> None:
    take("sku,title,unit_cost,price\nA,Apple,1,3\n", "items", options={"origin": "simulated"})
    assert Item.objects.get().cost_origin == "simulated"
    assert catalog.terms_of_items([Item.objects.get().pk]).popitem()[1]["simulated"]


def test_rows_of_items_that_are_not_there_may_be_set_aside() -> None:
    file = take("supplier,sku,lead_time_days\nAlder,A,6\n", "suppliers", options={"unknown_items": "set_aside"})
    assert (counts(file), file.rules["set_aside"]) == ((1, 0, 0, 1, 0), {"unknown_sku": 1})
    assert Item.objects.count() == 0


_ROW = {
    "order_id": "1",
    "line_id": "1",
    "occurred_at": "2025-01-05",
    "sku": "A",
    "title": "Apple",
    "quantity": "1",
    "on_hand": "1",
    "supplier": "S",
    "starts_on": "2025-01-05",
    "ends_on": "2025-01-06",
}
_HOSTILE = [
    "x" * 5000,
    "\U0001f984" * 400,
    "9" * 15,
    "-" + "9" * 15,
    "40000",
    "9" * 400,
    "-1",
    "0.0000001",
    "1e308",
    "NaN",
    "\u202eabc\u2066",
    "<script>alert(1)</script>",
    "'\"--",
    "\\N",
    "\x01\x1f",
    "\ufdd0\uffff",
    "9999-12-31T23:59:59-23:59",
    "0001-01-01",
    "31.02.2025",
    "1000000000",
    "null",
]


@pytest.mark.parametrize("kind", COLUMNS)
def test_whatever_a_cell_holds_its_row_is_taken_or_rejected_and_the_file_read(kind: str) -> None:
    """Every column of every kind, too long for its place in the database or of another sort."""
    names = [column.name for column in COLUMNS[kind]]
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=names, extrasaction="ignore")
    writer.writeheader()
    for number, (name, value) in enumerate((name, value) for name in names for value in _HOSTILE):
        writer.writerow({**_ROW, "order_id": str(number), "sku": f"A{number}", name: value})
    file = take(text.getvalue(), kind)
    assert counts(file)[0] == len(names) * len(_HOSTILE)
    assert file.rows_applied > len(names)
    assert file.rules["rejected"]["too_long"] >= 2
